"""Repairing the schema: indexes, triggers and views, and tables that are missing on a node."""

from __future__ import annotations

from collections.abc import Sequence

from pyrqlite.admin.verifying.report import SchemaReport
from pyrqlite.sql.names import fold
from pyrqlite.sql.schema import Schema
from pyrqlite.sql.tokens import quote_name, significant

_REJOIN = (
    "stop the node, remove its data directory and let it join again, after a snapshot on the leader "
    "(POST /snapshot)"
)


def refusal(each: SchemaReport, schema: Schema) -> str | None:
    """Why this difference is left alone; None if it can be repaired."""
    name = f"{each.kind} {each.name}"
    if fold(each.name) == "sqlite_sequence":
        return f"{name}: SQLite makes it with the first AUTOINCREMENT table"
    if each.kind != "table":
        return None
    if each.leader is None:
        return (
            f"{name}: the leader has none, and a table is not dropped unasked: DROP TABLE IF EXISTS "
            f"{quote_name(each.name)}, if nobody needs it"
        )
    table = schema.table(each.name)
    if table is None or table.kind != "table":
        return f"{name}: it belongs to a virtual table; {_REJOIN}"
    if any(sql is not None for sql in each.others.values()):
        return f"{name}: it has another definition on a node; {_REJOIN}"
    return None


def statements(each: SchemaReport) -> list[str]:
    """What gives all nodes the leader's object, and changes nothing where it is there."""
    drop = f"DROP {each.kind} IF EXISTS {quote_name(each.name)}"
    if each.leader is None:
        return [drop]
    if any(sql is not None for sql in each.others.values()):
        return [drop, each.leader]
    return [if_not_exists(each.leader)]


def if_not_exists(sql: str) -> str:
    """A CREATE statement that does nothing where there is such an object."""
    kinds = ("TABLE", "INDEX", "TRIGGER", "VIEW")
    kind = next(token for token in significant(sql) if token.keyword in kinds)
    return f"{sql[: kind.end]} IF NOT EXISTS{sql[kind.end :]}"


def in_order(differences: Sequence[SchemaReport]) -> list[SchemaReport]:
    """Tables first, then what stands on them."""
    kinds = ("table", "view", "index", "trigger")
    return sorted(differences, key=lambda each: kinds.index(each.kind))
