"""Administration by those that await."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from pyrqlite.admin.base import BaseAdmin, plainly
from pyrqlite.admin.copies import BackupForm
from pyrqlite.admin.files import File, FileDownload, Progress, opened_source, opened_target
from pyrqlite.admin.operations import At
from pyrqlite.aio.executor import awaiting
from pyrqlite.flow.session import DEFAULT
from pyrqlite.flow.steps import Flow

if TYPE_CHECKING:
    from pyrqlite.aio.connection import AsyncConnection

T = TypeVar("T")


class AsyncAdmin(BaseAdmin):
    """What `connection.admin` is: as `pyrqlite.admin.front.Admin`, to be awaited. Files are opened, looked at and
    given their names in a thread; callbacks are called by the loop."""

    _connection: AsyncConnection

    nodes = awaiting(BaseAdmin._nodes)
    leader = awaiting(BaseAdmin._leader)
    status = awaiting(BaseAdmin._status)
    ready = awaiting(BaseAdmin._ready)
    step_down = awaiting(BaseAdmin._step_down)
    remove_node = awaiting(BaseAdmin._remove_node)
    snapshot = awaiting(BaseAdmin._snapshot)

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow on the connection."""
        with plainly():
            return await self._connection.run(flow)

    async def backup(
        self,
        file: File,
        *,
        fmt: str = "binary",
        vacuum: bool = False,
        compress: bool = False,
        tables: Sequence[str] = (),
        progress: Progress | None = None,
        node: At = None,
        timeout: float | None = DEFAULT,
    ) -> int:
        """Copy the database to a file, and return the number of bytes."""
        form = BackupForm(fmt, vacuum, compress, tables)
        async with _in_thread(opened_target(file)) as target:
            download = FileDownload(target, form.check, progress)
            return await self.run(self._backup(download, form, node, timeout))

    async def load(
        self,
        file: File,
        *,
        check: bool = True,
        progress: Progress | None = None,
        timeout: float | None = DEFAULT,
    ) -> None:
        """Replace the whole database by a SQLite file, or run a file of SQL."""
        self._demand_no_transaction()
        async with _in_thread(opened_source(file, check=check)) as source:
            await self.run(self._load(source, progress, timeout))

    async def boot(
        self,
        file: File,
        *,
        check: bool = True,
        progress: Progress | None = None,
        node: At = None,
        timeout: float | None = DEFAULT,
    ) -> None:
        """Give a single node its database, as a file of any size."""
        self._demand_no_transaction()
        async with _in_thread(opened_source(file, check=check)) as source:
            await self.run(self._boot(source, progress, node, timeout))


@asynccontextmanager
async def _in_thread(context: AbstractContextManager[T]) -> AsyncIterator[T]:
    """The context, entered and left without holding up the loop."""
    entering = asyncio.ensure_future(asyncio.to_thread(context.__enter__))
    try:
        entered = await asyncio.shield(entering)
    except asyncio.CancelledError as error:
        await asyncio.wait([entering])
        if entering.exception() is None:
            await asyncio.to_thread(context.__exit__, type(error), error, error.__traceback__)
        raise
    try:
        yield entered
    except BaseException as error:
        await asyncio.to_thread(context.__exit__, type(error), error, error.__traceback__)
        raise
    await asyncio.to_thread(context.__exit__, None, None, None)
