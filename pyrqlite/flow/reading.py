"""Reads: packed, or plain where that is exact and faster."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from pyrqlite.cluster.kinds import Kind
from pyrqlite.errors import DataError, InternalError, ProgrammingError
from pyrqlite.flow.packed import Packed, PackedRead, Query, WrongWidth
from pyrqlite.flow.schema import current_schema
from pyrqlite.flow.session import CallOptions, Outcome, Session, ask
from pyrqlite.flow.steps import Flow
from pyrqlite.sql.statement import Statement, StatementKind
from pyrqlite.wire import packing, plain
from pyrqlite.wire.request import EXPLAIN, QUERY, Item, item
from pyrqlite.wire.response import Result, plain_rows

T = TypeVar("T")

_CONVERTED = frozenset({"date", "datetime", "timestamp", "boolean"})


class Form(enum.Enum):
    """The forms of a read."""

    PACKED = "packed"
    TYPED = "typed"  # plain, with the storage classes beside the values
    INFERRED = "inferred"  # plain, one row of expressions


@dataclass(frozen=True)
class Shape:
    """How a query answered the last time, and the forms for the next time. `settled` says that only the
    packed form serves it."""

    width: int
    form: Form = Form.PACKED
    settled: bool = False
    packing: packing.Form = packing.Form.EXACT
    types: tuple[str, ...] = ()


def read(session: Session, query: Query, options: CallOptions) -> Flow[Outcome]:
    """The rows of a SELECT or VALUES, exact."""
    return (yield from believed(options, lambda chosen: _read(session, query, chosen)))


def believed(options: CallOptions, read_at: Callable[[CallOptions], Flow[T]]) -> Flow[T]:
    """What is read; that there is no such table is believed of the level strong only.

    A node that has just started may not know its tables yet. At the level none that is what was asked for.
    """
    try:
        return (yield from read_at(options))
    except ProgrammingError as error:
        if "no such table" not in str(error) or options.level in ("none", "strong"):
            raise
    return (yield from read_at(options.but(level="strong", freshness=None, freshness_strict=False)))


def _read(session: Session, query: Query, options: CallOptions) -> Flow[Outcome]:
    if session.cluster.packs is False:
        return (yield from read_plain(session, query, options))
    key = query.statement.text
    shape = session.cluster.shapes.get(key)
    as_written = query.statement is query.original  # else the plain forms show other names
    if isinstance(shape, Shape) and shape.form is not Form.PACKED and as_written:
        try:
            small = yield from _read_small(session, query, shape, options)
            if len(small.rows) > plain.MOST_ROWS:
                session.cluster.shapes.put(key, replace(shape, form=Form.PACKED))
            return small
        except plain.Inexact:
            session.cluster.shapes.put(key, Shape(shape.width, settled=True))
    if not isinstance(shape, Shape):
        shape = None
    width = packing.count_columns(query.statement) if shape is None else shape.width
    read = PackedRead(query, width, packing.Form.EXACT if shape is None else shape.packing)
    packed = yield from _read_packed(session, read, options)
    if packed is None:
        return (yield from read_plain(session, query, options))
    outcome = Outcome(packed.columns, packed.rows, len(packed.rows))
    yield from _learn(session, query.statement, outcome, shape, options)
    return outcome


def _learn(
    session: Session,
    statement: Statement,
    outcome: Outcome,
    shape: Shape | None,
    options: CallOptions,
) -> Flow[None]:
    """Choose the forms for the next time, as far as this time tells."""
    columns = outcome.columns or []
    if shape is not None and shape.settled:
        learnt = replace(shape, width=len(columns))
    else:
        only_columns = yield from _reads_only_columns(session, statement, options)
        learnt = Shape(
            len(columns),
            _small_form(statement, outcome, only_columns),
            packing=packing.Form.STORED if only_columns else packing.Form.EXACT,
            types=tuple(declared for _, declared in columns),
        )
    if learnt != shape:
        session.cluster.shapes.put(statement.text, learnt)


def _small_form(statement: Statement, outcome: Outcome, only_columns: bool) -> Form:
    types = {declared for _, declared in outcome.columns or ()}
    if len(outcome.rows) > plain.MOST_ROWS or types & _CONVERTED:
        return Form.PACKED
    if only_columns and plain.typed_query(statement) is not None:
        return Form.TYPED
    # A `*` may be another list of columns to a connection whose schema is old.
    explicit = not statement.is_compound and packing.select_items(statement) is not None
    if types == {""} and len(outcome.rows) <= 1 and explicit:
        return Form.INFERRED
    return Form.PACKED


def _reads_only_columns(session: Session, statement: Statement, options: CallOptions) -> Flow[bool]:
    """Whether the query shows stored values and nothing else: columns, of tables, not generated.

    SQLite may evaluate a view's column twice, and with it a random() in the view; and what functions have
    made may count as JSON.
    """
    names = plain.tables_read(statement) if plain.shows_columns(statement) else None
    if not names:
        return False
    schema = session.cluster.schema.schema
    if schema is None and options.level != "none":  # that one must work without a leader, too
        schema = yield from current_schema(session)
    if schema is None:
        return False
    tables = [schema.table(name) for name in names]
    return all(
        table is not None
        and table.kind == "table"
        and not any(column.generated for column in table.columns)
        for table in tables
    )


def _read_small(
    session: Session, query: Query, shape: Shape, options: CallOptions
) -> Flow[Outcome]:
    text = query.statement.text
    if shape.form is Form.TYPED:
        text = plain.typed_query(query.statement) or text
    try:
        result = yield from _last_result(session, [item(text, query.values)], QUERY, options)
    except DataError as error:
        raise plain.Inexact from error  # an infinity: the plain form cannot carry it
    names = result.columns or []
    if shape.form is Form.TYPED:
        names = names[:-1]
        rows = plain.typed_rows(result)
    else:
        rows = plain.inferred_rows(result)
    if len(names) != shape.width or any(
        known and known != declared
        for known, declared in zip(shape.types, result.types, strict=False)
    ):
        raise plain.Inexact  # another table under the same name
    # The server guesses the types of columns that have none.
    return Outcome(list(zip(names, shape.types, strict=True)), rows, len(rows))


def read_plain(session: Session, query: Query, options: CallOptions) -> Flow[Outcome]:
    """The rows in the server's own form: for PRAGMA and EXPLAIN, and for servers that cannot pack."""
    # EXPLAIN is known as such by the server's parser only.
    target = EXPLAIN if query.statement.kind is StatementKind.EXPLAIN else QUERY
    # PRAGMA index_list and its like do not see by themselves that the schema is another one.
    items = [packing.RELOAD_SCHEMA, item(query.statement.text, query.values)]
    result = yield from _last_result(session, items, f"{target}&transaction", options)
    if result.columns is None:
        return Outcome()
    rows = plain_rows(result)
    return Outcome(list(zip(result.columns, result.types, strict=True)), rows, len(rows))


def _last_result(
    session: Session, items: list[Item], target: str, options: CallOptions
) -> Flow[Result]:
    answer = yield from ask(
        session, target + options.read_query, items, options.timeout, kind=options.read_kind
    )
    return _results(answer.results, len(items))[-1].check()


def _read_packed(session: Session, read: PackedRead, options: CallOptions) -> Flow[Packed | None]:
    """Ask for names and rows in one snapshot, again where width or form prove wrong; None where the server
    cannot pack."""
    for _ in range(4):
        try:
            return (yield from _ask_packed(session, read, options))
        except WrongWidth as wrong:
            read = replace(read, width=wrong.width)
        except packing.InvalidUtf8:
            read = replace(read, form=packing.Form.HEX)
        except packing.TooManyTerms:
            return None
    raise InternalError("the columns of a query changed with every attempt to read it")


def _ask_packed(session: Session, read: PackedRead, options: CallOptions) -> Flow[Packed | None]:
    items = read.items()
    probing = session.cluster.packs is None
    if probing:
        items.append(packing.PROBE)
    target = f"{QUERY}&transaction{options.read_query}"
    answer = yield from ask(session, target, items, options.timeout, options.read_kind)
    results = _results(answer.results, len(items))
    if probing:
        session.cluster.packs = _can_pack(results[-1])
    return read.answer(results) if session.cluster.packs else None


def can_pack(session: Session) -> Flow[bool]:
    """Whether the server's JSON functions print exactly what packed reads need; asked once."""
    if session.cluster.packs is None:
        target = f"{QUERY}&level=none"
        answer = yield from ask(
            session, target, [packing.PROBE], session.options.timeout, Kind.LOCAL
        )
        session.cluster.packs = _can_pack(_results(answer.results, 1)[0])
    return session.cluster.packs


def _can_pack(probe: Result) -> bool:
    return probe.error is None and probe.values[0][0] in packing.PROBE_ANSWERS


def _results(results: list[Result], count: int) -> list[Result]:
    if len(results) != count:
        raise InternalError(f"the server gave {len(results)} results for {count} statements")
    return results
