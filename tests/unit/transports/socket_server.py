"""A server of plain sockets that misbehaves as a test tells it, and notes what reached it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

SECONDS = 10.0


@dataclass(frozen=True)
class Received:
    """One request, and the number of the connection that it came by (from 0)."""

    connection: int
    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


# What a connection does once it has read a request; false ends the connection.
Act = Callable[["SocketServer", socket.socket, Received], object]


class SocketServer:
    """Each connection that arrives performs the next list of acts, one for each request, and closes."""

    def __init__(self, *scripts: Sequence[Act], tls: ssl.SSLContext | None = None) -> None:
        self._scripts = scripts
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.received: list[Received] = []
        self.faults: list[BaseException] = []
        self.opened = 0
        self.released = threading.Event()
        self._closed = [threading.Event() for _ in scripts]

    def __enter__(self) -> SocketServer:
        thread = threading.Thread(target=self._accept)
        self._threads.append(thread)
        thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.released.set()
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()
        self._listener.close()

    @property
    def bodies(self) -> list[bytes]:
        return [received.body for received in self.received]

    def wait_closed(self, connection: int) -> None:
        """Wait until the connection of that number was closed on this side."""
        assert self._closed[connection].wait(SECONDS)

    def _accept(self) -> None:
        for number, script in enumerate(self._scripts):
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self.opened += 1
            self._sockets.append(accepted)
            thread = threading.Thread(target=self._serve, args=(number, accepted, script))
            self._threads.append(thread)
            thread.start()

    def _serve(self, number: int, accepted: socket.socket, script: Sequence[Act]) -> None:
        connection = accepted
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(accepted, server_side=True)
            for act in script:
                received = _read(number, connection)
                if received is None:
                    break
                self.received.append(received)
                act(self, connection, received)
        except OSError as fault:
            self.faults.append(fault)
        finally:
            with contextlib.suppress(OSError):
                connection.close()
            self._closed[number].set()


def _read(number: int, connection: socket.socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    pairs = (field.partition(":") for field in fields)
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    while len(body) < length:
        more = connection.recv(1 << 20)
        if not more:
            return None
        body += more
    return Received(number, line, headers, body)


def raw(data: bytes) -> Act:
    """Send these bytes, whatever they are."""

    def act(server: SocketServer, connection: socket.socket, received: Received) -> None:
        connection.sendall(data)

    return act


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> Act:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return raw("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


def echo(server: SocketServer, connection: socket.socket, received: Received) -> None:
    """Answer with the request's body."""
    answer(received.body)(server, connection, received)


def nothing(server: SocketServer, connection: socket.socket, received: Received) -> None:
    """Answer nothing; as the last act, that closes the connection."""


def reset(server: SocketServer, connection: socket.socket, received: Received) -> None:
    """As the last act: a reset in place of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silence(server: SocketServer, connection: socket.socket, received: Received) -> None:
    """Say nothing until the server ends."""
    server.released.wait(SECONDS)


def no_tls(server: SocketServer, connection: socket.socket, received: Received) -> None:
    """Send what is no TLS record, over a TLS connection."""
    assert isinstance(connection, ssl.SSLSocket)
    with socket.socket(fileno=connection.detach()) as bare:
        bare.sendall(b"this is not a record of TLS, and long enough to be taken for one")


def together(*acts: Act) -> Act:
    """Several acts for one request."""

    def act(server: SocketServer, connection: socket.socket, received: Received) -> None:
        for each in acts:
            each(server, connection, received)

    return act
