"""Writes: one statement, many rows, scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

from pyrqlite.cluster.kinds import Kind
from pyrqlite.errors import InternalError, NotSupportedError, OperationalError, ProgrammingError
from pyrqlite.flow.applying import apply
from pyrqlite.flow.exchange import REDIRECT
from pyrqlite.flow.preparing import Prepared, PreparedRows, prepare, rewritten
from pyrqlite.flow.returning import check_understood, with_blank
from pyrqlite.flow.schema import current_schema, schema_after
from pyrqlite.flow.session import CallOptions, Outcome, Session, ask
from pyrqlite.flow.steps import Flow
from pyrqlite.sql.insert import parse_insert
from pyrqlite.sql.names import fold
from pyrqlite.sql.parameters import Parameters, bind
from pyrqlite.sql.schema import Schema
from pyrqlite.sql.statement import Statement, StatementKind
from pyrqlite.transaction.guards import conflict_number, table_guard
from pyrqlite.types import adapt
from pyrqlite.wire import bulk
from pyrqlite.wire.request import EXECUTE, EXECUTE_RETURNING, PARSED, UNTOUCHED, Item, item
from pyrqlite.wire.response import Answer, Result, first_error, plain_rows
from pyrqlite.wire.returning import PackedReturning, makes_rowid, pack_returning

T = TypeVar("T")


def write(session: Session, prepared: Prepared, options: CallOptions) -> Flow[Outcome]:
    """Apply one statement that changes data or schema."""
    statement = prepared.statement
    if statement.returning is not None and not options.queue:
        outcome = yield from _write_returning(session, prepared, options)
    else:
        items = [item(statement.text, prepared.values)]
        if statement.verb == "VACUUM":  # it cannot be part of a transaction, and does no harm twice
            target = f"{EXECUTE}{REDIRECT}"
            answer = yield from ask(session, target, items, options.timeout, Kind.SPECULATION)
            _only(answer).check()
            return Outcome()
        own_rowid = makes_rowid(statement, prepared.schema)
        answer = yield from _execute(session, items, options, makes_rowid=own_rowid)
        if options.queue:
            return Outcome()
        outcome = counts(statement, _only(answer).check(), prepared.schema)
    if statement.kind is StatementKind.DEFINITION:
        session.cluster.schema.renew()
    session.state.note(outcome)
    return outcome


def counts(statement: Statement, result: Result, schema: Schema | None) -> Outcome:
    """The counts of a write, and nothing of what the server's connection remembers of earlier ones."""
    if statement.kind is not StatementKind.WRITE:
        return Outcome()
    lastrowid = None
    if result.rows_affected and makes_rowid(statement, schema):
        lastrowid = result.last_insert_id or 0
    return Outcome(rowcount=result.rows_affected, lastrowid=lastrowid)


def _write_returning(session: Session, prepared: Prepared, options: CallOptions) -> Flow[Outcome]:
    schema = prepared.schema or (yield from current_schema(session))
    statement = prepared.statement
    packed = pack_returning(statement, schema) if schema is not None else None
    text = packed.text if packed is not None else with_blank(statement)
    yield from check_understood(session, prepared.completed, text, options)
    items = [item(text, prepared.values)]
    if packed is None or packed.star is None:
        answer = yield from _execute(session, items, options, EXECUTE_RETURNING)
        return returned(_only(answer).check(), packed)
    # Other columns may stand for the * by now.
    items.insert(0, table_guard(packed.star, 0))
    answer = yield from _execute(session, items, options, f"{EXECUTE_RETURNING}&transaction")
    if conflict_number(answer.results[0].error) is not None:
        raise StaleSchema
    return returned(all_results(answer, 2)[1], packed)


class StaleSchema(Exception):
    """The schema that is known is not the database's any more; nothing was applied."""


_COLUMN_GONE = ("no such column", "has no column named", "no such table")


def with_fresh_schema(session: Session, attempt: Callable[[], Flow[T]]) -> Flow[T]:
    """Run `attempt`, and once more with the schema loaded anew where the known one seems to be old."""
    try:
        return (yield from attempt())
    except StaleSchema:
        pass
    except ProgrammingError as error:
        if session.cluster.schema.schema is None or not any(t in str(error) for t in _COLUMN_GONE):
            raise
    session.cluster.schema.renew()
    return (yield from attempt())


def returned(result: Result, packed: PackedReturning | None) -> Outcome:
    """The rows of a RETURNING."""
    if result.columns is None:
        raise NotSupportedError(
            "the statement was applied, but this server does not show the rows of its RETURNING"
        )
    if packed is None:
        columns = list(zip(result.columns, result.types, strict=True))
        return Outcome(columns, plain_rows(result), len(result.values))
    rows, lastrowid = packed.rows([row[0] for row in result.values])
    return Outcome(list(packed.columns), rows, len(rows), lastrowid)


def write_many(session: Session, prepared: PreparedRows, options: CallOptions) -> Flow[Outcome]:
    """Apply one statement for each of many rows: all of them, or none where one fails."""
    items = yield from many_items(session, prepared, options)
    if not items:
        return Outcome(rowcount=0)
    answer = yield from _execute(session, items, options, f"{EXECUTE}&transaction")
    if options.queue:
        return Outcome()
    outcome = Outcome(rowcount=sum(map(_count, all_results(answer, len(items)))))
    session.state.note(outcome)
    return outcome


def many_items(session: Session, prepared: PreparedRows, options: CallOptions) -> Flow[list[Item]]:
    """The statements for many rows: a few packed ones where they mean the same, else one a row."""
    statement, rows, limit = prepared.statement, prepared.rows, session.options.max_request_bytes
    how = None if options.queue else bulk.packable(statement)
    if how is not None and not _shadows_json_each(prepared.schema):
        if session.cluster.has_unhex is None:
            session.cluster.has_unhex = yield from _ask_unhex(session, options)
        rows = list(rows)
        unhex = session.cluster.has_unhex
        with suppress(bulk.NotPackable):
            return [*bulk.pack(how, statement, rows, adapt, unhex=unhex, limit=limit)]
    return _listed(statement, rows, limit)


def all_results(answer: Answer, count: int) -> list[Result]:
    """The results of so many statements, none of which failed; raises the error of the one that did."""
    error = first_error(answer.results)
    if error is not None:
        raise error
    if len(answer.results) != count:
        raise InternalError(f"the server gave {len(answer.results)} results for {count} statements")
    return answer.results


def _shadows_json_each(schema: Schema | None) -> bool:
    return schema is not None and bool(schema.table("json_each") or schema.view("json_each"))


def _count(result: Result) -> int:
    return result.rows_affected if result.columns is None else len(result.values)


def _ask_unhex(session: Session, options: CallOptions) -> Flow[bool]:
    """Whether the server's SQLite has unhex() (since 3.41)."""
    question = "SELECT count(*) FROM pragma_function_list WHERE name = 'unhex'"
    try:
        answer = yield from ask(
            session, "/db/query?level=none", [question], options.timeout, Kind.LOCAL
        )
    except OperationalError as error:
        if error.http_status != 401:
            raise
        return True  # the user may not ask; servers of today have it
    result = _only(answer)
    return result.error is None and bool(result.values[0][0])


def _listed(statement: Statement, rows: Iterable[Parameters], limit: int) -> list[Item]:
    """One statement for each row."""
    items: list[Item] = []
    size = 0
    for row in rows:
        bound = bind(statement.placeholders.arrange(row), adapt)
        items.append(item(rewritten(statement, bound), bound.values))
        size += len(statement.text) + sum(
            len(value) if isinstance(value, (str, bytes)) else 8 for value in bound.values
        )
        if size > limit:
            raise bulk.too_large(limit)
    return items


def write_script(
    session: Session, statements: Sequence[Statement], options: CallOptions
) -> Flow[Outcome]:
    """Apply all statements of a script, or none where one fails."""
    items: list[Item] = []
    defined: set[str] = set()
    schema: Schema | None = None
    for statement in statements:
        if statement.kind is StatementKind.DEFINITION:
            defined |= {fold(token.name) for token in statement.tokens}
            schema = None
        insert = parse_insert(statement)
        if insert is not None and insert.table in defined and schema is None:
            readable = yield from current_schema(session)
            schema = readable and (yield from schema_after(session, items))
        prepared = yield from prepare(session, statement, None, options, schema)
        items.append(item(prepared.statement.text, prepared.values))
    if items:
        answer = yield from _execute(session, items, options, f"{EXECUTE}&transaction")
        all_results(answer, len(items))
        session.cluster.schema.renew()
    return Outcome()


def _execute(
    session: Session,
    items: list[Item],
    options: CallOptions,
    target: str = EXECUTE,
    *,
    makes_rowid: bool = False,
) -> Flow[Answer]:
    if not options.freeze:
        target = target.replace(UNTOUCHED, "").replace(PARSED, "")
    target += REDIRECT
    if options.queue:
        target += "&queue"
        if options.wait:
            target += "&wait"
    return (yield from apply(session, items, target, options.timeout, makes_rowid=makes_rowid))


def _only(answer: Answer) -> Result:
    if len(answer.results) != 1:
        raise InternalError(f"the server gave {len(answer.results)} results for one statement")
    return answer.results[0]
