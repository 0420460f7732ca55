"""A proxy between the driver and a server that loses, repeats and delays what a test tells it to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple

from pyrqlite.flow.applying import MARKERS
from tests.plain_http import send_once

SECONDS = 20.0
TABLE, SPECULATION, APPLY, SETTLE, READ = "table", "speculation", "apply", "settle", "read"


class Message(NamedTuple):
    """One request, and the client's socket."""

    step: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    client: socket.socket


class Reply(NamedTuple):
    """Bytes for the client; behind them its connection is closed unless it is kept."""

    data: bytes = b""
    keep: bool = False


Act = Callable[["Proxy", Message], Reply]


def step_of(target: str, body: bytes) -> str:
    """What a request is to the driver."""
    if f"CREATE TABLE IF NOT EXISTS {MARKERS}".encode() in body:
        return TABLE
    if f"INSERT OR IGNORE INTO {MARKERS}".encode() in body:
        return SETTLE
    if target.startswith("/db/execute"):
        return APPLY
    return SPECULATION if target.startswith("/db/request") else READ


class Proxy:
    """Forwards to `url`; `acts` has, for each step, what to do with its requests, one after the other."""

    def __init__(self, url: str, acts: Mapping[str, Sequence[Act]] | None = None) -> None:
        self._upstream = url
        self._acts = {step: list(given) for step, given in (acts or {}).items()}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.seen: list[Message] = []
        self.released = threading.Event()
        self.arrived_late = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def script(self, step: str, *acts: Act) -> None:
        """What to do with the next requests of a step."""
        self._acts.setdefault(step, []).extend(acts)

    def count(self, step: str) -> int:
        """How many requests of this step came."""
        return sum(message.step == step for message in self.seen)

    def unused(self) -> list[str]:
        """The steps that did not come as often as they should have failed."""
        return [step for step, acts in self._acts.items() if acts]

    def forward(self, message: Message) -> bytes:
        """Hand the request to the server; its answer."""
        answer = send_once(
            self._upstream, message.method, message.target, message.body, message.headers
        )
        location = answer.header("location")
        head = [f"HTTP/1.1 {answer.status} -", f"Content-Length: {len(answer.body)}"]
        head += [f"Location: {location}"] if location else []
        return "\r\n".join([*head, "", ""]).encode("latin-1") + answer.body

    def release_held(self) -> None:
        """Let the held requests go on, and wait until the server has answered one."""
        self.released.set()
        assert self.arrived_late.wait(SECONDS)

    def reply(self, message: Message) -> Reply:
        with self._lock:
            self.seen.append(message)
            acts = self._acts.get(message.step)
            act = acts.pop(0) if acts else forward
        return act(self, message)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join(SECONDS)
        for message in self.seen:
            with contextlib.suppress(OSError):
                message.client.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = SECONDS

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {"Content-Type": self.headers["content-type"]}
                step = step_of(self.path, body)
                message = Message(step, "POST", self.path, headers, body, self.connection)
                reply = proxy.reply(message)
                with contextlib.suppress(OSError):
                    self.wfile.write(reply.data)
                self.close_connection = not reply.keep

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


def forward(proxy: Proxy, message: Message) -> Reply:
    """What a good proxy does."""
    return Reply(proxy.forward(message), True)


def drop_request(proxy: Proxy, message: Message) -> Reply:
    """The server never sees it."""
    return Reply()


def drop_answer(proxy: Proxy, message: Message) -> Reply:
    """The server obeys, and the client hears nothing."""
    proxy.forward(message)
    return Reply()


def reset(proxy: Proxy, message: Message) -> Reply:
    """The server obeys, and the client gets a reset."""
    proxy.forward(message)
    message.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return Reply()


def cut_answer(proxy: Proxy, message: Message) -> Reply:
    """The end of the answer is missing."""
    return Reply(proxy.forward(message)[:-7])


def bad_gateway(proxy: Proxy, message: Message) -> Reply:
    """The server obeys, and the client is told of a failure between."""
    proxy.forward(message)
    return Reply(b"HTTP/1.1 502 -\r\nContent-Length: 4\r\n\r\noops", True)


def duplicate(proxy: Proxy, message: Message) -> Reply:
    """The server gets it twice, and the client the second answer."""
    proxy.forward(message)
    return forward(proxy, message)


def delay_answer(proxy: Proxy, message: Message) -> Reply:
    """The server obeys, and the answer comes when the client waits no longer."""
    data = proxy.forward(message)
    _wait_until_given_up(message)
    return Reply(data)


def delay_request(proxy: Proxy, message: Message) -> Reply:
    """The server gets it when the client waits no longer."""
    _wait_until_given_up(message)
    proxy.forward(message)
    return Reply()


def hold(proxy: Proxy, message: Message) -> Reply:
    """The server gets it when the test says so."""
    assert proxy.released.wait(SECONDS)
    proxy.forward(message)
    proxy.arrived_late.set()
    return Reply()


def around(before: Callable[[], object], act: Act, behind: Callable[[], object]) -> Act:
    """Do something before and behind another act."""

    def both(proxy: Proxy, message: Message) -> Reply:
        before()
        reply = act(proxy, message)
        behind()
        return reply

    return both


def _wait_until_given_up(message: Message) -> None:
    message.client.settimeout(SECONDS)
    with contextlib.suppress(ConnectionError):
        assert message.client.recv(1) == b"", "the client said more before it had an answer"
