"""Requests that an event loop sends at once, and a search that is cancelled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from pyrqlite.aio.executor import run
from pyrqlite.cluster.discovery import find_leader
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import AnswerLost, Arrival, Flow, Request, Response, Send, Together
from tests.unit.nodes import cluster

NODES = [Node("http", name, 4001) for name in "abc"]
GET = Request("GET", "/status", None, True, 0.9, Kind.ADMIN)


def ask_all(seconds: float, wanted: int) -> Flow[list[Arrival]]:
    def enough(arrivals: Sequence[Arrival]) -> bool:
        return len(arrivals) >= wanted

    arrivals: list[Arrival] = yield Together([Send(node, GET) for node in NODES], seconds, enough)
    return arrivals


class Slow:
    """Nodes that answer once they are told to, b at once; those that are given up are noted."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.given_up: list[str] = []

    async def send(self, node: Node, request: Request) -> Response:
        if node.host != "b":
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.given_up.append(node.host)
                raise
        return Response(200, {}, b"", node)


def test_run_side_by_side() -> None:
    async def play() -> list[Arrival]:
        entered, everybody = [], asyncio.Event()

        async def send(node: Node, request: Request) -> Response:
            entered.append(node)
            if len(entered) == 3:
                everybody.set()
            await everybody.wait()
            return Response(200, {}, b"", node)

        return await run(ask_all(10.0, 3), send)

    assert sorted(arrival.node.host for arrival in asyncio.run(play())) == ["a", "b", "c"]


def test_end_when_there_are_enough() -> None:
    async def play() -> tuple[list[Arrival], list[str]]:
        slow = Slow()
        return await run(ask_all(10.0, 1), slow.send), slow.given_up

    arrivals, given_up = asyncio.run(play())
    assert [arrival.node.host for arrival in arrivals] == ["b"]
    assert sorted(given_up) == ["a", "c"]


def test_end_with_their_time() -> None:
    async def play() -> tuple[list[Arrival], list[str]]:
        slow = Slow()
        return await run(ask_all(0.05, 2), slow.send), slow.given_up

    began = time.monotonic()
    arrivals, given_up = asyncio.run(play())
    assert [arrival.node.host for arrival in arrivals] == ["b"]
    assert sorted(given_up) == ["a", "c"]
    assert time.monotonic() - began < 5


def test_failures_arrive_too() -> None:
    async def play() -> list[Arrival]:
        async def send(node: Node, request: Request) -> Response:
            raise AnswerLost("gone")

        return await run(ask_all(10.0, 3), send)

    assert [type(arrival.outcome) for arrival in asyncio.run(play())] == [AnswerLost] * 3


def test_a_search_that_is_cancelled_holds_up_nobody() -> None:
    async def play() -> list[str]:
        known, slow = cluster(host="a,b,c"), Slow()
        first = asyncio.create_task(run(find_leader(known), slow.send))
        await asyncio.sleep(0)
        second = asyncio.create_task(run(find_leader(known), slow.send))
        await asyncio.sleep(0)
        assert known.search.is_on
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        slow.release.set()
        assert (await asyncio.wait_for(second, 10)).leader is None
        assert not known.search.is_on
        return slow.given_up

    assert sorted(asyncio.run(play())) == ["a", "c"]
