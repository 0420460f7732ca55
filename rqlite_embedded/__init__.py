"""A small server that speaks rqlite's HTTP API over SQLite, for tests and single machines.

As a process: ``python -m rqlite_embedded DATA_DIR``. In a thread: ``EmbeddedServer``. Without
a socket: ``open_database``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .database import DatabaseInUse
    from .local import Handler, open_database
    from .server import TLS, EmbeddedServer, Options

__all__ = ["TLS", "DatabaseInUse", "EmbeddedServer", "Handler", "Options", "open_database"]

_HOMES = {
    "DatabaseInUse": "database",
    "EmbeddedServer": "server",
    "Handler": "local",
    "Options": "server",
    "TLS": "server",
    "open_database": "local",
}


def __getattr__(name: str) -> Any:
    # Loading asyncio takes longer than all else here, and few need every part.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
