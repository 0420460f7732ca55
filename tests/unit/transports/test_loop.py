"""What only event loops do: many exchanges at once, and ends in the middle of one."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop

from pyrqlite.aio import carriers
from pyrqlite.aio.carriers import EmbeddedCarrier
from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import AnswerLost, NotSent, Request, Response
from pyrqlite.options import Options
from pyrqlite.transports import Wire
from pyrqlite.transports.loop import LoopTransport, _Line
from tests.unit.transports.socket_server import SocketServer, answer, silence

SECONDS = 10.0


def post(body: bytes = b"[]", **options: Any) -> Request:
    return Request("POST", "/db/x", body, repeatable=False, timeout=SECONDS, **options)


def node(server: SocketServer) -> Node:
    return Node("http", "127.0.0.1", server.port)


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 3 * SECONDS))


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@contextmanager
def hasty_node() -> Iterator[tuple[Node, list[socket.socket]]]:
    """A node that answers as soon as it has a request's head, and reads no more of it."""
    accepted: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            accepted.append(client)
            client.recv(65536)
            client.sendall(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Node("http", "127.0.0.1", listener.getsockname()[1]), accepted
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(SECONDS)
            for client in accepted:
                client.close()


def test_half_a_request_is_not_followed_by_another() -> None:
    """Nor is its end waited for, when all is closed."""

    async def main() -> None:
        transport = LoopTransport(Wire({}, SECONDS))
        with hasty_node() as (hasty, accepted):
            for _ in range(2):
                response = await transport.send(hasty, post(b"x" * (1 << 25)))
                assert response.status == 413
            await asyncio.wait_for(transport.close(), SECONDS)
            assert len(accepted) == 2

    run(main())


def test_closed_while_it_connects() -> None:
    async def main() -> None:
        transport = LoopTransport(Wire({}, SECONDS))
        sending = asyncio.ensure_future(transport.send(node(server), post()))
        await asyncio.sleep(0)
        await transport.close()
        with pytest.raises(NotSent, match="closed"):
            await sending

    with SocketServer([answer()]) as server:
        run(main())
        assert server.received == []


@pytest.mark.parametrize("run_in", [asyncio.run, uvloop.run])
def test_cancelled_while_it_connects(run_in: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    """At whichever turn of the loop: a loop may then never say that the connection is gone."""

    async def main() -> None:
        for count in range(12):
            transport = LoopTransport(Wire({}, SECONDS))
            sending = asyncio.ensure_future(transport.send(node(server), post()))
            await turns(count)
            sending.cancel()
            await asyncio.wait([sending])
            assert sending.cancelled()
            await asyncio.wait_for(transport.close(), SECONDS)

    with SocketServer(*[[silence]] * 12) as server:
        run_in(main())


def test_connection_that_ends_before_it_is_used() -> None:
    """The node has closed it, and nobody will say so once more."""

    async def main(listener: socket.socket) -> None:
        transport = LoopTransport(Wire({}, SECONDS))
        line = await transport._connected(
            Node("http", "127.0.0.1", listener.getsockname()[1]), post()
        )
        listener.accept()[0].close()
        await line.gone
        with pytest.raises(NotSent):
            await line.exchange(b"POST / HTTP/1.1\r\n\r\n", "POST", None, None)
        await transport.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        run(main(listener))


def test_connection_that_the_kernel_gives_up() -> None:
    """With a time-out of its own, which is not the silence that is looked into."""

    async def watch() -> bool:
        raise AssertionError("nothing is to be waited for any longer")

    async def main() -> None:
        transport = LoopTransport(Wire({}, SECONDS))
        sending = asyncio.ensure_future(transport.send(node(server), post(watch=watch)))
        while not server.received:
            await asyncio.sleep(0.001)
        (line,) = transport._lines
        assert line._transport is not None
        line._transport.abort()
        line.connection_lost(TimeoutError(110, "Connection timed out"))
        with pytest.raises(AnswerLost):
            await sending
        await transport.close()

    with SocketServer([silence]) as server:
        run(main())


def test_closing_that_is_cancelled_closes_all_the_same() -> None:
    async def main() -> None:
        transport = LoopTransport(Wire({}, SECONDS))
        await transport.send(node(server), post())
        streaming = transport._stream()
        closing = asyncio.ensure_future(transport.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert streaming._closed

    with SocketServer([answer()]) as server:
        run(main())


class Slow:
    """A transport whose calls end when they are told to."""

    def __init__(self) -> None:
        self.end = threading.Event()
        self.ended = 0

    def send(self, node: Node, request: Request) -> Response:
        self.end.wait(SECONDS)
        self.ended += 1
        return Response(200, {}, b"", node)

    def close(self) -> None:
        """Nothing is open."""


def test_a_database_is_let_go_behind_its_last_call() -> None:
    """Even if nobody waits for that: a loop that cancels again and again."""

    async def main() -> None:
        slow, let_go = Slow(), threading.Event()
        carrier = EmbeddedCarrier(slow)
        sending = asyncio.ensure_future(carrier.send(Node("http", "h", 1), post()))
        await turns()
        sending.cancel()
        releasing = asyncio.ensure_future(carriers.release(Options(), carrier, let_go.set))
        await turns()
        releasing.cancel()
        await asyncio.wait([sending, releasing])
        assert releasing.cancelled()
        assert not let_go.is_set()
        slow.end.set()
        assert await asyncio.to_thread(let_go.wait, SECONDS)
        assert slow.ended == 1

    run(main())


def test_calls_in_a_thread_end_before_it_is_closed() -> None:
    """Even if the last of them never began."""

    async def main() -> None:
        slow = Slow()
        carrier = EmbeddedCarrier(slow)
        sendings = [asyncio.ensure_future(carrier.send(Node("http", "h", 1), post())) for _ in "ab"]
        await turns()
        for sending in sendings:
            sending.cancel()
        await asyncio.wait(sendings)
        closing = asyncio.ensure_future(carrier.close())
        await turns()
        assert not closing.done()
        slow.end.set()
        await closing
        assert slow.ended == 1

    run(main())


class Ended(asyncio.Transport):
    """TLS that has ended, in Python 3.10, before its protocol is told."""

    def __init__(self) -> None:
        super().__init__({"socket": socket.socket()})
        self.get_extra_info("socket").close()

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        raise AttributeError("'NoneType' object has no attribute 'get_write_buffer_size'")


def test_tls_that_has_ended_is_not_used() -> None:
    async def main() -> None:
        line = _Line(asyncio.get_running_loop(), set())
        line.connection_made(Ended())
        assert not line.is_quiet
        assert not line.has_sent_all
        with pytest.raises(NotSent):
            await line.exchange(b"", "POST", SECONDS, None)

    run(main())
