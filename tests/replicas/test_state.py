"""What a node has beside the data: the state of its connection to SQLite, its numbering of rows, its statistics.

All of it is gone, or another one, on a node that was started again behind a snapshot.
"""

from __future__ import annotations

import json

import pytest

import pyrqlite
from pyrqlite import Connection
from tests.replicas.naive import guard_last_rowid, switch_off_rules
from tests.replicas.nodes import (
    differing_tables,
    execute,
    let_differ,
    replay,
    rows,
    settle,
    snapshot,
)
from tests.replicas.workload import DONE, Body, connected, held, run
from tests.rqlited import RqlitedCluster

pytestmark = pytest.mark.cluster


@pytest.fixture
def stated(uneven: RqlitedCluster) -> RqlitedCluster:
    """A cluster with tables, and with nothing in its nodes' snapshots but them."""
    execute(
        uneven,
        DONE,
        "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INTEGER CHECK (n < 10))",
        "CREATE TABLE audit(id INTEGER PRIMARY KEY, rowid_seen INTEGER, changed INTEGER, total INTEGER)",
        "INSERT INTO t VALUES (77, 'Anna', 1)",
    )
    return uneven


def snapshot_all(cluster: RqlitedCluster) -> None:
    """Whatever was done so far is not done again when the nodes start."""
    settle(cluster)
    for node in cluster.nodes:
        snapshot(node)


def reading(query: str) -> Body:
    """Reads behind a write of its own, on the connection that writes."""

    def body(connection: Connection) -> None:
        connection.execute("INSERT INTO audit(changed) VALUES (0)")
        assert connection.execute(query).fetchall()

    return body


class TestCounts:
    """`last_insert_rowid()`, `changes()` and `total_changes()`."""

    COPY = (
        "INSERT INTO audit(rowid_seen, changed, total) "
        "VALUES (last_insert_rowid(), changes(), total_changes())"
    )

    def test_frozen_to_those_of_the_connection(self, stated: RqlitedCluster) -> None:
        with connected(stated, autocommit=True) as connection:
            connection.execute("INSERT INTO t VALUES (90, 'Bert', 1)")
            snapshot_all(stated)
            connection.execute(self.COPY)
        fate = run(stated, lambda connection: connection.execute(self.COPY))
        assert fate.kept
        assert differing_tables(stated) == set()
        assert rows(stated.nodes[0], "SELECT * FROM audit LIMIT 1") == [(1, 90, 1, 1)]

    def test_not_frozen_the_nodes_differ(self, stated: RqlitedCluster) -> None:
        def body(connection: Connection) -> None:
            connection.execute(self.COPY)

        with connected(stated, autocommit=True) as connection:
            connection.execute("INSERT INTO t VALUES (90, 'Bert', 1)")
        snapshot_all(stated)
        stored = {str(rows(node, "SELECT * FROM audit")) for node in stated.nodes}
        fate = run(stated, body, freeze=False)
        after = [rows(node, "SELECT rowid_seen FROM audit LIMIT 1") for node in stated.nodes]
        assert fate.acknowledged
        assert stored == {"[]"}
        assert [(0,)] in after, "a node that was started again knows of no rowid"

    IGNORED = "INSERT OR IGNORE INTO t(name) VALUES ('Anna')"

    def ignored(self, connection: Connection) -> None:
        assert connection.execute(self.IGNORED).rowcount == 0

    def test_a_rowid_that_was_not_made_is_not_guarded(self, stated: RqlitedCluster) -> None:
        snapshot_all(stated)
        fate = run(stated, self.ignored)
        assert len(fate.acknowledged) == 5
        assert fate.kept

    def test_guarded_all_the_same_they_are_lost(
        self, stated: RqlitedCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        switch_off_rules(monkeypatch)
        guard_last_rowid(monkeypatch, 5)
        with connected(stated) as connection:
            self.ignored(connection)
            connection.execute("INSERT INTO done VALUES (5)")  # tried, and then remembered
            snapshot_all(stated)
            connection.commit()
        settle(stated)
        assert held(stated) == [{5}] * 3
        replay(stated)
        assert held(stated) == [set()] * 3


class TestPragmas:
    """PRAGMAs of others stick to a node's connection until it is closed, even if they were rolled back."""

    QUERY = "SELECT count(*) FROM t WHERE name LIKE 'anna'"

    @pytest.fixture
    def sticking(self, stated: RqlitedCluster) -> RqlitedCluster:
        statements = ["PRAGMA case_sensitive_like = ON", "SELECT json_extract('{}', 'no path')"]
        body = json.dumps(statements).encode()
        answer = stated.leader().send("POST", "/db/execute?transaction", body).json
        assert "error" in answer["results"][-1]
        snapshot_all(stated)
        return stated

    def test_transactions_are_kept(self, sticking: RqlitedCluster) -> None:
        fate = run(sticking, reading(self.QUERY))
        assert len(fate.acknowledged) == 5
        assert fate.kept

    def test_guarded_all_the_same_they_are_lost(
        self, sticking: RqlitedCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        switch_off_rules(monkeypatch)
        fate = run(sticking, reading(self.QUERY))
        assert len(fate.acknowledged) == 5
        assert fate.before == [fate.acknowledged] * 3
        assert fate.lost == 5

    @pytest.mark.parametrize("autocommit", [True, False])
    @pytest.mark.parametrize(
        "pragma", ["case_sensitive_like", "ignore_check_constraints", "recursive_triggers"]
    )
    def test_the_driver_sends_none(
        self, stated: RqlitedCluster, pragma: str, autocommit: bool
    ) -> None:
        with (
            connected(stated, autocommit=autocommit) as connection,
            pytest.raises(pyrqlite.NotSupportedError),
        ):
            connection.execute(f"PRAGMA {pragma} = ON")


class TestTemporaryTables:
    """TEMP tables of others are there until a node is started again."""

    QUERY = "SELECT v FROM scratch"

    @pytest.fixture
    def scratched(self, stated: RqlitedCluster) -> RqlitedCluster:
        execute(stated, "CREATE TEMP TABLE scratch(v)", "INSERT INTO scratch VALUES (1)")
        snapshot_all(stated)
        return stated

    def test_transactions_are_kept(self, scratched: RqlitedCluster) -> None:
        fate = run(scratched, reading(self.QUERY))
        assert len(fate.acknowledged) == 5
        assert fate.kept

    def test_guarded_all_the_same_they_are_lost(
        self, scratched: RqlitedCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        switch_off_rules(monkeypatch)
        fate = run(scratched, reading(self.QUERY))
        assert len(fate.acknowledged) == 5
        assert fate.before == [fate.acknowledged] * 3
        assert fate.lost == 5

    @pytest.mark.parametrize("autocommit", [True, False])
    def test_the_driver_makes_none(self, stated: RqlitedCluster, autocommit: bool) -> None:
        with (
            connected(stated, autocommit=autocommit) as connection,
            pytest.raises(pyrqlite.NotSupportedError),
        ):
            connection.execute("CREATE TEMP TABLE mine(v)")


class TestNumberedAnew:
    """The rowids of a table without an INTEGER PRIMARY KEY, behind the VACUUM of one node."""

    READS = (
        "SELECT rowid, v FROM bag WHERE v = 25",
        "SELECT v FROM bag WHERE rowid = 25",
        "SELECT count(*) FROM bag WHERE rowid > 30",
    )

    @pytest.fixture
    def numbered(self, stated: RqlitedCluster) -> RqlitedCluster:
        execute(
            stated,
            "CREATE TABLE bag(v INTEGER)",
            *(["INSERT INTO bag VALUES (?)", v] for v in range(1, 51)),
            "DELETE FROM bag WHERE v <= 20",
        )
        let_differ(stated)
        bounds = [rows(node, "SELECT min(rowid), max(rowid) FROM bag") for node in stated.nodes]
        assert sorted(bounds) == [[(1, 30)], [(21, 50)], [(21, 50)]]
        return stated

    def test_transactions_are_kept(self, numbered: RqlitedCluster) -> None:
        def body(connection: Connection) -> None:
            for query in self.READS:
                connection.execute(query).fetchall()
            connection.execute("INSERT INTO bag VALUES (0)")

        fate = run(numbered, body)
        assert len(fate.acknowledged) == 5
        assert fate.kept
        assert differing_tables(numbered) == set()

    @pytest.mark.parametrize("query", READS)
    def test_guarded_all_the_same_they_are_lost(
        self, numbered: RqlitedCluster, monkeypatch: pytest.MonkeyPatch, query: str
    ) -> None:
        def body(connection: Connection) -> None:
            connection.execute(query).fetchall()

        switch_off_rules(monkeypatch)
        fate = run(numbered, body, count=2)
        assert len(fate.acknowledged) == 2
        assert fate.lost == 2


class TestStatistics:
    """`sqlite_stat1` is there on one node only, and so `sqlite_schema` is another one."""

    READS = ("SELECT count(*) FROM sqlite_schema", "SELECT name FROM sqlite_master")

    @pytest.fixture
    def analyzed(self, stated: RqlitedCluster) -> RqlitedCluster:
        let_differ(stated)
        return stated

    def test_transactions_are_kept(self, analyzed: RqlitedCluster) -> None:
        def body(connection: Connection) -> None:
            for query in self.READS:
                assert connection.execute(query).fetchall()

        fate = run(analyzed, body)
        assert len(fate.acknowledged) == 5
        assert fate.kept

    @pytest.mark.parametrize("query", READS)
    def test_guarded_all_the_same_they_are_lost(
        self, analyzed: RqlitedCluster, monkeypatch: pytest.MonkeyPatch, query: str
    ) -> None:
        def body(connection: Connection) -> None:
            assert connection.execute(query).fetchall()

        switch_off_rules(monkeypatch)
        fate = run(analyzed, body, count=2)
        assert len(fate.acknowledged) == 2
        assert fate.lost == 2
