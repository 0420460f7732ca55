"""The API without a socket: requests from this process, answered in the calling thread."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import BinaryIO

from .database import Database, Fsync
from .exchange import Pieces
from .service import Service
from .status import Node

_MEMORY = ":memory:"
_FILE = "file:"


class Handler:
    """A database behind the API, without a socket. Thread safe; also a context manager."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._closed = False

    def handle(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer one request: status, headers and body.

        ``target`` is path and query string, as in the first line of an HTTP request.
        Raises RuntimeError once the handler is closed.
        """
        if self._closed:
            raise RuntimeError("the database is closed")
        return self._service.handle(method, target, headers, body)

    def stream(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        upload: BinaryIO | None = None,
    ) -> tuple[int, dict[str, str], Pieces]:
        """As ``handle``, with bodies that need not fit into memory.

        ``upload`` is a file that is read behind ``body``; the answer's body comes in pieces,
        which have to be closed by those who do not read them to the end.
        """
        if self._closed:
            raise RuntimeError("the database is closed")
        return self._service.stream(method, target, headers, body, upload)

    def close(self) -> None:
        """Close the database. A second call does nothing."""
        self._closed = True
        self._service.close()

    def __enter__(self) -> Handler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_database(
    path: str | os.PathLike[str] | None = None,
    *,
    fk: bool = False,
    fsync: Fsync = "full",
    extensions: bool = False,
) -> Handler:
    """Open an SQLite file (``app.db``, ``file:app.db``) for requests from this process.

    None and ``:memory:`` give a temporary database. Raises DatabaseInUse.
    """
    database = Database(locate(path, directory=False), fk=fk, fsync=fsync, extensions=extensions)
    return Handler(Service(database, Node(api_addr="localhost")))


def locate(path: str | os.PathLike[str] | None, *, directory: bool) -> str | None:
    """The SQLite file to open, None for a temporary one."""
    name = _MEMORY if path is None else os.fspath(path)
    if name.startswith(_FILE):
        name, directory = name[len(_FILE) :].partition("?")[0], False
    if name == _MEMORY:
        return None
    if directory:
        _make_directory(name)
        return os.path.join(name, "db.sqlite")
    return name


def _make_directory(name: str) -> None:
    """Make a directory that a loss of power does not take away with all that is in it."""
    if os.path.isdir(name):
        return
    parent = os.path.dirname(os.path.abspath(name))
    _make_directory(parent)
    os.makedirs(name, exist_ok=True)
    descriptor = os.open(parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
