"""The API over sockets: an asyncio protocol around the synchronous service.

Short reads run right in the event loop, which is the fastest place for them; one that lasts
longer than its budget is broken off and run again in a thread, where the next ones of its kind
go at once. Writes run in the writer's thread, all else that may take long in a pool.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ssl import SSLContext

from .exchange import Outcome, Read, Response, Wait, error
from .service import Service, perform
from .session import OutOfBudget, Watch
from .wire import (
    MAX_HEAD,
    BadBody,
    BadRequest,
    Head,
    ResponseWriter,
    parse_head,
    refusal,
    take_chunks,
)

_BUDGET = 0.003
_INLINE_BODY = 1 << 16
_READ_AHEAD = 1 << 16
_THREADS = 64
_SLOW_KEYS = 256
_GRACE = 5.0
_LINGER = 0.5

logger = logging.getLogger(__name__)


class HttpServer:
    """Serves one service on one address. Lives in the event loop that calls ``start``."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.writer = ResponseWriter(service.headers)
        self.connections: set[Connection] = set()
        self._slow: set[int] = set()
        self._pool: ThreadPoolExecutor | None = None
        self._finished: deque[Callable[[], None]] = deque()
        self._scheduled = False
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, ssl: SSLContext | None = None) -> int:
        """Listen; returns the port."""
        self._loop = asyncio.get_running_loop()
        self._server = await self._loop.create_server(
            lambda: Connection(self), host, port, ssl=ssl, backlog=1024
        )
        port_: int = self._server.sockets[0].getsockname()[1]
        return port_

    async def stop(self) -> None:
        """Stop listening, let requests that run finish, close the connections."""
        if self._server is not None:
            self._server.close()
        deadline = self._loop.time() + _GRACE
        for connection in list(self.connections):
            connection.finish()
        while self.connections and self._loop.time() < deadline:
            await asyncio.sleep(0.005)
        for connection in list(self.connections):
            connection.abort()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call ``action`` in the event loop after a while."""
        self._loop.call_later(seconds, action)

    def perform(self, outcome: Outcome, client: Connection) -> None:
        """Do the work where it belongs, then respond in the event loop."""
        if isinstance(outcome, Response):
            client.respond(outcome)
        elif isinstance(outcome, Read):
            self._read(outcome, client)
        elif isinstance(outcome, Wait):
            self._wait(outcome, client)
        else:
            self.in_thread(outcome.run, client)

    def in_thread(self, work: Callable[[], Response], client: Connection) -> None:
        """Run ``work`` in the pool."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="rqlite-http")

        def run() -> None:
            response = _guarded(work)
            self.from_thread(lambda: client.respond(response))

        self._pool.submit(run)

    def from_thread(self, action: Callable[[], None]) -> None:
        """Call ``action`` in the event loop, together with others that are ready."""
        self._finished.append(action)
        if not self._scheduled and not self._loop.is_closed():
            self._scheduled = True
            self._loop.call_soon_threadsafe(self._run_finished)

    def _run_finished(self) -> None:
        self._scheduled = False
        while self._finished:
            self._finished.popleft()()

    def _read(self, read: Read, client: Connection) -> None:
        kind = hash(read.key)
        if kind not in self._slow:
            try:
                client.respond(read.run(Watch(_BUDGET)))
                return
            except OutOfBudget:
                if len(self._slow) >= _SLOW_KEYS:
                    self._slow.clear()
                self._slow.add(kind)
        watch = client.watch = Watch()
        self.in_thread(lambda: read.run(watch), client)

    def _wait(self, wait: Wait, client: Connection) -> None:
        answered = False

        def answer() -> None:
            nonlocal answered
            if not answered:
                answered = True
                if timer is not None:
                    timer.cancel()
                client.respond(_guarded(wait.finish))

        timer = None if wait.timeout is None else self._loop.call_later(wait.timeout, answer)
        wait.start(lambda: self.from_thread(answer))


class Connection(asyncio.Protocol):
    """One client. Requests are served one after the other, in the order they came."""

    def __init__(self, server: HttpServer) -> None:
        self.watch: Watch | None = None
        self._server = server
        self._opened: asyncio.Transport | None = None
        self._transport: asyncio.Transport | None = None  # as long as responses can be written
        self._buffer = bytearray()
        self._searched = 0
        self._head: Head | None = None
        self._chunks = bytearray()
        self._busy = False
        self._advancing = False
        self._choked = False  # the client does not read its responses
        self._ended = False  # the client will send no more
        self._last = False  # the server wants to stop

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._opened = self._transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._opened = self._transport = None
        self._server.connections.discard(self)
        self._give_up_read()

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        self._buffer += data
        if not self._busy and not self._choked:
            self._advance()
        elif len(self._buffer) > _READ_AHEAD:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._ended = True
        self._give_up_read()
        self._advance()
        return self._transport is not None

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        self._advance()

    # What the server calls

    def finish(self) -> None:
        """Close after the request that runs, if there is one; long reads are broken off."""
        self._last = True
        self._give_up_read()
        if not self._busy:
            self._close()

    def abort(self) -> None:
        """Close now."""
        if self._opened is not None:
            self._opened.abort()

    # Requests

    def _advance(self) -> None:
        """Serve what is complete in the buffer."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while not self._busy and not self._choked and self._transport is not None:
                if not self._advance_by_one():
                    break
        finally:
            self._advancing = False
        if self._transport is None or self._busy:
            return
        if self._ended:
            self._close()
        else:
            self._transport.resume_reading()

    def _advance_by_one(self) -> bool:
        try:
            if self._head is None and not self._read_head():
                return False
            body = self._read_body()
        except BadRequest as problem:
            self._refuse(problem)
            return False
        except BadBody:
            self._refuse_body()
            return False
        if body is None:
            if self._ended:
                self._refuse_body()
            return False
        self._serve(body)
        return True

    def _read_head(self) -> bool:
        buffer = self._buffer
        if buffer.startswith((b"\r", b"\n")):
            del buffer[: len(buffer) - len(buffer.lstrip(b"\r\n"))]
        start, blank = max(0, self._searched - 3), 4
        end = buffer.find(b"\r\n\r\n", start)
        if end < 0:
            end, blank = buffer.find(b"\n\n", start), 2
        if end > MAX_HEAD or (end < 0 and len(buffer) > MAX_HEAD):
            raise BadRequest(431)
        if end < 0:
            self._searched = len(buffer)
            return False
        self._searched = 0
        self._head = parse_head(bytes(buffer[:end]))
        del buffer[: end + blank]
        if self._head.expects_continue and self._transport is not None and not buffer:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _read_body(self) -> bytes | None:
        head, buffer = self._head, self._buffer
        assert head is not None
        if head.length is None:
            if not take_chunks(buffer, self._chunks):
                return None
            body = bytes(self._chunks)
            self._chunks.clear()
            return body
        if len(buffer) < head.length:
            return None
        body = bytes(buffer[: head.length])
        del buffer[: head.length]
        return body

    def _serve(self, body: bytes) -> None:
        head = self._head
        assert head is not None
        self._busy = True
        server = self._server
        arguments = (head.method, head.target, head.headers, body)
        if len(body) > _INLINE_BODY:
            server.in_thread(lambda: perform(server.service.dispatch(*arguments)), self)
            return
        try:
            server.perform(server.service.dispatch(*arguments), self)
        except Exception:
            logger.exception("request failed")
            self.respond(error(500, "internal server error"))

    def respond(self, response: Response) -> None:
        """Answer the request that runs."""
        head, transport = self._head, self._transport
        self._head = self.watch = None
        self._busy = False
        if transport is None or head is None:
            return
        keep_alive = head.keep_alive and not self._last
        transport.write(
            self._server.writer.response(
                head,
                response.status,
                response.content_type,
                response.headers,
                response.body,
                keep_alive=keep_alive,
            )
        )
        if keep_alive:
            self._advance()
        else:
            self._close()

    def _refuse(self, problem: BadRequest) -> None:
        if self._transport is not None:
            self._transport.write(refusal(problem))
            self._linger()

    def _refuse_body(self) -> None:
        """Answer a request whose body did not arrive in full."""
        self._last = True
        self.respond(error(400, "invalid JSON body"))

    def _give_up_read(self) -> None:
        if self.watch is not None:
            self.watch.gone = True

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _linger(self) -> None:
        """Close once the client has had time to read: unread input would reset the connection."""
        transport = self._transport
        if transport is None:
            return
        self._transport = None
        self._buffer.clear()
        if transport.can_write_eof():
            transport.write_eof()
        self._server.call_later(_LINGER, transport.close)


def _guarded(work: Callable[[], Response]) -> Response:
    try:
        response = work()
        response.gather()
        return response
    except Exception:
        logger.exception("request failed")
        return error(500, "internal server error")
