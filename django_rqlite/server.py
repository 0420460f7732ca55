"""What a cluster can do: asked once for each cluster and process."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass

import pyrqlite


@dataclass(frozen=True)
class Server:
    """The version of its SQLite, the names of its SQL functions in lower case, whether it enforces foreign keys."""

    version: tuple[int, ...]
    functions: frozenset[str]
    foreign_keys: bool


_known: dict[object, Server] = {}
_lock = threading.Lock()


def server_of(connection: pyrqlite.Connection) -> Server:
    """What is known of the connection's cluster. The connection must be in autocommit mode the first time."""
    key = connection.options.shared_by()
    with _lock:
        if key not in _known:
            _known[key] = _ask(connection)
        return _known[key]


def _ask(connection: pyrqlite.Connection) -> Server:
    version, functions = connection.execute(
        "SELECT sqlite_version(), (SELECT json_group_array(DISTINCT lower(name)) FROM pragma_function_list)"
    ).fetchone()
    (foreign_keys,) = connection.execute("PRAGMA foreign_keys").fetchone()
    return Server(
        tuple(map(int, version.split("."))), frozenset(json.loads(functions)), bool(foreign_keys)
    )
