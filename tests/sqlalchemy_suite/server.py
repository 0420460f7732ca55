"""The server under the suites: the variable RQLITE_SUITE_SERVER is `embedded` (the default), `rqlited`, or a URL
of SQLAlchemy's; RQLITE_SUITE_DRIVER is `pyrqlite` (the default) or `aiopyrqlite`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.rqlited import find_rqlited, running_node


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    """Start a server of this process alone: SQLAlchemy's URL of it."""
    kind = os.environ.get("RQLITE_SUITE_SERVER", "embedded")
    driver = os.environ.get("RQLITE_SUITE_DRIVER", "pyrqlite")
    if "://" in kind:
        yield kind
    elif kind == "embedded":
        from rqlite_embedded import EmbeddedServer

        with EmbeddedServer(None) as server:
            yield dialect_url(server.url, driver)
    elif kind == "rqlited":
        binary = find_rqlited()
        if binary is None:
            raise FileNotFoundError("rqlited not found: install it or set RQLITED_PATH")
        with (
            tempfile.TemporaryDirectory(prefix="suite-", dir=_fast_directory()) as directory,
            running_node(binary, Path(directory)) as node,
        ):
            yield dialect_url(node.url, driver)
    else:
        raise ValueError(f"RQLITE_SUITE_SERVER={kind} is none of embedded, rqlited, a URL")


def dialect_url(url: str, driver: str = "pyrqlite") -> str:
    """SQLAlchemy's URL of a server."""
    return url.replace("http://", f"rqlite+{driver}://", 1) + "/"


def _fast_directory() -> str | None:
    memory = "/dev/shm"
    return memory if os.access(memory, os.W_OK) else None
