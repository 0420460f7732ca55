"""A plain HTTP client over the standard library alone: what a test sends is what goes out."""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Response:
    """One answer: status, headers as they came, whole body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class PlainClient:
    """Sends raw requests to one server over one connection that is kept open.

    Args:
        url: ``http://host:port`` or ``https://host:port``.
        timeout: seconds for each socket operation.
        context: TLS settings for https.
    """

    url: str
    timeout: float = 30.0
    context: ssl.SSLContext | None = None
    _connection: http.client.HTTPConnection | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> PlainClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def send(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one request and read its whole answer; nothing is ever sent twice.

        Raises:
            OSError, http.client.HTTPException: there was no whole answer.
        """
        if self._connection is not None and _closed_while_idle(self._connection):
            self.close()
        try:
            return self._exchange(method, target, body, headers or {})
        except BaseException:
            self.close()
            raise

    def _exchange(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Response:
        if self._connection is None:
            self._connection = self._connect()
        connection = self._connection
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        chunked = headers.get("Transfer-Encoding") == "chunked"
        if not chunked and (body is not None or method in {"POST", "PUT", "PATCH"}):
            connection.putheader("Content-Length", str(len(body or b"")))
        connection.endheaders(body, encode_chunked=chunked)
        answer = connection.getresponse()
        response = Response(answer.status, tuple(answer.getheaders()), answer.read())
        if answer.will_close:
            self.close()
        return response

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        assert parts.hostname is not None, self.url
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=self.timeout, context=self.context
            )
        else:
            connection = http.client.HTTPConnection(
                parts.hostname, parts.port, timeout=self.timeout
            )
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def _closed_while_idle(connection: http.client.HTTPConnection) -> bool:
    # Bytes that nobody asked for are the end of the stream.
    return bool(select.select([connection.sock], [], [], 0)[0])


def send_once(
    url: str,
    method: str,
    target: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    timeout: float = 30.0,
    context: ssl.SSLContext | None = None,
) -> Response:
    """One request over a connection of its own (see `PlainClient.send`)."""
    with PlainClient(url, timeout, context) as client:
        return client.send(method, target, body, headers)
