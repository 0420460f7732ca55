"""The default transport: urllib3's connections, with the standard library's reading of responses.

urllib3 makes the sockets, TLS and its checks. Its pool and response objects cost more than all the rest of
an exchange on one machine, and streaming, retries and decoding, which they add, are not needed here. A
request's head and body leave in one piece: http.client sends two, which costs a system call on either side.
"""

from __future__ import annotations

import contextlib
import http.client
import socket

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import PIECE, Download, NotSent, Request, Response, Upload, failed_exchange
from pyrqlite.transports import RESET_ON_CLOSE, Wire
from pyrqlite.transports.idle import Idle


class Urllib3Transport:
    """Keeps sockets alive and hands each to one thread at a time."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._idle: Idle[HTTPConnection] = Idle()
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in wire.headers.items())

    def send(self, node: Node, request: Request) -> Response:
        connection = self._connected(node)
        try:
            response = self._exchange(connection, node, request)
        except (OSError, HTTPError, http.client.HTTPException) as error:
            _reset(connection)
            raise failed_exchange(request, _said(error, request.timeout)) from error
        except BaseException:
            _reset(connection)
            raise
        return response

    def _exchange(self, connection: HTTPConnection, node: Node, request: Request) -> Response:
        body, upload = request.body or b"", request.upload
        head = (
            f"{request.method} {request.target} HTTP/1.1\r\nHost: {node.netloc}\r\n"
            f"Content-Length: {len(body) if upload is None else upload.size}\r\n{self._headers}\r\n"
        )
        connection.sock.settimeout(request.timeout)
        connection.sock.sendall(head.encode("latin-1") + body)
        if upload is not None:
            _send(connection.sock, upload)
        message = http.client.HTTPResponse(connection.sock, method=request.method)
        try:
            message.begin()
            response = Response(message.status, message.headers, _read(message, request), node)
        finally:
            message.close()
        unread = upload is not None and upload.left > 0
        if message.will_close or unread or not self._idle.put(node, connection):
            connection.close()
        return response

    def _connected(self, node: Node) -> HTTPConnection:
        """An idle connection that the node has not closed meanwhile, or a new one."""
        while (connection := self._idle.take(node)) is not None:
            if connection.is_connected:
                return connection
            connection.close()
        connection = self._new(node)
        try:
            connection.connect()
        except (OSError, HTTPError) as error:
            connection.close()
            raise NotSent(_said(error, self._wire.connect_timeout)) from error
        return connection

    def _new(self, node: Node) -> HTTPConnection:
        timeout = self._wire.connect_timeout
        if node.scheme == "https":
            return HTTPSConnection(
                node.host, node.port, timeout=timeout, ssl_context=self._wire.make_ssl_context()
            )
        return HTTPConnection(node.host, node.port, timeout=timeout)

    def close(self) -> None:
        for connection in self._idle.drain():
            connection.close()


def _send(sock: socket.socket, upload: Upload) -> None:
    upload.begin()
    # A node that refuses answers before it has read all, and then the answer is what counts.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while piece := upload.read():
            sock.sendall(piece)


def _read(message: http.client.HTTPResponse, request: Request) -> bytes:
    if request.download is None or message.status != 200:
        return message.read()
    _take(message, request.download)
    return b""


def _take(message: http.client.HTTPResponse, download: Download) -> None:
    download.begin(message.length)
    while piece := message.read(PIECE):
        download.write(piece)
    if message.length:  # read(amount) says nothing of a body that was cut
        raise http.client.IncompleteRead(b"", message.length)


def _reset(connection: HTTPConnection) -> None:
    """Close with a reset, so that the kernel does not go on sending a request that was given up."""
    if isinstance(connection.sock, socket.socket):
        with contextlib.suppress(OSError):
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    connection.close()


def _said(error: Exception, timeout: float | None) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout} s"
    return str(error) or type(error).__name__
