"""Nodes that lie, names with several addresses, IPv6, and many threads that lose their leader at once."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pyrqlite import Connection, OperationalError
from pyrqlite.cluster.cluster import Cluster
from pyrqlite.cluster.discovery import find_leader
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node
from pyrqlite.flow.exchange import REDIRECT
from pyrqlite.flow.run import run
from pyrqlite.flow.session import ask
from pyrqlite.flow.steps import Request, Response
from pyrqlite.options import Options as DriverOptions
from rqlite_embedded import EmbeddedServer, Options
from tests.integration.conftest import Connect
from tests.servers import RunningServer

OK = json.dumps({"results": [{"rows_affected": 1}]}).encode()
Answer = tuple[int, dict[str, str], bytes]


def write(connection: Connection) -> None:
    """Send a write, and nothing else."""
    target = f"/db/execute?x{REDIRECT}"
    connection.run(ask(connection.session, target, ["DELETE FROM t"], 3.0, Kind.WRITE))


class Liar:
    """An HTTP server that answers what a test wants, and keeps what it was asked."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(answer))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Liar:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    def _handler(self, answer: Callable[[str], Answer]) -> type[BaseHTTPRequestHandler]:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                status, headers, body = answer(self.path)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def liar() -> Iterator[Callable[[Callable[[str], Answer]], Liar]]:
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(Liar(answer))


Lying = Callable[[Callable[[str], Answer]], Liar]


def redirecting(url: str) -> Callable[[str], Answer]:
    return lambda path: (301, {"Location": url}, b"")


class TestRedirects:
    @pytest.mark.parametrize("length", [1, 2, 3])
    def test_circles_end(self, liar: Lying, connect: Connect, length: int) -> None:
        urls: list[str] = []
        liars = [
            liar(lambda path, n=n: redirecting(urls[(n + 1) % length])(path))  # type: ignore[misc]
            for n in range(length)
        ]
        urls += [f"http://{each.address}/" for each in liars]
        connection = connect(urls[0], deadline=1.0)
        with pytest.raises(OperationalError, match="nothing was applied"):
            write(connection)
        assert sum(len(each.asked) for each in liars) < 200

    def test_chain_without_end(self, liar: Lying, connect: Connect) -> None:
        liars: list[Liar] = []

        def further(path: str) -> Answer:
            number = int(path.rpartition("hop=")[2] or 0) if "hop=" in path else 0
            return (
                301,
                {
                    "Location": f"http://127.0.0.{number % 250 + 2}:{liars[0].address.partition(':')[2]}/"
                },
                b"",
            )

        liars.append(liar(further))
        connection = connect(f"http://{liars[0].address}", deadline=1.0)
        with pytest.raises(OperationalError, match="nothing was applied"):
            write(connection)

    @pytest.mark.parametrize(
        "location",
        [
            "nonsense",
            "file:///etc/passwd",
            "gopher://127.0.0.1:1/",
            "http://127.0.0.1:99999/",
            "//127.0.0.1:1/",
            "http://",
        ],
    )
    def test_nonsense(self, liar: Lying, connect: Connect, transport: str, location: str) -> None:
        node = liar(redirecting(location))
        connection = connect(f"http://{node.address}", transport=transport)
        with pytest.raises(OperationalError, match="cannot be followed") as caught:
            write(connection)
        assert type(caught.value) is OperationalError
        assert len(node.asked) == 1

    def test_credentials_in_a_location_are_not_used(
        self, liar: Lying, connect: Connect, transport: str
    ) -> None:
        other = liar(lambda path: (200, {}, OK))
        node = liar(redirecting(f"http://evil:evil@{other.address}/elsewhere?x=y#z"))
        connection = connect(f"http://me:secret@{node.address}", transport=transport)
        write(connection)
        [(path, headers)] = other.asked
        assert path == node.asked[0][0]
        assert headers["authorization"] == node.asked[0][1]["authorization"]
        assert headers["host"] == other.address


class TestListsOfNodes:
    """A leader that lists strange nodes."""

    def leader(self, liar: Lying, listed: Any) -> Liar:
        store = {
            "node_id": "1",
            "raft": {"state": "Leader", "term": 2, "last_contact": 0},
            "nodes": [{"id": "1"}],
        }

        def answer(path: str) -> Answer:
            if path.startswith("/status"):
                return 200, {}, json.dumps(store).encode()
            if path.startswith("/nodes"):
                return 200, {}, listed if isinstance(listed, bytes) else json.dumps(listed).encode()
            return 200, {}, OK

        return liar(answer)

    def looked(self, connect: Connect, leader: Liar) -> Cluster:
        connection = connect(f"http://{leader.address}", connect_timeout=0.2)
        shared = connection.session.cluster
        shared._next_look = 0.0
        write(connection)
        write(connection)
        assert len([path for path, _ in leader.asked if path.startswith("/nodes")]) == 1
        return shared

    @pytest.mark.parametrize(
        "listed",
        [
            b"",
            b"<html>",
            b"[" * 100_000,
            {"nodes": [{"id": "2", "api_addr": "http://127.0.0.1:1"}] * 3000},
            {
                "nodes": [
                    {"id": str(n), "api_addr": f"http://127.0.0.1:{n % 60 + 1}"}
                    for n in range(9999)
                ]
            },
            {
                "nodes": [
                    {"id": "2", "api_addr": "unix:///var/run/x"},
                    {"id": "3", "api_addr": "http://a b"},
                ]
            },
        ],
        ids=["nothing", "HTML", "deep", "the same", "thousands", "schemes"],
    )
    def test_they_change_nothing(self, liar: Lying, connect: Connect, listed: Any) -> None:
        shared = self.looked(connect, self.leader(liar, listed))
        assert shared.nodes.known == list(shared.nodes.seeds)

    def test_a_node_that_answers_for_another(self, liar: Lying, connect: Connect) -> None:
        impostor = self.leader(liar, {"nodes": []})
        listed = {"nodes": [{"id": "2", "api_addr": f"http://{impostor.address}"}]}
        shared = self.looked(connect, self.leader(liar, listed))
        assert shared.nodes.known == list(shared.nodes.seeds)


class TestNames:
    """A name with several addresses, the first of which nobody listens on."""

    @pytest.fixture(autouse=True)
    def name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = socket.getaddrinfo

        def find(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            if host != "rqlite.test":
                return real(host, port, *args, **kwargs)
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, int(port)))
                for address in ("127.0.0.99", "127.0.0.1")
            ]

        monkeypatch.setattr(socket, "getaddrinfo", find)

    def test_the_next_address_is_tried(self, server: RunningServer, connect: Connect) -> None:
        port = server.url.rpartition(":")[2]
        connection = connect(f"http://rqlite.test:{port}", transport="urllib3")
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (1)")
        assert connection.execute("SELECT a FROM t").fetchone() == (1,)
        [seed] = connection.session.cluster.nodes.seeds
        assert connection.session.cluster.nodes.seconds_failing(seed) == 0


@pytest.mark.parametrize("name", ["urllib3", "curl", "requests"])
def test_ipv6(connect: Connect, name: str) -> None:
    with EmbeddedServer(None, Options(host="::1")) as server:
        connection = connect(f"http://[::1]:{server.port}", transport=name)
        connection.execute("CREATE TABLE t (a)")
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
        shared = connection.session.cluster
        assert run(find_leader(shared), shared.transport.send).leader == Node(
            "http", "::1", server.port
        )


def test_threads_share_one_search() -> None:
    shared = Cluster(DriverOptions(host="a,b,c"))
    start = threading.Barrier(20)
    asked: list[str] = []
    everybody = threading.Event()

    def send(node: Node, request: Request) -> Response:
        asked.append(node.host)
        everybody.wait(0.3)
        raft = {"state": "Leader" if node.host == "b" else "Follower", "term": 2, "last_contact": 0}
        body = json.dumps({"node_id": node.host, "raft": raft, "nodes": []}).encode()
        return Response(200, {}, body, node)

    def search(number: int) -> str:
        start.wait(10)
        leader = run(find_leader(shared), send).leader
        assert leader is not None
        return leader.host

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(search, range(20))) == {"b"}
    assert len(asked) <= 6
