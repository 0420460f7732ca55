"""The watch of a request: called while the node keeps silent, by those transports that can do so."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import AnswerLost, GivenUp, Request, Response
from pyrqlite.transports import silence
from tests.unit.transports.conftest import LOOPS, MakeTransport
from tests.unit.transports.socket_server import (
    SECONDS,
    Act,
    Received,
    SocketServer,
    answer,
    raw,
    together,
)
from tests.unit.transports.socket_server import silence as say_nothing


@pytest.fixture(params=["urllib3", "curl", "loop"])
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look comes at once, almost."""
    monkeypatch.setattr(silence, "FIRST_LOOK", 0.01)


class Watch:
    """Says what it is told to, and counts how often it was asked; `each` is called before."""

    def __init__(self, name: str, says: bool, each: Callable[[], object] = lambda: None) -> None:
        self.calls = 0
        self.called = threading.Event()
        self.for_transport: Callable[[], Any] = self._awaited if name in LOOPS else self._look
        self._says = says
        self._each = each

    def _look(self) -> bool:
        self.calls += 1
        self.called.set()
        self._each()
        return self._says

    async def _awaited(self) -> bool:
        await asyncio.sleep(0)
        return self._look()

    def seen(self, server: SocketServer, connection: socket.socket, received: Received) -> None:
        """The node says nothing until the watch was called."""
        assert self.called.wait(SECONDS)


def pause(server: SocketServer, connection: socket.socket, received: Received) -> None:
    """The node says nothing for a while."""
    threading.Event().wait(5 * silence.FIRST_LOOK)


def ask(make: MakeTransport, watch: Watch, *acts: Act, timeout: float | None = None) -> Response:
    with SocketServer(acts) as server:
        node = Node("http", "127.0.0.1", server.port)
        request = Request("POST", "/x", b"[]", True, timeout, watch=watch.for_transport)
        return make().send(node, request)


def test_it_says_that_waiting_is_worth_it(make: MakeTransport, name: str) -> None:
    watch = Watch(name, True)
    assert ask(make, watch, together(watch.seen, answer(b"late"))).body == b"late"
    assert watch.calls >= 1


def test_it_says_that_it_is_not(make: MakeTransport, name: str) -> None:
    watch = Watch(name, False)
    with pytest.raises(GivenUp, match="the other nodes go on without it"):
        ask(make, watch, say_nothing)
    assert watch.calls == 1


def test_it_fails(make: MakeTransport, name: str) -> None:
    def fail() -> None:
        raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        ask(make, Watch(name, True, fail), say_nothing)


def test_it_is_not_asked_behind_the_timeout(make: MakeTransport, name: str) -> None:
    watch = Watch(name, True)
    with pytest.raises(AnswerLost, match=r"0\.009 s|timed out after \d+ milliseconds"):
        ask(make, watch, say_nothing, timeout=0.009)
    assert watch.calls == 0


def test_time_goes_on_behind_it(make: MakeTransport, name: str) -> None:
    timeout = 1.1 if name == "curl" else 0.1  # curl itself looks once a second
    watch = Watch(name, True)
    with pytest.raises(AnswerLost, match=rf"within {timeout} s"):
        ask(make, watch, say_nothing, timeout=timeout)
    assert watch.calls >= 1


def test_half_an_answer_may_take_its_time(make: MakeTransport, name: str) -> None:
    head = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nla")
    watch = Watch(name, True)
    assert ask(make, watch, together(watch.seen, head, raw(b"te"))).body == b"late"


def test_half_an_answer_may_take_longer_than_a_look(make: MakeTransport, name: str) -> None:
    head = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nla")
    assert ask(make, Watch(name, True), together(head, pause, raw(b"te"))).body == b"late"


def test_half_a_request_may_take_longer_than_a_look(make: MakeTransport, name: str) -> None:
    body, watch = b"x" * (1 << 25), Watch(name, True)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            accepted, _ = listener.accept()
            with accepted:
                threading.Event().wait(5 * silence.FIRST_LOOK)
                left = len(body)
                while left > 0 and (piece := accepted.recv(1 << 20)):
                    left -= len(piece)
                accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

        thread = threading.Thread(target=serve)
        thread.start()
        node = Node("http", "127.0.0.1", listener.getsockname()[1])
        request = Request("POST", "/x", body, True, SECONDS, watch=watch.for_transport)
        assert make().send(node, request).body == b"late"
        thread.join(SECONDS)


@pytest.mark.parametrize("name", ["urllib3"])
def test_answer_that_comes_meanwhile_counts(make: MakeTransport, name: str) -> None:
    sent = threading.Event()

    def note(server: SocketServer, connection: socket.socket, received: Received) -> None:
        sent.set()

    watch = Watch(name, False, lambda: sent.wait(SECONDS))
    assert ask(make, watch, together(watch.seen, answer(b"late"), note)).body == b"late"


def test_pauses() -> None:
    silence.FIRST_LOOK = 1.0
    at, looks = 0.0, []
    while at < 10:
        at += silence.next_pause(at, 10.0)
        looks.append(at)
    assert looks == [1.0, 2.0, 3.0, 4.5, 6.75, 10.0]
    with pytest.raises(TimeoutError):
        silence.next_pause(10.0, 10.0)
    assert silence.next_pause(10.0, None) == 5.0
