"""The server inside of this process: its handler is called with the bytes that a socket would carry."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from pyrqlite.cluster.node import Node
from pyrqlite.errors import InterfaceError, NotSupportedError, OperationalError
from pyrqlite.flow.steps import Request, Response
from pyrqlite.transports import Wire


class Handler(Protocol):
    """What the embedded server offers: one HTTP exchange, as a call."""

    def handle(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer."""

    def close(self) -> None:
        """Close the database."""


def open_handler(path: str | None, settings: Mapping[str, Any]) -> Handler:
    """Open the database at `path`, or one in memory."""
    try:
        from rqlite_embedded import DatabaseInUse, open_database
    except ImportError as error:
        raise _not_installed(error) from error
    try:
        return open_database(path, **settings)
    except TypeError as error:
        raise InterfaceError(f"the option embedded: {error}") from error
    except DatabaseInUse as error:
        raise OperationalError(str(error)) from error


def serve(directory: str) -> AbstractContextManager[Served]:
    """Run the embedded server on a directory, with a socket, while the context lasts."""
    try:
        from rqlite_embedded import EmbeddedServer
    except ImportError as error:
        raise _not_installed(error) from error
    return EmbeddedServer(directory)


class Served(Protocol):
    """A running server."""

    @property
    def url(self) -> str:
        """Where it listens."""


def _not_installed(error: ImportError) -> NotSupportedError:
    return NotSupportedError(
        f"the embedded server cannot be loaded ({error}): pip install 'pyrqlite[embedded]'"
    )


class EmbeddedTransport:
    """Calls the handler. It never fails to answer, so there is nothing to translate."""

    def __init__(self, wire: Wire, handler: Handler) -> None:
        self._headers = wire.headers
        self._handler = handler

    def send(self, node: Node, request: Request) -> Response:
        status, headers, body = self._handler.handle(
            request.method, request.target, self._headers, request.body or b""
        )
        return Response(status, {name.lower(): headers[name] for name in headers}, body, node)

    def close(self) -> None:
        self._handler.close()
