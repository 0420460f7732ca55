"""Nodes that are slow, dead, restarted; read levels, queues, foreign keys."""

from __future__ import annotations

import pytest

import pyrqlite
from pyrqlite import (
    IntegrityError,
    NotSupportedError,
    OperationalError,
    OutcomeUnknownError,
    ProgrammingError,
    UnreachableError,
)
from tests.integration.conftest import Connect
from tests.rqlited import NodeOptions, RqlitedCluster, RqlitedNode, wait_until
from tests.servers import ClusterFactory, NodeFactory, fresh


class TestSilence:
    """A node that is stopped: its ports are open, and nothing answers."""

    def test_reads(self, rqlited_factory: NodeFactory, connect: Connect, transport: str) -> None:
        node = rqlited_factory()
        connection = connect(node.url, transport=transport, timeout=0.3)
        connection.execute("CREATE TABLE t (a)")
        node.suspend()
        for sql in ("SELECT 1", "SELECT count(*) FROM t"):
            with pytest.raises(
                OperationalError, match=r"0\.3 s|\d+ milliseconds|timeout=0\.3"
            ) as caught:
                connection.execute(sql)
            assert type(caught.value) is UnreachableError
            assert node.url in str(caught.value)
        node.resume()
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)

    def test_writes(self, rqlited_factory: NodeFactory, connect: Connect, transport: str) -> None:
        node = rqlited_factory()
        connection = connect(node.url, transport=transport)
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(0,)])  # asks whatever it has to know
        node.suspend()
        with pytest.raises(OutcomeUnknownError, match=r"may have been applied") as caught:
            connection.execute("INSERT INTO t VALUES (1)", timeout=0.3)
        assert caught.value.node == node.url
        with pytest.raises(OutcomeUnknownError):
            connection.executemany("INSERT INTO t VALUES (?)", [(2,), (2,)], timeout=0.3)
        node.resume()
        connection.execute("INSERT INTO t VALUES (9)")
        counts = dict(connection.execute("SELECT a, count(*) FROM t GROUP BY a").fetchall())
        assert counts.pop(0) == counts.pop(9) == 1
        # What was given up may come yet, or not; but never in part, and never twice.
        assert counts.get(1, 1) == 1
        assert counts.get(2, 2) == 2

    def test_other_nodes_are_asked(
        self, rqlited_factory: NodeFactory, connect: Connect, transport: str
    ) -> None:
        stopped, alive = rqlited_factory(), rqlited_factory()
        host = f"{stopped.http_address},{alive.http_address}"
        connection = connect(host=host, transport=transport, timeout=0.3, connect_timeout=0.3)
        stopped.suspend()
        assert connection.execute("SELECT 1").fetchone() == (1,)
        stopped.resume()


class TestRestarts:
    def test_stale_sockets_never_show(
        self, rqlited_factory: NodeFactory, connect: Connect, transport: str
    ) -> None:
        node = rqlited_factory()
        connection = connect(node.url, transport=transport)
        connection.execute("CREATE TABLE t (a)")
        written = 0
        for end in (node.terminate, node.kill):
            connection.execute("SELECT count(*) FROM t").fetchone()
            connection.execute("INSERT INTO t VALUES (1)")
            end()
            node.restart()
            node.wait_ready()
            connection.execute("INSERT INTO t VALUES (1)")
            written += 2
            assert connection.execute("SELECT count(*) FROM t", level="strong").fetchone() == (
                written,
            )

    def test_dead_node(
        self, rqlited_factory: NodeFactory, connect: Connect, transport: str
    ) -> None:
        node = rqlited_factory()
        connection = connect(node.url, transport=transport)
        connection.execute("CREATE TABLE t (a)")
        node.kill()
        for sql in ("SELECT 1", "INSERT INTO t VALUES (1)", "DELETE FROM t RETURNING a"):
            with pytest.raises(OperationalError, match="no node could be reached") as caught:
                connection.execute(sql)
            assert type(caught.value) is UnreachableError
            assert node.http_address in str(caught.value)

    def test_dead_seed_is_passed_over(
        self, rqlited_factory: NodeFactory, connect: Connect, transport: str
    ) -> None:
        dead, alive = rqlited_factory(), rqlited_factory()
        dead.kill()
        connection = connect(
            f"http://{dead.http_address},{alive.http_address}/?transport={transport}"
        )
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
        assert connection.execute("SELECT a FROM t").fetchall() == [(1,), (2,)]


class TestCluster:
    def test_any_node_will_do(
        self, rqlited_cluster: RqlitedCluster, connect: Connect, transport: str
    ) -> None:
        fresh(rqlited_cluster.leader().url)
        for number, node in enumerate(rqlited_cluster.nodes):
            connection = connect(node.url, transport=transport)
            connection.execute("CREATE TABLE IF NOT EXISTS t (a)")
            connection.execute("INSERT INTO t VALUES (?)", (number,))
            connection.executemany("INSERT INTO t VALUES (?)", [(number,), (number,)])
            found = connection.execute("SELECT count(*) FROM t WHERE a = ?", (number,)).fetchone()
            assert found == (3,)

    def test_redirects_may_be_forbidden(
        self, rqlited_cluster: RqlitedCluster, connect: Connect
    ) -> None:
        follower = rqlited_cluster.followers()[0]
        connection = connect(follower.url, max_redirects=0)
        with pytest.raises(OperationalError, match="redirected"):
            connection.execute("CREATE TABLE IF NOT EXISTS u (a)")
        assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_levels_on_a_follower(self, rqlited_cluster: RqlitedCluster, connect: Connect) -> None:
        fresh(rqlited_cluster.leader().url)
        follower = rqlited_cluster.followers()[0]
        connection = connect(follower.url)
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (1)")
        for level in ("weak", "linearizable", "strong"):
            assert connection.execute("SELECT a FROM t", level=level).fetchall() == [(1,)]

        def arrived() -> bool:
            try:
                found = connection.execute("SELECT a FROM t", level="none").fetchall()
            except ProgrammingError:
                return False
            return bool(found == [(1,)])

        wait_until(arrived, what="the follower has the row")
        rows = connection.execute(
            "SELECT a FROM t", level="none", freshness=10, freshness_strict=True
        )
        assert rows.fetchall() == [(1,)]
        assert connection.execute("SELECT a FROM t", level="auto").fetchall() == [(1,)]

    @pytest.mark.slow
    @pytest.mark.parametrize("seeds", ["all", "one follower"])
    def test_leader_that_is_killed(
        self, cluster_factory: ClusterFactory, connect: Connect, seeds: str
    ) -> None:
        cluster = cluster_factory(3)
        leader, followers = cluster.leader(), cluster.followers()
        named = [leader, *followers] if seeds == "all" else followers[:1]
        connection = connect(host=",".join(node.http_address for node in named))
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (1)")
        leader.kill()
        connection.execute("INSERT INTO t VALUES (2)")
        assert connection.execute("SELECT a FROM t ORDER BY a", level="strong").fetchall() == [
            (1,),
            (2,),
        ]

    @pytest.mark.slow
    def test_step_down(self, cluster_factory: ClusterFactory, connect: Connect) -> None:
        cluster = cluster_factory(3)
        leader = cluster.leader()
        connection = connect(leader.url)
        connection.execute("CREATE TABLE t (a)")
        assert leader.send("POST", "/leader?wait", b"").status == 200
        for number in range(20):
            connection.execute("INSERT INTO t VALUES (?)", (number,))
        assert connection.execute("SELECT count(*) FROM t", level="strong").fetchone() == (20,)


class TestLevels:
    @pytest.mark.parametrize("level", ["none", "weak", "linearizable", "strong", "auto", "STRONG"])
    def test_each(self, rqlited_node: RqlitedNode, connect: Connect, level: str) -> None:
        fresh(rqlited_node.url)
        connection = connect(rqlited_node.url, level=level)
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (x'00ff')")
        for sql in ("SELECT a FROM t", "SELECT a, 1 FROM t", "SELECT * FROM t"):
            for _ in range(3):
                assert connection.execute(sql).fetchone()[0] == b"\x00\xff"
        assert connection.execute("PRAGMA table_info(t)").fetchone()[1] == "a"
        assert len(connection.execute("EXPLAIN QUERY PLAN SELECT * FROM t").fetchall()) == 1

    @pytest.mark.parametrize("freshness", ["1s", 1, 0.5, "500ms"])
    def test_freshness(
        self, rqlited_node: RqlitedNode, connect: Connect, freshness: str | float
    ) -> None:
        connection = connect(rqlited_node.url, level="none", freshness=freshness)
        assert connection.execute("SELECT 1").fetchone() == (1,)
        strict = connection.cursor(freshness_strict=True).execute("SELECT 2")
        assert strict.fetchone() == (2,)


class TestQueue:
    def test_wait(self, rqlited_node: RqlitedNode, connect: Connect) -> None:
        fresh(rqlited_node.url)
        connection = connect(rqlited_node.url)
        connection.execute("CREATE TABLE t (a)")
        cursor = connection.execute("INSERT INTO t VALUES (?)", ("x'00'",), queue=True, wait=True)
        assert (cursor.rowcount, cursor.lastrowid, cursor.description) == (-1, None, None)
        rows = [(None,), (1.5,), (b"\x00",), (float("inf"),)]
        cursor.executemany("INSERT INTO t VALUES (?)", rows, queue=True, wait=True)
        assert connection.execute("SELECT a FROM t").fetchall() == [("x'00'",), *rows]

    def test_without_waiting(self, rqlited_node: RqlitedNode, connect: Connect) -> None:
        fresh(rqlited_node.url)
        connection = connect(rqlited_node.url)
        connection.execute("CREATE TABLE t (a)")
        for number in range(20):
            connection.execute("INSERT INTO t VALUES (?)", (number,), queue=True)

        def written() -> bool:
            return bool(connection.execute("SELECT count(*) FROM t").fetchone() == (20,))

        wait_until(written, what="the queue is written")

    def test_errors_of_the_statement_are_not_told(
        self, rqlited_node: RqlitedNode, connect: Connect
    ) -> None:
        fresh(rqlited_node.url)
        connection = connect(rqlited_node.url)
        connection.execute("CREATE TABLE t (a UNIQUE)")
        for _ in range(2):
            connection.execute("INSERT INTO t VALUES (1)", queue=True, wait=True)
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (1,)


class TestForeignKeys:
    SCRIPT = """
    CREATE TABLE parent (id INTEGER PRIMARY KEY);
    CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent);
    CREATE TABLE later (id INTEGER PRIMARY KEY, parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO parent VALUES (1);
    """

    def test_are_enforced_by_the_nodes_flag(
        self, rqlited_factory: NodeFactory, connect: Connect
    ) -> None:
        node = rqlited_factory(NodeOptions(foreign_keys=True))
        connection = connect(node.url)
        connection.execute("PRAGMA foreign_keys = ON")  # is so already
        with pytest.raises(NotSupportedError, match="cannot be set"):
            connection.execute("PRAGMA foreign_keys = OFF")
        connection.executescript(self.SCRIPT)
        connection.execute("INSERT INTO child VALUES (1, 1)")
        for sql in (
            "INSERT INTO child VALUES (2, 99)",
            "INSERT INTO later VALUES (2, 99)",
            "DELETE FROM parent",
            "UPDATE child SET parent = 5",
            "INSERT INTO child VALUES (2, 99) RETURNING id",
        ):
            with pytest.raises(IntegrityError) as caught:
                connection.execute(sql)
            assert caught.value.sqlite_errorname == "SQLITE_CONSTRAINT_FOREIGNKEY"
        for table in ("child", "later"):
            with pytest.raises(IntegrityError):
                connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", [(5, 1), (6, 99)])
            with pytest.raises(IntegrityError):
                connection.executescript(
                    f"INSERT INTO {table} VALUES (7, 1); INSERT INTO {table} VALUES (8, 99)"
                )
        connection.executescript("INSERT INTO later VALUES (9, 50); INSERT INTO parent VALUES (50)")
        assert connection.execute("SELECT id FROM child").fetchall() == [(1,)]
        assert connection.execute("SELECT id FROM later").fetchall() == [(9,)]

    def test_pragma_names_the_flag(self, rqlited_node: RqlitedNode, connect: Connect) -> None:
        fresh(rqlited_node.url)
        connection = connect(rqlited_node.url)
        with pytest.raises(NotSupportedError, match="-fk"):
            connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA foreign_keys = OFF")
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (0,)
        connection.executescript(self.SCRIPT)
        connection.execute("INSERT INTO child VALUES (2, 99)")


def test_transactions_statements_do_not_open_any_on_the_server(
    rqlited_node: RqlitedNode, connect: Connect
) -> None:
    fresh(rqlited_node.url)
    connection = connect(rqlited_node.url)
    connection.execute("CREATE TABLE t (a)")
    for sql in (
        "BEGIN",
        "BEGIN IMMEDIATE",
        "SAVEPOINT s",
        "ROLLBACK",
        "COMMIT",
        "END",
        "RELEASE s",
    ):
        try:
            connection.execute(sql)
        except pyrqlite.Error:
            continue
    state = rqlited_node.status("store.sqlite3.transaction")
    assert not any(state.values()), state
