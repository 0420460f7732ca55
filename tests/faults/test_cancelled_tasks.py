"""Tasks that are cancelled in the middle of what they do, while the leader is killed or stopped."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from pyrqlite import OperationalError, OutcomeUnknownError, SerializationError, aio
from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import Request, Response
from tests.faults.clients import SECONDS, Operation, Tally, check, connecting
from tests.faults.conftest import hosts_of
from tests.faults.test_leader import Fault, kill, step_down, stop
from tests.rqlited import RqlitedCluster

pytestmark = pytest.mark.cluster
CLIENTS, BEFORE, BEHIND = 6, 4, 8


class CancelledTally(Tally):
    """And how many of the operations were cancelled."""

    cancelled = 0


class Fickle:
    """Stands before a loop's carrier, and has tasks cancelled some turns of the loop after an exchange began."""

    def __init__(self, carrier: Any, chance: random.Random) -> None:
        self.carrier = carrier
        self._chance = chance
        self.calm = False

    async def send(self, node: Node, request: Request) -> Response:
        if not self.calm and self._chance.random() < 0.1:
            task = asyncio.current_task()
            assert task is not None
            self._cancel(task, self._chance.randrange(12))
        response: Response = await self.carrier.send(node, request)
        return response

    async def close(self) -> None:
        """Never called: the carrier is the one that is closed."""

    def _cancel(self, task: asyncio.Task[Any], turns: int) -> None:
        loop = asyncio.get_running_loop()
        if turns:
            loop.call_soon(self._cancel, task, turns - 1)
        else:
            task.cancel()


class Client:
    """A task with a connection; works until it has as many operations acknowledged as `goal` says."""

    def __init__(self, number: int, tally: CancelledTally) -> None:
        self.goal = float("inf")
        self.done = 0
        self._number = number
        self._tally = tally
        self._chance = random.Random(number)

    async def work(self, connection: aio.AsyncConnection) -> None:
        carrier = connection._carrier
        connection._carrier = fickle = Fickle(carrier, self._chance)
        try:
            for number in itertools.count():
                if self.done >= self.goal:
                    return
                await self._try(connection, fickle, (self._number, number))
        finally:
            connection._carrier = carrier

    async def _try(
        self, connection: aio.AsyncConnection, fickle: Fickle, operation: Operation
    ) -> None:
        perform = self._chance.choice((_transact, _script))
        task = asyncio.ensure_future(perform(connection, operation))
        fickle.calm = False
        await asyncio.wait([task])
        fickle.calm = True
        assert not connection.in_transaction
        tally = self._tally
        try:
            if task.cancelled():
                tally.cancelled += 1
                await self._next(connection)
                tally.failed.add(operation)
                return
            await task
        except OutcomeUnknownError as error:
            (tally.acknowledged if error.applied else tally.ambiguous).add(operation)
            tally.errors.append(error)
        except OperationalError as error:
            tally.failed.add(operation)
            tally.errors.append(error)
        else:
            tally.acknowledged.add(operation)
            tally.at.append(time.monotonic())
            self.done += 1

    async def _next(self, connection: aio.AsyncConnection) -> None:
        """Another statement: it tells what is not known of the one before."""
        while True:
            try:
                await connection.execute("SELECT 1")
            except OutcomeUnknownError:
                raise
            except OperationalError:
                continue
            return


async def _transact(connection: aio.AsyncConnection, operation: Operation) -> None:
    while True:
        with suppress(SerializationError):
            async with connection.transaction():
                (n,) = (await connection.execute("SELECT n FROM total")).fetchone()
                for part in (0, 1):
                    row = (*operation, part)
                    await connection.execute("INSERT INTO written VALUES (?, ?, ?)", row)
                await connection.execute("UPDATE total SET n = ?", (n + 1,))
            return


async def _script(connection: aio.AsyncConnection, operation: Operation) -> None:
    client, number = operation
    await connection.executescript(
        f"INSERT INTO written VALUES ({client}, {number}, 0); "
        f"INSERT INTO written VALUES ({client}, {number}, 1); UPDATE total SET n = n + 1"
    )


async def _suffer(cluster: RqlitedCluster, fault: Fault, exactly_once: bool) -> CancelledTally:
    tally = CancelledTally()
    clients = [Client(number, tally) for number in range(CLIENTS)]
    url = f"http://{','.join(hosts_of(cluster))}"

    async def run(client: Client) -> None:
        options: dict[str, Any] = {"timeout": 2.0, "connect_timeout": 1.0}
        async with aio.connect(
            url, autocommit=True, exactly_once=exactly_once, **options
        ) as connection:
            await client.work(connection)

    tasks = [asyncio.ensure_future(run(client)) for client in clients]
    while not all(client.done >= BEFORE for client in clients):
        await _turn(tasks)
    leader = await asyncio.to_thread(cluster.leader)
    await asyncio.to_thread(fault, cluster, leader)
    for client in clients:
        client.goal = client.done + BEHIND
    await asyncio.wait_for(asyncio.gather(*tasks), SECONDS)
    return tally


async def _turn(tasks: Sequence[asyncio.Future[None]]) -> None:
    done, _ = await asyncio.wait(tasks, timeout=0.01)
    for task in done:
        task.result()


@pytest.mark.parametrize(
    ("fault", "exactly_once"), [(kill, False), (stop, True), (step_down, True)]
)
def test_what_is_told_is_what_is_stored(
    cluster: RqlitedCluster, fault: Fault, exactly_once: bool
) -> None:
    tally = asyncio.run(_suffer(cluster, fault, exactly_once))
    cluster.revive()
    tally.show_errors()
    check(connecting(hosts_of(cluster), timeout=30.0), tally, parts=2)
    assert tally.cancelled
    if exactly_once:
        assert not tally.ambiguous
    print(tally.figures(f"{fault.__name__}, {tally.cancelled} cancelled"))
