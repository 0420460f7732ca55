"""Servers and handlers, put together from their parts."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from .auth import Credentials
from .database import Database, Fsync
from .http import HttpServer
from .local import locate
from .queued import Settings
from .service import Service
from .status import Node

if TYPE_CHECKING:
    from ssl import SSLContext


@dataclass
class TLS:
    """PEM files; ``ca_cert`` is what certificates of clients are checked against."""

    cert: str
    key: str
    ca_cert: str = ""
    verify_client: bool = False

    def context(self) -> SSLContext:
        """The context of a server."""
        import ssl

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.cert, self.key)
        if self.ca_cert:
            context.load_verify_locations(self.ca_cert)
        if self.verify_client:
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@dataclass
class Options:
    """How to serve a database. ``auth`` names a credential file."""

    host: str = "127.0.0.1"
    port: int = 0
    advertised: str = ""
    node_id: str = "1"
    raft_addr: str = "localhost:4002"
    fk: bool = False
    fsync: Fsync = "full"
    extensions: bool = False
    auth: str = ""
    tls: TLS | None = None
    allow_origin: str = ""
    queue: Settings = field(default_factory=Settings)


class EmbeddedServer:
    """An HTTP server in a thread of its own; also a context manager.

    ``path`` is a data directory, created where it is missing; ``file:NAME`` an SQLite file;
    None or ``:memory:`` a temporary database.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, options: Options | None = None
    ) -> None:
        self.options = options or Options()
        self.port = 0
        self._path = path
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """Where the API is, without a slash at the end."""
        scheme = "https" if self.options.tls else "http"
        return f"{scheme}://{_address(self.options.host, self.port)}"

    def start(self) -> EmbeddedServer:
        """Serve; returns when requests are answered. Raises DatabaseInUse, OSError."""
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main()), name="rqlite-embedded", daemon=True
        )
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def stop(self) -> None:
        """Finish what runs, close the database. A second call does nothing."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> EmbeddedServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            running = await serve(self._path, self.options)
        except BaseException as exc:
            self._failure = exc
            self._ready.set()
            return
        self.port = running.port
        self._ready.set()
        await self._stop.wait()
        await running.close()


@dataclass
class Running:
    """A server that answers."""

    service: Service
    server: HttpServer
    port: int

    async def close(self) -> None:
        """Finish what runs, close the database."""
        await self.server.stop()
        self.service.close()


async def serve(path: str | os.PathLike[str] | None, options: Options) -> Running:
    """Serve a database in the running event loop."""
    credentials = Credentials.load(options.auth) if options.auth else None
    context = options.tls.context() if options.tls else None
    database = Database(
        locate(path, directory=True),
        fk=options.fk,
        fsync=options.fsync,
        extensions=options.extensions,
    )
    node = Node(node_id=options.node_id, raft_addr=options.raft_addr, tls=options.tls is not None)
    service = Service(
        database,
        node,
        credentials=credentials,
        queue=options.queue,
        allow_origin=options.allow_origin,
    )
    server = HttpServer(service)
    try:
        port = await server.start(options.host, options.port, context)
    except BaseException:
        service.close()
        raise
    node.listens_at(_address(options.host, port), options.advertised)
    return Running(service, server, port)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
