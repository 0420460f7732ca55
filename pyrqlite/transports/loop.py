"""The transport of event loops: the loop's own connections, and one exchange after another on each.

An HTTP client's sessions, requests and responses cost more than all the rest of an exchange on one machine; what
they add (redirects, cookies, decoding) is not needed here. Large bodies that come from a file, or go to one, are
aiohttp's to carry.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import ssl
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from urllib3.util import wait_for_read

from pyrqlite.cluster.node import Node
from pyrqlite.errors import NotSupportedError
from pyrqlite.flow.steps import AnswerLost, GivenUp, NotSent, Request, Response, Watch
from pyrqlite.transports import MOST_SOCKETS, RESET_ON_CLOSE, Wire
from pyrqlite.transports.arriving import Answer, Arriving, BadAnswer
from pyrqlite.transports.room import Room
from pyrqlite.transports.silence import next_pause

if TYPE_CHECKING:
    from pyrqlite.transports.aiohttp import AiohttpTransport


T = TypeVar("T")


class LoopTransport:
    """Carries the requests of all connections of one event loop to one cluster."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in wire.headers.items())
        self._ssl: ssl.SSLContext | None = None
        self._idle: dict[Node, list[_Line]] = {}
        self._rooms: dict[Node, Room] = {}
        self._lines: set[_Line] = set()
        self._closed = False
        self._streaming: AiohttpTransport | None = None

    async def send(self, node: Node, request: Request) -> Response:
        """The answer, whatever its status; raises NotSent or AnswerLost. Redirects are not followed."""
        if request.upload is not None or request.download is not None:
            return await self._stream().send(node, request)
        room = self._rooms.get(node) or self._rooms.setdefault(node, Room(MOST_SOCKETS))
        await room.enter(request.until)
        try:
            return await self._exchange(node, request)
        except GivenUp as error:
            room.turn_away(str(error))
            raise
        finally:
            room.leave()

    async def _exchange(self, node: Node, request: Request) -> Response:
        line = self._kept(node) or await self._connected(node, request)
        body = request.body or b""
        head = (
            f"{request.method} {request.target} HTTP/1.1\r\nHost: {node.netloc}\r\n"
            f"Content-Length: {len(body)}\r\n{self._headers}\r\n"
        )
        try:
            answer = await line.exchange(
                head.encode("latin-1") + body, request.method, request.timeout, request.watch
            )
        except (OSError, BadAnswer, asyncio.TimeoutError) as error:
            line.give_up()
            timed_out = isinstance(error, (TimeoutError, asyncio.TimeoutError))
            said = f"no answer within {request.timeout} s" if timed_out else str(error)
            raise AnswerLost(said or type(error).__name__, timed_out=timed_out) from error
        except BaseException:
            line.give_up()
            raise
        if answer.reusable and line.has_sent_all and not self._closed:
            self._idle.setdefault(node, []).append(line)
        else:
            line.close()
        return Response(answer.status, answer.headers, answer.body, node)

    def _stream(self) -> AiohttpTransport:
        """What carries bodies that are not held in memory."""
        if self._streaming is None:
            self._streaming = aiohttp_transport(self._wire)
        return self._streaming

    def _kept(self, node: Node) -> _Line | None:
        """An idle connection that the node has not closed meanwhile."""
        idle = self._idle.get(node)
        while idle:
            line = idle.pop()
            if line.is_quiet:
                return line
            line.give_up()
        return None

    async def _connected(self, node: Node, request: Request) -> _Line:
        """A new connection, to whichever of the node's addresses takes one."""
        failed = NotSent(f"{node.host} has no address")
        for address in await self._addresses(node, request):
            if self._closed:
                raise NotSent("the connection was closed")
            try:
                line = await self._connected_to(address, node, request)
            except NotSent as error:
                failed = error
                continue
            if self._closed:  # meanwhile
                line.give_up()
                raise NotSent("the connection was closed")
            if not line.gone.done():
                self._lines.add(line)
            return line
        raise failed

    async def _connected_to(self, address: str, node: Node, request: Request) -> _Line:
        loop = asyncio.get_running_loop()
        line = _Line(loop, self._lines)
        context = self._context() if node.scheme == "https" else None
        connecting = loop.create_connection(
            lambda: line,
            address,
            node.port,
            ssl=context,
            server_hostname=node.host if context else None,
        )
        try:
            await self._in_time(connecting, request)
        except BaseException:
            line.give_up()
            raise
        return line

    async def _addresses(self, node: Node, request: Request) -> Iterable[str]:
        """Where a node is: an address, or those of a name."""
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(node.host)
            return [node.host]
        loop = asyncio.get_running_loop()
        found = await self._in_time(
            loop.getaddrinfo(node.host, node.port, type=socket.SOCK_STREAM), request
        )
        return dict.fromkeys(str(each[4][0]) for each in found)

    async def _in_time(self, work: Coroutine[Any, Any, T], request: Request) -> T:
        """What has to be done before anything is sent; NotSent."""
        seconds = self._wire.connect_seconds(request)
        # wait_for() of the older Pythons loses a cancellation that comes together with the result.
        working = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait([working], timeout=seconds)
        except asyncio.CancelledError as error:
            _give_up(working)
            raise error from NotSent("it was cancelled before it was sent")
        if not done:
            _give_up(working)
            raise NotSent(f"no connection within {seconds:.3g} s")
        try:
            return working.result()
        except (OSError, asyncio.TimeoutError, UnicodeError) as error:
            raise NotSent(str(error) or type(error).__name__) from error

    def _context(self) -> ssl.SSLContext:
        if self._ssl is None:
            self._ssl = self._wire.make_ssl_context()
        return self._ssl

    async def close(self) -> None:
        """Let go of all sockets; those on which an answer is awaited are reset."""
        self._closed = True
        self._idle.clear()
        lines = list(self._lines)
        for line in lines:
            line.close()
        try:
            for line in lines:
                await line.gone
        finally:
            if self._streaming is not None:
                await self._streaming.close()


def aiohttp_transport(wire: Wire) -> AiohttpTransport:
    """The transport by aiohttp; NotSupportedError where it is not installed."""
    try:
        from pyrqlite.transports.aiohttp import AiohttpTransport
    except ImportError as error:
        raise NotSupportedError(
            f"aiohttp cannot be loaded ({error}): pip install 'pyrqlite[asyncio]'"
        ) from error
    return AiohttpTransport(wire)


def _give_up(working: asyncio.Future[Any]) -> None:
    working.cancel()
    working.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


class _Line(asyncio.Protocol):
    """A connection to a node."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lines: set[_Line]) -> None:
        self._loop = loop
        self._lines = lines
        self._transport: asyncio.Transport | None = None
        self._given_up = False
        self._waiter: asyncio.Future[Answer] | None = None
        self._arriving = Arriving("")
        # When there was a sign of the node last, and how long to wait for the next.
        self._heard = 0.0
        self._patience: float | None = None
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.gone: asyncio.Future[None] = loop.create_future()

    async def exchange(
        self, data: bytes, method: str, timeout: float | None, watch: Watch | None
    ) -> Answer:
        """The answer; OSError, BadAnswer, TimeoutError where no whole one comes."""
        assert self._transport is not None
        if not self._is_open:
            raise NotSent("the node has closed the connection")
        self._arriving = Arriving(method)
        self._waiter = self._loop.create_future()
        self._transport.write(data)
        self._unsent = self._transport.get_write_buffer_size()
        self._heard = self._loop.time()
        self._be_patient(timeout if watch is None else next_pause(0.0, timeout))
        try:
            while True:
                try:
                    return await self._waiter
                except asyncio.TimeoutError:
                    # The kernel gives up a connection with an error of this class too.
                    if watch is None or not self._is_open:
                        raise
                    await self._look_at_others(timeout, watch)
        finally:
            self._waiter = None

    async def _look_at_others(self, timeout: float | None, watch: Watch) -> None:
        """Go on waiting behind a silence; TimeoutError, GivenUp."""
        silent = self._loop.time() - self._heard
        patience = silent + next_pause(silent, timeout)
        self._patience = None
        self._waiter = waiter = self._loop.create_future()
        try:
            if not await watch() and not waiter.done():
                raise GivenUp
        except BaseException:
            if waiter.done():
                waiter.exception()  # nobody else will ask for it
            raise
        self._be_patient(patience)

    def _be_patient(self, seconds: float | None) -> None:
        """Wait for so long a silence at most."""
        self._patience = seconds
        if seconds is not None:
            self._wait_until(self._heard + seconds)

    @property
    def is_quiet(self) -> bool:
        """Whether the node has said nothing since its last answer: else it has closed the connection, which the
        loop may not have noticed yet."""
        return self._is_open and not wait_for_read(self._socket, timeout=0.0)

    @property
    def has_sent_all(self) -> bool:
        """Whether nothing of a request still waits to be sent, though its answer is there."""
        if self._transport is None or self._has_ended:
            return False
        return self._transport.get_write_buffer_size() == 0

    @property
    def _is_open(self) -> bool:
        """Whether it can carry a request."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and not self._has_ended

    @property
    def _has_ended(self) -> bool:
        """Until the protocol is told, Python 3.10 says nothing of that where there is TLS, and cannot say any more
        how much waits to be sent."""
        return self._socket.fileno() < 0

    def close(self) -> None:
        """Close in good order; with a reset where an answer is awaited, or not even the request is done."""
        if self._waiter is not None or self._transport is None or not self.has_sent_all:
            self.give_up()
        elif self._transport.get_extra_info("ssl_object") is None:
            self._transport.close()
        else:
            self._transport.abort()  # else the node's good-bye is waited for

    def give_up(self) -> None:
        """Close with a reset, so that the kernel does not go on sending a request that was given up."""
        self._given_up = True
        transport = self._transport
        if transport is None:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(fileno=os.dup(self._socket.fileno())) as same,
        ):
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        transport.abort()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._socket: socket.socket = transport.get_extra_info("socket")
        if self._given_up:
            self.give_up()

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            self.give_up()  # nobody has asked for anything
            return
        self._heard = self._loop.time()
        try:
            answer = self._arriving.feed(data)
        except BadAnswer as error:
            self._waiter.set_exception(error)
        else:
            if answer is not None:
                self._waiter.set_result(answer)

    def eof_received(self) -> None:
        if self._waiter is None or self._waiter.done():
            return
        try:
            self._waiter.set_result(self._arriving.end())
        except BadAnswer as error:
            self._waiter.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(exc or ConnectionResetError("the connection was closed"))
        if self._transport is not None:
            self._transport.close()  # Python 3.10 would take it for open where there is TLS
        if self._timer is not None:
            self._timer.cancel()
        self._lines.discard(self)
        if not self.gone.done():
            self.gone.set_result(None)

    def _wait_until(self, when: float) -> None:
        """Look at the clock then; a timer that rings earlier is set anew."""
        if self._timer is None or when < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._timer_at = self._loop.call_at(when, self._look), when

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done() or self._patience is None or self._has_ended:
            return
        assert self._transport is not None
        unsent = self._transport.get_write_buffer_size()
        if unsent < self._unsent:
            self._unsent, self._heard = unsent, self._loop.time()
        until = self._heard + self._patience
        if until > self._loop.time():
            self._wait_until(until)
        else:
            self._waiter.set_exception(asyncio.TimeoutError())
