"""The server inside of this process: its handler is called with the bytes that a socket would carry."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import AbstractContextManager, closing
from typing import Any, Protocol

from pyrqlite.cluster.node import Node
from pyrqlite.errors import InterfaceError, NotSupportedError, OperationalError
from pyrqlite.flow.steps import AnswerLost, Download, LocalFailure, Request, Response
from pyrqlite.transports import Wire


class Handler(Protocol):
    """What the embedded server offers: one HTTP exchange, as a call."""

    def handle(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer."""

    def stream(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, upload: Any
    ) -> tuple[int, Mapping[str, str], Generator[bytes, None, None]]:
        """The same with large bodies: `upload` is read behind `body`, the answer's body comes in pieces."""

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


def _take(pieces: Iterable[bytes], download: Download) -> None:
    download.begin(None)
    try:
        for piece in pieces:
            download.write(piece)
    except LocalFailure:
        raise
    except Exception as error:  # whatever a damaged database makes of a copy
        raise AnswerLost(f"the copy failed: {error}") from error


class EmbeddedTransport:
    """Calls the handler. It never fails to answer, so there is nothing to translate."""

    def __init__(self, wire: Wire, handler: Handler) -> None:
        self._headers = wire.headers
        self._handler = handler

    def send(self, node: Node, request: Request) -> Response:
        if request.upload is not None:
            request.upload.begin()
        status, headers, pieces = self._handler.stream(
            request.method, request.target, self._headers, request.body or b"", request.upload
        )
        body = b""
        with closing(pieces):
            if request.download is None or status != 200:
                body = b"".join(pieces)
            else:
                _take(pieces, request.download)
        return Response(status, {name.lower(): headers[name] for name in headers}, body, node)

    def close(self) -> None:
        self._handler.close()
