"""What is stored, read and written: small made-up tables that come out the same in every process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

Value = int | float | str
Row = tuple[Value, ...]

STORED = 20_000
TABLES = (
    "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL, note TEXT, stock INTEGER)",
    "CREATE TABLE sale (id INTEGER, name TEXT, price REAL)",
)
FILL = "INSERT INTO item (id, name, price, note, stock) VALUES (?, ?, ?, ?, ?)"
READ_ONE = "SELECT id, name, price FROM item WHERE id = ?"
READ_ALL = "SELECT id, name, price, note, stock FROM item"
WRITE = "INSERT INTO sale (id, name, price) VALUES (?, ?, ?)"
WRITTEN = "SELECT id, name, price FROM sale ORDER BY rowid"
EMPTY = "DELETE FROM sale"
_STRIDE = 7919  # a prime, so that the keys jump about and none comes twice in a round of the table


@cache
def stored_rows() -> list[Row]:
    """The rows of `item`. One price in a hundred is whole: such a REAL is easily taken for an integer."""
    return [
        (key, f"item {key}", key * 37 / 100, f"it's no. {key}, größer", key * _STRIDE % 1000)
        for key in range(1, STORED + 1)
    ]


def keys(count: int) -> list[int]:
    """Keys of `item`, scattered over the table."""
    return [position * _STRIDE % STORED + 1 for position in range(count)]


def new_rows(count: int) -> list[Row]:
    """Rows for `sale`."""
    return [row[:3] for row in stored_rows()[:count]]


def rows_of(wanted: Sequence[int]) -> list[Row]:
    """What reading one row after another gives."""
    return [stored_rows()[key - 1][:3] for key in wanted]
