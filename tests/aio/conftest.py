"""A table for the tests of this folder, which run their coroutines by `asyncio.run`."""

from __future__ import annotations

import pytest

import pyrqlite
from tests.servers import RunningServer

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 0)"


@pytest.fixture
def url(server: RunningServer) -> str:
    """Each kind of server in turn, with a table `t` of one row: its key 1, and 0."""
    connection = pyrqlite.connect(server.url, autocommit=True)
    connection.executescript(TABLE)
    connection.close()
    return server.url
