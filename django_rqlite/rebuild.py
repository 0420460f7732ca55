"""What the rebuild of a table would do to the rows of others, and how these rows are kept from it.

Where foreign keys are enforced, DROP TABLE deletes the rows first: other rows go with them (ON DELETE CASCADE), or
are changed, or forbid it. So all rows that this would reach wait in tables of their own, which have no keys, until
the new table is there. A deferred key without an action only counts: rows that are inserted again take back what
the deletion has counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyrqlite.sql.names import fold
from pyrqlite.sql.tokens import quote_name


class Key(NamedTuple):
    """A column of a foreign key, the table that it refers to, and what a deletion there does."""

    child: str
    column: str
    parent: str
    action: str
    is_deferred: bool

    @property
    def is_patient(self) -> bool:
        """Whether a deletion only counts."""
        return self.action == "NO ACTION" and self.is_deferred

    @property
    def changes_rows(self) -> bool:
        """Whether a deletion changes rows of the child."""
        return self.action in ("CASCADE", "SET NULL", "SET DEFAULT")


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


def keys(cursor: Any) -> list[Key]:
    """All foreign keys of the database."""
    cursor.execute(
        'SELECT t.name, k."from", k."table", k.on_delete, t.sql, max(k.id) OVER (PARTITION BY t.name) '
        "FROM sqlite_master t, pragma_foreign_key_list(t.name) k WHERE t.type = 'table'"
    )
    return [
        # Nothing but the text tells whether keys are deferred.
        Key(child, column, parent, action, sql.upper().count("INITIALLY DEFERRED") > most)
        for child, column, parent, action, sql, most in cursor.fetchall()
    ]


def parting(table: str, known: Iterable[Key]) -> list[Key]:
    """The keys of other tables whose rows change with this table's deletion."""
    return [
        key
        for key in known
        if fold(key.parent) == fold(table) != fold(key.child) and key.changes_rows
    ]


def reached(table: str, known: Sequence[Key]) -> list[str]:
    """The other tables whose rows a deletion of this one's would change, or which would forbid it.

    Each stands behind those that refer to it, where they do not go round in circles."""
    found: dict[str, str] = {}
    seen = {fold(table)}

    def visit(parent: str) -> None:
        for key in known:
            name = fold(key.child)
            if fold(key.parent) == parent and not key.is_patient and name not in seen:
                seen.add(name)
                visit(name)
                found[name] = key.child

    visit(fold(table))
    return list(found.values())


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
