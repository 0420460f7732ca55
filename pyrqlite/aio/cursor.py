"""The cursor of asyncio."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from pyrqlite.aio.executor import awaiting
from pyrqlite.base import BaseCursor
from pyrqlite.flow.steps import Flow

if TYPE_CHECKING:
    from typing_extensions import Self

    from pyrqlite.aio.connection import AsyncConnection

T = TypeVar("T")


class AsyncCursor(BaseCursor):
    """Runs statements, which is awaited, and hands out their rows, which is not: they are there already."""

    _connection: AsyncConnection

    @property
    def connection(self) -> AsyncConnection:
        """The connection that made this cursor."""
        return self._connection

    async def run(self, flow: Flow[T]) -> T:
        """Run one of the driver's flows."""
        return await self._connection.run(flow)

    execute = awaiting(BaseCursor._execute)
    executemany = awaiting(BaseCursor._executemany)
    executescript = awaiting(BaseCursor._executescript)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._at_end():
            raise StopAsyncIteration
        return self.fetchone()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
