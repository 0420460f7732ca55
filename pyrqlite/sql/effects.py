"""What a write sets off by the schema: triggers, and the actions of foreign keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pyrqlite.sql.impure import find_sites
from pyrqlite.sql.names import fold
from pyrqlite.sql.schema import Schema, Table, Trigger


@dataclass(frozen=True)
class Child:
    """A table, folded, whose rows are written when rows of its parent are deleted or updated."""

    table: str
    on_delete: bool
    on_update: bool


def children(schema: Schema) -> Mapping[str, Sequence[Child]]:
    """The tables with foreign keys that act, by their parents."""
    found: dict[str, list[Child]] | None = schema.derived.get(children)
    if found is None:
        found = {}
        for name, table in schema.tables.items():
            if table.kind == "table" and "references" in table.sql.lower():
                for key in table.text.foreign_keys:
                    if key.on_delete or key.on_update:
                        child = Child(name, key.on_delete, key.on_update)
                        found.setdefault(key.parent, []).append(child)
        schema.derived[children] = found
    return found


def fired(schema: Schema, name: str, *events: str) -> list[Trigger]:
    """The triggers on this table or view for the events (INSERT, UPDATE, DELETE)."""
    return [trigger for trigger in schema.triggers_on(name) if trigger.text.event in events]


def written_next(schema: Schema, name: str, *events: str) -> Iterator[str]:
    """The tables, folded, that are written because of such a write to `name`."""
    for trigger in fired(schema, name, *events):
        yield from trigger.text.writes
    for child in children(schema).get(fold(name), ()):
        if (child.on_delete and "DELETE" in events) or (child.on_update and "UPDATE" in events):
            yield child.table


_ANY = ("INSERT", "UPDATE", "DELETE")


def written_in_turn(schema: Schema, name: str, *events: str) -> set[str]:
    """All tables, folded, that are written in turn, over any number of triggers and foreign keys."""
    found: set[str] = set()
    waiting = list(written_next(schema, name, *events))
    while waiting:
        table = waiting.pop()
        if table not in found:
            found.add(table)
            waiting.extend(written_next(schema, table, *_ANY))
    return found


def all_fired(schema: Schema, name: str, *events: str) -> list[Trigger]:
    """All triggers that a write can fire, over any number of others."""
    triggers = fired(schema, name, *events)
    for table in sorted(written_in_turn(schema, name, *events)):
        triggers += [trigger for trigger in fired(schema, table, *_ANY) if trigger not in triggers]
    return triggers


def writes_back(schema: Schema, table: Table, event: str) -> bool:
    """Whether such a write can change further rows of the same table, so that the order counts."""
    return fold(table.name) in written_in_turn(schema, table.name, event)


def has_impure_check(table: Table) -> bool:
    """Whether a CHECK of the table reads more than the row."""
    return any(next(find_sites(check, {}), None) is not None for check in table.text.checks)
