"""Running a transaction until it meets no conflict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import tenacity

from pyrqlite.aio.connection import AsyncConnection
from pyrqlite.aio.executor import run
from pyrqlite.cluster.node import Node
from pyrqlite.flow.retries import Retries
from pyrqlite.flow.steps import Request, Response
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

    async def attempt() -> T:
        async with connection.transaction():
            return await function(connection)

    return await persistently(policy_of(connection, retry), attempt)


async def persistently(policy: tenacity.Retrying, attempt: Callable[[], Awaitable[T]]) -> T:
    """What `policy(attempt)` is where nothing has to be awaited."""
    retries = Retries(policy)
    while await run(retries.next(), _nobody):
        try:
            return await attempt()
        except Exception as error:
            retries.failed(error)
    raise AssertionError("a policy ends with an attempt or with an error")


async def _nobody(node: Node, request: Request) -> Response:
    raise AssertionError("a policy sends nothing")
