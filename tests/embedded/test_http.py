"""Bytes on the wire: good ones, bad ones, slow ones."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from rqlite_embedded import EmbeddedServer
from rqlite_embedded.wire import parse_head
from tests.embedded.asking import Ask
from tests.plain_http import send_once

HOST = b"Host: x\r\n"
SELECT = b'["SELECT 1"]'
ANSWER = b'{"results":[{"columns":["1"],"types":["integer"],"values":[[1]]}]}'
PING = b"GET /readyz?noleader HTTP/1.1\r\n" + HOST + b"\r\n"


class Wire:
    """A connection, byte by byte."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def end(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def read_until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            received = self.socket.recv(65536)
            assert received, data
            data += received
        return data

    def read_all(self) -> bytes:
        """What comes until the server closes."""
        data = b""
        while received := self.socket.recv(65536):
            data += received
        return data


@pytest.fixture
def wire(served: EmbeddedServer) -> Iterator[Wire]:
    wire = Wire(served.port)
    yield wire
    wire.socket.close()


def post(body: bytes, *headers: bytes, path: bytes = b"/db/query") -> bytes:
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: x", *headers]
    if not any(header.startswith((b"Content-Length", b"Transfer")) for header in headers):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_requests_in_one_packet(wire: Wire) -> None:
    write = post(b'["CREATE TABLE t (a)"]', path=b"/db/execute")
    last = b"GET /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    wire.send(PING + write + post(b'["SELECT a FROM t"]') + last)
    replies = wire.read_all().split(b"HTTP/1.1 ")
    assert [reply[:3] for reply in replies] == [b"", b"200", b"200", b"200", b"404"]
    assert b'"columns":["a"]' in replies[3]


def test_a_request_byte_by_byte(wire: Wire) -> None:
    for byte in post(SELECT):
        wire.send(bytes([byte]))
    assert wire.read_until(ANSWER).startswith(b"HTTP/1.1 200 OK\r\n")


def test_chunks(wire: Wire) -> None:
    chunked = b"Transfer-Encoding: chunked"
    for chunks in (
        b'5\r\n["sel\r\n7;x=y\r\nect 1"]\r\n0\r\nX: y\r\n\r\n',
        b'C\r\n["select 1"]\r\n0\r\n\r\n',
    ):
        wire.send(post(chunks, chunked))
        assert wire.read_until(ANSWER).startswith(b"HTTP/1.1 200 OK\r\n")
    for byte in post(b'c\r\n["select 1"]\r\n0\r\n\r\n', chunked):
        wire.send(bytes([byte]))
    wire.read_until(ANSWER)


def test_continue(wire: Wire) -> None:
    head = post(SELECT, b"Expect: 100-continue").removesuffix(SELECT)
    wire.send(head)
    assert wire.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(SELECT)
    wire.read_until(ANSWER)


def test_old_clients(wire: Wire) -> None:
    wire.send(b"GET /readyz?noleader HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    reply = wire.read_until(b"[+]node ok")
    assert reply.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"Connection: keep-alive\r\n" in reply
    wire.send(b"GET /readyz?noleader HTTP/1.0\n\n")
    assert wire.read_all().endswith(b"[+]node ok")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", b"400 Bad Request"),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400 Bad Request"),
        (b"GET /readyz HTTP/1.1\r\n\r\n", b"400 Bad Request: missing required Host header"),
        (b"GET /readyz HTTP/1.1\r\n" + HOST + HOST + b"\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", b"400 Bad Request"),
        (b"G@T / HTTP/1.1\r\n" + HOST + b"\r\n", b"400 Bad Request"),
        (b"GET readyz HTTP/1.1\r\n" + HOST + b"\r\n", b"400 Bad Request"),
        (b"GET /%zz HTTP/1.1\r\n" + HOST + b"\r\n", b"400 Bad Request"),
        (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", b"400 Bad Request"),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", b"505 HTTP Version Not Supported: unsupported protocol version"),
        (post(b"", b"Content-Length: x"), b"400 Bad Request"),
        (post(b"", b"Content-Length: -1"), b"400 Bad Request"),
        (post(b"[]", b"Content-Length: 2", b"Content-Length: 3"), b"400 Bad Request"),
        (post(b"", b"Transfer-Encoding: gzip"), b"501 Not Implemented: unsupported transfer encoding"),
        (post(SELECT, b"Expect: much"), b"417 Expectation Failed"),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * (1 << 20) + b"\r\n\r\n", b"431 Request Header Fields Too Large"),
        (b"x" * ((1 << 20) + 5), b"431 Request Header Fields Too Large"),
    ],
)  # fmt: skip
def test_what_is_no_request(wire: Wire, request_: bytes, status: bytes) -> None:
    wire.send(request_)
    reply = wire.read_all()
    assert reply.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert reply.endswith(b"\r\n\r\n" + status)


@pytest.mark.parametrize(
    "request_",
    [
        post(b'["SELECT', b"Content-Length: 12"),
        post(b'zz\r\n["SELECT', b"Transfer-Encoding: chunked"),
        post(b'3\r\n["SELECT 1"]\r\n', b"Transfer-Encoding: chunked"),
        post(b'c\r\n["SELECT', b"Transfer-Encoding: chunked"),
    ],
)
def test_half_a_body(wire: Wire, request_: bytes) -> None:
    wire.send(request_)
    wire.end()
    reply = wire.read_all()
    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert reply.endswith(b"\r\n\r\ninvalid JSON body\n")


def test_half_a_head_is_no_request(wire: Wire) -> None:
    wire.send(PING[:-5])
    wire.end()
    assert wire.read_all() == b""


def test_the_last_request_of_a_client_is_answered(wire: Wire) -> None:
    wire.send(post(b'["CREATE TABLE t (a)"]', path=b"/db/execute") + PING)
    wire.end()
    reply = wire.read_all()
    assert reply.count(b"HTTP/1.1 200 OK") == 2


def test_large_heads_and_bodies(remote: Ask) -> None:
    sql = "SELECT length('" + "x" * 900_000 + "')"
    assert remote("GET", "/db/query?q=" + sql.replace(" ", "%20")).values == [[900_000]]
    text = "é" * 3_000_000
    assert remote.query(["SELECT ?", text]).values == [[text]]
    remote.execute("CREATE TABLE t (a)", ["INSERT INTO t VALUES (?)", text])
    assert remote.request("SELECT length(a) FROM t", "DELETE FROM t").results[0]["values"] == [
        [3_000_000]
    ]


def test_slow_and_silent_clients_harm_nobody(served: EmbeddedServer, remote: Ask) -> None:
    wires = [Wire(served.port) for _ in range(50)]
    try:
        for number, wire in enumerate(wires):
            wire.send(post(SELECT)[: number * 2])
        large = post(b'["SELECT hex(zeroblob(8000000))"]')
        reader = Wire(served.port)
        wires.append(reader)
        reader.send(large * 3)  # and never reads
        for _ in range(20):
            assert remote.query("SELECT 1").values == [[1]]
    finally:
        for wire in wires:
            wire.socket.close()
    assert remote.query("SELECT 1").values == [[1]]


def test_a_server_stops_in_spite_of_silent_clients(served: EmbeddedServer) -> None:
    idle = [Wire(served.port) for _ in range(3)]
    idle[0].send(PING[:10])
    idle[1].send(post(SELECT)[:-3])
    assert send_once(served.url, "GET", "/readyz").status == 200
    served.stop()
    for wire in idle:
        assert wire.read_all() == b""
        wire.socket.close()
    with pytest.raises(OSError, match="refused"):
        send_once(served.url, "GET", "/readyz")


def test_heads() -> None:
    head = parse_head(b"GET http://host:1/a?b HTTP/1.1\r\nHost:x\r\nX-A: \t b c \r\nX-A: d")
    assert head.target == "/a?b"
    assert head.headers == {"host": "x", "x-a": "b c"}
    assert parse_head(b"GET http://host HTTP/1.1\r\nHost: x").target == "/"
    assert parse_head(b"OPTIONS * HTTP/1.1\r\nHost: x").target == "*"
