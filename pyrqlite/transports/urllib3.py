"""The default transport: urllib3's connections, and one exchange after another on each.

urllib3 makes the sockets, TLS and its checks. Its pool and response objects cost more than all the rest of
an exchange on one machine, and streaming, retries and decoding, which they add, are not needed here. A
request's head and body leave in one piece: http.client sends two, which costs a system call on either side.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import time

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError
from urllib3.util.wait import wait_for_read

from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import PIECE, GivenUp, NotSent, Request, Response, Watch, failed_exchange
from pyrqlite.transports import RESET_ON_CLOSE, Wire
from pyrqlite.transports.answer import read_answer, take_answer
from pyrqlite.transports.arriving import Answer, BadAnswer, in_one_piece
from pyrqlite.transports.idle import Idle
from pyrqlite.transports.silence import next_pause

_SENT_AT_ONCE = 1 << 18
# An idle connection takes so much at once: there is no waiting.
_SMALL = 1 << 13
_refused_early = contextlib.suppress(BrokenPipeError, ConnectionResetError)


class _Line:
    """A connection to a node, and what every request on it has in common."""

    def __init__(self, connection: HTTPConnection, node: Node, headers: str) -> None:
        self._connection = connection
        self.sock: socket.socket = connection.sock
        self.close = connection.close
        self._timeout: float | None = self.sock.gettimeout()
        self._host = f" HTTP/1.1\r\nHost: {node.netloc}\r\nContent-Length: "
        self._headers = f"\r\n{headers}\r\n"
        self._news = select.poll() if hasattr(select, "poll") else None
        if self._news is not None:
            self._news.register(self.sock, select.POLLIN)

    @property
    def is_quiet(self) -> bool:
        """Whether the node has said nothing since its last answer: else it has closed the connection."""
        return not self._hears(0.0)

    def _hears(self, seconds: float) -> bool:
        """Whether the node says something, or closes the connection, within so many seconds."""
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True  # what came is no longer the kernel's
        if self._news is not None:
            return bool(self._news.poll(seconds * 1000))
        return wait_for_read(self.sock, seconds)

    def exchange(self, request: Request) -> Answer:
        """The answer to a request; raises what a socket, http.client or Arriving does where no whole one comes."""
        timeout, watch = request.timeout, request.watch
        pause = timeout if watch is None else next_pause(0.0, timeout)
        self._send(request, pause)
        if request.download is not None:
            if watch is not None:
                self._wait(0.0, timeout, watch)
            self._limit(timeout)
            return take_answer(self.sock, request.download)
        self._limit(pause)
        try:
            piece = self.sock.recv(PIECE)
        except TimeoutError as error:
            if watch is None or error.errno is not None:  # the kernel's has a number
                raise
            self._wait(pause or 0.0, timeout, watch)
            self._limit(timeout)
            piece = self.sock.recv(PIECE)
        answer = in_one_piece(piece, request.method)
        if answer is None:
            self._limit(timeout)
            answer = read_answer(self.sock, request.method, piece)
        return answer

    def _send(self, request: Request, pause: float | None) -> None:
        body, upload = request.body or b"", request.upload
        length = len(body) if upload is None else upload.size
        head = f"{request.method} {request.target}{self._host}{length}{self._headers}"
        data = head.encode("latin-1") + body
        # A node that refuses answers before it has read all, and then the answer is what counts.
        with _refused_early:
            if upload is None and len(data) < _SMALL:
                self._limit(pause)
                self.sock.sendall(data)
                return
            self._limit(request.timeout)
            # Each piece may take as long as the time-out says.
            for start in range(0, len(data), _SENT_AT_ONCE):
                self.sock.sendall(data[start : start + _SENT_AT_ONCE])
            if upload is not None:
                upload.begin()
                while piece := upload.read():
                    self.sock.sendall(piece)

    def _wait(self, silent: float, timeout: float | None, watch: Watch) -> None:
        """Wait for the answer's first byte, behind so many seconds of silence; TimeoutError, GivenUp."""
        began = time.monotonic() - silent
        while True:
            pause = next_pause(silent, timeout)
            if silent and not watch() and not self._hears(0.0):
                raise GivenUp
            if self._hears(pause):
                return
            silent = time.monotonic() - began

    def _limit(self, seconds: float | None) -> None:
        """How long to wait for the socket at most."""
        if seconds != self._timeout:
            self.sock.settimeout(seconds)
            self._timeout = seconds

    def reset(self) -> None:
        """Close with a reset, so that the kernel does not go on sending a request that was given up."""
        if isinstance(self.sock, socket.socket):
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.close()


class Urllib3Transport:
    """Keeps sockets alive and hands each to one thread at a time."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._idle: Idle[_Line] = Idle()
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in wire.headers.items())

    def send(self, node: Node, request: Request) -> Response:
        line = self._idle.take(node)
        if line is None or not line.is_quiet:
            line = self._connected(node, line, request)
        try:
            answer = line.exchange(request)
        except (OSError, HTTPError, BadAnswer, http.client.HTTPException) as error:
            line.reset()
            timed_out = isinstance(error, TimeoutError)
            said = _said(error, request.timeout)
            raise failed_exchange(request, said, timed_out=timed_out) from error
        except BaseException:
            line.reset()
            raise
        unread = request.upload is not None and request.upload.left > 0
        if not answer.reusable or unread or not self._idle.put(node, line):
            line.close()
        return Response(answer.status, answer.headers, answer.body, node)

    def _connected(self, node: Node, closed: _Line | None, request: Request) -> _Line:
        """An idle connection that the node has not closed meanwhile, or a new one."""
        while closed is not None:
            closed.close()
            closed = self._idle.take(node)
            if closed is not None and closed.is_quiet:
                return closed
        seconds = self._wire.connect_seconds(request)
        connection = self._new(node, seconds)
        try:
            connection.connect()
        except (OSError, HTTPError) as error:
            connection.close()
            timed_out = isinstance(error, (TimeoutError, ConnectTimeoutError))
            said = f"no connection within {seconds:.3g} s" if timed_out else _said(error, seconds)
            raise NotSent(said) from error
        return _Line(connection, node, self._headers)

    def _new(self, node: Node, timeout: float | None) -> HTTPConnection:
        if node.scheme == "https":
            return HTTPSConnection(
                node.host, node.port, timeout=timeout, ssl_context=self._wire.make_ssl_context()
            )
        return HTTPConnection(node.host, node.port, timeout=timeout)

    def close(self) -> None:
        for line in self._idle.close():
            line.close()


def _said(error: Exception, timeout: float | None) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout} s"
    return str(error) or type(error).__name__
