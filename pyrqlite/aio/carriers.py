"""Who carries the requests of an event loop: its own connections, or a thread that calls the embedded server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from pyrqlite.cluster.cluster import Cluster, wire
from pyrqlite.cluster.node import Node
from pyrqlite.cluster.sharing import Shared
from pyrqlite.errors import InterfaceError
from pyrqlite.flow.steps import NotSent, Request, Response
from pyrqlite.options import Options
from pyrqlite.transports import Transport
from pyrqlite.transports.loop import LoopTransport, aiohttp_transport


class Carrier(Protocol):
    """Sends one request to one node and reads the whole answer. Used by many tasks of one loop at once."""

    async def send(self, node: Node, request: Request) -> Response:
        """The answer, whatever its status; raises NotSent or AnswerLost. Redirects are not followed."""

    async def close(self) -> None:
        """Let go of all sockets."""


_carriers: Shared[Carrier] = Shared()


def acquire(options: Options, cluster: Cluster) -> Carrier:
    """The carrier of the running loop to this cluster, shared by the loop's connections."""
    if options.is_embedded:
        return EmbeddedCarrier(cluster.transport)
    _carriers.drop(_is_of_a_closed_loop)
    return _carriers.acquire(_key(options), lambda: _make(options))


async def release(options: Options, carrier: Carrier, then: Callable[[], object]) -> None:
    """Give back what `acquire` gave, in the same loop; the last one closes the sockets.

    `then` is called once nothing that was sent is at work in this process any more, even if nobody waits for that.
    """
    try:
        if _carriers.release(_key(options), carrier):
            await carrier.close()
    finally:
        last = carrier.last if isinstance(carrier, EmbeddedCarrier) else None
        if last is None or last.done():
            then()
        else:
            last.add_done_callback(lambda _: then())


def _key(options: Options) -> Hashable:
    return (asyncio.get_running_loop(), options.shared_by())


def _is_of_a_closed_loop(key: Hashable) -> bool:
    assert isinstance(key, tuple)
    loop: asyncio.AbstractEventLoop = key[0]
    return loop.is_closed()


def _make(options: Options) -> Carrier:
    if options.session is not None or options.transport not in ("auto", "loop", "aiohttp"):
        raise InterfaceError(
            "asyncio connections go by the loop or by aiohttp: the session and the other transports are for those "
            "that wait"
        )
    if options.transport == "aiohttp":
        return aiohttp_transport(wire(options))
    return LoopTransport(wire(options))


class EmbeddedCarrier:
    """Calls the embedded server in a thread, one call after the other: a long query, or a disk that takes its
    time, must not stop the loop."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._thread = ThreadPoolExecutor(1, "pyrqlite-embedded")
        # Behind all calls, once it was closed.
        self.last: Future[bool] | None = None

    async def send(self, node: Node, request: Request) -> Response:
        """The answer; raises NotSent where the connection was closed."""
        try:
            call = self._thread.submit(self._transport.send, node, request)
        except RuntimeError as error:
            raise NotSent("the connection was closed") from error
        try:
            return await asyncio.wrap_future(call)
        except asyncio.CancelledError as error:
            if call.cancel():
                raise error from NotSent("it was cancelled before it began")
            raise

    async def close(self) -> None:
        """Wait for calls that were cancelled."""
        self.last = self._thread.submit(bool)
        self._thread.shutdown(wait=False)
        await asyncio.wait([asyncio.wrap_future(self.last)])
