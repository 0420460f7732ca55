"""The connection of asyncio."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from pyrqlite.aio import carriers
from pyrqlite.aio.cursor import AsyncCursor
from pyrqlite.aio.executor import awaiting, run
from pyrqlite.base import BaseConnection
from pyrqlite.cluster import cluster
from pyrqlite.errors import ProgrammingError
from pyrqlite.flow.controlling import Block, abandon_block, close_block, open_block
from pyrqlite.flow.steps import Flow
from pyrqlite.options import Options

if TYPE_CHECKING:
    from typing_extensions import Self

    from pyrqlite.aio.admin import AsyncAdmin

T = TypeVar("T")


class AsyncConnection(BaseConnection[AsyncCursor]):
    """A connection to a cluster, for the event loop that opened it. It is cheap: those of one loop to one cluster
    share their sockets.

    Tasks may share it in autocommit mode, where their statements run side by side. A transaction is one task's: a
    second task that uses the connection at the same time gets a ProgrammingError.

    `async with connection` commits, or rolls back where an error passes through, and leaves it open.

    A statement that is cancelled has no effect. Where a commit, or a write in autocommit mode, is cancelled after
    it was sent, nobody knows whether it was applied: the next statement raises OutcomeUnknownError, once, in
    place of running. With `exactly_once` it finds out, and raises only where the write was applied.
    """

    _cursor_class = AsyncCursor

    def __init__(self, options: Options) -> None:
        self.loop = asyncio.get_running_loop()
        # The statements that are running, and whether the only one is part of a transaction.
        self._running = 0
        self._alone = False
        super().__init__(options)

    def _acquire(self) -> cluster.Cluster:
        shared = cluster.acquire(self.options, for_loop=True)
        try:
            self._carrier = carriers.acquire(self.options, shared)
        except BaseException:
            cluster.release(self.options, shared)
            raise
        return shared

    async def run(self, flow: Flow[T]) -> T:
        """Run one of the driver's flows."""
        flow = self._whole(flow)
        self._check_loop()
        alone = not self._work.autocommit or self._work.log is not None
        if self._alone or (alone and self._running):
            raise ProgrammingError(
                "another task is using this connection, and a transaction is for one task: open a connection for "
                "each, they share their sockets"
            )
        self._running += 1
        self._alone = alone
        try:
            return await run(flow, self._carrier.send)
        finally:
            self._running -= 1
            self._alone = False

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self.loop:
            raise ProgrammingError(
                "this connection belongs to another event loop: open one in each loop"
            )

    execute = awaiting(BaseConnection._execute)
    executemany = awaiting(BaseConnection._executemany)
    executescript = awaiting(BaseConnection._executescript)
    commit = awaiting(BaseConnection._commit)
    ping = awaiting(BaseConnection._ping)

    async def rollback(self) -> None:
        """Forget the open transaction."""
        self._rollback()

    @property
    def admin(self) -> AsyncAdmin:
        """Administration of the cluster: nodes, backups, loading."""
        from pyrqlite.aio.admin import AsyncAdmin

        return AsyncAdmin(self)

    @property
    def autocommit(self) -> bool:
        """Whether each statement is applied at once. It can be set while no transaction is open."""
        return self._work.autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        if value and self.in_transaction:
            raise ProgrammingError(
                "a transaction is open: await set_autocommit(True), which commits it"
            )
        self._work.autocommit = value
        if value:
            self._work.drop()

    async def set_autocommit(self, value: bool) -> None:
        """Apply each statement at once, or no longer; True commits what is open."""
        if value and not self._work.autocommit:
            await self.commit()
        self._work.autocommit = value

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """A block that is committed at its end, or rolled back where an error passes through; inside of
        another transaction it is a savepoint."""
        return _Transaction(self)

    def pipeline(self) -> AbstractAsyncContextManager[None]:
        """A block in which writes are only noted: nothing is sent, there are no results, and errors come at the
        commit."""
        return _Awaited(self._pipeline())

    async def close(self) -> None:
        """Let go of the cluster. Doing it twice is harmless."""
        if not self.closed:
            self._check_loop()
        shared = self._let_go()
        if shared is None:
            return
        await carriers.release(
            self.options, self._carrier, lambda: cluster.release(self.options, shared)
        )

    async def __aenter__(self) -> Self:
        self.session  # noqa: B018  (raises on a closed connection)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.closed:
            return
        if exc_type is None:
            await self.commit()
        else:
            self._rollback()


# Classes, since a loop that ends closes all asynchronous generators at once: those of the blocks before those that
# stand inside of the blocks.


class _Transaction(AbstractAsyncContextManager[None]):
    """A transaction block."""

    _block: Block

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._session = connection.session

    async def __aenter__(self) -> None:
        self._block = open_block(self._session)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        committed = False
        try:
            if exc_type is None:
                await self._connection.run(close_block(self._session, self._block))
                committed = True
        finally:
            if not committed:
                abandon_block(self._session, self._block)


class _Awaited(AbstractAsyncContextManager[None]):
    """A context that needs no waiting, for `async with`."""

    def __init__(self, context: AbstractContextManager[None]) -> None:
        self._context = context

    async def __aenter__(self) -> None:
        self._context.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._context.__exit__(exc_type, exc, traceback)
