"""What to do with a statement, by its kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pyrqlite.cluster.policies import until_nobody_interferes
from pyrqlite.errors import NotSupportedError, ProgrammingError, SerializationError
from pyrqlite.flow.controlling import commit_open, control, open_log
from pyrqlite.flow.packed import Query
from pyrqlite.flow.preparing import prepare, prepare_rows
from pyrqlite.flow.reading import read, read_plain
from pyrqlite.flow.retries import Retries
from pyrqlite.flow.session import CallOptions, Outcome, Session
from pyrqlite.flow.steps import Flow
from pyrqlite.flow.transacting import commit, execute_in, execute_many_in
from pyrqlite.flow.writing import with_fresh_schema, write, write_many, write_script
from pyrqlite.sql.admission import admit
from pyrqlite.sql.parameters import Parameters
from pyrqlite.sql.pragma import PragmaKind, advice, pragma_kind, pragma_name, wished
from pyrqlite.sql.statement import Statement, StatementKind, parse, remembered, split
from pyrqlite.transaction.log import Isolation, Log


def execute(
    session: Session, sql: str, parameters: Parameters | None, options: CallOptions
) -> Flow[Outcome]:
    """Run one statement."""
    statement = parse(sql)
    kind = statement.kind
    if kind is StatementKind.CONTROL:
        return (yield from control(session, statement))
    value = wished(statement) if kind is StatementKind.PRAGMA else None
    if value is not None:
        return (yield from _as_it_is(session, statement, value, options))
    refuse(statement)
    log = open_log(session)
    if log is not None:
        return (yield from execute_in(session, log, statement, parameters, options))
    if kind is StatementKind.PRAGMA and pragma_kind(statement) is PragmaKind.TRANSACTION:
        raise ProgrammingError(
            f"PRAGMA {pragma_name(statement)} is for a transaction, and none is open: begin one first"
        )
    if statement.returning is not None and session.options.exactly_once and not options.queue:
        return (yield from _seen_and_committed(session, statement, parameters, options))
    if kind is StatementKind.WRITE:
        return (
            yield from with_fresh_schema(
                session, lambda: _prepare_and_write(session, statement, parameters, options)
            )
        )
    prepared = yield from prepare(session, statement, parameters, options)
    if kind is StatementKind.EMPTY:
        return Outcome()
    if options.queue:
        raise ProgrammingError("only INSERT, REPLACE, UPDATE and DELETE can be queued")
    if kind is StatementKind.READ:
        query = Query(statement, prepared.statement, prepared.values)
        return (yield from read(session, query, options))
    if kind is StatementKind.EXPLAIN or (
        kind is StatementKind.PRAGMA and pragma_kind(statement) is PragmaKind.READ
    ):
        query = Query(statement, statement, prepared.values)
        return (yield from read_plain(session, query, options))
    return (yield from write(session, prepared, options))


def _as_it_is(
    session: Session, statement: Statement, value: str, options: CallOptions
) -> Flow[Outcome]:
    """A PRAGMA that wants a setting to be what it is: there is nothing to do. Others are refused."""
    name = pragma_name(statement)
    question = parse(f"PRAGMA {name}")
    found = yield from read_plain(session, Query(question, question, ()), options)
    if [str(cell) for row in found.rows for cell in row] != [value]:
        refuse(statement)
    return found if name == "journal_mode" else Outcome()


def _prepare_and_write(
    session: Session, statement: Statement, parameters: Parameters | None, options: CallOptions
) -> Flow[Outcome]:
    prepared = yield from prepare(session, statement, parameters, options)
    return (yield from write(session, prepared, options))


def _seen_and_committed(
    session: Session, statement: Statement, parameters: Parameters | None, options: CallOptions
) -> Flow[Outcome]:
    """A write whose rows could not be had a second time: a transaction sees them before it is committed."""
    retries = Retries(until_nobody_interferes())
    while (yield from retries.next()):
        log = Log(Isolation.SERIALIZABLE)
        try:
            outcome = yield from execute_in(session, log, statement, parameters, options)
            yield from commit(session, log)
        except SerializationError as error:
            retries.failed(error)
        else:
            return outcome
    raise AssertionError("a policy ends with an attempt or with an error")


def execute_many(
    session: Session, sql: str, rows: Iterable[Parameters], options: CallOptions
) -> Flow[Outcome]:
    """Run one statement for each set of parameters, all or nothing."""
    statement = parse(sql)
    if statement.kind is not StatementKind.WRITE:
        raise ProgrammingError("executemany() can only execute DML statements.")
    log = open_log(session)
    if log is not None:
        return (yield from execute_many_in(session, log, statement, rows, options))
    kept = list(rows)
    return (
        yield from with_fresh_schema(
            session, lambda: _prepare_and_write_many(session, statement, kept, options)
        )
    )


def _prepare_and_write_many(
    session: Session, statement: Statement, rows: list[Parameters], options: CallOptions
) -> Flow[Outcome]:
    prepared = yield from prepare_rows(session, statement, rows, options)
    return (yield from write_many(session, prepared, options))


def execute_script(session: Session, script: str, options: CallOptions) -> Flow[Outcome]:
    """Run the statements of a script, all or nothing; BEGIN and COMMIT around them change nothing then. An open
    transaction is committed first, as `sqlite3` does."""
    yield from commit_open(session)
    statements = [parse(text) for text in split(script)]
    kept: list[Statement] = []
    for statement in statements:
        if statement.verb in ("BEGIN", "COMMIT", "END"):
            continue
        if statement.kind is StatementKind.CONTROL:
            raise NotSupportedError(
                f"{statement.verb} cannot be part of a script, which is one transaction"
            )
        if statement.placeholders.count:
            raise ProgrammingError("a script takes no parameters")
        if statement.verb == "VACUUM":
            raise NotSupportedError(
                "VACUUM cannot be part of a script, which is one transaction: execute it alone"
            )
        refuse(statement)
        kept.append(statement)
    return (yield from write_script(session, kept, replace(options, queue=False, wait=False)))


@remembered
def refuse(statement: Statement) -> None:
    """Raise NotSupportedError for what must never reach the server, whatever the connection's mode."""
    admit(statement)
    if (
        statement.kind is StatementKind.PRAGMA
        and pragma_kind(statement) is PragmaKind.CONNECTION_STATE
    ):
        raise NotSupportedError(advice(pragma_name(statement)))
