"""Many rows by one statement: which of their counts can be guarded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyrqlite.sql.effects import fired
from pyrqlite.sql.insert import parse_insert
from pyrqlite.sql.schema import Schema, Table
from pyrqlite.sql.statement import Statement
from pyrqlite.sql.writes import judge_write
from pyrqlite.wire.request import Item

_MOST_COUNTS = 500


@dataclass(frozen=True)
class RowsVerdict:
    """As the fields of the same names of a WriteEntry."""

    uniform: bool
    counts: bool
    open: bool
    reason: str = ""
    tables: tuple[Table, ...] = ()


def judge_rows(
    statement: Statement, schema: Schema, items: Sequence[Item], steady_times: bool
) -> RowsVerdict:
    """What of the counts of these statements, made of one for many rows, can be guarded."""
    rows = _values(statement, items)
    nothing: list[Any] = [None] * statement.placeholders.count
    verdicts = [judge_write(statement, schema, row, steady_times) for row in rows or [nothing]]
    uniform = all(verdict.uniform for verdict in verdicts)
    tables = verdicts[0].tables
    if counts_surely(statement, schema):
        return RowsVerdict(uniform, False, False, "", tables)
    if 0 < len(rows) <= _MOST_COUNTS and all(verdict.count for verdict in verdicts):
        return RowsVerdict(uniform, True, False, "", tables)
    reason = next((found.reason for found in verdicts if found.reason), "the counts of many rows")
    return RowsVerdict(uniform, False, True, reason, tables)


def _values(statement: Statement, items: Sequence[Item]) -> list[list[Any]]:
    """The values of each row, where each is a statement of its own; else nothing."""
    if any((found if isinstance(found, str) else found[0]) != statement.text for found in items):
        return []
    return [[] if isinstance(found, str) else found[1:] for found in items]


def counts_surely(statement: Statement, schema: Schema) -> bool:
    """Whether this is an INSERT that inserts all of its rows or fails, so that its count tells nothing."""
    insert = parse_insert(statement)
    table = schema.table(insert.table) if insert is not None else None
    if insert is None or table is None or insert.cores or insert.upsert:
        return False
    if insert.resolution in ("IGNORE", "REPLACE", "FAIL") or table.text.resolves_conflicts:
        return False
    return not any(trigger.text.ignores for trigger in fired(schema, table.name, "INSERT"))


def keeps_rowids(statement: Statement, schema: Schema | None) -> bool:
    """Whether the rowids of an INSERT's table are its INTEGER PRIMARY KEY. Others may change with VACUUM, and are
    no facts."""
    insert = parse_insert(statement)
    table = schema.table(insert.table) if schema is not None and insert is not None else None
    return table is None or table.rowid_column is not None
