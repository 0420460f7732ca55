"""A report for people to read."""

from __future__ import annotations

from collections.abc import Iterator

from pyrqlite.admin.verifying.planning import Plan
from pyrqlite.admin.verifying.report import (
    CHANGED,
    EXTRA,
    MISSING,
    RepairReport,
    Report,
    RowReport,
    SchemaReport,
    TableReport,
)
from pyrqlite.admin.verifying.values import Cell, shown


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def describe(report: Report) -> Iterator[str]:
    """The lines of a report."""
    yield from _nodes(report)
    if report.nothing_to_compare:
        yield "There is one node only: nothing to compare."
        return
    for each in report.schema:
        yield from _schema(each)
    for table in report.tables:
        if table.differing or not table.complete or table.notes:
            yield from _table(table)
    if report.skipped:
        yield f"Not compared: {', '.join(f'{n} ({why})' for n, why in report.skipped.items())}."
    if report.repair is not None:
        yield from _repair(report.repair)
    yield _verdict(report)


def _nodes(report: Report) -> Iterator[str]:
    for member in report.nodes:
        roles = [
            role
            for role, holds in (("leader", member.leader), ("read replica", not member.voter))
            if holds
        ]
        role = f" ({', '.join(roles)})" if roles else ""
        problem = f": NOT COMPARED, {member.problem}" if member.problem else ""
        yield f"node {member}{role}{problem}"


def _schema(each: SchemaReport) -> Iterator[str]:
    yield f"{each.kind} {each.name} (of table {each.table}) differs:"
    yield f"    leader: {_definition(each.leader)}"
    for node, sql in each.others.items():
        yield f"    {node}: {_definition(sql)}"


def _definition(sql: str | None) -> str:
    return "there is none" if sql is None else " ".join(sql.split())


def _table(table: TableReport) -> Iterator[str]:
    key = f", key: {table.key}" if table.key else ""
    yield f"table {table.name} ({_many(table.count, 'row')}{key}): {_many(table.differing, 'difference')}"
    for node, counts in table.nodes.items():
        parts = [f"{counts[kind]:,} {kind}" for kind in (CHANGED, MISSING, EXTRA) if counts[kind]]
        yield f"    on {node}: {', '.join(parts)}"
    for column, number in table.columns.items():
        cause = table.causes.get(column, "")
        yield f"    column {column}: {_many(number, 'row')}; likely cause: {cause}"
    if "*" in table.causes:
        yield f"    missing and extra rows; likely cause: {table.causes['*']}"
    for row in table.rows:
        yield from _row(row)
    if table.differing > len(table.rows):
        yield f"    ... and {table.differing - len(table.rows):,} more"
    yield from _not_compared(table)


def _not_compared(table: TableReport) -> Iterator[str]:
    if table.restless:
        yield f"    {_many(table.restless, 'row')} could not be compared, always changing"
    if table.too_large:
        yield f"    {_many(table.too_large, 'row')} could not be compared, too large to be sent"
    if table.left_out:
        yield f"    not compared on {', '.join(table.left_out)}: the table is another there"
    for note in table.notes:
        yield f"    {note}"


def _row(row: RowReport) -> Iterator[str]:
    key = ", ".join(f"{name}={value!r}" for name, value in row.key.items())
    seen = "" if row.exact else " (seen several times while others wrote)"
    yield f"    row {key or _cells(row, row.leader or next(iter(row.others.values())))}{seen}"
    for node, other in row.others.items():
        kind = row.kind(node)
        if kind != CHANGED:
            yield f"        {node}: {kind}"
            continue
        assert row.leader is not None
        assert other is not None
        for name in row.columns(node):
            at = row.names.index(name)
            yield f"        {name}: leader {shown(row.leader[at])}, {node} {shown(other[at])}"


def _cells(row: RowReport, cells: tuple[Cell, ...] | None) -> str:
    pairs = zip(row.names, cells or (), strict=False)
    return ", ".join(f"{name}={shown(cell, 30)}" for name, cell in pairs)


def describe_plan(plan: Plan) -> Iterator[str]:
    """The lines of a plan."""
    yield "The repair writes what the leader holds, through the log, on every node:"
    for action in plan.actions:
        yield f"    {action}"
    for reason in plan.refused:
        yield f"    NOT repaired: {reason}"
    yield "Then it lets each node make a snapshot."


def _repair(repair: RepairReport) -> Iterator[str]:
    rows, objects = _many(repair.rows, "row"), _many(repair.objects, "object")
    yield f"Repaired: {rows}, {objects} of the schema."
    for collision in repair.collisions:
        yield f"MAY BE OVERWRITTEN, changed by others at the same moment: {collision}"
    for reason in repair.refused:
        yield f"Not repaired: {reason}"
    for note in repair.notes:
        yield f"Note: {note}"
    if repair.snapshots:
        yield f"Snapshots made on {', '.join(repair.snapshots)}."


def _verdict(report: Report) -> str:
    rows = sum(table.count for table in report.tables)
    counts = ((len(report.compared), "node"), (len(report.tables), "table"), (rows, "row"))
    what = ", ".join(_many(*each) for each in counts)
    if report.different:
        return f"The nodes DIFFER ({what})."
    if not report.complete:
        return f"No difference was found, but not everything could be compared ({what})."
    return f"All nodes hold the same ({what})."
