"""How writes are applied: once, or not at all, and known to be either where the user asks for that.

With `exactly_once` a write carries an id into a small table, in the same request. Its answer may be lost: then
the same request is sent again, and either it is applied now, or the id is there already, and so is the write. A
late first attempt may still arrive behind a retry that failed; so once an answer was lost, a failure is reported
only when the id has been burnt: put into the table by a request of its own.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from pyrqlite.cluster.kinds import Kind
from pyrqlite.errors import Attempt, Error, OperationalError, OutcomeUnknownError, ProgrammingError
from pyrqlite.flow.exchange import REDIRECT
from pyrqlite.flow.retries import Retries
from pyrqlite.flow.session import Session, Unsettled, ask
from pyrqlite.flow.steps import Flow, Interrupted
from pyrqlite.wire.request import EXECUTE, REQUEST, Item, item
from pyrqlite.wire.response import Answer, Result, first_error

T = TypeVar("T")

MARKERS = "_pyrqlite_commits"
# The number makes a rowid in each write, so that last_insert_rowid() never is what a connection remembers of an
# earlier one, which a node forgets when it restarts.
_CREATE = (
    f"CREATE TABLE IF NOT EXISTS {MARKERS} "
    "(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, counts TEXT)"
)
_MARK = f"INSERT INTO {MARKERS}(id, counts) VALUES (?, '[-1,null]')"
_TAKEN = f"UNIQUE constraint failed: {MARKERS}.id"
# Of several rows the last rowid depends on the order in which a node has made them.
_COUNT = {
    True: f"UPDATE {MARKERS} SET counts = json_array(changes(), CASE WHEN changes() = 1 "
    "THEN last_insert_rowid() END) WHERE id = ?",
    False: f"UPDATE {MARKERS} SET counts = json_array(changes(), NULL) WHERE id = ?",
}
_BURN = f"INSERT OR IGNORE INTO {MARKERS}(id) VALUES (?)"
_LOOK = f"SELECT counts FROM {MARKERS} WHERE id = ?"
# Trimming earlier would let an attempt that comes very late be applied again. The latest ids are kept whatever
# time they name: the clock of this client may be wrong, or that of the one that made them.
_KEPT_SECONDS = 7 * 24 * 3600
_KEPT_IDS = 10_000
_TRIM = f"DELETE FROM {MARKERS} WHERE id < ? AND number <= (SELECT max(number) FROM {MARKERS}) - {_KEPT_IDS}"
_TRIM_EVERY_SECONDS = 3600.0


def apply(
    session: Session,
    items: Sequence[Item],
    target: str,
    timeout: float | None,
    *,
    makes_rowid: bool = False,
) -> Flow[Answer]:
    """Send a write and return its answer, one result for each of `items`.

    `makes_rowid` says that a single statement makes a rowid of its own. Raises OutcomeUnknownError where the write
    may have been applied; with `exactly_once` only when the retries have been used up. A write that is found to
    have been applied by an attempt whose answer was lost has results without rows: the counts of a single
    statement (the rowid only if it made one row), and -1 for several.
    """
    if not session.options.exactly_once or "&queue" in target:
        try:
            return (yield from ask(session, target, [*items], timeout, Kind.WRITE))
        except Interrupted as interrupted:
            if interrupted.sent:
                _leave_unsettled(session, None, timeout)
            raise
    if "&transaction" not in target:
        target += "&transaction"
    if session.cluster.has_markers:
        try:
            return (yield from _Once(session, timeout).apply(items, target, makes_rowid))
        except _Unmarked:
            session.cluster.has_markers = False
    # It was never there, or somebody has dropped it, and nothing was applied.
    yield from _make_table(session, timeout)
    try:
        return (yield from _Once(session, timeout).apply(items, target, makes_rowid))
    except _Unmarked as problem:
        raise problem.error from None


def _leave_unsettled(session: Session, id: str | None, timeout: float | None) -> None:
    session.work.unsettled.append(Unsettled(id, timeout))
    session.cluster.schema.renew()  # it may have been DDL


def once_settled(session: Session, flow: Flow[T]) -> Flow[T]:
    """Run `flow` once it is known what has become of writes that were interrupted.

    With ids it is found out: where nothing was applied, nothing ever will be, and the flow runs. Else, and where
    any was applied, raises OutcomeUnknownError, once, in place of running the flow.
    """
    work = session.work
    unsettled, work.unsettled = work.unsettled, []
    applied = 0
    try:
        for id, timeout in unsettled:
            if id is None:
                raise OutcomeUnknownError(
                    "a write was interrupted before its answer came: it may have been applied, or may still be. "
                    "This statement was not run: look whether the write took effect before you repeat it."
                )
            applied += (yield from _Once(session, timeout, id).settle()) is not None
    except Interrupted:
        work.unsettled += unsettled
        raise
    if not applied:
        return (yield from flow)
    several = f"{len(unsettled)} writes were interrupted before their answers came, and {applied} of them were"
    one = "a write was interrupted before its answer came, and was"
    error = OutcomeUnknownError(
        f"{one if len(unsettled) == 1 else several} applied: do not repeat what was. This statement was not run."
    )
    error.applied = True
    raise error


def _make_table(session: Session, timeout: float | None) -> Flow[None]:
    try:
        answer = yield from _Once(session, timeout).ask(f"{EXECUTE}{REDIRECT}", [_CREATE])
    except OutcomeUnknownError as error:
        raise OperationalError(
            f"the table {MARKERS} cannot be made, the write was not sent: {error}"
        ) from error
    for result in answer.results:
        result.check()
    session.cluster.has_markers = True
    session.cluster.schema.renew()


class _Unmarked(Exception):
    """The table of ids is not there, or not as it was made: nothing was applied."""

    def __init__(self, error: ProgrammingError) -> None:
        super().__init__(str(error))
        self.error = error


class _Counts(NamedTuple):
    """What an applied write has changed, and the rowid that it made."""

    changes: int
    rowid: int | None

    @classmethod
    def read(cls, text: Any) -> _Counts:
        """From what stands beside the id; -1 where that is not the driver's."""
        with suppress(ValueError, TypeError):
            changes, rowid = json.loads(text)
            if isinstance(changes, int) and isinstance(rowid, (int, type(None))):
                return cls(changes, rowid)
        return cls(-1, None)

    def answer(self, count: int) -> Answer:
        """The answer of a write of so many statements."""
        first = Result(None, [], [], self.rowid, self.changes, None)
        rest = [Result(None, [], [], None, 0, None)] * (count - 1)
        return Answer([first, *rest], None, None, None)


class _Once:
    """One write with its id; it knows whether an answer was lost, and with it what has become of the write."""

    def __init__(self, session: Session, timeout: float | None, id: str | None = None) -> None:
        self._session = session
        self._timeout = timeout
        # Ids begin with the time, so that the old ones are a range of the index.
        self._id = id or f"{_when(0)}-{uuid.uuid4()}"
        self._lost = id is not None
        self._attempts: list[Attempt] = []

    def apply(self, items: Sequence[Item], target: str, makes_rowid: bool) -> Flow[Answer]:
        """The answer to `items`, from whichever attempt."""
        try:
            return (yield from self._apply(items, target, makes_rowid))
        except Interrupted as interrupted:
            if interrupted.sent or self._lost:
                _leave_unsettled(self._session, self._id, self._timeout)
            raise

    def _apply(self, items: Sequence[Item], target: str, makes_rowid: bool) -> Flow[Answer]:
        lead = [item(_MARK, [self._id]), *self._trim()]
        tail = [item(_COUNT[makes_rowid], [self._id])] if len(items) == 1 else []
        try:
            answer = yield from self.ask(target, [*lead, *items, *tail])
        except OutcomeUnknownError:
            raise
        except Error:
            counts = (yield from self.settle()) if self._lost else None
            if counts is None:
                raise
            return counts.answer(len(items))
        results = answer.results
        taken = bool(results) and _TAKEN in (results[0].error or "")
        if taken or (self._lost and first_error(results) is not None):
            self._lost = True
            counts = yield from self.settle()
            if taken and counts is None:
                counts = _Counts(-1, None)
            if counts is not None:
                return counts.answer(len(items))
        own = slice(len(lead), len(lead) + len(items))
        self._check(results[: own.start] + results[own.stop :])
        return answer._replace(results=results[own])

    def ask(self, target: str, items: list[Item]) -> Flow[Answer]:
        """Send a request that does no harm when it is repeated, until it is answered.

        From the first lost answer on every failure to get one leaves the outcome unknown.
        """
        retries = Retries(self._session.cluster.once)
        while (yield from retries.next()):
            try:
                return (yield from ask(self._asked(), target, items, self._timeout, Kind.ONCE))
            except OperationalError as error:
                if not self._lost and not isinstance(error, OutcomeUnknownError):
                    raise
                self._lost = True
                self._attempts += error.attempts
                retries.failed(self._unknown(error))
        raise AssertionError("a policy ends with an attempt or with an error")

    def _asked(self) -> Session:
        """The session; once an answer was lost the id alone matters, and no longer who is asked."""
        return self._session._replace(at=None) if self._lost else self._session

    def settle(self) -> Flow[_Counts | None]:
        """Burn the id: afterwards no attempt can be applied. The counts of the write if one had been, else None."""
        both = [item(_BURN, [self._id]), item(_LOOK, [self._id])]
        try:
            answer = yield from self.ask(f"{REQUEST}&transaction{REDIRECT}", both)
            for result in answer.results:
                result.check()
        except OutcomeUnknownError:
            raise
        except Error as error:
            raise self._unknown(error) from error
        text = answer.results[-1].values[0][0]
        return None if text is None else _Counts.read(text)

    def _trim(self) -> list[Item]:
        cluster = self._session.cluster
        now = time.monotonic()
        if cluster.trimmed_at is not None and now - cluster.trimmed_at < _TRIM_EVERY_SECONDS:
            return []
        cluster.trimmed_at = now
        return [item(_TRIM, [_when(-_KEPT_SECONDS)])]

    def _check(self, results: Sequence[Result]) -> None:
        """Raise where one of the driver's own statements failed, and so the whole write."""
        error = first_error(results)
        if isinstance(error, ProgrammingError) and self._lost:
            # The ids are gone, and with them what became of the first attempt.
            raise self._unknown(error)
        if isinstance(error, ProgrammingError):
            raise _Unmarked(error)
        if error is not None:
            raise error

    def _unknown(self, error: Error) -> OutcomeUnknownError:
        unknown = OutcomeUnknownError(
            "a write was sent, and whether it was applied, or may still be, cannot be found out: "
            f"{error.__cause__ or error}"
        )
        unknown.node, unknown.attempts = error.node, tuple(self._attempts)
        return unknown


def _when(seconds: float) -> str:
    """The time in so many seconds, as a text of always the same length."""
    return f"{int(time.time() + seconds):012d}"
