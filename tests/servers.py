"""What tests see of the servers that they share."""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from tests.plain_http import send_once
from tests.rqlited import NodeOptions, RqlitedCluster, RqlitedNode, wait_until


class Server(Protocol):
    """Anything that serves the rqlite HTTP API."""

    @property
    def url(self) -> str: ...


@dataclass(frozen=True)
class RunningServer:
    """A server that tests share; each test finds an empty database.

    Args:
        kind: "embedded" or "rqlited".
    """

    kind: str
    url: str


@cache
def empty_database() -> bytes:
    """A SQLite file without any content."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "empty.db"
        connection = sqlite3.connect(file)
        connection.execute("VACUUM")
        connection.close()
        return file.read_bytes()


def fresh(url: str) -> None:
    """Empty a server: tables, sequences, open transactions and the state of its connections.

    It loads an empty SQLite file, which costs about 4 ms.
    """

    def emptied() -> bool:
        response = send_once(url, "POST", "/db/load", empty_database())
        if response.status == 503:  # a node of a cluster that has just restarted
            return False
        assert (response.status, response.json) == (200, {"results": []}), response
        return True

    wait_until(emptied, what=f"{url} takes an empty database")


class NodeFactory(Protocol):
    """The type of the fixture `rqlited_factory`."""

    def __call__(self, options: NodeOptions | None = None) -> RqlitedNode: ...


class ClusterFactory(Protocol):
    """The type of the fixture `cluster_factory`."""

    def __call__(
        self, size: int = 3, options: NodeOptions | None = None, *, bootstrap_expect: bool = False
    ) -> RqlitedCluster: ...
