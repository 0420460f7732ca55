"""The way in: `connect`."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pyrqlite.aio.connection import AsyncConnection
from pyrqlite.connecting import way_in
from pyrqlite.errors import ProgrammingError
from pyrqlite.options import Options


class Connecting:
    """A connection to be opened: `await` gives it, `async with` closes it at its end, behind a commit, or behind
    a rollback where an error passes through."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._connection: AsyncConnection | None = None

    def __await__(self) -> Generator[Any, Any, AsyncConnection]:
        return self._open().__await__()

    async def _open(self) -> AsyncConnection:
        return AsyncConnection(self._options)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(
                f"there is no connection yet that could have {name!r}: `connection = await connect(...)`, or "
                "`async with connect(...) as connection`"
            )

    async def __aenter__(self) -> AsyncConnection:
        if self._connection is not None:
            raise ProgrammingError("this connection is open already: connect() once more")
        self._connection = await self._open()
        return self._connection

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None
        try:
            await connection.__aexit__(exc_type, exc, traceback)
        finally:
            await connection.close()


connect = way_in(
    Options,
    Connecting,
    "Open a connection in the running event loop: `await connect(...)`, or `async with connect(...) as "
    "connection`, which closes it at its end. Nothing is sent before it is needed.",
)
