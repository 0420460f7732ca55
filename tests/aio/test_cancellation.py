"""A cancellation at any await: what the application is told agrees with what is stored."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from pyrqlite import OutcomeUnknownError, aio
from pyrqlite.aio import AsyncConnection
from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import NotSent, Request, Response

Rows = list[tuple[int, int]]
BEFORE: Rows = [(1, 0)]
COUNT = "UPDATE t SET n = n + 1 WHERE id = 1"
ALL = "SELECT id, n FROM t ORDER BY id"


@dataclass(frozen=True)
class Work:
    """Something to apply, and what is stored then; nothing of it is when it ends in the middle."""

    name: str
    run: Callable[[AsyncConnection], Awaitable[object]]
    after: Rows
    autocommit: bool = True


async def _transaction(connection: AsyncConnection) -> None:
    async with connection.transaction():
        (n,) = (await connection.execute("SELECT n FROM t WHERE id = 1")).fetchone()
        await connection.execute("SELECT n + 0 FROM t")  # a checked fact: one more exchange
        await connection.execute("UPDATE t SET n = ? WHERE id = 1", (n + 1,))
        async with connection.transaction():
            await connection.execute("INSERT INTO t (n) VALUES (7)")


async def _pipeline(connection: AsyncConnection) -> None:
    async with connection, connection.pipeline():
        await connection.execute(COUNT)
        await connection.execute("INSERT INTO t (n) VALUES (0)")


WORKS = (
    Work("transaction", _transaction, [(1, 1), (2, 7)], autocommit=False),
    Work("pipeline", _pipeline, [(1, 1), (2, 0)], autocommit=False),
    Work("statement", lambda c: c.execute(COUNT), [(1, 1)]),
    Work("returning", lambda c: c.execute(f"{COUNT} RETURNING n"), [(1, 1)]),
    Work(
        "rows",
        lambda c: c.executemany("INSERT INTO t (n) VALUES (?)", [(7,), (8,)]),
        [(1, 0), (2, 7), (3, 8)],
    ),
    Work(
        "script",
        lambda c: c.executescript(f"{COUNT}; INSERT INTO t (n) VALUES (9)"),
        [(1, 1), (2, 9)],
    ),
)
works = pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
both = pytest.mark.parametrize("exactly_once", [False, True], ids=["plain", "exactly_once"])


class Cancelling:
    """While it lasts it stands before a connection's carrier, and cancels the task at one of its exchanges."""

    def __init__(self, connection: AsyncConnection, number: int, behind: bool) -> None:
        self._carrier: Any = connection._carrier
        self._inner = self._carrier.send
        self._left = number
        self._behind = behind
        self.happened = False

    def __enter__(self) -> Cancelling:
        self._carrier.send = self.send
        return self

    def __exit__(self, *error: object) -> None:
        self._carrier.send = self._inner

    async def send(self, node: Node, request: Request) -> Response:
        self._left -= 1
        if self._left != -1:
            response: Response = await self._inner(node, request)
            return response
        self.happened = True
        if not self._behind:
            raise asyncio.CancelledError from NotSent("cancelled")
        await self._inner(node, request)
        raise asyncio.CancelledError


async def told(connection: AsyncConnection) -> OutcomeUnknownError | None:
    """What the next statement says of the one before."""
    try:
        await connection.execute("SELECT 1")
    except OutcomeUnknownError as error:
        return error
    return None


async def stored(url: str) -> Rows:
    async with aio.connect(url, autocommit=True) as other:
        return (await other.execute(ALL, level="strong")).fetchall()


async def reset(url: str) -> None:
    async with aio.connect(url, autocommit=True) as other:
        await other.executescript("DELETE FROM t WHERE id > 1; UPDATE t SET n = 0")


async def judge(
    connection: AsyncConnection, work: Work, url: str, exactly_once: bool, cancelled: bool
) -> None:
    """Compare what the application can know with what is stored, and see whether the connection still works."""
    assert not connection.in_transaction
    said = await told(connection)
    assert await told(connection) is None, "it is said once"
    found = await stored(url)
    if not cancelled:
        assert (said, found) == (None, work.after)
    elif said is None:
        assert found == BEFORE
    elif exactly_once:
        assert (said.applied, found) == (True, work.after)
    else:
        assert found in (BEFORE, work.after)
        assert "may have been applied" in str(said)
    await connection.rollback()
    await reset(url)
    await work.run(connection)
    assert await stored(url) == work.after
    await reset(url)


@both
@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@works
def test_each_exchange(work: Work, behind: bool, exactly_once: bool, url: str) -> None:
    """One exchange after the other is cancelled, before it leaves or when it was answered."""

    async def attempt(number: int, warm: bool) -> bool:
        connection = await aio.connect(url, autocommit=work.autocommit, exactly_once=exactly_once)
        if warm:  # the table of markers is there, and the schema is known
            await work.run(connection)
            await reset(url)
        cancelled = False
        with Cancelling(connection, number, behind) as cancelling:
            try:
                await work.run(connection)
            except asyncio.CancelledError:
                cancelled = True
        assert cancelled is cancelling.happened
        await judge(connection, work, url, exactly_once, cancelled)
        await connection.close()
        return cancelled

    async def main(warm: bool) -> int:
        number = 0
        while await attempt(number, warm):
            number += 1
        return number

    assert asyncio.run(main(warm=False)) >= asyncio.run(main(warm=True)) >= 1


@both
@pytest.mark.parametrize("work", [WORKS[0], WORKS[2]], ids=lambda work: work.name)
def test_each_turn_of_the_loop(work: Work, exactly_once: bool, url: str) -> None:
    """The task is cancelled behind so and so many turns of the loop, wherever it is by then: connecting, sending,
    waiting, reading."""

    async def attempt(turns: int) -> bool:
        connection = await aio.connect(url, autocommit=work.autocommit, exactly_once=exactly_once)
        task = asyncio.ensure_future(work.run(connection))
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() is cancelled
        await judge(connection, work, url, exactly_once, cancelled)
        await connection.close()
        return cancelled

    async def main() -> int:
        # From one turn to the next a little more is done at the start, and nothing but waiting later.
        turns = count = 0
        while await attempt(turns):
            turns += 1 + turns // 8
            count += 1
        return count

    assert asyncio.run(main()) > 5


def test_statements_of_a_transaction_have_no_effect(url: str) -> None:
    async def main() -> None:
        async with aio.connect(url) as connection:
            await connection.execute("INSERT INTO t VALUES (2, 2)")
            for sql in ("SELECT * FROM t", "INSERT INTO t VALUES (3, 3)", "DELETE FROM t"):
                for behind in (False, True):
                    with Cancelling(connection, 0, behind), pytest.raises(asyncio.CancelledError):
                        await connection.execute(sql)
            assert (await connection.execute(ALL)).fetchall() == [(1, 0), (2, 2)]
        assert await stored(url) == [(1, 0), (2, 2)]

    asyncio.run(main())


def test_cancelled_block_is_rolled_back(url: str) -> None:
    async def main() -> None:
        async with aio.connect(url) as connection:

            async def work() -> None:
                async with connection.transaction():
                    await connection.execute(COUNT)
                    await asyncio.sleep(3600)

            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(work(), 0.3)
            assert not connection.in_transaction
            assert await told(connection) is None
        assert await stored(url) == BEFORE

    asyncio.run(main())


def test_unknown_outcome_is_told_by_a_commit_too(url: str) -> None:
    async def main() -> None:
        connection = await aio.connect(url)
        await connection.execute(COUNT)
        with Cancelling(connection, 0, True), pytest.raises(asyncio.CancelledError):
            await connection.commit()
        await (
            connection.rollback()
        )  # which says nothing: it may be the end of a block that was cancelled
        with pytest.raises(OutcomeUnknownError, match="was interrupted"):
            await connection.commit()
        await connection.commit()
        await connection.close()

    asyncio.run(main())


@pytest.mark.parametrize("applied", [(True, False), (False, True)])
def test_writes_of_several_tasks_are_all_found_out(applied: tuple[bool, bool], url: str) -> None:
    """Whichever of them was the last."""

    async def main() -> None:
        connection = await aio.connect(url, autocommit=True, exactly_once=True)
        for _ in range(2):  # everything is known then: the next exchanges are the writes
            await connection.execute(COUNT)
        carrier: Any = connection._carrier
        inner, both, left = carrier.send, asyncio.Event(), list(applied)

        async def send(node: Node, request: Request) -> Response:
            is_applied = left.pop(0)
            if not left:
                both.set()
            await both.wait()
            if is_applied:
                await inner(node, request)
            raise asyncio.CancelledError

        carrier.send = send
        await asyncio.wait([asyncio.ensure_future(connection.execute(COUNT)) for _ in applied])
        carrier.send = inner
        said = await told(connection)
        assert said is not None
        assert said.applied
        assert "2 writes were interrupted before their answers came, and 1 of them" in str(said)
        assert await stored(url) == [(1, 3)]
        await connection.close()

    asyncio.run(main())


def test_settling_can_be_cancelled_itself(url: str) -> None:
    async def main() -> None:
        connection = await aio.connect(url, autocommit=True, exactly_once=True)
        for _ in range(2):  # everything is known then: the next exchange is the write
            await connection.execute(COUNT)
        for behind in (True, False, True):
            with Cancelling(connection, 0, behind), pytest.raises(asyncio.CancelledError):
                await connection.execute(COUNT)
        said = await told(connection)
        assert said is not None
        assert said.applied
        assert await stored(url) == [(1, 3)]
        await connection.close()

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.11 brought both")
def test_timeouts_and_task_groups(url: str) -> None:
    async def forever(connection: AsyncConnection) -> None:
        async with connection.transaction():
            while True:
                await connection.execute(COUNT)
                await connection.execute("SELECT * FROM t")

    async def fail() -> None:
        await asyncio.sleep(0.1)
        raise ZeroDivisionError

    async def together(*works: Coroutine[Any, Any, None]) -> None:
        async with asyncio.TaskGroup() as group:
            for each in works:
                group.create_task(each)

    async def main() -> None:
        async with aio.connect(url) as connection:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await forever(connection)
            assert not connection.in_transaction
            with pytest.raises(Exception, match="unhandled errors in a TaskGroup"):
                await together(forever(connection), fail())
            assert not connection.in_transaction
            await connection.execute(COUNT)
        assert await stored(url) == [(1, 1)]

    asyncio.run(main())
