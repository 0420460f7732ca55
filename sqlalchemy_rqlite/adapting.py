"""The driver's asyncio connections in the form in which SQLAlchemy uses connections: it runs its blocking code in
greenlets, which are left while something is awaited.

A statement is one of the driver's flows, whoever runs it, and a result arrives whole; so a cursor is the driver's
own, and nothing has to be copied.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.util import await_only

# SQLAlchemy 2.0 has it there alone.
from sqlalchemy.util.concurrency import in_greenlet

import pyrqlite
from pyrqlite import aio
from pyrqlite.base import BaseCursor
from pyrqlite.flow.run import blocking

if TYPE_CHECKING:
    from pyrqlite.flow.steps import Flow

T = TypeVar("T")


class AdaptedCursor(BaseCursor):
    """A cursor of an asyncio connection that waits in its greenlet."""

    _connection: aio.AsyncConnection

    def run(self, flow: Flow[T]) -> T:
        """Run one of the driver's flows."""
        return await_only(self._connection.run(flow))

    execute = blocking(BaseCursor._execute)
    executemany = blocking(BaseCursor._executemany)

    async def _async_soft_close(self) -> None:
        """SQLAlchemy's word for closing while the rows are still wanted: they are in memory."""


class AdaptedRqliteConnection(AdaptedConnection):
    """An asyncio connection that waits in its greenlet."""

    __slots__ = ()
    _connection: Any

    def __init__(self, connection: aio.AsyncConnection) -> None:
        self._connection = connection

    def cursor(self, **options: Any) -> AdaptedCursor:
        """A new cursor, with what `cursor()` of the driver takes."""
        connection: aio.AsyncConnection = self._connection
        return AdaptedCursor(connection, connection.defaults.but(**options))

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        closed: bool = self._connection.closed
        return closed

    @property
    def isolation_level(self) -> str:
        """The driver's; can be set between transactions."""
        level: str = self._connection.isolation_level
        return level

    @isolation_level.setter
    def isolation_level(self, name: str) -> None:
        self._connection.isolation_level = name

    def commit(self) -> None:
        """Apply the open transaction."""
        await_only(self._connection.commit())

    def rollback(self) -> None:
        """Forget the open transaction. Nothing is awaited."""
        self._connection._rollback()

    def ping(self) -> None:
        """Ask the cluster whether it answers."""
        await_only(self._connection.ping())

    def close(self) -> None:
        """Let go of the cluster."""
        await_only(self._connection.close())

    def terminate(self) -> None:
        """Close a connection that was given up, wherever that is noticed: in the middle of a cancellation, or by
        the garbage collector, which cannot wait."""
        connection: aio.AsyncConnection = self._connection
        if connection.closed:
            return
        connection._rollback()
        if in_greenlet():
            await_only(asyncio.shield(connection.close()))
        elif not connection.loop.is_closed():
            connection.loop.call_soon_threadsafe(
                lambda: connection.loop.create_task(connection.close())
            )


class AdaptedModule:
    """The driver's module, with a connect() that waits in its greenlet."""

    def __getattr__(self, name: str) -> Any:
        return getattr(pyrqlite, name)

    def connect(self, *arguments: Any, **options: Any) -> AdaptedRqliteConnection:
        """Open a connection; `async_creator_fn` opens it in the driver's place."""
        create = options.pop("async_creator_fn", None) or aio.connect
        return AdaptedRqliteConnection(await_only(_awaited(create(*arguments, **options))))


async def _awaited(awaitable: Any) -> Any:
    return await awaitable
