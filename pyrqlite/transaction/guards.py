"""Guards: statements that make a request fail where something that was seen is so no longer.

A guard runs on every node, and again whenever a node replays its log, so it must come out the same there
whatever plan SQLite chooses: it is a scalar SELECT that always gives one row, compares bags of rows and not
their order, and reads nothing but the database.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyrqlite.sql.aggregates import Aggregates
from pyrqlite.sql.grammar import ItemKind
from pyrqlite.sql.parameters import Value, bind_stored
from pyrqlite.sql.schema import Schema, Table
from pyrqlite.sql.statement import Statement, remembered
from pyrqlite.sql.tokens import quote_text
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
        return _sums_guard(aggregates.base, values, aggregates.kinds, row, number)
    bound, first = bind_stored(row), statement.placeholders.count
    conditions = []
    for place, collation in enumerate(aggregates.collations, 1):
        value = bound.templates.get(place, "{}").format(f"?{first + place}")
        conditions.append(f"c{place} IS {value} COLLATE {collation}")
    rows = packing.rows_as_q(statement, len(row))
    fail = _FAIL.format(tag=first + len(row) + 1)
    return item(
        f"SELECT CASE WHEN ({rows} SELECT count(*) FROM _pyrqlite_q WHERE {' AND '.join(conditions)}) "
        f"IS NOT 1 {fail}",
        [*values, *bound.values, conflict_tag(number)],
    )


# Nothing but integers, and their sum in two halves: however the rows are ordered, neither of these overflows.
_SUM = (
    "count(c{0}) IS count(c{0}) FILTER (WHERE typeof(c{0}) = 'integer') "
    "AND sum(c{0} >> 32) + (sum(c{0} & 4294967295) >> 32) IS ?{1} >> 32 "
    "AND sum(c{0} & 4294967295) & 4294967295 IS ?{1} & 4294967295"
)
# The sum of nothing is NULL, and that of the two infinities too.
_NO_SUM = (
    "(count(c{0}) = 0 OR (count(c{0}) FILTER (WHERE c{0} = 9e999) > 0 "
    "AND count(c{0}) FILTER (WHERE c{0} = -9e999) > 0))"
)
_COUNT = "count(c{0}) IS ?{1}"


def _sums_guard(
    base: Statement,
    values: list[Value],
    kinds: Sequence[ItemKind],
    row: Sequence[Value],
    number: int,
) -> Item:
    first = base.placeholders.count
    conditions = []
    for place, (kind, value) in enumerate(zip(kinds, row, strict=True), 1):
        condition = _COUNT if kind is ItemKind.COUNT else _NO_SUM if value is None else _SUM
        conditions.append(condition.format(place, first + place))
    equal = " AND ".join(conditions)
    rows = packing.rows_as_q(base, len(row))
    fail = _FAIL.format(tag=first + len(row) + 1)
    return item(
        f"SELECT CASE WHEN ({rows} SELECT {equal} FROM _pyrqlite_q) IS NOT 1 {fail}",
        [*values[:first], *row, conflict_tag(number)],  # without the value of a LIMIT
    )


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


def table_guard(table: Table, number: int) -> Item:
    """Fails where the table is no longer defined as it is here, or has other unique indexes."""
    # The name is a literal: the server takes a parameter of the form x'00' for a blob.
    name = f"{quote_text(table.name)} COLLATE NOCASE"
    text = (
        "SELECT CASE WHEN (SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_schema "
        f"WHERE (type = 'table' AND name = {name}) OR (type = 'index' AND tbl_name = {name} "
        "AND substr(sql, 1, 13) = 'CREATE UNIQUE') ORDER BY type DESC, name)) IS NOT ?1 "
        f"{_FAIL.format(tag=2)}"
    )
    return item(text, [table.definition, conflict_tag(number)])
