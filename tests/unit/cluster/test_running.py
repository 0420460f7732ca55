"""The executor's threads, the end of a call's time, and forks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from pyrqlite import OperationalError, OutcomeUnknownError
from pyrqlite.cluster.forks import with_lock
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node
from pyrqlite.cluster.pool import NodePool
from pyrqlite.errors import NoLeaderError
from pyrqlite.flow.applying import apply
from pyrqlite.flow.deadline import within
from pyrqlite.flow.exchange import REDIRECT, exchange
from pyrqlite.flow.run import run
from pyrqlite.flow.steps import (
    AnswerLost,
    Arrival,
    Flow,
    NotSent,
    OutOfTime,
    Request,
    Response,
    Send,
    Sleep,
    Together,
)
from tests.unit.nodes import Answering, Nodes, attempts, cluster, no_leader, results, session

NODES = [Node("http", name, 4001) for name in "abc"]
GET = Request("GET", "/status", None, True, 0.9, Kind.ADMIN)
WRITE = Request("POST", f"/db/execute?{REDIRECT}", b"[]", False, 3.0, Kind.WRITE)
OK = results({"rows_affected": 1})


def ask_all(seconds: float, wanted: int) -> Flow[list[Arrival]]:
    def enough(arrivals: Sequence[Arrival]) -> bool:
        return len(arrivals) >= wanted

    arrivals: list[Arrival] = yield Together([Send(node, GET) for node in NODES], seconds, enough)
    return arrivals


class TestTogether:
    """Requests that are sent at once."""

    def test_run_side_by_side(self) -> None:
        barrier = threading.Barrier(3)

        def send(node: Node, request: Request) -> Response:
            barrier.wait(10)
            return Response(200, {}, node.host.encode(), node)

        arrivals = run(ask_all(10.0, 3), send)
        assert sorted(arrival.node.host for arrival in arrivals) == ["a", "b", "c"]
        assert all(arrival.seconds >= 0 for arrival in arrivals)

    def test_end_when_there_are_enough(self) -> None:
        release = threading.Event()

        def send(node: Node, request: Request) -> Response:
            if node.host != "b":
                release.wait(10)
            return Response(200, {}, b"", node)

        arrivals = run(ask_all(10.0, 1), send)
        release.set()
        assert [arrival.node.host for arrival in arrivals] == ["b"]

    def test_end_with_their_time(self) -> None:
        release = threading.Event()

        def send(node: Node, request: Request) -> Response:
            release.wait(10)
            return Response(200, {}, b"", node)

        began = time.monotonic()
        arrivals = run(ask_all(0.05, 1), send)
        release.set()
        assert arrivals == []
        assert time.monotonic() - began < 5

    def test_failures_arrive_too(self) -> None:
        def send(node: Node, request: Request) -> Response:
            if node.host == "a":
                raise AnswerLost("gone")
            if node.host == "b":
                raise ZeroDivisionError("a fault of a hook, perhaps")
            return Response(200, {}, b"", node)

        arrivals = run(ask_all(10.0, 3), send)
        outcomes = {arrival.node.host: type(arrival.outcome) for arrival in arrivals}
        assert outcomes == {"a": AnswerLost, "b": NotSent, "c": Response}


def test_flow_that_is_given_up_is_closed() -> None:
    ended = []

    def flow() -> Flow[None]:
        try:
            yield Sleep(1.0)
        finally:
            ended.append(True)

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(flow(), lambda node, request: Response(200, {}, b"", node), interrupted)
    assert ended == [True]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(Nodes):
    """Nodes whose every answer and failure takes a second."""

    def __init__(self, clock: Clock, *replies: Answering) -> None:
        super().__init__(*replies)
        self._clock = clock

    def send(self, node: Node, request: Request) -> Response:
        self._clock.now += 1.0
        return super().send(node, request)


class TestDeadline:
    def test_nothing_happens_within_it(self) -> None:
        nodes = Nodes(OK)
        assert nodes.play(within(exchange(cluster(), WRITE), 5.0, lambda: 7.0)).status == 200
        assert nodes.sent[0].request.until == 12.0

    def test_time_outs_are_shortened(self) -> None:
        nodes = Nodes(OK)
        nodes.play(within(exchange(cluster(), WRITE), 2.0, Clock()))
        assert nodes.sent[0].request.timeout == 2.0
        nodes = Nodes(OK)
        nodes.play(within(exchange(cluster(), WRITE._replace(timeout=None)), 7.0, Clock()))
        assert nodes.sent[0].request.timeout == 7.0
        nodes = Nodes(OK)
        nodes.play(within(exchange(cluster(), WRITE), 7.0, Clock()))
        assert nodes.sent[0].request.timeout == 3.0

    def test_no_attempt_begins_later(self) -> None:
        clock = Clock()
        nodes = Slow(clock, NotSent("refused"), NotSent("refused"))
        flow = within(exchange(cluster(host="a,b,c"), WRITE), 1.5, clock)
        with pytest.raises(OperationalError, match="no node could be reached") as caught:
            nodes.play(flow)
        assert [attempt.cause for attempt in caught.value.attempts[:2]] == ["refused"] * 2
        assert isinstance(caught.value.__cause__, OutOfTime)

    def test_no_pause_outlasts_it(self) -> None:
        clock = Clock()
        nodes = Slow(clock, no_leader(), no_leader())
        policy = attempts(9).copy(wait=lambda state: 2.0)
        with pytest.raises(NoLeaderError) as caught:
            nodes.play(within(exchange(cluster(retry=policy), WRITE), 3.5, clock))
        assert len(caught.value.attempts) == 2
        assert nodes.slept == [2.0]

    def test_a_write_that_may_have_been_applied_stays_unknown(self) -> None:
        clock = Clock()
        made = session(exactly_once=True, retry_once=attempts(9))
        made.cluster.has_markers = True
        nodes = Slow(clock, AnswerLost("gone"), AnswerLost("gone"))
        flow = apply(made, ["INSERT"], f"/db/execute?x{REDIRECT}", 3.0)
        with pytest.raises(OutcomeUnknownError) as caught:
            nodes.play(within(flow, 1.5, clock))
        assert len(caught.value.attempts) >= 2

    def test_a_search_finds_nothing_behind_it(self) -> None:
        clock = Clock()

        def flow() -> Flow[list[Arrival]]:
            yield Send(NODES[0], GET)
            found = yield from ask_all(9.0, 1)
            return found

        nodes = Slow(clock, OK)
        assert nodes.play(within(flow(), 1.0, clock)) == []
        assert nodes.looks == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
class TestForks:
    def test_child_finds_locks_open(self) -> None:
        class Owner:
            _lock: Any

        owner, pool = Owner(), NodePool(NODES)
        with_lock(owner)
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with owner._lock, pool._lock:
                held.set()
                done.wait(20)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(20)
        child = os.fork()
        if child == 0:
            opened = owner._lock.acquire(timeout=5)
            pool.is_leader(NODES[1])
            os._exit(0 if opened else 1)
        done.set()
        thread.join(20)
        assert os.waitpid(child, 0)[1] == 0
