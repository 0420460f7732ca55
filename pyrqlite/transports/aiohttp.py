"""The transport of event loops: aiohttp's session, which keeps the sockets."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from weakref import WeakValueDictionary

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from urllib3.util import wait_for_read
from yarl import URL

from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import PIECE, Download, NotSent, Request, Response, failed_exchange
from pyrqlite.transports import CLOSE_IN_GOOD_ORDER, MOST_SOCKETS, RESET_ON_CLOSE, Wire

# Larger bodies go in pieces, so that a node that takes none of them is noticed.
_PIECE = 1 << 18
_IDLE_SECONDS = 60.0
_OF_THE_NETWORK = (ClientError, OSError, asyncio.TimeoutError, UnicodeError)
_NEVER_CONNECTED = (ClientConnectorError, ConnectionTimeoutError)


class AiohttpTransport:
    """Carries the requests of all connections of one event loop to one cluster."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._session: ClientSession | None = None
        self._closed = False
        self._ssl: ssl.SSLContext | None = None
        self._sockets: WeakValueDictionary[int, socket.socket] = WeakValueDictionary()
        # The numbers of those on which nothing was sent yet.
        self._new: set[int] = set()
        # The numbers of those on which a request was sent and its answer did not come yet.
        self._in_use: set[int] = set()

    async def send(self, node: Node, request: Request) -> Response:
        """The answer, whatever its status; raises NotSent or AnswerLost. Redirects are not followed."""
        seconds = self._wire.connect_seconds(request)
        while True:
            body = _Body(request, self._new, self._in_use)
            try:
                return await self._exchange(node, request, body, seconds)
            except Exception as error:
                if body.found_unfit:
                    continue
                if body.failure is not None:  # whatever aiohttp makes of it
                    raise body.failure from body.failure.__cause__
                if not isinstance(error, _OF_THE_NETWORK):
                    raise
                said = _said(error, seconds, request.timeout)
                if not body.left or isinstance(error, _NEVER_CONNECTED):
                    raise NotSent(said) from error
                timed_out = isinstance(error, asyncio.TimeoutError)
                raise failed_exchange(request, said, timed_out=timed_out) from error
            except asyncio.CancelledError as error:
                if body.left:
                    raise
                raise error from NotSent("it was cancelled before it was sent")
            finally:
                self._in_use.discard(body.number)

    async def _exchange(
        self, node: Node, request: Request, body: _Body, seconds: float | None
    ) -> Response:
        session = self._session or self._open()
        answer = await session.request(
            request.method,
            _url(node, request.target),
            data=body if body.wanted else None,
            allow_redirects=False,
            ssl=self._context() if node.scheme == "https" else True,
            timeout=_timeout(seconds, request.timeout),
        )
        if not body.left:  # it was there before the request, and is none to it
            answer.close()
            body.found_unfit = True
            raise OSError("something came before the request was sent")
        if request.download is None or answer.status != 200:
            return Response(answer.status, answer.headers, await answer.read(), node)
        try:
            await _take(answer, request.download)
        except BaseException:
            answer.close()
            raise
        return Response(answer.status, answer.headers, b"", node)

    def _open(self) -> ClientSession:
        if self._closed:
            raise NotSent("the connection was closed")
        self._session = ClientSession(
            connector=TCPConnector(
                limit=0,
                limit_per_host=MOST_SOCKETS,
                keepalive_timeout=_IDLE_SECONDS,
                socket_factory=self._make_socket,
            ),
            headers=self._wire.headers,
            skip_auto_headers=("Accept", "Accept-Encoding"),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
        )
        return self._session

    def _make_socket(self, address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, *_ = address
        made = socket.socket(family=family, type=kind, proto=protocol)
        # What is given up is closed with a reset, so that the kernel does not go on sending it.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._sockets[made.fileno()] = made
        self._new.add(made.fileno())
        return made

    def _context(self) -> ssl.SSLContext:
        if self._ssl is None:
            self._ssl = self._wire.make_ssl_context()
        return self._ssl

    async def close(self) -> None:
        """Let go of all sockets; those on which an answer is awaited are reset, the others closed in good order."""
        self._closed = True
        session, self._session = self._session, None
        if session is None:
            return
        for number, idle in self._sockets.items():
            if number not in self._in_use and idle.fileno() == number:
                idle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_IN_GOOD_ORDER)
        await session.close()


def _said(error: BaseException, connect: float | None, answer: float | None) -> str:
    if isinstance(error, ConnectionTimeoutError):
        return f"no connection within {connect:.3g} s"
    if isinstance(error, asyncio.TimeoutError):
        return f"no answer within {answer} s"
    return str(error) or type(error).__name__


async def _take(answer: ClientResponse, download: Download) -> None:
    download.begin(answer.content_length)
    async for piece in answer.content.iter_chunked(PIECE):
        download.write(piece)


class _Body(Payload):
    """A request's body, which knows whether any of it has left.

    A node does nothing for a head without its body. A kept connection that the node has closed meanwhile gets
    nothing: `found_unfit` says so, and the request can go on another.
    """

    def __init__(self, request: Request, new: set[int], in_use: set[int]) -> None:
        super().__init__(request.body or b"")
        self._length = len(self._value) if request.upload is None else request.upload.size
        self._size = self._length
        self._request = request
        self._new = new
        self._in_use = in_use
        self.number = -1  # of the socket
        self.wanted = request.method != "GET" or bool(request.body)
        self.left = not self.wanted
        self.found_unfit = False
        # What the upload raised: aiohttp would make an error of the network of it.
        self.failure: BaseException | None = None

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        text: str = self._value.decode(encoding, errors)
        return text

    async def write(self, writer: AbstractStreamWriter) -> None:
        if self.left:
            raise OSError("a request is sent once")
        transport: asyncio.Transport | None = getattr(writer, "transport", None)
        # What came behind the last answer may be in the hands of aiohttp already.
        unfit = getattr(getattr(writer, "protocol", None), "should_close", False)
        if transport is not None and (unfit or self._is_closed(transport.get_extra_info("socket"))):
            self.found_unfit = True
            raise OSError("the node has closed the connection")
        self.left = True
        self._in_use.add(self.number)
        if self._length <= _PIECE and self._request.upload is None:
            await writer.write(self._value)
            return
        for piece in self._pieces():
            await asyncio.wait_for(writer.write(piece), self._request.timeout)
            await asyncio.wait_for(writer.drain(), self._request.timeout)

    def _pieces(self) -> Iterator[bytes]:
        upload = self._request.upload
        if upload is None:
            for start in range(0, self._length, _PIECE):
                yield self._value[start : start + _PIECE]
            return
        try:
            upload.begin()
            while piece := upload.read(_PIECE):
                yield piece
        except BaseException as error:
            self.failure = error
            raise

    def _is_closed(self, kept: socket.socket) -> bool:
        """Whether something came on a kept connection, where nothing can come but its end."""
        self.number = kept.fileno()
        if self.number in self._new:
            self._new.discard(self.number)
            return False
        return wait_for_read(kept, timeout=0.0)


@functools.lru_cache(4096)
def _url(node: Node, target: str) -> URL:
    return URL(f"{node}{target}", encoded=True)


@functools.lru_cache(64)
def _timeout(connect: float | None, answer: float | None) -> ClientTimeout:
    return ClientTimeout(total=None, sock_connect=connect, sock_read=answer)
