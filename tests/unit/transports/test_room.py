"""Places for the requests of an event loop to one node."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import GivenUp, NotSent, OutOfTime, Request, TurnedAway
from pyrqlite.transports import MOST_SOCKETS, Wire
from pyrqlite.transports.loop import LoopTransport
from pyrqlite.transports.room import Room
from tests.unit.transports.socket_server import SocketServer, silence


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 30.0))


async def waiting(room: Room, count: int, until: float | None = None) -> list[asyncio.Task[None]]:
    """So many that want a place, of which there is none."""
    tasks = [asyncio.create_task(room.enter(until)) for _ in range(count)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    return tasks


def test_places_are_handed_on_in_order() -> None:
    async def main() -> None:
        room = Room(2)
        await room.enter(None)
        await room.enter(None)
        tasks = await waiting(room, 3)
        for task in tasks:
            room.leave()
            await asyncio.sleep(0)
            assert task.done()
        for _ in range(2):
            room.leave()
        await room.enter(None)
        await room.enter(None)
        await waiting(room, 1)

    run(main())


@pytest.mark.parametrize("given", [False, True])
def test_a_place_is_not_lost_with_a_cancellation(given: bool) -> None:
    """Nor where both come at once."""

    async def main() -> None:
        room = Room(1)
        await room.enter(None)

        async def enter() -> None:
            with pytest.raises(asyncio.CancelledError) as caught:
                await room.enter(None)
            assert isinstance(caught.value.__cause__, NotSent)

        first = asyncio.create_task(enter())
        (second,) = await waiting(room, 1)
        if given:
            room.leave()
        first.cancel()
        await first
        if not given:
            room.leave()
        await second

    run(main())


def test_nobody_waits_longer_than_the_deadline() -> None:
    async def main() -> None:
        room = Room(1)
        await room.enter(None)
        with pytest.raises(OutOfTime):
            await room.enter(time.monotonic())
        room.leave()
        await room.enter(time.monotonic())

    run(main())


def test_all_are_turned_away() -> None:
    async def main() -> None:
        room = Room(1)
        await room.enter(None)
        tasks = await waiting(room, 3)
        tasks[1].cancel()
        room.turn_away("elsewhere")
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in errors] == [
            TurnedAway,
            asyncio.CancelledError,
            TurnedAway,
        ]
        room.leave()
        await room.enter(None)

    run(main())


def test_a_node_that_was_given_up_is_waited_for_no_longer() -> None:
    """Of more requests than it has places, those that were never sent go elsewhere at once."""

    async def main() -> None:
        transport = LoopTransport(Wire({}, 10.0))
        silent = Node("http", "127.0.0.1", server.port)
        given_up = asyncio.Event()

        async def watch() -> bool:
            await given_up.wait()
            return False

        request = Request("POST", "/", b"[]", False, None, watch=watch)
        count = MOST_SOCKETS + 20
        sends = [asyncio.ensure_future(transport.send(silent, request)) for _ in range(count)]
        while len(server.received) < MOST_SOCKETS:
            await asyncio.sleep(0.01)
        given_up.set()
        errors = await asyncio.gather(*sends, return_exceptions=True)
        assert [type(error) for error in errors] == [GivenUp] * MOST_SOCKETS + [TurnedAway] * 20
        await transport.close()

    with SocketServer(*[[silence]] * MOST_SOCKETS) as server:
        run(main())
        assert len(server.received) == MOST_SOCKETS
