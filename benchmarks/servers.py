"""The servers that are asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.plain_http import send_once
from tests.rqlited import NodeOptions, find_rqlited, running_node


@dataclass(frozen=True)
class Server:
    """`name` tells what it is, `real` whether it is rqlited."""

    name: str
    url: str
    real: bool


@contextmanager
def rqlited(binary: Path, directory: Path) -> Iterator[Server]:
    """A single node, with rqlited's own Raft time-outs."""
    with running_node(binary, directory, NodeOptions(raft_timeout="1s")) as node:
        version = send_once(node.url, "GET", "/status").header("X-Rqlite-Version")
        yield Server(f"rqlited {version}", node.url, real=True)


@contextmanager
def embedded(path: Path | str) -> Iterator[Server]:
    """The embedded server in a thread of this process, which has nothing else to do meanwhile."""
    from rqlite_embedded import EmbeddedServer

    with EmbeddedServer(path) as server:
        yield Server("the embedded server", server.url, real=False)


@contextmanager
def best_server(directory: Path, want_embedded: bool = False) -> Iterator[Server]:
    """rqlited where it is found, else the embedded server."""
    binary = None if want_embedded else find_rqlited()
    with rqlited(binary, directory) if binary else embedded(directory) as server:
        yield server
