"""Many tasks at once, cancelled at any moment, on one cluster with blocking clients beside them."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import pyrqlite
from pyrqlite import OutcomeUnknownError, SerializationError, aio
from pyrqlite.aio import AsyncConnection
from pyrqlite.transports import MOST_SOCKETS
from tests.aio.test_cancellation import stored
from tests.rqlited import wait_until

DESCRIPTORS = Path("/proc/self/fd")


def open_sockets() -> int:
    found = 0
    for name in os.listdir(DESCRIPTORS):
        with suppress(FileNotFoundError):
            found += os.readlink(DESCRIPTORS / name).startswith("socket:")
    return found


async def transfer(connection: AsyncConnection, giver: int, taker: int) -> None:
    """Move 1, by reading and writing."""
    for number, change in ((giver, -1), (taker, 1)):
        (n,) = (await connection.execute("SELECT n FROM t WHERE id = ?", (number,))).fetchone()
        await connection.execute("UPDATE t SET n = ? WHERE id = ?", (n + change, number))


async def fill(url: str, count: int) -> None:
    async with aio.connect(url, autocommit=True) as connection:
        rows = [(number, 0) for number in range(2, count + 1)]
        await connection.executemany("INSERT INTO t VALUES (?, ?)", rows)


def test_storm_of_cancellations(url: str) -> None:
    """Whoever was not told otherwise knows what became of his writes, and the sum of all never changes."""
    accounts, clients, rounds = 12, 8, 15
    told = {"done": 0, "cancelled": 0, "found": 0}

    async def client(seed: int) -> None:
        chance = random.Random(seed)
        connection = await aio.connect(url, autocommit=True, exactly_once=True)
        own = seed + 100
        await connection.execute("INSERT INTO t VALUES (?, 0)", (own,))
        certain, span = 0, 0.02
        for _ in range(rounds):
            began = time.monotonic()
            giver, taker = chance.sample(range(1, accounts + 1), 2)
            both = asyncio.ensure_future(one_round(connection, own, giver, taker))
            await asyncio.wait([both], timeout=chance.uniform(0, 2 * span))
            both.cancel()
            await asyncio.wait([both])
            if both.cancelled():
                told["cancelled"] += 1
                span *= 1.5  # so that some are done on slow machines too
                try:
                    await connection.execute("SELECT 1")
                except OutcomeUnknownError as error:
                    told["found"] += 1
                    certain += error.applied
            elif both.exception() is None:
                told["done"] += 1
                certain += 1
                span = time.monotonic() - began
            else:
                assert isinstance(both.exception(), SerializationError)
        async with connection:
            found = (await connection.execute("SELECT n FROM t WHERE id = ?", (own,))).fetchone()
        assert found == (certain,)
        await connection.close()

    async def one_round(connection: AsyncConnection, own: int, giver: int, taker: int) -> None:
        async with connection.transaction():
            await transfer(connection, giver, taker)
            await connection.execute("UPDATE t SET n = n + 1 WHERE id = ?", (own,))

    async def main() -> None:
        await fill(url, accounts)
        await asyncio.gather(*[client(seed) for seed in range(clients)])
        rows = dict(await stored(url))
        assert sum(n for key, n in rows.items() if key <= accounts) == 0

    asyncio.run(main())
    assert told["cancelled"]
    assert told["done"]


@pytest.mark.parametrize("tasks", [500])
def test_many_tasks(tasks: int, url: str) -> None:
    """Each with a connection of its own; they share a bounded number of sockets, and leave none behind."""

    async def work(number: int) -> int:
        async with aio.connect(url, autocommit=True) as connection:
            await connection.execute("INSERT INTO t VALUES (?, ?)", (number, number))
            cursor = await connection.execute("SELECT n FROM t WHERE id = ?", (number,))
            most.append(open_sockets())
            return int(cursor.fetchone()[0])

    async def main() -> None:
        async with aio.connect(url):
            numbers = range(10, 10 + tasks)
            assert await asyncio.gather(*map(work, numbers)) == list(numbers)

    most: list[int] = []
    gc.collect()
    before = open_sockets()
    asyncio.run(main())
    gc.collect()
    # The embedded server, which is in this process, has the other ends.
    assert max(most) - before < 2 * MOST_SOCKETS + 50
    wait_until(lambda: open_sockets() - before < 10, what="the sockets are closed")


def test_both_worlds_at_once(url: str) -> None:
    """Tasks and threads move money between the same accounts."""
    accounts = 4

    def thread(number: int) -> None:
        def move(connection: pyrqlite.Connection) -> None:
            for account, change in ((number % accounts + 1, -1), ((number + 1) % accounts + 1, 1)):
                sql = "SELECT n FROM t WHERE id = ?"
                (n,) = connection.execute(sql, (account,)).fetchone()
                connection.execute("UPDATE t SET n = ? WHERE id = ?", (n + change, account))

        connection = pyrqlite.connect(url)
        for _ in range(5):
            pyrqlite.run_transaction(connection, move)
        connection.close()

    async def task(number: int) -> None:
        async with aio.connect(url) as connection:
            for _ in range(5):
                await aio.run_transaction(
                    connection,
                    lambda c: transfer(c, number % accounts + 1, (number + 1) % accounts + 1),
                )

    async def main() -> None:
        await fill(url, accounts)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(3) as pool:
            threads = [loop.run_in_executor(pool, thread, number) for number in range(3)]
            await asyncio.gather(*threads, *[task(number) for number in range(4)])
        assert sum(n for _, n in await stored(url)) == 0

    asyncio.run(main())


def test_errors_of_every_kind_inside_of_blocks(url: str) -> None:
    class Own(BaseException):
        """As SystemExit is."""

    async def main() -> None:
        connection = await aio.connect(url)

        async def fail(error: BaseException) -> None:
            async with connection.transaction():
                await connection.execute("UPDATE t SET n = n + 1")
                async with connection.transaction():
                    await connection.execute("UPDATE t SET n = n + 1")
                    raise error

        for error in (ValueError(), Own(), asyncio.CancelledError(), GeneratorExit()):
            with pytest.raises(type(error)):
                await fail(error)
            assert not connection.in_transaction
        await connection.execute("INSERT INTO t VALUES (2, 2)")
        await connection.commit()
        await connection.close()
        assert await stored(url) == [(1, 0), (2, 2)]

    asyncio.run(main())


def test_loop_that_ends_in_the_middle(url: str) -> None:
    """asyncio.run() cancels what still runs: nothing of it is half done."""

    async def forever(number: int) -> None:
        async with aio.connect(url) as connection:
            while True:
                await connection.execute("UPDATE t SET n = n + 1 WHERE id = 1")
                await connection.execute("INSERT INTO t (n) VALUES (1)")
                try:
                    await connection.commit()
                except SerializationError:
                    continue

    async def main() -> None:
        background.extend(asyncio.ensure_future(forever(number)) for number in range(4))
        await asyncio.sleep(0.2)

    background: list[Any] = []
    asyncio.run(main())
    assert all(task.cancelled() for task in background)
    rows = dict(asyncio.run(stored(url)))
    assert rows[1] == len(rows) - 1


def test_same_connection_in_many_tasks(url: str) -> None:
    """In autocommit mode they run side by side; in a transaction one is served, and the others are told."""

    async def main() -> None:
        async with aio.connect(url, autocommit=True) as connection:

            async def ask(number: int) -> Any:
                return (await connection.execute("SELECT ?", (number,))).fetchone()

            async def asked() -> list[Any]:
                return await asyncio.gather(*map(ask, range(50)), return_exceptions=True)

            assert await asked() == [(number,) for number in range(50)]
            async with connection.transaction():
                answers = await asked()
                assert answers[0] == (0,)
                assert all(isinstance(answer, pyrqlite.ProgrammingError) for answer in answers[1:])
            running = asyncio.ensure_future(asked())
            while not connection._running:
                await asyncio.sleep(0)
            async with connection.transaction():
                with pytest.raises(pyrqlite.ProgrammingError, match="is for one task"):
                    await ask(7)
                assert await running == [(number,) for number in range(50)]
                assert await ask(7) == (7,)

    asyncio.run(main())


def test_block_that_ends_while_another_task_works_in_it(url: str) -> None:
    """Its commit is refused: then it is rolled back, and what comes later is no part of it."""

    async def main() -> None:
        async with aio.connect(url, autocommit=True) as connection:

            async def block() -> None:
                async with connection.transaction():
                    await connection.execute("INSERT INTO t VALUES (2, 2)")
                    insert = connection.execute("INSERT INTO t VALUES (3, 3)")
                    others.append(asyncio.ensure_future(insert))
                    await asyncio.sleep(0)

            with pytest.raises(pyrqlite.ProgrammingError, match="is for one task"):
                await block()
            assert not connection.in_transaction
            with pytest.raises(pyrqlite.OperationalError, match="it has no effect"):
                await others[0]
            await connection.execute("INSERT INTO t VALUES (4, 4)")
        assert await stored(url) == [(1, 0), (4, 4)]

    others: list[asyncio.Future[Any]] = []
    asyncio.run(main())


def test_generators_that_a_loop_closes_at_its_end(url: str) -> None:
    """Those that were left inside of a block: the block is rolled back like any other."""

    async def counted(connection: AsyncConnection) -> AsyncIterator[int]:
        async with connection.transaction(), connection.transaction(), connection.pipeline():
            for number in range(5):
                await connection.execute("INSERT INTO t VALUES (?, 0)", (number + 2,))
                yield number

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: errors.append(context))
        connection = await aio.connect(url)
        generator = counted(connection)
        assert [await anext(generator) for _ in range(2)] == [0, 1]
        await loop.shutdown_asyncgens()
        assert not connection.in_transaction
        await connection.close()

    errors: list[Any] = []
    asyncio.run(main())
    assert errors == []


def test_transaction_that_is_dropped_under_a_statement(url: str) -> None:
    """Who runs it is not told that it was done."""

    async def main() -> None:
        connection = await aio.connect(url)
        ends: list[Any] = [connection.rollback, lambda: setattr(connection, "autocommit", True)]
        for end in ends:
            statement = asyncio.ensure_future(connection.execute("INSERT INTO t VALUES (2, 2)"))
            await asyncio.sleep(0)
            ended = end()
            if ended is not None:
                await ended
            with pytest.raises(pyrqlite.OperationalError, match="it has no effect"):
                await statement
        await connection.close()

    asyncio.run(main())
