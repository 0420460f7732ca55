"""The synchronous cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pyrqlite.base import BaseCursor
from pyrqlite.flow.run import blocking
from pyrqlite.flow.steps import Flow

if TYPE_CHECKING:
    from pyrqlite.connection import Connection

T = TypeVar("T")


class Cursor(BaseCursor):
    """Runs statements and hands out their rows; PEP 249's cursor, with `sqlite3`'s additions."""

    _connection: Connection

    @property
    def connection(self) -> Connection:
        """The connection that made this cursor."""
        return self._connection

    def run(self, flow: Flow[T]) -> T:
        """Run one of the driver's flows."""
        return self._connection.run(flow)

    execute = blocking(BaseCursor._execute)
    executemany = blocking(BaseCursor._executemany)
    executescript = blocking(BaseCursor._executescript)
