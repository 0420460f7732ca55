"""The driver for asyncio: what `pyrqlite` has, to be awaited.

    async with pyrqlite.aio.connect("http://localhost:4001") as connection:
        cursor = await connection.execute("SELECT name FROM star")
        rows = cursor.fetchall()

What talks to the server is awaited; fetching is not, since a result arrives whole. Errors, options, adapters and
row factories are those of `pyrqlite`.
"""

from pyrqlite.aio.connecting import connect
from pyrqlite.aio.connection import AsyncConnection
from pyrqlite.aio.cursor import AsyncCursor
from pyrqlite.aio.retrying import run_transaction

__all__ = ["AsyncConnection", "AsyncCursor", "connect", "run_transaction"]
