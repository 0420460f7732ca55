"""Plans: each node analyzes its tables by itself, so that one query has other plans on other nodes.

One node of the cluster has analyzed its tables here, and the others have not.
"""

from __future__ import annotations

import pytest

import pyrqlite
from pyrqlite import Connection
from tests.replicas.naive import switch_off_rules
from tests.replicas.nodes import (
    differing_tables,
    execute,
    lead_without_statistics,
    let_differ,
    rows,
)
from tests.replicas.workload import DONE, Body, connected, run
from tests.rqlited import RqlitedCluster

pytestmark = pytest.mark.cluster

# Without statistics SQLite takes the index for the equation; with them the one that narrows more.
SCHEMA = (
    DONE,
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, doc TEXT)",
    "CREATE INDEX by_b ON t(b)",
    "CREATE INDEX by_a ON t(a)",
    "CREATE TABLE few(id INTEGER PRIMARY KEY, a INTEGER)",
    "CREATE TABLE copied(id INTEGER PRIMARY KEY, source INTEGER)",
    "CREATE TABLE last(id INTEGER PRIMARY KEY, source INTEGER)",
    "INSERT INTO last VALUES (1, 0)",
)
FILTER = "a = 1 AND b BETWEEN 60 AND 90"
ORDER = f"SELECT id, a, b FROM t WHERE {FILTER}"
JOIN = "SELECT t.id, few.id FROM t JOIN few ON few.a = t.a WHERE t.a = 1 AND t.b BETWEEN 60 AND 90"
DISTINCT = f"SELECT DISTINCT a, b FROM t WHERE {FILTER}"
CUT = f"SELECT id FROM t WHERE {FILTER} LIMIT 3"
SCALAR = f"SELECT (SELECT id FROM t WHERE {FILTER})"
READS = [ORDER, JOIN, DISTINCT, CUT, SCALAR]


@pytest.fixture
def planned(uneven: RqlitedCluster) -> RqlitedCluster:
    """Tables with indexes of which one node prefers another one than the rest."""
    execute(
        uneven,
        *SCHEMA,
        *(["INSERT INTO t VALUES (?, ?, ?, '{}')", n, n % 3, n * 37 % 200] for n in range(200)),
        *(["INSERT INTO few VALUES (?, ?)", n, n % 3] for n in range(6)),
    )
    let_differ(uneven)
    return uneven


def look_at(query: str) -> Body:
    """Reads, and writes something that changes nothing of what was read."""

    def body(connection: Connection) -> None:
        assert connection.execute(query).fetchall()

    return body


def test_answers_of_the_nodes_differ(planned: RqlitedCluster) -> None:
    for query in READS:
        assert len({str(rows(node, query)) for node in planned.nodes}) == 2, query


class TestReads:
    """Rows in another order, and other rows."""

    def test_transactions_are_kept(self, planned: RqlitedCluster) -> None:
        def body(connection: Connection) -> None:
            for query in READS:
                look_at(query)(connection)

        fate = run(planned, body)
        assert len(fate.acknowledged) == 5
        assert fate.kept
        assert differing_tables(planned) == set()

    @pytest.mark.parametrize(
        "query", READS, ids=["filter", "join", "distinct", "limit", "subquery"]
    )
    def test_guarded_in_the_order_of_the_plan_they_are_lost(
        self, planned: RqlitedCluster, monkeypatch: pytest.MonkeyPatch, query: str
    ) -> None:
        switch_off_rules(monkeypatch)
        fate = run(planned, look_at(query), count=2)
        assert len(fate.acknowledged) == 2
        assert fate.lost == 2


class TestErrors:
    """An expression that fails, and that only some plans evaluate."""

    QUERY = f"SELECT count(*) FROM t WHERE json_extract(doc, '$.x') IS NULL AND {FILTER}"

    @pytest.fixture
    def malformed(self, planned: RqlitedCluster) -> RqlitedCluster:
        execute(planned, "UPDATE t SET doc = 'none' WHERE a <> 1 AND b BETWEEN 60 AND 90")
        lead_without_statistics(planned)
        return planned

    def test_transactions_are_kept(self, malformed: RqlitedCluster) -> None:
        fate = run(malformed, look_at(self.QUERY))
        assert len(fate.acknowledged) == 5
        assert fate.kept

    def test_guarded_all_the_same_they_are_lost(
        self, malformed: RqlitedCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        switch_off_rules(monkeypatch)
        fate = run(malformed, look_at(self.QUERY))
        assert len(fate.acknowledged) == 5
        assert fate.lost == 5


class TestFailingColumns:
    """A generated column that fails for a row that is none of the result, and that only some plans compute."""

    QUERY = f"SELECT id, part FROM t WHERE {FILTER} ORDER BY id LIMIT 3"

    @pytest.fixture
    def failing(self, planned: RqlitedCluster) -> RqlitedCluster:
        execute(
            planned,
            f"UPDATE t SET doc = 'none' WHERE {FILTER} AND id = 175",  # the first by b, the last by id
            "ALTER TABLE t ADD COLUMN part AS (json_extract(doc, '$.x'))",
        )
        lead_without_statistics(planned)
        return planned

    def test_transactions_are_kept(self, failing: RqlitedCluster) -> None:
        fate = run(failing, look_at(self.QUERY))
        assert len(fate.acknowledged) == 5
        assert fate.kept

    def test_guarded_all_the_same_they_are_lost(
        self, failing: RqlitedCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        switch_off_rules(monkeypatch)
        fate = run(failing, look_at(self.QUERY))
        assert len(fate.acknowledged) == 5
        assert fate.lost == 5


class TestWrites:
    """Writes whose effect depends on the plan: they do what they do with every client, and nothing that is
    guarded may depend on it."""

    FROM = f"UPDATE last SET source = t.id FROM t WHERE {FILTER}"
    SELECT = f"INSERT INTO copied(source) SELECT id FROM t WHERE {FILTER}"
    ONE = f"INSERT OR REPLACE INTO copied(id, source) SELECT id, a FROM t WHERE {FILTER} LIMIT 1"
    CASES = pytest.mark.parametrize(
        ("write", "look", "table"),
        [
            (FROM, "SELECT source FROM last WHERE id = 1", "last"),
            (SELECT, "SELECT source FROM copied WHERE id = 2", "copied"),
            (ONE, "SELECT count(*) FROM copied", "copied"),  # last_insert_rowid() tells which one
        ],
        ids=["update_from", "insert_select", "rowid"],
    )

    @CASES
    @pytest.mark.filterwarnings("ignore::pyrqlite.DeterminismWarning")
    def test_transactions_are_kept(
        self, planned: RqlitedCluster, write: str, look: str, table: str
    ) -> None:
        def body(connection: Connection) -> None:
            connection.execute(write)
            assert connection.execute(look).fetchall()

        fate = run(planned, body)
        assert len(fate.acknowledged) == 5
        assert fate.kept
        assert differing_tables(planned) == {table}

    @CASES
    @pytest.mark.filterwarnings("ignore::pyrqlite.DeterminismWarning")
    def test_guarded_all_the_same_they_are_lost(
        self,
        planned: RqlitedCluster,
        monkeypatch: pytest.MonkeyPatch,
        write: str,
        look: str,
        table: str,
    ) -> None:
        def body(connection: Connection) -> None:
            connection.execute(write)
            assert connection.execute(look).fetchall()

        switch_off_rules(monkeypatch)
        fate = run(planned, body, count=2)
        assert len(fate.acknowledged) == 2
        assert fate.lost == 2

    @CASES
    def test_warned_of(self, planned: RqlitedCluster, write: str, look: str, table: str) -> None:
        with connected(planned) as connection, pytest.warns(pyrqlite.DeterminismWarning):
            connection.execute(write)


class TestSteps:
    """An UPDATE that moves keys row by row through a unique index fails in another order of the rows. No guard can
    cure that: the node with the other plan drops the transaction, as it does with every client."""

    MOVE = "UPDATE u SET k = k + 3 WHERE a = 1 AND b BETWEEN 60 AND 90"

    @pytest.fixture
    def stepwise(self, uneven: RqlitedCluster) -> RqlitedCluster:
        values = ([n, n % 3, 200 - n, 1000 - n] for n in range(200))
        execute(
            uneven,
            DONE,
            "CREATE TABLE u(id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, k INTEGER UNIQUE)",
            "CREATE INDEX u_by_b ON u(b)",
            "CREATE INDEX u_by_a ON u(a)",
            *(["INSERT INTO u VALUES (?, ?, ?, ?)", *row] for row in values),
            "DELETE FROM u WHERE a = 1 AND b NOT BETWEEN 60 AND 90",
        )
        let_differ(uneven)
        lead_without_statistics(uneven)
        return uneven

    @pytest.mark.filterwarnings("ignore::pyrqlite.DeterminismWarning")
    def test_such_a_step_is_lost_on_one_node(self, stepwise: RqlitedCluster) -> None:
        fate = run(stepwise, lambda connection: connection.execute(self.MOVE), count=1)
        assert fate.acknowledged == {0}
        assert sorted(fate.after, key=len) == [set(), {0}, {0}]

    def test_values_of_their_own_are_kept(self, stepwise: RqlitedCluster) -> None:
        def body(connection: Connection) -> None:
            found = connection.execute("SELECT id, k FROM u WHERE a = 1 ORDER BY id").fetchall()
            moves = [(key + 3, row) for row, key in found]
            connection.executemany("UPDATE u SET k = ? WHERE id = ?", moves)

        fate = run(stepwise, body)
        assert len(fate.acknowledged) == 5
        assert fate.kept
        assert differing_tables(stepwise) == set()


class TestOwnPlan:
    """A guard is another statement than the read, and can have another plan on the very same node."""

    QUERY = "SELECT b, doc FROM t"

    def test_bags_are_the_same(self, planned: RqlitedCluster) -> None:
        fate = run(planned, look_at(self.QUERY))
        assert len(fate.acknowledged) == 5
        assert fate.kept

    def test_guarded_in_the_order_of_its_own_plan_it_fails_always(
        self, planned: RqlitedCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The guard leaves out the second column, and then an index has all it needs."""
        switch_off_rules(monkeypatch, apart=frozenset({1}))
        fate = run(planned, look_at(self.QUERY))
        assert len(fate.refused) == 5
        assert fate.kept
