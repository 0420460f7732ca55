"""Guards: statements that make a request fail where something that was seen is so no longer.

A guard runs on every node, and again whenever a node replays its log, so it must come out the same there
whatever plan SQLite chooses: it is a scalar SELECT that always gives one row, compares bags of rows and not
their order, and reads nothing but the database.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyrqlite.sql.aggregates import Aggregates
from pyrqlite.sql.grammar import ItemKind
from pyrqlite.sql.parameters import Value, bind
from pyrqlite.sql.schema import Schema
from pyrqlite.sql.statement import Statement, remembered
from pyrqlite.sql.tokens import quote_text
from pyrqlite.types import adapt
from pyrqlite.wire import packing
from pyrqlite.wire.request import Item, item

_FAIL = "THEN json_extract('{{}}', ?{tag}) END"
ABORT_TAG = "pyrqlite:abort"
_CONFLICT = "pyrqlite:conflict:"


def abort() -> Item:
    """The statement that fails whenever it is run, and so undoes the request that it ends."""
    return item("SELECT json_extract('{}', ?)", [ABORT_TAG])


def is_abort(error: str | None) -> bool:
    """Whether this is the error of `abort`."""
    return error is not None and ABORT_TAG in error


def conflict_tag(number: int) -> str:
    """What the error of the guard of this number carries."""
    return f"{_CONFLICT}{number}:"


def conflict_number(error: str | None) -> int | None:
    """The number of the guard whose error this is; None for other errors."""
    if error is None or _CONFLICT not in error:
        return None
    return int(error.partition(_CONFLICT)[2].partition(":")[0])


def compares_bags(schema: Schema) -> bool:
    """Whether guards of several rows can work: they need the json_each of SQLite, not one of the user's."""
    return schema.table("json_each") is None and schema.view("json_each") is None


def rows_guard(
    statement: Statement,
    values: list[Value],
    width: int,
    apart: frozenset[int],
    seen: str,
    count: int,
    number: int,
) -> Item:
    """Fails where the rows of a query are no longer the `count` rows in the packed text `seen`, columns
    `apart` left out."""
    text = _rows_guard(statement, width, apart, count > 1)
    return item(text, [*values, seen, conflict_tag(number)])


@remembered
def _rows_guard(statement: Statement, width: int, apart: frozenset[int], several: bool) -> str:
    rows = packing.rows_as_q(statement, width)
    array = packing.row_array(width, apart)
    seen, tag = statement.placeholders.count + 1, statement.placeholders.count + 2
    fail = _FAIL.format(tag=tag)
    if not several:
        return f"SELECT CASE WHEN ({rows} SELECT json_group_array({array}) FROM _pyrqlite_q) IS NOT ?{seen} {fail}"
    return (
        f"SELECT CASE WHEN ({rows} SELECT group_concat(r, char(10)) FROM "
        f"(SELECT {array} AS r FROM _pyrqlite_q ORDER BY r)) IS NOT "
        f"(SELECT group_concat(r, char(10)) FROM (SELECT value AS r FROM json_each(?{seen}) ORDER BY r)) {fail}"
    )


def aggregates_guard(
    statement: Statement,
    values: list[Value],
    aggregates: Aggregates,
    row: Sequence[Value],
    number: int,
) -> Item:
    """Fails where the one row of a query is no longer equal to `row`."""
    if aggregates.base is not None:
        statement = aggregates.base
        values = values[: statement.placeholders.count]  # without that of a LIMIT
    bound, first = bind(row, adapt), statement.placeholders.count
    cells = _SUMMED if aggregates.base is not None else {}
    conditions = []
    for place, (kind, collation) in enumerate(
        zip(aggregates.kinds, aggregates.collations, strict=True), 1
    ):
        cell = cells.get(kind, "c{0}").format(place)
        value = bound.templates.get(place, "{}").format(f"?{first + place}")
        conditions.append(f"{cell} IS {value} COLLATE {collation}")
    rows = packing.rows_as_q(statement, len(row))
    equal = " AND ".join(conditions)
    if aggregates.base is None:
        equal = f"count(*) FROM _pyrqlite_q WHERE {equal}"
    fail = _FAIL.format(tag=first + len(row) + 1)
    return item(
        f"SELECT CASE WHEN ({rows} SELECT {equal}) IS NOT 1 {fail}",
        [*values, *bound.values, conflict_tag(number)],
    )


# Of integers alone, which are added up exactly; and in one order, so that an overflow on the way is one everywhere.
_SUMMED = {
    ItemKind.COUNT: "(SELECT count(c{0}) FROM _pyrqlite_q)",
    ItemKind.SUM: "(SELECT CASE WHEN count(c) IS count(c) FILTER (WHERE typeof(c) = 'integer') "
    "THEN sum(c) FILTER (WHERE typeof(c) = 'integer') ELSE 'other' END "
    "FROM (SELECT c{0} AS c FROM _pyrqlite_q ORDER BY 1 LIMIT -1))",
}


def count_guard(changes: int, last_insert_rowid: int | None, number: int) -> Item:
    """Fails where the statement before it has not changed so many rows, or not made that rowid last."""
    if last_insert_rowid is None:
        text = f"SELECT CASE WHEN changes() IS NOT ?1 {_FAIL.format(tag=2)}"
        return item(text, [changes, conflict_tag(number)])
    text = (
        "SELECT CASE WHEN changes() IS NOT ?1 OR last_insert_rowid() IS NOT ?2 "
        f"{_FAIL.format(tag=3)}"
    )
    return item(text, [changes, last_insert_rowid, conflict_tag(number)])


def triggers_guard(sql: str | None, number: int) -> Item:
    """Fails where the definitions of all triggers, by their names, are no longer this text."""
    text = (
        "SELECT CASE WHEN (SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_schema "
        f"WHERE type = 'trigger' ORDER BY name)) IS NOT ?1 {_FAIL.format(tag=2)}"
    )
    return item(text, [sql, conflict_tag(number)])


def table_guard(table: str, sql: str, number: int) -> Item:
    """Fails where the table is no longer defined by this text."""
    # The name is a literal: the server takes a parameter of the form x'00' for a blob.
    text = (
        f"SELECT CASE WHEN (SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = {quote_text(table)} "
        f"COLLATE NOCASE) IS NOT ?1 {_FAIL.format(tag=2)}"
    )
    return item(text, [sql, conflict_tag(number)])
