"""What a repair will do, and what it will not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pyrqlite.admin.verifying import objects
from pyrqlite.admin.verifying.layout import Layout, layout
from pyrqlite.admin.verifying.report import (
    CHANGED,
    EXTRA,
    MISSING,
    Report,
    SchemaReport,
    TableReport,
)
from pyrqlite.admin.verifying.views import BagView
from pyrqlite.sql.names import fold
from pyrqlite.sql.schema import Schema, Table


@dataclass
class Plan:
    """What a repair will do and what it will leave alone, a sentence each."""

    actions: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def plan(report: Report, schema: Schema) -> Plan:
    """The plan for what a comparison found."""
    found = Plan()
    for each in objects.in_order(report.schema):
        reason = objects.refusal(each, schema)
        if reason is not None:
            found.refused.append(reason)
        else:
            found.actions.append("; ".join(map(_short, objects.statements(each))))
    for each_table in report.tables:
        table = schema.table(each_table.name)
        missing = any(
            each.kind == "table" and each.name == each_table.name for each in report.schema
        )
        if table is None or not (each_table.differing or missing):
            continue
        reason = refusal(table, layout(table), schema, report.schema)
        if reason is not None:
            found.refused.append(reason)
        else:
            found.actions.append(_action(table, each_table))
    return found


def _short(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= 100 else f"{line[:97]}..."


def _action(table: Table, report: TableReport) -> str:
    counts = {
        kind: sum(each[kind] for each in report.nodes.values())
        for kind in (CHANGED, MISSING, EXTRA)
    }
    parts = [
        f"{verb} {counts[kind]:,}"
        for kind, verb in ((CHANGED, "UPDATE"), (MISSING, "INSERT"), (EXTRA, "DELETE"))
        if counts[kind]
    ]
    text = f"{table.name}: {', '.join(parts) or 'INSERT all rows'} (rows of all nodes together)"
    if table.triggers:
        names = ", ".join(trigger.name for trigger in table.triggers)
        text += f"; its triggers ({names}) do not fire: they are set aside in the same transactions"
    return text


def refusal(
    table: Table, plan: Layout, schema: Schema, differences: Sequence[SchemaReport]
) -> str | None:
    """Why the rows of this table are left alone; None if they can be repaired."""
    if table.kind != "table":
        return (
            f"{table.name}: it belongs to a virtual table and is not written by hand; a full-text index is "
            "made anew by INSERT INTO name(name) VALUES ('rebuild')"
        )
    for each in differences:
        same = each.kind == "table" and fold(each.name) == fold(table.name)
        if same and objects.refusal(each, schema) is not None:
            return f"{table.name}: its definition differs, and that comes first"
    if isinstance(plan.view, BagView):
        return f"{table.name}: it has no key, and its columns hide its rowids"
    if (plan.bag or plan.rest) and fold(table.name) in _parents(schema):
        return f"{table.name}: rows without a key that foreign keys refer to are not written anew"
    return None


def _parents(schema: Schema) -> set[str]:
    return {
        key.parent
        for table in schema.tables.values()
        if table.kind == "table"
        for key in table.text.foreign_keys
    }


def parents_first(tables: Iterable[Table]) -> list[Table]:
    """The tables, each behind those that its foreign keys refer to, and SQLite's own last."""
    waiting = {fold(table.name): table for table in tables}
    found: list[Table] = []

    def take(name: str) -> None:
        table = waiting.pop(name, None)
        if table is not None:
            if table.kind == "table":
                for key in table.text.foreign_keys:
                    take(key.parent)
            found.append(table)

    for name in list(waiting):
        take(name)
    return sorted(found, key=lambda table: fold(table.name).startswith("sqlite_"))
