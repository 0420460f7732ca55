"""Clocks and random sources: each node has its own, and reads it anew when it replays its log."""

from __future__ import annotations

import pytest

import pyrqlite
from pyrqlite import Connection
from tests.replicas.naive import switch_off_rules
from tests.replicas.nodes import differing_tables, execute, settle
from tests.replicas.workload import DONE, Body, connected, run
from tests.rqlited import RqlitedCluster

pytestmark = pytest.mark.cluster

CLOCKED = """CREATE TABLE clocked(
    id INTEGER PRIMARY KEY,
    v INTEGER,
    at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    exact TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    random TEXT DEFAULT (hex(randomblob(16))))"""


@pytest.fixture
def clocked(uneven: RqlitedCluster) -> RqlitedCluster:
    """A table whose defaults read clocks and random sources."""
    execute(uneven, DONE, CLOCKED)
    return uneven


class TestOwnWrites:
    """Clocks in what the driver itself sends."""

    def test_frozen(self, clocked: RqlitedCluster) -> None:
        def body(connection: Connection) -> None:
            connection.execute("INSERT INTO clocked(v) VALUES (1), (2)")
            connection.execute("INSERT INTO clocked DEFAULT VALUES")
            connection.execute("UPDATE clocked SET at = CURRENT_TIMESTAMP WHERE v = 1")
            connection.execute("UPDATE clocked SET exact = julianday('now') WHERE v = 2")
            connection.execute("DELETE FROM clocked WHERE at < datetime('now', '-1 day')")

        fate = run(clocked, body)
        assert len(fate.acknowledged) == 5
        assert fate.kept
        assert differing_tables(clocked) == set()

    def test_not_frozen_the_nodes_differ(self, clocked: RqlitedCluster) -> None:
        def body(connection: Connection) -> None:
            connection.execute("INSERT INTO clocked(v) VALUES (1), (2)")

        run(clocked, body, freeze=False)
        assert differing_tables(clocked) == {"clocked"}


def read_then_write(query: str) -> Body:
    """Looks at what others wrote, then writes."""

    def body(connection: Connection) -> None:
        assert connection.execute(query).fetchall()

    return body


class TestClocksOfOthers:
    """Clock columns that clients of another kind let each node fill."""

    READS = (
        "SELECT * FROM clocked WHERE id = 1",
        "SELECT id, at, exact FROM clocked WHERE v < 3",
        "SELECT max(exact) FROM clocked",
        "SELECT c.exact FROM clocked c JOIN clocked d ON d.id = c.id WHERE c.v = 2",
    )

    @pytest.fixture
    def filled(self, clocked: RqlitedCluster) -> RqlitedCluster:
        execute(clocked, *(f"INSERT INTO clocked(v) VALUES ({v})" for v in range(10)))
        settle(clocked)
        assert differing_tables(clocked) == {"clocked"}
        return clocked

    def test_transactions_that_read_them_are_kept(self, filled: RqlitedCluster) -> None:
        def body(connection: Connection) -> None:
            for query in self.READS:
                read_then_write(query)(connection)

        fate = run(filled, body)
        assert len(fate.acknowledged) == 5
        assert fate.kept

    def test_rows_beside_them_are_guarded(self, filled: RqlitedCluster) -> None:
        with connected(filled) as connection:
            read_then_write(self.READS[0])(connection)
            read_then_write(self.READS[1])(connection)
            kinds = {fact.kind.value for fact in connection.facts()}
            execute(filled, "UPDATE clocked SET v = 100 WHERE id = 1")
            connection.execute("INSERT INTO done VALUES (1)")
            assert kinds == {"guarded"}
            with pytest.raises(pyrqlite.SerializationError):
                connection.commit()

    @pytest.mark.parametrize("query", READS[:2])
    def test_guarded_all_the_same_they_are_lost(
        self, filled: RqlitedCluster, monkeypatch: pytest.MonkeyPatch, query: str
    ) -> None:
        switch_off_rules(monkeypatch)
        fate = run(filled, read_then_write(query))
        assert len(fate.acknowledged) == 5
        assert fate.lost == 5


class TestTriggersAndChecks:
    """Clocks in the schema, which nothing that is sent can freeze."""

    WRITE = "INSERT INTO watched(v) VALUES (?)"

    @pytest.fixture
    def watched(self, uneven: RqlitedCluster) -> RqlitedCluster:
        execute(
            uneven,
            DONE,
            "CREATE TABLE watched(id INTEGER PRIMARY KEY, v INTEGER, CHECK (CURRENT_TIMESTAMP > ''))",
            "CREATE TABLE trail(v INTEGER, exact TEXT)",
            "CREATE TRIGGER follow AFTER INSERT ON watched BEGIN "
            "INSERT INTO trail VALUES (new.v, strftime('%Y-%m-%d %H:%M:%f', 'now')); END",
        )
        return uneven

    @pytest.mark.filterwarnings("ignore::pyrqlite.DeterminismWarning")
    def test_transactions_are_kept(self, watched: RqlitedCluster) -> None:
        def body(connection: Connection) -> None:
            connection.execute("SELECT * FROM trail").fetchall()
            connection.execute(self.WRITE, (1,))
            assert connection.execute("SELECT v FROM watched").fetchall()

        fate = run(watched, body)
        assert len(fate.acknowledged) == 5
        assert fate.kept
        assert differing_tables(watched) == {"trail"}

    def test_warned_of(self, watched: RqlitedCluster) -> None:
        with connected(watched) as connection, pytest.warns(pyrqlite.DeterminismWarning):
            connection.execute(self.WRITE, (1,))

    @pytest.mark.filterwarnings("ignore::pyrqlite.DeterminismWarning")
    def test_guarded_all_the_same_they_are_lost(
        self, watched: RqlitedCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A transaction that looks at what another has written by the trigger."""
        execute(watched, "INSERT INTO watched(v) VALUES (1)")
        settle(watched)
        switch_off_rules(monkeypatch)
        fate = run(watched, read_then_write("SELECT * FROM trail WHERE v = 1"))
        assert len(fate.acknowledged) == 5
        assert fate.lost == 5
