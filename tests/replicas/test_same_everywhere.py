"""Thousands of rows whose defaults read clocks and random sources: the same on every node with this driver, and
other ones with plain HTTP, until they are repaired."""

from __future__ import annotations

from typing import Any

import pytest

from pyrqlite import Connection
from pyrqlite.admin import verify
from tests.replicas.nodes import differing_tables, execute, replay, rows, settle
from tests.replicas.workload import connected
from tests.rqlited import RqlitedCluster

pytestmark = pytest.mark.cluster

SCHEMA = """CREATE TABLE events(
    id TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))),
    number INTEGER,
    made TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    exact TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    dice INTEGER DEFAULT (random()),
    touched TIMESTAMP)"""
INSERT = "INSERT INTO events(number) VALUES (?)"
TOUCH = "UPDATE events SET touched = CURRENT_TIMESTAMP WHERE number < 100"
OLD = "INSERT INTO events(number, made) VALUES (?, '2001-01-01 00:00:00')"
TRIM = "DELETE FROM events WHERE made < datetime('now', '-1 day')"
COUNT = 5000
SINGLE = 200
PLAIN = 1000


@pytest.fixture
def events(uneven: RqlitedCluster) -> RqlitedCluster:
    """A cluster with a table of which each row holds clocks and random numbers."""
    execute(uneven, SCHEMA)
    return uneven


def write(connection: Connection) -> list[tuple[Any, ...]]:
    """5,000 rows, in bulk and one by one, one update, one delete; the rows that RETURNING showed."""
    shown = [
        connection.execute(f"{INSERT} RETURNING id, number, made, exact, dice", (n,)).fetchone()
        for n in range(SINGLE)
    ]
    connection.executemany(INSERT, [(n,) for n in range(SINGLE, COUNT)])
    connection.executemany(OLD, [(-1,), (-2,)])
    connection.execute(TOUCH)
    assert connection.execute(TRIM).rowcount == 2
    return shown


def replay_a_follower(cluster: RqlitedCluster) -> None:
    settle(cluster)
    replay(cluster, cluster.followers()[:1])


def test_the_driver_makes_them_equal(events: RqlitedCluster) -> None:
    with connected(events, autocommit=True) as connection:
        shown = write(connection)
    replay_a_follower(events)
    assert differing_tables(events) == set()
    assert verify(events.leader().url).equal
    for node in events.nodes:
        assert rows(node, "SELECT count(*), count(DISTINCT id) FROM events") == [(COUNT, COUNT)]
        stored = rows(
            node,
            "SELECT id, number, made || '', exact, dice FROM events "
            f"WHERE number < {SINGLE} ORDER BY number",
        )
        assert stored == shown


def test_not_frozen_they_differ(events: RqlitedCluster) -> None:
    with connected(events, autocommit=True, freeze=False) as connection:
        connection.executemany(INSERT, [(n,) for n in range(100)])
        connection.execute(TOUCH)
    replay_a_follower(events)
    assert differing_tables(events) == {"events"}


def test_plain_requests_make_them_differ_and_repair_makes_them_equal(
    events: RqlitedCluster,
) -> None:
    execute(events, *([INSERT, n] for n in range(PLAIN)))
    execute(events, [OLD, -1], TOUCH, TRIM)
    replay_a_follower(events)
    found = verify(events.leader().url)
    assert not found.equal
    assert [(table.name, table.differing >= PLAIN) for table in found.tables] == [("events", True)]
    repaired = verify(events.leader().url, repair=True)
    assert repaired.repair is not None
    assert repaired.repair.refused == []
    assert verify(events.leader().url).equal
    assert differing_tables(events) == set()
    replay_a_follower(events)
    assert differing_tables(events) == set()
    for node in events.nodes:
        assert rows(node, "SELECT count(*), count(DISTINCT number) FROM events") == [(PLAIN, PLAIN)]
