"""`verify` on real clusters: it finds exactly what differs, and a repair makes the nodes equal."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import pyrqlite
from pyrqlite.__main__ import main
from pyrqlite.admin import Report, verify
from tests.integration.verify.nodes import (
    change_file,
    change_stopped_file,
    execute,
    rows,
    snapshot,
)
from tests.rqlited import (
    NodeOptions,
    RqlitedCluster,
    RqlitedNode,
    User,
    running_cluster,
    wait_until,
)

pytestmark = pytest.mark.cluster

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT "


def differing(report: Report) -> dict[str, dict[str, dict[str, int]]]:
    """The counts of rows that differ, by table and node."""
    return {
        table.name: {node: dict(counts) for node, counts in table.nodes.items()}
        for table in report.tables
        if table.differing
    }


def test_a_file_changed_by_hand(
    empty_cluster: RqlitedCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    leader, follower = empty_cluster.leader(), empty_cluster.followers()[0]
    execute(
        leader,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b REAL, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)",
        "CREATE INDEX t_a ON t (a)",
        "CREATE TABLE pair (a, b, c BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID",
        "CREATE TABLE loose (message TEXT, at TEXT)",
        "CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, t INTEGER)",
        "CREATE TRIGGER t_audit AFTER UPDATE ON t BEGIN INSERT INTO audit (t) VALUES (new.id); END",
        "CREATE VIEW v AS SELECT a FROM t",
        "CREATE VIRTUAL TABLE f USING fts5(x)",
    )
    execute(
        leader,
        f"INSERT INTO t (a, b, at) {NUMBERS.format(9000)} 'name' || i, i / 3.0, '2026-01-01' FROM n",
        f"INSERT INTO pair {NUMBERS.format(3000)} i % 7, 'k' || i, CAST(i AS BLOB) FROM n",
        f"INSERT INTO loose {NUMBERS.format(500)} 'm' || i, '2026-01-01' FROM n",
        "UPDATE t SET b = 0 WHERE id < 10",
        "INSERT INTO f SELECT a FROM t WHERE id < 50",
    )
    before = [rows(leader, f"SELECT * FROM {name}") for name in ("t", "loose", "audit", "v")]
    url = follower.url
    assert verify(url).equal

    change_file(
        follower,
        """
        UPDATE t SET a = 'other' WHERE id IN (5, 2000, 2001, 9000);
        DELETE FROM audit WHERE id > 9; UPDATE sqlite_sequence SET seq = 9;
        DELETE FROM t WHERE id IN (77, 78); INSERT INTO t VALUES (-1, 'x', 1, 2), (20000, 'y', 2, 3);
        UPDATE pair SET c = X'00' WHERE b = 'k7'; DELETE FROM loose WHERE message = 'm9';
        INSERT INTO loose VALUES ('m1', '2026-01-01'); DROP INDEX t_a;
        DROP VIEW v; CREATE VIEW v AS SELECT b FROM t;
        """,
    )
    node = follower.raft_address
    report = verify(url)
    assert differing(report) == {
        "t": {node: {"changed": 4, "missing": 2, "extra": 2}},
        "pair": {node: {"changed": 1}},
        "loose": {node: {"missing": 1, "extra": 1}},
    }
    assert {(each.kind, each.name) for each in report.schema} == {("index", "t_a"), ("view", "v")}
    assert report.complete
    assert all(row.exact for table in report.tables for row in table.rows)

    assert main(["verify", url, "--json", "--table", "t"]) == 1
    [table] = json.loads(capsys.readouterr().out)["tables"]
    assert table["columns"] == {"a": 4}
    assert table["shown"][0] == {
        "key": {"id": 5},
        "leader": {"a": "name5"},
        "nodes": {node: {"kind": "changed", "row": {"a": "other"}}},
        "exact": True,
    }

    assert main(["verify", url, "--repair", "--yes"]) == 0
    printed = capsys.readouterr()
    assert "All nodes hold the same (3 nodes" in printed.out
    assert "its triggers (t_audit) do not fire" in printed.err
    for each in empty_cluster.nodes:
        now = [rows(each, f"SELECT * FROM {name} ORDER BY rowid") for name in ("t", "audit")]
        assert now == [before[0], before[2]]
        assert sorted(rows(each, "SELECT * FROM loose")) == sorted(before[1])
        assert rows(each, "SELECT * FROM v LIMIT 3") == before[3][:3]
    assert main(["verify", url]) == 0
    execute(leader, "UPDATE t SET b = 1 WHERE id = 1")
    assert rows(leader, "SELECT count(*) FROM audit") == [[10]]


def test_clocks_and_a_restart(empty_cluster: RqlitedCluster) -> None:
    """Each node filled in its own clock; one that executes its log again fills in another time."""
    leader, follower = empty_cluster.leader(), empty_cluster.followers()[0]
    snapshot(follower)
    execute(
        leader,
        "CREATE TABLE event (id INTEGER PRIMARY KEY, what TEXT, at TEXT DEFAULT CURRENT_TIMESTAMP)",
        "CREATE TABLE log (what TEXT, at TEXT DEFAULT CURRENT_TIMESTAMP)",
    )
    for _ in range(20):
        execute(leader, f"INSERT INTO event (what) {NUMBERS.format(100)} 'e' || i FROM n")
    execute(leader, "INSERT INTO log (what) SELECT what || id FROM event LIMIT 50")
    written = rows(leader, "SELECT max(at) FROM event")
    follower.kill()
    wait_until(
        lambda: rows(leader, "SELECT CURRENT_TIMESTAMP") > written, what="the clock has gone on"
    )
    follower.restart()
    follower.wait_ready()
    empty_cluster.wait_ready()

    report = verify(leader.url)
    counts = {table.name: table for table in report.tables}
    assert counts["event"].nodes[follower.raft_address] == {"changed": 2000}
    assert counts["event"].columns == {"at": 2000}
    assert counts["event"].causes["at"].startswith("DEFAULT CURRENT_TIMESTAMP")
    assert counts["log"].nodes[follower.raft_address] == {"changed": 50}

    expected = rows(leader, "SELECT * FROM event")
    report = verify(leader.url, repair=True)
    assert report.equal
    assert report.repair is not None
    assert len(report.repair.snapshots) == 3
    for node in empty_cluster.followers():
        node.kill()
        node.restart()
        node.wait_ready()
        empty_cluster.wait_ready()
    assert verify(leader.url).equal
    assert [rows(node, "SELECT * FROM event") for node in empty_cluster.nodes] == [expected] * 3


def test_the_file_of_a_stopped_node(empty_cluster: RqlitedCluster) -> None:
    leader, follower = empty_cluster.leader(), empty_cluster.followers()[0]
    execute(
        leader,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
        "CREATE TABLE gone (id INTEGER PRIMARY KEY, a)",
        "CREATE TABLE wider (id INTEGER PRIMARY KEY, a)",
        f"INSERT INTO t {NUMBERS.format(100)} i, i FROM n",
        "INSERT INTO gone SELECT * FROM t",
        "INSERT INTO wider SELECT * FROM t",
    )
    wait_until(
        lambda: rows(follower, "SELECT max(id) FROM wider") == [[100]], what="all is applied"
    )
    snapshot(follower)
    follower.terminate()
    change_stopped_file(
        follower,
        "UPDATE t SET a = -a WHERE id > 90; DROP TABLE gone; ALTER TABLE wider ADD COLUMN b;"
        "CREATE TABLE more (a)",
    )
    follower.restart()
    follower.wait_ready()
    empty_cluster.wait_ready()
    report = verify(leader.url)
    node = follower.raft_address
    assert {each.name for each in report.schema} == {"gone", "wider", "more"}
    assert differing(report) == {"t": {node: {"changed": 10}}}
    left_out = {table.name for table in report.tables if table.left_out == [node]}
    assert left_out == {"gone", "wider"}
    report = verify(leader.url, repair=True)
    assert {each.name for each in report.schema} == {"wider", "more"}
    assert differing(report) == {}
    assert report.repair is not None
    assert [each.partition(":")[0] for each in report.repair.refused] == [
        "table wider",
        "table more",
    ]
    assert rows(follower, "SELECT sum(a) FROM t UNION ALL SELECT sum(a) FROM gone") == [[5050]] * 2
    change_file(follower, "ALTER TABLE wider DROP COLUMN b; DROP TABLE more")
    assert verify(leader.url).equal


@contextmanager
def writers(cluster: RqlitedCluster, count: int) -> Iterator[list[int]]:
    """Clients that count up rows as fast as they can; gives how many times each has done so."""
    done = [0] * count
    stop = threading.Event()

    def work(number: int) -> None:
        connection = pyrqlite.connect(cluster.leader().url, autocommit=True)
        while not stop.is_set():
            row = done[number] % 40 * count + number + 1
            connection.execute("UPDATE t SET n = n + 1 WHERE id = ?", (row,))
            done[number] += 1
        connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_cluster_in_use(empty_cluster: RqlitedCluster) -> None:
    leader, follower = empty_cluster.leader(), empty_cluster.followers()[0]
    execute(
        leader,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, at TEXT)",
        f"INSERT INTO t {NUMBERS.format(1000)} i, 0, 'then' FROM n",
    )
    with writers(empty_cluster, 2) as done:
        wait_until(lambda: min(done) > 20, what="the writers write")
        quiet = verify(leader.url)
        # Rows that are counted up, and others.
        change_file(follower, "UPDATE t SET at = 'now' WHERE id % 20 = 0")
        found = verify(leader.url, most_rows=1000)
        report = verify(leader.url, repair=True)
        assert sum(done) > 100
    assert not quiet.different
    [table] = [table for table in found.tables if table.name == "t"]
    assert table.differing + table.restless >= 48
    assert {row.key["id"] % 20 for row in table.rows} == {0}
    assert report.repair is not None
    assert report.repair.collisions == []
    assert not report.different
    assert rows(leader, "SELECT sum(n) FROM t", "strong") == [[sum(done)]]
    assert rows(leader, "SELECT count(*) FROM t WHERE at <> 'then'", "strong") == [[0]]
    assert verify(leader.url).equal


def test_a_repair_of_columns_that_others_write(empty_cluster: RqlitedCluster) -> None:
    """The repair writes the very column that is counted up: no count may be lost."""
    leader, follower = empty_cluster.leader(), empty_cluster.followers()[0]
    execute(
        leader,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
        f"INSERT INTO t {NUMBERS.format(80)} i, 0 FROM n",
    )
    with writers(empty_cluster, 2) as done:
        wait_until(lambda: min(done) > 20, what="the writers write")
        change_file(follower, "UPDATE t SET n = n + 1000000")
        report = verify(leader.url, repair=True)
    report = verify(leader.url, repair=True)
    assert report.equal
    assert rows(leader, "SELECT sum(n) FROM t", "strong") == [[sum(done)]]


def test_a_node_that_does_not_answer(
    empty_cluster: RqlitedCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    leader, follower = empty_cluster.leader(), empty_cluster.followers()[0]
    execute(leader, "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    follower.suspend()
    try:
        addresses = ",".join(node.http_address for node in empty_cluster.nodes)
        url = f"http://{addresses}?timeout=0.3"
        assert main(["verify", url, "--wait", "0.5", "--no-discovery"]) == 1
        assert "NOT COMPARED, cannot be reached" in capsys.readouterr().out
    finally:
        follower.resume()
    empty_cluster.wait_ready()
    assert main(["verify", leader.url]) == 0


def test_a_node_that_dies_meanwhile(empty_cluster: RqlitedCluster) -> None:
    leader, follower = empty_cluster.leader(), empty_cluster.followers()[1]
    execute(
        leader,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
        f"INSERT INTO t {NUMBERS.format(60000)} i, i FROM n",
    )

    class Killer:
        rows = 0

        def begin(self, table: str, rows: int) -> None:
            self.rows = rows

        def advance(self, rows: int) -> None:
            if self.rows == 60000 and follower.running:
                follower.kill()

        def end(self) -> None: ...

    report = verify(leader.url, watch=Killer(), patience=1)
    assert [node.id for node in report.nodes if node.problem] == [follower.raft_address]
    assert not report.different
    assert not report.equal
    report = verify(leader.url)
    assert [node.id for node in report.nodes if node.problem] == [follower.raft_address]
    follower.restart()
    follower.wait_ready()
    assert verify(leader.url).equal


def test_a_leader_that_dies_during_a_repair(empty_cluster: RqlitedCluster) -> None:
    leader, follower = empty_cluster.leader(), empty_cluster.followers()[0]
    execute(
        leader,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a)",
        f"INSERT INTO t {NUMBERS.format(9000)} i, 1 FROM n",
    )
    wait_until(lambda: rows(follower, "SELECT max(id) FROM t") == [[9000]], what="all is applied")
    change_file(follower, "UPDATE t SET a = 2")

    class Killer:
        repairing = False

        def begin(self, table: str, rows: int) -> None:
            self.repairing = table == "repairing t"

        def advance(self, rows: int) -> None:
            if self.repairing and leader.running:
                leader.kill()

        def end(self) -> None: ...

    url = f"http://{','.join(node.http_address for node in empty_cluster.nodes)}"
    with pytest.raises(pyrqlite.OperationalError, match="the repair stops here"):
        verify(url, repair=True, watch=Killer())
    other = empty_cluster.leader()
    assert (
        rows(other, "SELECT name FROM sqlite_schema WHERE name GLOB '_pyrqlite*'", "strong") == []
    )
    leader.restart()
    leader.wait_ready()
    empty_cluster.wait_ready()
    # Whoever leads now is right.
    [[expected]] = rows(empty_cluster.leader(), "SELECT sum(a) FROM t", "strong")
    assert verify(url, repair=True).equal
    assert [rows(node, "SELECT sum(a) FROM t") for node in empty_cluster.nodes] == [
        [[expected]]
    ] * 3


def test_a_read_replica_and_users(rqlited_binary: Any, tmp_path: Any) -> None:
    users = (User("boss", "secret", ("all",)), User("reader", "r", ("query",)))
    options = NodeOptions(users=users, raft_timeout="500ms")
    replica = {1: ("-raft-non-voter", "-join-as", "boss")}
    with running_cluster(rqlited_binary, tmp_path, 2, options, per_node=replica) as cluster:
        leader, node = cluster.leader(), cluster.nodes[1]
        execute(leader, "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
        url = leader.url.replace("//", "//boss:secret@")
        assert verify(url).equal
        change_file(node, "UPDATE t SET a = 2")
        report = verify(url, repair=True)
        assert report.equal
        assert [member.voter for member in report.nodes if member.id == node.raft_address] == [
            False
        ]
        assert rows(node, "SELECT a FROM t") == [[1]]
        with pytest.raises(pyrqlite.OperationalError, match="name all nodes yourself"):
            verify(leader.url.replace("//", "//reader:r@"))


def test_a_single_node(rqlited_node: RqlitedNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", rqlited_node.url]) == 0
    assert "one node only: nothing to compare" in capsys.readouterr().out
