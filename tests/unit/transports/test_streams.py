"""Bodies that are read as they are sent, and taken as they come."""

from __future__ import annotations

import contextlib
import os
import socket
import tracemalloc
from collections.abc import Callable

import pytest

from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import AnswerLost, LocalFailure, NotSent, Request, Response
from pyrqlite.transports import Transport
from tests.unit.transports.conftest import Certificates, MakeTransport
from tests.unit.transports.socket_server import Act, Received, SocketServer, answer, raw, reset

SIZE = 3_000_000


@pytest.fixture(params=["urllib3", "curl", "requests", "aiohttp"])
def name(request: pytest.FixtureRequest) -> str:
    """All that stream: event loops have aiohttp do it."""
    chosen: str = request.param
    return chosen


class Source:
    """An upload; `fail` is raised at the second piece."""

    def __init__(self, data: bytes, fail: BaseException | None = None) -> None:
        self.size = self.left = len(data)
        self._data = data
        self._fail = fail

    def begin(self) -> None:
        self.left = self.size

    def read(self, most: int = 1 << 16) -> bytes:
        start = self.size - self.left
        if start and self._fail is not None:
            raise self._fail
        piece = self._data[start : start + most]
        self.left -= len(piece)
        return piece


class Sink:
    """A download; `fail` is raised at the first piece."""

    def __init__(self, fail: BaseException | None = None) -> None:
        self.taken = bytearray()
        self.lengths: list[int | None] = []
        self._fail = fail

    def begin(self, length: int | None) -> None:
        self.lengths.append(length)
        self.taken.clear()

    def write(self, piece: bytes) -> None:
        if self._fail is not None:
            raise self._fail
        self.taken += piece


def node(server: SocketServer, scheme: str = "http") -> Node:
    return Node(scheme, "127.0.0.1", server.port)


def load(transport: Transport, server: SocketServer, source: Source) -> Response:
    return transport.send(
        node(server), Request("POST", "/db/load", None, False, 5.0, upload=source)
    )


def fetch(transport: Transport, server: SocketServer, sink: Sink) -> Response:
    return transport.send(
        node(server), Request("GET", "/db/backup", None, True, 5.0, download=sink)
    )


class Local(LocalFailure):
    """A failure with a cause, as those have that files raise."""

    def __init__(self) -> None:
        super().__init__("local")
        self.__cause__ = OSError("the disk is full")


class Stop(BaseException):
    """As a KeyboardInterrupt, which an event loop would not survive."""


class TestUploads:
    def test_has_a_length_and_arrives_whole(self, make: MakeTransport) -> None:
        data = os.urandom(SIZE)
        with SocketServer([answer(), answer(), answer()]) as server:
            transport = make()
            for _ in range(2):
                assert load(transport, server, Source(data)).body == b"{}"
            transport.send(node(server), Request("POST", "/x", b"[]", False, 5.0))
        assert server.bodies == [data, data, b"[]"]
        for received in server.received[:2]:
            assert received.header("Content-Length") == str(SIZE)
            assert received.header("Transfer-Encoding") is None

    @pytest.mark.parametrize("error", [Local(), Stop()])
    def test_failure_on_this_side(self, make: MakeTransport, error: BaseException) -> None:
        with SocketServer([answer()], [answer()]) as server:
            transport = make()
            with pytest.raises(type(error)) as caught:
                load(transport, server, Source(os.urandom(SIZE), error))
            assert caught.value is error
            if isinstance(error, Local):
                assert isinstance(error.__cause__, OSError)
            server.wait_closed(0)
            assert load(transport, server, Source(b"again")).status == 200
        assert server.bodies == [b"again"]

    def test_cut_before_its_end_it_was_not_sent(self, make: MakeTransport) -> None:
        """A node that goes away in the middle; it must not look as if it might have been applied."""
        with HalfReader(lambda connection: None) as server, pytest.raises(NotSent):
            load(make(), server, Source(os.urandom(5 * SIZE)))

    def test_whole_without_an_answer_it_may_have_been_applied(self, make: MakeTransport) -> None:
        with SocketServer([reset]) as server, pytest.raises(AnswerLost):
            load(make(), server, Source(os.urandom(1000)))

    @pytest.mark.parametrize("status", ["401 Unauthorized", "503 Service Unavailable"])
    def test_answer_before_all_was_sent(self, make: MakeTransport, status: str) -> None:
        """A node that refuses does not read on; some time later it closes."""

        def refuse(connection: socket.socket) -> None:
            connection.sendall(
                f"HTTP/1.1 {status}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n".encode()
            )
            connection.shutdown(socket.SHUT_WR)

        with HalfReader(refuse) as server:
            try:
                response = load(make(), server, Source(os.urandom(5 * SIZE)))
            except NotSent:
                return  # not what was said, but true: nothing was applied
        assert (response.status, response.body) == (int(status[:3]), b"no\n")


class HalfReader(SocketServer):
    """Reads the head and some of the body, does something, and closes with a reset."""

    def __init__(self, act: Callable[[socket.socket], None]) -> None:
        super().__init__([])
        self._act = act

    def _serve(self, number: int, accepted: socket.socket, script: object) -> None:
        accepted.recv(10_000)
        with contextlib.suppress(OSError):
            self._act(accepted)
        reset(self, accepted, Received(number, "", (), b""))
        accepted.close()


class TestDownloads:
    @pytest.mark.parametrize("length", [0, 5, SIZE])
    def test_with_a_length(self, make: MakeTransport, length: int) -> None:
        data = os.urandom(length)
        sink = Sink()
        with SocketServer([answer(data), answer(b"next")]) as server:
            transport = make()
            response = fetch(transport, server, sink)
            assert transport.send(node(server), Request("GET", "/x", None, True, 5.0)).body == (
                b"next"
            )
            assert server.opened == 1
        assert (response.status, response.body) == (200, b"")
        assert (bytes(sink.taken), sink.lengths[-1:]) == (data, [length])

    @pytest.mark.parametrize(
        ("head", "body"),
        [
            ("Transfer-Encoding: chunked", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
            ("Connection: close", b"abcde"),
        ],
    )
    def test_without_a_length(self, make: MakeTransport, head: str, body: bytes) -> None:
        sink = Sink()
        with SocketServer([raw(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body)]) as server:
            fetch(make(), server, sink)
        assert (bytes(sink.taken), sink.lengths) == (b"abcde", [None])

    @pytest.mark.parametrize(
        ("head", "body"),
        [
            ("Transfer-Encoding: chunked", b"3\r\nabc\r\n"),
            ("Transfer-Encoding: chunked", b"3\r\nab"),
            ("Content-Length: 6", b"abcde"),
            ("Content-Length: 6", b""),
        ],
    )
    @pytest.mark.parametrize("end", ["close", "reset"])
    def test_cut(self, make: MakeTransport, head: str, body: bytes, end: str) -> None:
        data = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body
        acts: list[Act] = [raw(data)] if end == "close" else [together_reset(data)]
        with SocketServer(acts) as server, pytest.raises(AnswerLost):
            fetch(make(), server, Sink())

    @pytest.mark.parametrize("status", [204, 301, 400, 401, 500, 503])
    def test_other_bodies_are_not_the_downloads(self, make: MakeTransport, status: int) -> None:
        body = b"" if status == 204 else b"text"
        sink = Sink()
        with SocketServer([answer(body, f"{status} Words")]) as server:
            response = fetch(make(), server, sink)
        assert (response.status, response.body) == (status, body)
        assert (bytes(sink.taken), sink.lengths) == (b"", [])

    @pytest.mark.parametrize("error", [Local(), Stop()])
    def test_failure_on_this_side(self, make: MakeTransport, error: BaseException) -> None:
        with SocketServer([answer(os.urandom(SIZE))], [answer(b"again")]) as server:
            transport = make()
            with pytest.raises(type(error)) as caught:
                fetch(transport, server, Sink(error))
            assert caught.value is error
            sink = Sink()
            fetch(transport, server, sink)
        assert bytes(sink.taken) == b"again"


def together_reset(data: bytes) -> Act:
    def act(server: SocketServer, connection: socket.socket, received: Received) -> None:
        connection.sendall(data)
        reset(server, connection, received)

    return act


def test_over_tls(make: MakeTransport, certificates: Certificates) -> None:
    data, sink = os.urandom(SIZE), Sink()

    def act(server: SocketServer, connection: socket.socket, received: Received) -> None:
        answer(data if received.line.startswith("GET") else b"")(server, connection, received)

    with SocketServer([act, act], [act], tls=certificates.server) as server:
        transport = make(ca_cert=str(certificates.ca))
        to = node(server, "https")
        transport.send(to, Request("POST", "/db/load", None, False, 5.0, upload=Source(data)))
        transport.send(to, Request("GET", "/x", None, True, 5.0, download=sink))
        transport.close()
    assert server.bodies[0] == data
    assert bytes(sink.taken) == data


class Counter(Sink):
    """Takes everything, and keeps nothing."""

    count = 0

    def write(self, piece: bytes) -> None:
        self.count += len(piece)


class Zeros(Source):
    """Many bytes that nobody holds."""

    def __init__(self, size: int) -> None:
        super().__init__(b"")
        self.size = self.left = size

    def read(self, most: int = 1 << 16) -> bytes:
        count = min(most, self.left)
        self.left -= count
        return bytes(count)


def test_nothing_large_is_held(make: MakeTransport) -> None:
    size = 40_000_000
    piece = bytes(1 << 16)

    def serve(server: SocketServer, connection: socket.socket, received: Received) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        for start in range(0, size, len(piece)):
            connection.sendall(piece[: size - start])

    def take(connection: socket.socket) -> None:
        left = size - 10_000
        while left > 0:
            left -= len(connection.recv(1 << 16))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        connection.recv(10_000)

    transport, counter = make(), Counter()
    tracemalloc.start()
    try:
        with SocketServer([serve]) as server:
            fetch(transport, server, counter)
        with HalfReader(take) as server:
            load(transport, server, Zeros(size))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert counter.count == size
    assert peak < 4_000_000
