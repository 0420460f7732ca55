"""What the transports put on the wire, and what they make of what comes back."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from pyrqlite.cluster.node import Node
from pyrqlite.errors import InterfaceError
from pyrqlite.flow.steps import AnswerLost, NotSent, Request, Response
from pyrqlite.transports import Transport
from tests.unit.transports.conftest import MakeTransport
from tests.unit.transports.socket_server import (
    Act,
    Received,
    SocketServer,
    answer,
    echo,
    nothing,
    raw,
    reset,
    silence,
    together,
)


def node(server: SocketServer, scheme: str = "http") -> Node:
    return Node(scheme, "127.0.0.1", server.port)


def fill(stack: ExitStack, listener: socket.socket) -> None:
    """Fill the queue of those that wait to be accepted."""
    for _ in range(3):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(listener.getsockname())


def post(
    transport: Transport, server: SocketServer, body: bytes = b"[]", timeout: float | None = 5.0
) -> Response:
    request = Request("POST", "/db/x?a=b&c", body, repeatable=False, timeout=timeout)
    return transport.send(node(server), request)


class TestRequests:
    def test_post(self, make: MakeTransport) -> None:
        with SocketServer([answer()]) as server:
            post(make(), server, b'["\xc3\xa4"]')
        (received,) = server.received
        assert received.line == "POST /db/x?a=b&c HTTP/1.1"
        assert received.body == b'["\xc3\xa4"]'
        assert received.header("Host") == f"127.0.0.1:{server.port}"
        assert received.header("User-Agent") == "test"
        assert received.header("Content-Type") == "text/x"
        assert received.header("Expect") is None
        assert received.header("Transfer-Encoding") is None
        assert received.header("Content-Length") == "6"

    @pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
    @pytest.mark.parametrize("body", [None, b"{}"])
    def test_methods(self, make: MakeTransport, method: str, body: bytes | None) -> None:
        if method == "GET" and body:
            body = None
        with SocketServer(*[[answer()] * 3] * 3) as server:
            transport = make()
            post(transport, server)
            transport.send(node(server), Request(method, "/x", body, True, 5.0))
            post(transport, server)
        assert [received.line.split()[0] for received in server.received] == [
            "POST",
            method,
            "POST",
        ]
        assert server.bodies == [b"[]", body or b"", b"[]"]

    def test_large_bodies_go_and_come(self, make: MakeTransport) -> None:
        body = os.urandom(1 << 20) * 12
        with SocketServer([echo]) as server:
            assert post(make(), server, body).body == body
        assert server.bodies == [body]

    @pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nEvil: 1", "a\rEvil: 1"])
    def test_headers_cannot_be_smuggled_in(self, make: MakeTransport, value: str) -> None:
        with SocketServer([answer()]) as server:
            with pytest.raises((InterfaceError, NotSent)):
                post(make(headers={"X": value}), server)
            assert server.received == []

    def test_threads_get_their_own_answers(self, make: MakeTransport) -> None:
        with SocketServer(*[[echo] * 200] * 8) as server:
            transport = make()
            with ThreadPoolExecutor(8) as pool:
                bodies = [b"%d" % number for number in range(200)]
                answers = pool.map(lambda body: post(transport, server, body).body, bodies)
                assert list(answers) == bodies
            assert sorted(server.bodies) == sorted(bodies)


class TestAnswers:
    @pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 400, 401, 404, 500, 503])
    def test_statuses_are_handed_on(self, make: MakeTransport, status: int) -> None:
        body = b"" if status == 204 else b"text"
        location = "Location: http://127.0.0.1:1/elsewhere"
        with SocketServer([answer(body, f"{status} Words", location)]) as server:
            response = post(make(), server)
        assert (response.status, response.body) == (status, body)
        assert response.headers.get("location", "") == "http://127.0.0.1:1/elsewhere"
        assert response.headers.get("x-missing", "none") == "none"
        assert response.node == node(server)

    @pytest.mark.parametrize(
        "data",
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
            b"HTTP/1.1 200\r\ncontent-length:5\r\n\r\nabcde",
            b"HTTP/1.0 200 OK\r\n\r\nabcde",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
            b"HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 2\r\nContent-Length: 5\r\n\r\nabcde",
        ],
        ids=["chunked", "length", "no reason", "http10", "until the end", "interim", "folded"],
    )
    def test_framing(self, make: MakeTransport, data: bytes) -> None:
        with SocketServer([raw(data)]) as server:
            assert post(make(), server).body == b"abcde"

    def test_in_pieces(self, make: MakeTransport) -> None:
        data = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"
        with SocketServer([together(*[raw(bytes([byte])) for byte in data])]) as server:
            assert post(make(), server).body == b"abcde"

    @pytest.mark.parametrize("status", ["103 Early Hints", "102 Processing"])
    def test_interim_answers_are_none(self, make: MakeTransport, status: str) -> None:
        """Some libraries take them for the answer, which would then be taken for that to the next request."""
        interim = raw(f"HTTP/1.1 {status}\r\nLink: </x>\r\n\r\n".encode())
        script = [together(interim, answer(b"first")), answer(b"second")]
        with SocketServer(script, [answer(b"second")]) as server:
            transport = make()
            with contextlib.suppress(AnswerLost):
                assert post(transport, server).body == b"first"
            assert post(transport, server).body == b"second"

    @pytest.mark.parametrize("name", ["urllib3", "curl", "loop"])
    def test_answer_that_does_not_wait_for_the_request(self, make: MakeTransport) -> None:
        """A node refuses without having read a large body, and then ends the connection."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            hasty = Node("http", "127.0.0.1", listener.getsockname()[1])

            def refuse() -> None:
                accepted, _ = listener.accept()
                with accepted:
                    accepted.recv(65536)
                    accepted.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno")

            thread = threading.Thread(target=refuse)
            thread.start()
            response = make().send(hasty, Request("POST", "/", b"x" * (1 << 25), False, 5.0))
            thread.join()
        assert (response.status, response.body) == (401, b"no")


class TestKeptConnections:
    def test_one_serves_many_requests(self, make: MakeTransport) -> None:
        with SocketServer([answer()] * 5) as server:
            transport = make()
            for _ in range(5):
                post(transport, server)
            assert server.opened == 1

    def test_announced_end(self, make: MakeTransport) -> None:
        closing = answer(b"{}", "200 OK", "Connection: close")
        with SocketServer([closing], [answer()]) as server:
            transport = make()
            assert [post(transport, server).status for _ in range(2)] == [200, 200]
        assert len(server.received) == 2

    def test_closed_by_the_node_between_requests(self, make: MakeTransport) -> None:
        with SocketServer([answer()], [answer()], [answer()]) as server:
            transport = make()
            for number in range(3):
                assert post(transport, server, b"%d" % number).status == 200
                server.wait_closed(number)
        assert server.bodies == [b"0", b"1", b"2"]

    @pytest.mark.parametrize("end", [nothing, reset])
    def test_lost_with_the_second_request(self, make: MakeTransport, end: Act) -> None:
        """The node may have taken it: it must not be sent again, by whatever layer."""
        with SocketServer([answer(), end], [answer()], [answer()]) as server:
            transport = make()
            post(transport, server, b"first")
            with pytest.raises(AnswerLost):
                post(transport, server, b"second")
            post(transport, server, b"third")
        assert server.bodies == [b"first", b"second", b"third"]

    def test_garbage_behind_an_answer(self, make: MakeTransport) -> None:
        both = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst" + b"HTTP/1.1 200 OK\r\n\r\nbad"
        with SocketServer([raw(both), answer(b"second")], [answer(b"second")]) as server:
            transport = make()
            assert post(transport, server).body == b"first"
            assert post(transport, server).body == b"second"

    def test_closing_lets_go(self, make: MakeTransport) -> None:
        with SocketServer([answer(), answer()]) as server:
            transport = make()
            post(transport, server)
            transport.close()
            server.wait_closed(0)
        assert server.faults == []

    def test_interrupted_exchange_leaves_no_half_read_connection(self, make: MakeTransport) -> None:
        with SocketServer([answer(b"1"), silence], [answer(b"2")]) as server:
            transport = make()
            post(transport, server)
            with pytest.raises(AnswerLost):
                post(transport, server, timeout=0.1)
            assert post(transport, server).body == b"2"


CUT = [
    b"",
    b"HTT",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabcde\r\n0\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\x00\x01\x02\x03\xff\xfe\r\n\r\n",
    b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
]


class TestLostAnswers:
    @pytest.mark.parametrize("end", [nothing, reset], ids=["end", "reset"])
    @pytest.mark.parametrize("data", CUT)
    def test_cut(self, make: MakeTransport, data: bytes, end: Act) -> None:
        with SocketServer([together(raw(data), end)], [answer()]) as server:
            with pytest.raises(AnswerLost) as caught:
                post(make(), server)
            assert caught.value.sent
            assert str(caught.value)
        assert len(server.received) == 1

    @pytest.mark.parametrize(
        "data", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"]
    )
    def test_cut_in_the_head(self, make: MakeTransport, data: bytes) -> None:
        """Some libraries take that for an answer without a body, which is no answer of rqlite's."""
        with SocketServer([raw(data)]) as server, contextlib.suppress(AnswerLost):
            assert post(make(), server).body == b""
        assert len(server.received) == 1

    def test_silence_ends_with_the_timeout(self, make: MakeTransport) -> None:
        with SocketServer([silence]) as server:
            with pytest.raises(AnswerLost, match=r"0\.15|\d+ milliseconds") as caught:
                post(make(), server, timeout=0.15)
            assert len(server.received) == 1
            assert caught.value.timed_out

    def test_a_connection_that_breaks_is_no_silence(self, make: MakeTransport) -> None:
        with SocketServer([raw(b"")]) as server, pytest.raises(AnswerLost) as caught:
            post(make(), server)
        assert not caught.value.timed_out

    def test_node_that_reads_nothing(self, make: MakeTransport) -> None:
        """A body that is larger than all buffers on the way."""
        body = b"x" * (1 << 25)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            silent = Node("http", "127.0.0.1", listener.getsockname()[1])
            with pytest.raises(AnswerLost):
                make().send(silent, Request("POST", "/", body, False, 0.3))

    def test_silence_in_an_answer(self, make: MakeTransport) -> None:
        half = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        with SocketServer([together(half, silence)]) as server, pytest.raises(AnswerLost):
            post(make(), server, timeout=0.15)

    def test_timeout_is_for_each_sign_of_life(self, make: MakeTransport) -> None:
        def drip(server: SocketServer, connection: socket.socket, received: Received) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
            for number in range(6):
                server.released.wait(0.25)  # the time itself is what is tested
                connection.sendall(b"%d" % number)

        with SocketServer([drip]) as server:
            assert post(make(), server, timeout=1.2).body == b"012345"

    def test_no_timeout(self, make: MakeTransport) -> None:
        with SocketServer([answer()]) as server:
            assert post(make(connect_timeout=None), server, timeout=None).status == 200

    @pytest.mark.parametrize(
        "name", ["urllib3", "curl"]
    )  # the sockets of requests are out of reach
    def test_given_up_request_is_reset(self, make: MakeTransport) -> None:
        """So that the kernel does not go on sending it: the node sees a reset, not an orderly end."""
        ended = threading.Event()
        seen: list[object] = []

        def watch(server: SocketServer, connection: socket.socket, received: Received) -> None:
            connection.settimeout(5.0)
            try:
                seen.append(connection.recv(1))
            except OSError as error:
                seen.append(type(error))
            ended.set()

        with SocketServer([watch]) as server:
            with pytest.raises(AnswerLost):
                post(make(), server, timeout=0.1)
            assert ended.wait(5.0)
        assert seen == [ConnectionResetError]


class TestNotSent:
    def test_refused(self, make: MakeTransport) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(NotSent) as caught:
            make().send(Node("http", "127.0.0.1", port), Request("POST", "/", b"", False, 5.0))
        assert not caught.value.sent
        assert "refused" in str(caught.value).lower() or "connect" in str(caught.value).lower()

    @pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 70 + ".invalid", "-.invalid"])
    def test_no_such_name(self, make: MakeTransport, host: str) -> None:
        with pytest.raises(NotSent):
            make().send(Node("http", host, 4001), Request("POST", "/", b"", False, 5.0))

    @pytest.mark.parametrize("name", ["urllib3", "requests", "loop", "aiohttp"])
    def test_name_of_several_addresses(
        self, make: MakeTransport, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of which the first leads nowhere, and says nothing of it."""

        def found(host: object, port: object, *rest: object, **more: object) -> list[object]:
            assert host in ("two.example", b"two.example"), host
            kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [(*kind, (address, server.port)) for address in ("127.0.0.2", "127.0.0.1")]

        with ExitStack() as stack:
            server = stack.enter_context(SocketServer([answer(b"found")]))
            listener = stack.enter_context(
                socket.create_server(("127.0.0.2", server.port), backlog=0)
            )
            fill(stack, listener)
            transport = make(connect_timeout=0.2)
            monkeypatch.setattr(socket, "getaddrinfo", found)
            request = Request("POST", "/", b"", False, 5.0)
            assert transport.send(Node("http", "two.example", server.port), request).body == (
                b"found"
            )

    @pytest.mark.parametrize("by", ["connect_timeout", "deadline"])
    def test_nobody_accepts(self, make: MakeTransport, by: str) -> None:
        began = time.monotonic()
        until = None if by == "connect_timeout" else began + 0.2
        seconds = 0.2 if by == "connect_timeout" else 60.0
        with ExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            fill(stack, listener)
            port = listener.getsockname()[1]
            with pytest.raises(NotSent):
                make(connect_timeout=seconds).send(
                    Node("http", "127.0.0.1", port),
                    Request("POST", "/", b"", False, 0.2, until=until),
                )
        assert time.monotonic() - began < 30.0


FORK = """
import os, sys
import pyrqlite
url, transport = sys.argv[1:]
connection = pyrqlite.connect(url, transport=transport, autocommit=True)
connection.execute("REINDEX parent")
child = os.fork()
if child == 0:
    pyrqlite.connect(url, transport=transport, autocommit=True).execute("REINDEX child")
    connection.execute("REINDEX child")
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
connection.execute("REINDEX parent")
"""


@pytest.mark.parametrize("name", ["urllib3", "curl", "requests"])
def test_forked_process_does_not_use_its_parents_sockets(name: str) -> None:
    served = answer(b'{"results":[{}]}')
    with SocketServer(*[[served] * 20] * 6) as server:
        url = f"http://127.0.0.1:{server.port}"
        script = [sys.executable, "-W", "error", "-c", FORK, url, name]
        finished = subprocess.run(script, timeout=60, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
    by = {
        who: {received.connection for received in server.received if who in received.body}
        for who in (b"parent", b"child")
    }
    assert by[b"parent"]
    assert by[b"child"]
    assert not by[b"parent"] & by[b"child"]


def test_netrc_does_not_replace_the_users_credentials(
    make: MakeTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login other password other\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    sent = "Basic " + base64.b64encode(b"bob:pw").decode()
    with SocketServer([answer()]) as server:
        post(make(headers={"Authorization": sent}), server)
    assert server.received[0].header("Authorization") == sent


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_proxies_of_the_environment_are_for_the_web(
    make: MakeTransport, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    with SocketServer([answer()]) as server:
        assert post(make(), server).status == 200
