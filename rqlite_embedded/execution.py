"""Lists of statements: what stops them, what undoes them, what each one reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import NamedTuple

from .body import Statement
from .plans import is_disallowed
from .results import Change, Failure, Result, Rows
from .session import (
    OutOfBudget,
    PrepareError,
    ReadOnlyError,
    Session,
    StatementError,
    TimedOut,
    Watch,
)

_NOT_A_QUERY = "attempt to change database via query operation"


class CallError(Exception):
    """The whole call failed; the text is the response's top-level error."""


@dataclass
class Call:
    """A list of statements and how to run it. ``db_timeout`` is in seconds, 0 for none."""

    statements: list[Statement]
    transaction: bool = False
    timed: bool = False
    qualify: bool = False
    returning: bool = True
    db_timeout: float = 0.0
    roll_back_on_error: bool = False

    def check(self) -> None:
        """Raises CallError for statements that no call may contain."""
        for statement in self.statements:
            if is_disallowed(statement.sql):
                raise CallError("disallowed pragma")

    def start_clock(self, session: Session, watch: Watch | None = None) -> None:
        """Let ``db_timeout`` run from now on, or the budget of the watch where that is shorter.

        Raises CallError when it is over at once.
        """
        seconds = self.db_timeout if self.db_timeout > 0 else inf
        if watch is not None and watch.budget is not None and watch.budget <= seconds:
            session.limit(perf_counter() + watch.budget, OutOfBudget)
            return
        session.limit(perf_counter() + seconds, TimedOut, watch)
        try:
            session.check_limit()
        except TimedOut:
            raise CallError("context deadline exceeded") from None


class Bracket(NamedTuple):
    """The statements that begin, keep and undo the transaction around a list."""

    begin: str
    commit: str
    undo: tuple[str, ...]


ALONE = Bracket("BEGIN", "COMMIT", ("ROLLBACK",))
NESTED = Bracket("SAVEPOINT _call", "RELEASE _call", ("ROLLBACK TO _call", "RELEASE _call"))

Runner = Callable[[Session, Call, Bracket], "list[Result]"]


def run_queries(session: Session, call: Call, watch: Watch | None = None) -> list[Result]:
    """Run a list of reads: no error stops it. Raises CallError, OutOfBudget."""
    call.start_clock(session, watch)
    if call.transaction:
        _begin(session, ALONE)
    results: list[Result] = [
        _run_query(session, statement, call) for statement in call.statements if statement.sql
    ]
    if call.transaction:
        try:
            session.check_limit()
        except TimedOut:
            raise CallError("sql: transaction has already been committed or rolled back") from None
        _commit(session, ALONE)
    return results


def run_executes(session: Session, call: Call, bracket: Bracket) -> list[Result]:
    """Run a list of writes: in a transaction any error ends and undoes it. Raises CallError."""
    call.start_clock(session)
    if call.transaction:
        _begin(session, bracket)
    results: list[Result] = []
    for statement in call.statements:
        if not statement.sql:
            continue
        result = _run_execute(session, statement, call)
        results.append(result)
        if type(result) is Failure:
            if call.transaction:
                _undo(session, bracket)
                return results
            if call.roll_back_on_error:
                session.roll_back()
                return results
    if call.transaction:
        _commit(session, bracket)
    return results


def run_mixed(session: Session, call: Call, bracket: Bracket) -> list[Result]:
    """Run a list of reads and writes.

    In a transaction an error of running ends and undoes it, one of preparation does not.
    Raises CallError.
    """
    call.start_clock(session)
    if call.transaction:
        _begin(session, bracket)
    results: list[Result] = []
    for statement in call.statements:
        if not statement.sql:
            continue
        try:
            results.append(_run_either(session, statement, call))
        except PrepareError as exc:
            results.append(Failure(str(exc)))
            continue
        failed = results[-1]
        if call.transaction and (
            type(failed) is Failure or (type(failed) is Rows and failed.error)
        ):
            _undo(session, bracket)
            return results
    if call.transaction:
        _commit(session, bracket)
    return results


def _run_query(session: Session, statement: Statement, call: Call) -> Rows:
    start = perf_counter()
    try:
        rows = session.query(statement, qualify=call.qualify)
    except TimedOut:
        return Rows(error="query timeout")
    except ReadOnlyError:
        return Rows(error=_NOT_A_QUERY)
    except StatementError as exc:
        return Rows(error=str(exc))
    if call.timed:
        rows.time = perf_counter() - start
    return rows


def _run_execute(session: Session, statement: Statement, call: Call) -> Result:
    start = perf_counter()
    try:
        result = session.execute(statement, returning=call.returning)
    except TimedOut:
        return Failure("execute timeout")
    except StatementError as exc:
        return Failure(str(exc))
    if call.timed:
        result.time = perf_counter() - start
    return result


def _run_either(session: Session, statement: Statement, call: Call) -> Result:
    start = perf_counter()
    result: Change | Rows
    readonly = session.plan(statement.sql).readonly
    try:
        if readonly:
            result = session.query(statement, qualify=call.qualify)
        else:
            result = session.execute(statement, returning=call.returning)
    except TimedOut:
        return Rows(error="query timeout") if readonly else Failure("execute timeout")
    except PrepareError:
        raise
    except StatementError as exc:
        return Rows(error=str(exc)) if readonly else Failure(str(exc))
    if call.timed:
        result.time = perf_counter() - start
    return result


def _begin(session: Session, bracket: Bracket) -> None:
    try:
        session.control(bracket.begin)
    except StatementError as exc:
        raise CallError(str(exc)) from None


def _undo(session: Session, bracket: Bracket) -> None:
    if session.in_transaction:
        for sql in bracket.undo:
            session.control(sql)


def _commit(session: Session, bracket: Bracket) -> None:
    try:
        session.control(bracket.commit)
    except StatementError as exc:
        session.roll_back()
        raise CallError(str(exc)) from None
