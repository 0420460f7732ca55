"""A node that replays its log serves old data for a while, and so an old schema: no INSERT may be completed by
that."""

from __future__ import annotations

import contextlib

import pyrqlite
from tests.replicas.nodes import contents, execute, replay, settle
from tests.rqlited import RqlitedCluster, RqlitedNode, wait_until
from tests.servers import NodeFactory

# One entry of the log that takes its time whenever it is executed.
SLOW = (
    "INSERT INTO ballast WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 500000) "
    "SELECT i FROM n"
)
SCHEMA = (
    "CREATE TABLE events(id INTEGER PRIMARY KEY, "
    "exact TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')), dice INTEGER DEFAULT (random()))"
)


def insert_at_once(node: RqlitedNode) -> None:
    """What a program does that is started together with its node."""

    def inserted() -> bool:
        with contextlib.suppress(pyrqlite.Error):
            connection.execute("INSERT INTO events DEFAULT VALUES")
            return True
        return False

    with contextlib.closing(
        pyrqlite.connect(host=node.http_address, autocommit=True)
    ) as connection:
        wait_until(inserted, what="a row is inserted")


def test_defaults_are_frozen(rqlited_factory: NodeFactory) -> None:
    node = rqlited_factory()
    cluster = RqlitedCluster([node])
    execute(cluster, "CREATE TABLE ballast(a)", SLOW, "DROP TABLE ballast")
    execute(cluster, SCHEMA)
    for _ in range(3):
        node.kill()
        node.spawn()
        insert_at_once(node)
        node.wait_ready()
    settle(cluster)
    stored = contents(node)["events"]
    replay(cluster)
    assert len(stored) == 3
    assert contents(node)["events"] == stored
