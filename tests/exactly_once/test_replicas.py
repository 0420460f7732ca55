"""The table of ids is the same on a node that has executed its log once more."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pyrqlite
from pyrqlite.flow.applying import MARKERS
from tests.replicas.nodes import snapshot
from tests.rqlited import RqlitedNode, wait_until
from tests.servers import NodeFactory

WRITES = (
    "INSERT INTO t (n) VALUES (5)",
    "INSERT INTO t (n) VALUES (5), (6)",
    "INSERT INTO t VALUES (1, 0) ON CONFLICT DO UPDATE SET n = n + 1",
    "INSERT OR IGNORE INTO t VALUES (1, 0)",
    "INSERT INTO t (n) SELECT n FROM t WHERE id = 1 ORDER BY id",
    "INSERT INTO keyless VALUES ('a')",
    "INSERT INTO shown VALUES (3)",
    "UPDATE t SET n = n + 1",
    "DELETE FROM t WHERE id = -1",
    "CREATE TABLE u (a)",
    "DROP TABLE u",
    "PRAGMA user_version = 3",
)
SETUP = """
CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER);
CREATE TABLE keyless (a TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE VIEW shown AS SELECT n FROM t;
CREATE TRIGGER shown_insert INSTEAD OF INSERT ON shown BEGIN INSERT INTO t (n) VALUES (new.n); END;
CREATE TABLE remembered (rowid_before INTEGER);
INSERT INTO t VALUES (7777, 1);
"""


def rows(node: RqlitedNode, table: str) -> list[list[Any]]:
    """What this node itself holds."""
    answer = node.send("GET", f"/db/query?level=none&q=SELECT%20*%20FROM%20{table}").json
    found: list[list[Any]] = answer["results"][0]["values"]
    return found


def test_contents_do_not_depend_on_what_a_connection_remembers(
    rqlited_factory: NodeFactory,
) -> None:
    node = rqlited_factory()
    options: dict[str, Any] = {"autocommit": True, "exactly_once": True}
    with closing(pyrqlite.connect(node.url, **options)) as connection:
        connection.executescript(SETUP)
        node.send("POST", "/db/execute", b'["INSERT INTO t VALUES (8888, 1)"]')
        snapshot(node)
        # What another client writes shows whether the node remembers at all.
        node.send("POST", "/db/execute", b'["INSERT INTO remembered VALUES (last_insert_rowid())"]')
        for sql in WRITES:
            connection.execute(sql)
        connection.executemany("INSERT INTO t (n) VALUES (?)", [(1,), (2,)])
        connection.executemany("UPDATE t SET n = n + ?", [(1,), (2,)])
        connection.isolation_level = "SERIALIZABLE"
        connection.execute("UPDATE t SET n = 0 WHERE id = 1")
        connection.commit()
    before = {table: rows(node, table) for table in (MARKERS, "t", "remembered")}
    assert len(before[MARKERS]) == len(WRITES) + 4
    node.kill()
    node.restart()
    node.wait_ready()
    # It replays its log still, perhaps.
    wait_until(lambda: len(rows(node, MARKERS)) == len(before[MARKERS]), what="the log is replayed")
    after = {table: rows(node, table) for table in before}
    assert after["remembered"] != before["remembered"]
    assert (after[MARKERS], after["t"]) == (before[MARKERS], before["t"])
