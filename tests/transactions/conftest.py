"""Connections to each kind of server, with a few tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyrqlite import Connection
from tests.servers import RunningServer
from tests.transactions.clients import Connect, connecting
from tests.worlds import World

TABLES = """
CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b TEXT);
CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER NOT NULL DEFAULT 0);
CREATE TABLE k (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE plain (x, y);
"""


@pytest.fixture
def connect(server: RunningServer, world: World) -> Iterator[Connect]:
    """Opens connections in manual mode, or as told; the tables are there, and empty."""
    opened: list[Connection] = []
    open_connection = connecting(server.url, opened, world)
    setup = open_connection(autocommit=True)
    setup.executescript(TABLES)
    yield open_connection
    for connection in opened:
        if not connection.closed:
            connection.rollback()
            connection.close()


@pytest.fixture
def one(connect: Connect) -> Connection:
    """A connection in manual mode."""
    return connect()


@pytest.fixture
def other(connect: Connect) -> Connection:
    """Another client, each of whose statements is applied at once."""
    return connect(autocommit=True)
