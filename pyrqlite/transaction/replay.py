"""How the writes of a transaction are run again before its next statement: rows that one INSERT made, one after
the other, as one statement.

This is for speculations, which are undone. The commit runs every write as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyrqlite.sql.statement import parse
from pyrqlite.wire.bulk import Packable, packable, packed_items
from pyrqlite.wire.request import Item
from pyrqlite.wire.response import Result

if TYPE_CHECKING:
    from pyrqlite.transaction.log import WriteEntry

# Fewer rows are not worth it; more are cut, so that a new row has only these packed anew.
_FEWEST_ROWS = 4
_MOST_ROWS = 256


@dataclass
class Run:
    """Writes that follow each other, and the statements that do the same.

    `how` says how to pack their rows, of which each has the key behind the one before; None where this is one
    write, as it is.
    """

    entries: list[WriteEntry]
    how: Packable | None
    items: Sequence[Item] = field(default=(), init=False)

    def takes(self, entry: WriteEntry) -> bool:
        """Add a write, if it goes with the others."""
        last = self.entries[-1]
        if (
            self.how is None
            or len(self.entries) == _MOST_ROWS
            or entry.statement.text != last.statement.text
            or last.rowid is None
            or entry.rowid != last.rowid + 1
            or not _is_plain(entry)
        ):
            return False
        self.entries.append(entry)
        self.items = ()
        return True

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
        made = results[0].rows_affected, results[0].last_insert_id
        return made == (len(self.entries), self.entries[-1].rowid)


def begin(entry: WriteEntry) -> Run:
    """A run of one write, to which others may be added."""
    how = None
    if entry.rowid is not None and _is_plain(entry):
        statement = entry.statement
        text = statement.text
        if statement.returning is not None:
            text = text[: statement.tokens[statement.returning].start]
        how = packable(parse(text))
    return Run([entry], how)


def _is_plain(entry: WriteEntry) -> bool:
    """Whether it is an INSERT that has made one row, of values that JSON carries as they are sent."""
    return (
        entry.statement.verb == "INSERT"
        and entry.seen is not None
        and len(entry.items) == len(entry.seen) == 1
        and entry.seen[0].changes == 1
        and not any(type(value) is str and value.startswith("x'") for value in _values(entry))
    )


def _values(entry: WriteEntry) -> Sequence[object]:
    found = entry.items[0]
    return () if isinstance(found, str) else found[1:]
