"""The dialect over the asyncio driver: `create_async_engine("rqlite+aiopyrqlite://host:4001/")`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

import tenacity
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
)

from pyrqlite.aio.retrying import persistently
from sqlalchemy_rqlite.adapting import AdaptedModule
from sqlalchemy_rqlite.base import RqliteDialect
from sqlalchemy_rqlite.retrying import conflict_policy

if TYPE_CHECKING:
    from sqlalchemy import URL
    from sqlalchemy.engine.interfaces import DBAPIConnection

S = TypeVar("S", bound=AsyncSession)
T = TypeVar("T")


class RqliteDialect_aiopyrqlite(RqliteDialect):
    """The dialect over `pyrqlite.aio.connect`."""

    driver = "aiopyrqlite"
    supports_statement_cache = True
    is_async = True
    has_terminate = True
    # Else stream() is refused. A result arrives whole all the same, and is streamed from memory.
    supports_server_side_cursors = True

    @classmethod
    def import_dbapi(cls) -> Any:
        """The driver's module, in SQLAlchemy's form."""
        return AdaptedModule()

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        """A queue that is awaited."""
        return pool.AsyncAdaptedQueuePool

    def get_driver_connection(self, connection: DBAPIConnection) -> Any:
        """The driver's own connection."""
        return connection.driver_connection

    def do_terminate(self, dbapi_connection: DBAPIConnection) -> None:
        """Close a connection that was given up."""
        dbapi_connection.terminate()


dialect = RqliteDialect_aiopyrqlite


@overload
async def run_transaction(
    bind: AsyncEngine | AsyncConnection,
    function: Callable[[AsyncConnection], Awaitable[T]],
    retry: tenacity.Retrying | None = None,
) -> T: ...
@overload
async def run_transaction(
    bind: async_sessionmaker[S] | S,
    function: Callable[[S], Awaitable[T]],
    retry: tenacity.Retrying | None = None,
) -> T: ...
async def run_transaction(
    bind: Any,
    function: Callable[[Any], Awaitable[T]],
    retry: tenacity.Retrying | None = None,
) -> T:
    """Await `function(connection)` or `function(session)` as a transaction, and return what it returned: as
    `sqlalchemy_rqlite.run_transaction` does."""

    async def attempt() -> T:
        async with bind.begin() as begun:
            makes = isinstance(bind, (AsyncEngine, async_sessionmaker))
            return await function(begun if makes else bind)

    return await persistently(conflict_policy(retry), attempt)
