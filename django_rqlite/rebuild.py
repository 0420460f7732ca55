"""What the rebuild of a table would do to the rows of others, and how these rows are kept from it.

Where foreign keys are enforced, DROP TABLE deletes the rows first: other rows go with them (ON DELETE CASCADE), or
are changed. So all rows that this would reach wait in tables of their own, which have no keys, until the new table
is there. Keys without such an action only count, for they are deferred meanwhile: rows that are inserted again take
back what the deletion has counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyrqlite.sql.names import fold
from pyrqlite.sql.tokens import quote_name

DEFER = "PRAGMA defer_foreign_keys = ON"


class Key(NamedTuple):
    """A column of a foreign key whose rows change when those go that it refers to."""

    child: str
    column: str
    parent: str


class Trigger(NamedTuple):
    """A trigger: its table, its name, and how it is made."""

    table: str
    name: str
    sql: str


class Waiting(NamedTuple):
    """A table whose rows wait, and its stored columns."""

    table: str
    columns: list[str]

    @property
    def copy(self) -> str:
        """The table in which they wait."""
        return f"old__{self.table}"

    def set_aside(self) -> Iterator[str]:
        """Copy the rows. A column without a type keeps every value as it is."""
        columns = ", ".join(map(quote_name, self.columns))
        yield f"CREATE TABLE {quote_name(self.copy)} ({columns})"
        yield self._moved(self.table, self.copy)

    def filled(self) -> Iterator[str]:
        """Insert the rows again."""
        yield self._moved(self.copy, self.table)
        yield from self.removed()

    def removed(self) -> Iterator[str]:
        """Drop the copy."""
        yield f"DROP TABLE {quote_name(self.copy)}"

    def _moved(self, source: str, target: str) -> str:
        columns = ", ".join(map(quote_name, self.columns))
        return f"INSERT INTO {quote_name(target)} ({columns}) SELECT {columns} FROM {quote_name(source)}"


@dataclass
class Filling:
    """The statement of Django's that copies the rows of the old table into the new one, kept for later.

    The new one is to be made under the name of the old one, whose rows wait.
    """

    own: Waiting
    statement: str = ""

    @property
    def new(self) -> str:
        """What Django calls the new table."""
        return f"new__{self.own.table}"

    def keeps(self, sql: str) -> bool:
        """Keep the statement if it is the one."""
        head, tail = f'INSERT INTO "{self.new}" (', f' FROM "{self.own.table}"'
        if not (sql.startswith(head) and sql.endswith(tail)):
            return False
        inside = sql[len(head) : -len(tail)]
        table, copy = map(quote_name, (self.own.table, self.own.copy))
        self.statement = f"INSERT INTO {table} ({inside} FROM {copy}"
        return True


def keys_with_actions(cursor: Any) -> list[Key]:
    """All foreign keys of the database that delete or change rows."""
    cursor.execute(
        'SELECT t.name, k."from", k."table" FROM sqlite_master t, pragma_foreign_key_list(t.name) k '
        "WHERE t.type = 'table' AND k.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT')"
    )
    return [Key(*row) for row in cursor.fetchall()]


def of_others(table: str, keys: Iterable[Key]) -> list[Key]:
    """Those by which other tables refer to this one."""
    return [key for key in keys if fold(key.parent) == fold(table) != fold(key.child)]


def reached(table: str, keys: Iterable[Key]) -> list[str]:
    """The other tables whose rows a deletion of this one's would change, directly or by way of others.

    Each stands behind those that refer to it, unless they go round in circles.
    """
    children: dict[str, list[str]] = {}
    for key in keys:
        children.setdefault(fold(key.parent), []).append(key.child)
    found: list[str] = []
    seen = {fold(table)}

    def visit(parent: str) -> None:
        for child in children.get(fold(parent), ()):
            if fold(child) not in seen:
                seen.add(fold(child))
                visit(child)
                found.append(child)

    visit(table)
    return found


def waiting(cursor: Any, table: str) -> Waiting:
    """What has to be known of a table whose rows are to wait."""
    cursor.execute("SELECT name FROM pragma_table_xinfo(%s) WHERE hidden = 0 ORDER BY cid", [table])
    return Waiting(table, [name for (name,) in cursor.fetchall()])


def triggers(cursor: Any, tables: Iterable[str]) -> list[Trigger]:
    """The triggers of these tables."""
    wanted = set(map(fold, tables))
    cursor.execute(
        "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid"
    )
    found = (Trigger(*row) for row in cursor.fetchall())
    return [trigger for trigger in found if fold(trigger.table) in wanted]
