"""The two worlds, behind one face: tests written for the blocking driver run over the one of asyncio too."""

from __future__ import annotations

import asyncio
import atexit
import functools
import inspect
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import pytest

import pyrqlite
from pyrqlite import Connection, aio
from pyrqlite.aio.admin import AsyncAdmin
from pyrqlite.aio.carriers import Carrier
from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import Request, Response
from pyrqlite.transports import Transport

T = TypeVar("T")
SECONDS = 120.0
Sending = Callable[[Node, Request], Coroutine[Any, Any, Response]]


def loop() -> asyncio.AbstractEventLoop:
    """A loop that runs in a thread of its own, for all tests of a process."""
    with _starting:
        return _started()


_starting = threading.Lock()


@functools.cache
def _started() -> asyncio.AbstractEventLoop:
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever, name="asyncio world", daemon=True)
    thread.start()

    def stop() -> None:
        made.call_soon_threadsafe(made.stop)
        thread.join(SECONDS)
        made.close()

    atexit.register(stop)
    return made


def wait_for(awaited: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, which is run in the loop's thread."""
    assert threading.current_thread().name != "asyncio world", "the loop would wait for itself"
    return asyncio.run_coroutine_threadsafe(awaited, loop()).result(SECONDS)


class Facade:
    """An object of asyncio that blocks: what it would have awaited is run in the loop's thread."""

    def __init__(self, inner: aio.AsyncConnection | aio.AsyncCursor | AsyncAdmin) -> None:
        self.__dict__["inner"] = inner

    def __getattr__(self, name: str) -> Any:
        return _blocking(getattr(self.inner, name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "autocommit":
            wait_for(self.inner.set_autocommit(value))
        else:
            setattr(self.inner, name, value)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self.inner

    def __hash__(self) -> int:
        return hash(self.inner)

    def __enter__(self) -> Facade:
        entered: Facade = _blocking(wait_for(self.inner.__aenter__()))
        return entered

    def __exit__(self, *error: Any) -> None:
        wait_for(self.inner.__aexit__(*error))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return wait_for(self.inner.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None


_facades: weakref.WeakKeyDictionary[Any, Facade] = weakref.WeakKeyDictionary()


def _blocking(value: Any) -> Any:
    """The value in its blocking form, where it has another."""
    if isinstance(value, (aio.AsyncConnection, aio.AsyncCursor, AsyncAdmin)):
        return _facades.setdefault(value, Facade(value))
    if inspect.ismethod(value) or inspect.isfunction(value):
        return functools.partial(_called, value)
    return value


def _called(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = function(*args, **kwargs)
    if inspect.iscoroutine(result):
        result = wait_for(result)
    elif isinstance(result, AbstractAsyncContextManager) and not isinstance(
        result, aio.AsyncCursor
    ):
        return _block(result)
    return _blocking(result)


@contextmanager
def _block(inner: AbstractAsyncContextManager[None]) -> Iterator[None]:
    """An asynchronous `with`, from without."""
    wait_for(inner.__aenter__())
    try:
        yield
    except BaseException as error:
        if not wait_for(inner.__aexit__(type(error), error, error.__traceback__)):
            raise
    else:
        wait_for(inner.__aexit__(None, None, None))


def connect(*args: Any, **options: Any) -> Connection:
    """An asynchronous connection that blocks."""
    return cast(Connection, _blocking(wait_for(_connect(*args, **options))))


async def _connect(*args: Any, **options: Any) -> aio.AsyncConnection:
    return await aio.connect(*args, **options)


def run_transaction(
    connection: Connection, function: Callable[[Connection], T], **options: Any
) -> T:
    """The asynchronous run_transaction, with a function that blocks, and so runs in a thread."""

    async def run(inner: aio.AsyncConnection) -> T:
        return await asyncio.to_thread(function, _blocking(inner))

    return wait_for(aio.run_transaction(_inner(connection), run, **options))


def _inner(connection: Connection) -> aio.AsyncConnection:
    found = cast(Any, connection).inner
    assert isinstance(found, aio.AsyncConnection)
    return found


class Carried:
    """A loop's carrier, as a blocking transport."""

    def __init__(self, carrier: Carrier, send: Sending | None = None) -> None:
        self._carrier = carrier
        self._send = send or carrier.send

    def send(self, node: Node, request: Request) -> Response:
        return wait_for(self._send(node, request))

    def close(self) -> None:
        wait_for(self._carrier.close())


def replace_transport(connection: Connection, transport: Callable[[Transport], Transport]) -> None:
    """Have another transport carry what this connection's cluster is sent, made of the present one.

    For a loop it runs in a thread, and may use connections.
    """
    if isinstance(connection, Facade):
        carrier: Any = _inner(connection)._carrier
        _replaced.append(carrier)
        made = transport(Carried(carrier, carrier.send))

        async def send(node: Node, request: Request) -> Response:
            return await asyncio.to_thread(made.send, node, request)

        carrier.send = send
    else:
        cluster = connection.session.cluster
        cluster.transport = transport(cluster.transport)


_replaced: list[Any] = []


def give_transports_back() -> None:
    """Have the carriers of loops, which outlive a connection that others share, carry by themselves again."""
    while _replaced:
        vars(_replaced.pop()).pop("send", None)


class Module:
    """`pyrqlite`, with the other world's `connect`, and the class of cursors that factories get there."""

    connect = staticmethod(connect)
    Cursor = aio.AsyncCursor

    def __getattr__(self, name: str) -> Any:
        return getattr(pyrqlite, name)


@dataclass(frozen=True)
class World:
    """How to connect in one of the worlds, and how to run transactions there."""

    name: str
    connect: Callable[..., Connection]
    run_transaction: Callable[..., Any]


SYNC = World("sync", pyrqlite.connect, pyrqlite.run_transaction)
ASYNCIO = World("asyncio", connect, run_transaction)


@pytest.fixture(name="world")
def one_world() -> World:
    """For modules whose tests need not run twice: `world = one_world`."""
    return SYNC
