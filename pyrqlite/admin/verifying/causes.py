"""Why columns differ: what the schema says, or what the values look like."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pyrqlite.admin.verifying.report import CHANGED, EXTRA, MISSING, TableReport
from pyrqlite.admin.verifying.values import Cell
from pyrqlite.sql.impure import Source
from pyrqlite.sql.names import fold
from pyrqlite.sql.schema import Column, Schema, Table
from pyrqlite.sql.steady import steadiness

_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?Z?|\d\d:\d\d:\d\d(\.\d+)?")
# From 2001 to 2096, in seconds; Julian days of 1973 to 2132.
_UNIX = range(1_000_000_000, 4_000_000_000)
_JULIAN = (2_442_000.0, 2_500_000.0)
_LATER = "other clients let each node fill it in, at its own time, and again when it restarts"


def explain(report: TableReport, table: Table, schema: Schema) -> None:
    """Write the likely causes into the report."""
    for name in report.columns:
        column = table.column(name)
        cause = _by_schema(table, column, schema) if column is not None else None
        report.causes[name] = cause or _by_values(name, report)
    kinds = {kind for counts in report.nodes.values() for kind in counts}
    if kinds & {MISSING, EXTRA}:
        report.causes["*"] = _of_rows(table, schema, kinds)


def _by_schema(table: Table, column: Column, schema: Schema) -> str | None:
    """What the table's definition says about a column."""
    source = column.default_source
    if source & Source.CLOCK:
        return f"DEFAULT {column.default}: {_LATER}"
    if source:
        return f"DEFAULT {column.default}: a random value; other clients let each node make its own"
    trigger = next((each for each in _writers(table, schema) if each[1]), None)
    if trigger is not None:
        return f"trigger {trigger[0]} reads a clock or a random source, on each node by itself"
    if column.generated:
        return f"a generated column: {column.name} follows from others that differ"
    return steadiness(schema).column_reason(table, column)


def _writers(table: Table, schema: Schema) -> Iterator[tuple[str, bool]]:
    """The triggers that write this table, and whether they read more than data."""
    for each in schema.triggers.values():
        for trigger in each:
            if fold(table.name) in trigger.text.writes:
                yield trigger.name, bool(trigger.sources)


def _by_values(name: str, report: TableReport) -> str:
    cells = list(_cells(name, report))
    if cells and all(_is_time(cell) for cell in cells):
        return (
            "the values look like times: other clients write such statements as strftime('%s') or "
            "CURRENT_TIMESTAMP, which each node executes by itself"
        )
    return (
        "unknown: a statement that reads a clock or a random number, or depends on the order of rows or on "
        "a connection's state; or a node's file was changed by hand"
    )


def _cells(name: str, report: TableReport) -> Iterator[Cell]:
    for row in report.rows:
        for node, other in row.others.items():
            if row.kind(node) == CHANGED and name in row.columns(node):
                assert row.leader is not None
                assert other is not None
                at = row.names.index(name)
                yield from (row.leader[at], other[at])


def _is_time(cell: Cell) -> bool:
    if isinstance(cell, str):
        return _TIME.fullmatch(cell) is not None
    if isinstance(cell, int):
        return cell in _UNIX or cell // 1000 in _UNIX
    if isinstance(cell, float):
        return _JULIAN[0] < cell < _JULIAN[1] or _UNIX.start < cell < _UNIX.stop
    return False


def _of_rows(table: Table, schema: Schema, kinds: set[str]) -> str:
    trigger = next((name for name, unsteady in _writers(table, schema) if unsteady), None)
    if trigger is not None:
        return f"trigger {trigger} reads a clock or a random source, on each node by itself"
    if kinds == {MISSING, EXTRA} and any(column.default_source for column in table.columns):
        return "rows without a key are told by their content, and a DEFAULT makes part of it on each node by itself"
    return (
        "a write that took another course on one node: with db_timeout, with a condition on a clock, or one "
        "that depends on the order of rows; or a node's file was changed by hand"
    )
