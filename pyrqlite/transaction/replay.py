"""How the writes of a transaction are run again before its next statement: rows that one INSERT made, one by one,
as one statement; and of those that do nothing only the last.

This is for speculations, which are undone. The commit runs every write as it was.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyrqlite.sql.insert import parse_insert
from pyrqlite.sql.names import fold
from pyrqlite.sql.statement import parse
from pyrqlite.wire.bulk import Packable, packable, packed_items
from pyrqlite.wire.request import Item
from pyrqlite.wire.response import Result

if TYPE_CHECKING:
    from pyrqlite.transaction.log import WriteEntry

# Fewer rows are not worth it; more are cut, so that a new row has only these packed anew.
_FEWEST_ROWS = 4
_MOST_ROWS = 256
# An application that fills some tables in turn has as many runs in the making.
_MOST_PASSED = 8


class Keys(enum.Enum):
    """Where the keys of rows come from."""

    GIVEN = "by the INSERT"
    MADE = "by SQLite, each the one behind that of the row before"
    UNSEEN = "nobody sees them"


@dataclass
class Run:
    """Writes of the same effect as these statements.

    `how` says how to pack their rows, and `keys` where their keys come from; `how` is None where this is one write,
    as it is.
    """

    entries: list[WriteEntry]
    how: Packable | None = None
    keys: Keys = Keys.UNSEEN
    items: Sequence[Item] = field(default=(), init=False)

    def takes(self, other: Run) -> bool:
        """Add the write of another run, if it goes with the others."""
        last, (entry,) = self.entries[-1], other.entries
        if (
            self.how is None
            or other.how is None
            or len(self.entries) == _MOST_ROWS
            or entry.statement.text != last.statement.text
            or self.keys is not other.keys
            or (self.keys is Keys.MADE and entry.rowid != (last.rowid or 0) + 1)
        ):
            return False
        self.entries.append(entry)
        self.items = ()
        return True

    def lets_pass(self, other: Run) -> bool:
        """Whether the row of another run may as well be inserted before these: into another table, which has no
        foreign key to this one, and nothing else happens."""
        if self.how is None or other.how is None:
            return False
        (mine,), (table,) = self.entries[-1].tables, other.entries[-1].tables
        return not (
            mine.triggers
            or table.triggers
            or fold(mine.name) == fold(table.name)
            or any(key.parent == fold(mine.name) for key in table.text.foreign_keys)
        )

    @property
    def is_packed(self) -> bool:
        """Whether the statements are others than those of the writes."""
        return len(self.entries) >= _FEWEST_ROWS

    def replayed(self) -> Sequence[Item]:
        """The statements."""
        if not self.items:
            if self.is_packed and self.how is not None:
                rows = [_values(entry) for entry in self.entries]
                self.items = packed_items(self.how, rows)
            else:
                self.items = [item for entry in self.entries for item in entry.items]
        return self.items

    def holds(self, results: Sequence[Result]) -> bool:
        """Whether the packed statement has made as many rows as the writes, with the same keys."""
        if len(results) != 1 or results[0].error is not None:
            return False
        if self.keys is Keys.UNSEEN:
            return results[0].rows_affected == len(self.entries)
        made = results[0].rows_affected, results[0].last_insert_id
        return made == (len(self.entries), self.entries[-1].rowid)


def add(runs: list[Run], entry: WriteEntry) -> None:
    """Add a write to the runs."""
    if runs and _is_idle(runs[-1].entries[0]):
        runs.pop()
    new = _begin(entry)
    for run in reversed(runs[-_MOST_PASSED:]):
        if run.takes(new):
            return
        if not run.lets_pass(new):
            break
    runs.append(new)


def _is_idle(entry: WriteEntry) -> bool:
    """Whether it was seen to do nothing, and the commit makes sure of that: what follows can do without it."""
    return (
        entry.statement.verb in ("UPDATE", "DELETE")
        and entry.counts
        and not entry.open
        and entry.seen is not None
        and all(seen.changes == 0 for seen in entry.seen)
    )


def _begin(entry: WriteEntry) -> Run:
    """A run of one write, to which others may be added."""
    if not _is_plain(entry):
        return Run([entry])
    statement = entry.statement
    text = statement.text
    if statement.returning is not None:
        text = text[: statement.tokens[statement.returning].start]
    how = packable(parse(text))
    if how is None:
        return Run([entry])
    return Run([entry], how, _keys(entry, how))


def _is_plain(entry: WriteEntry) -> bool:
    """Whether it is an INSERT that has made one row, of values that JSON carries as they are sent."""
    return (
        entry.statement.verb == "INSERT"
        and entry.seen is not None
        and len(entry.items) == len(entry.seen) == len(entry.tables) == 1
        and entry.seen[0].changes == 1
        and (entry.rowid is not None or not entry.makes_rowid)
        and not any(type(value) is str and value.startswith("x'") for value in _values(entry))
    )


def _keys(entry: WriteEntry, how: Packable) -> Keys:
    if entry.rowid is None:
        return Keys.UNSEEN
    (table,), insert = entry.tables, parse_insert(entry.statement)
    if table.rowid_column is None or insert is None:
        return Keys.MADE
    columns = insert.columns or tuple(fold(column.name) for column in table.insertable)
    name = fold(table.rowid_column.name)
    only_values = {cell.strip() for cell in how.cells} <= {"", ","}
    if not only_values or columns.count(name) != 1:
        return Keys.MADE
    value = _values(entry)[how.numbers[columns.index(name)] - 1]
    return Keys.GIVEN if value == entry.rowid else Keys.MADE


def _values(entry: WriteEntry) -> Sequence[object]:
    found = entry.items[0]
    return () if isinstance(found, str) else found[1:]
