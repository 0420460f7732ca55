"""Running a transaction until it meets no conflict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import tenacity

from pyrqlite.aio.connection import AsyncConnection
from pyrqlite.flow.retries import Retries
from pyrqlite.retrying import policy_of

T = TypeVar("T")


async def run_transaction(
    connection: AsyncConnection,
    function: Callable[[AsyncConnection], Awaitable[T]],
    retry: tenacity.Retrying | None = None,
) -> T:
    """Await `function(connection)` as a transaction, commit it, and return what it returned.

    As `pyrqlite.run_transaction` does: again where another client interferes, as `retry` says.
    """
    retries = Retries(policy_of(connection, retry))
    while await connection.run(retries.next()):
        try:
            async with connection.transaction():
                return await function(connection)
        except Exception as error:
            retries.failed(error)
    raise AssertionError("a policy ends with an attempt or with an error")
