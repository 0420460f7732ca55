"""What the node tells of itself: /status, /nodes, /debug/vars."""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from time import time
from typing import TYPE_CHECKING, Any

import apsw

from .durations import format_duration

if TYPE_CHECKING:
    from .service import Service
    from .session import Session

API_VERSION = "v10.2.7"
_PRAGMAS = ("busy_timeout", "foreign_keys", "journal_mode", "synchronous", "wal_autocheckpoint")
_MEMORY_PRAGMAS = (
    "cache_size",
    "freelist_count",
    "hard_heap_limit",
    "max_page_count",
    "page_count",
    "page_size",
    "soft_heap_limit",
)


@dataclass
class Node:
    """The one node: its name and its addresses, each ``host:port``."""

    node_id: str = "1"
    api_addr: str = "localhost:4001"
    raft_addr: str = "localhost:4002"
    bind_addr: str = ""
    tls: bool = False
    version: str = API_VERSION

    def __post_init__(self) -> None:
        self.started = time()
        self.served_by = {"X-Rqlite-Served-By": self.api_addr}

    def listens_at(self, address: str, advertised: str = "") -> None:
        """Note where the API is, once that is known."""
        self.bind_addr = address
        self.api_addr = advertised or address
        self.served_by = {"X-Rqlite-Served-By": self.api_addr}

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"{'https' if self.tls else 'http'}://{self.api_addr}"

    def describe(self, seconds: float) -> dict[str, Any]:
        """The node as /nodes and /leader show it, contacted within ``seconds``."""
        return {
            "id": self.node_id,
            "api_addr": self.url,
            "addr": self.raft_addr,
            "version": self.version,
            "voter": True,
            "reachable": True,
            "leader": True,
            "time": seconds,
            "time_s": format_duration(seconds),
        }


class Counters:
    """Named numbers that only grow."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, name: str) -> None:
        """Count one more."""
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + 1

    def snapshot(self) -> dict[str, int]:
        """All of them, in order of their names."""
        with self._lock:
            return dict(sorted(self._counts.items()))


def report(service: Service) -> dict[str, Any]:
    """The document of /status."""
    now = time()
    node = service.node
    document: dict[str, Any] = {
        "build": _build(node),
        "cluster": {
            "addr": node.raft_addr,
            "api_addr": node.api_addr,
            "https": str(node.tls).lower(),
        },
        "extensions": {"dir": "", "names": []},
        "http": _http(service),
        "node": {
            "current_time": _rfc3339(now),
            "start_time": _rfc3339(node.started),
            "uptime": format_duration(now - node.started),
        },
        "os": {
            "executable": sys.executable,
            "hostname": platform.node(),
            "page_size": os.sysconf("SC_PAGE_SIZE"),
            "pid": os.getpid(),
            "ppid": os.getppid(),
        },
        "runtime": {
            "GOARCH": platform.machine(),
            "GOOS": sys.platform,
            "num_cpu": os.cpu_count() or 1,
            "num_threads": threading.active_count(),
            "version": f"python{platform.python_version()}",
        },
        "store": _store(service),
    }
    if service.last_backup:
        document["last_backup_time"] = _rfc3339(service.last_backup)
    return dict(sorted(document.items()))


def select(document: Any, key: str) -> Any:
    """The part of the document at a dotted path; an unknown path gives an empty object."""
    for name in key.split("."):
        if not isinstance(document, Mapping):
            return document
        if name not in document:
            return {}
        document = document[name]
    return document


def _build(node: Node) -> dict[str, Any]:
    return {
        "build_time": "unknown",
        "commit": "unknown",
        "compiler_command": "unknown",
        "compiler_toolchain": sys.implementation.name,
        "version": node.version,
    }


def _http(service: Service) -> dict[str, Any]:
    node, queue = service.node, service.queue
    document: dict[str, Any] = {
        "auth": "disabled" if service.credentials is None else "enabled",
        "bind_addr": node.bind_addr or node.api_addr,
        "cluster": {"local_node_addr": node.raft_addr, "timeout": "30s"},
        "queue": {
            "_default": {
                "batch_size": queue.settings.batch_size,
                "max_size": queue.settings.capacity,
                "sequence_number": queue.written_number,
                "timeout": format_duration(queue.settings.timeout),
            }
        },
        "tls": {"enabled": str(node.tls).lower()},
    }
    if service.allow_origin:
        document["allow_origin"] = service.allow_origin
    return document


def _store(service: Service) -> dict[str, Any]:
    node, database = service.node, service.database
    index = database.index
    member = {"addr": node.raft_addr, "node_id": node.node_id}
    return {
        "addr": node.raft_addr,
        "apply_timeout": "10s",
        "db_applied_index": index,
        "db_conf": {"fk_constraints": database.fk},
        "dir": os.path.dirname(database.path),
        "fsm_index": index,
        "leader": member,
        "node_id": node.node_id,
        "nodes": [{"id": node.node_id, "addr": node.raft_addr, "suffrage": "voter"}],
        "open": {},
        "raft": {
            "applied_index": index,
            "commit_index": index,
            "last_log_index": index,
            "last_log_term": 2,
            "num_peers": 0,
            "state": "Leader",
            "term": 2,
            "voter": True,
        },
        "ready": True,
        "sqlite3": _sqlite(service),
        "strong_read_term": 2 if service.linearizable else 0,
    }


def _sqlite(service: Service) -> dict[str, Any]:
    database = service.database
    size = _size(database.path)
    reader = database.take_reader()
    try:
        memory = {name: reader.connection.pragma(name) for name in _MEMORY_PRAGMAS}
        reading = _pragmas(reader)
    finally:
        database.put_back(reader)
    # What the writer is in the middle of cannot be asked for; then it says what readers say.
    writing = database.writer.inspect(_pragmas, reading)
    busy = database.writer.inspect(lambda session: session.in_transaction, True)
    return {
        "compile_options": list(apsw.compile_options),
        "db_size": size,
        "extensions": [],
        "mem_stats": memory,
        "path": database.path,
        "pragmas": {"ro": reading, "rw": writing},
        "size": size,
        "transaction": {"ro": False, "rw": busy},
        "version": apsw.sqlite_lib_version(),
        "wal_size": _size(database.path + "-wal"),
    }


def _pragmas(session: Session) -> dict[str, str]:
    return {name: str(session.connection.pragma(name)) for name in _PRAGMAS}


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def _rfc3339(moment: float) -> str:
    text = datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")
