"""DDL inside transactions, triggers, and a schema that others change."""

from __future__ import annotations

import pytest

from pyrqlite import Connection, DeterminismWarning, ProgrammingError, SerializationError
from pyrqlite.sql.reads import FactKind
from tests.transactions.clients import counting, query
from tests.worlds import one_world

world = one_world  # nothing here depends on how requests are carried


def test_pragmas_see_what_was_defined_just_now(other: Connection) -> None:
    for number in range(3):
        other.execute(f"CREATE TABLE made{number} (a UNIQUE REFERENCES u(id))")
        for pragma in ("index_list", "foreign_key_list", "table_info"):
            assert len(query(other, f"PRAGMA {pragma}(made{number})")) == 1, pragma
        plan = query(other, f"EXPLAIN QUERY PLAN SELECT a FROM made{number} WHERE a = 1")
        assert f"sqlite_autoindex_made{number}_1" in str(plan)


class TestOwnDefinitions:
    def test_are_seen_by_oneself_alone(self, one: Connection, other: Connection) -> None:
        one.execute("CREATE TABLE made (id INTEGER PRIMARY KEY, v TEXT NOT NULL DEFAULT 'd')")
        assert query(one, "INSERT INTO made DEFAULT VALUES RETURNING *") == [(1, "d")]
        assert query(one, "SELECT * FROM made") == [(1, "d")]
        with pytest.raises(ProgrammingError, match="no such table"):
            query(other, "SELECT * FROM made")
        one.commit()
        assert query(other, "SELECT * FROM made") == [(1, "d")]

    def test_are_rolled_back(self, one: Connection, other: Connection) -> None:
        one.execute("CREATE TABLE made (id INTEGER PRIMARY KEY)")
        one.execute("DROP TABLE plain")
        one.rollback()
        for connection in (one, other):
            assert query(connection, "SELECT * FROM plain") == []
            with pytest.raises(ProgrammingError, match="no such table"):
                query(connection, "SELECT * FROM made")

    def test_and_back_to_a_savepoint(self, one: Connection, other: Connection) -> None:
        one.execute("CREATE TABLE made (a)")
        one.execute("SAVEPOINT s")
        one.execute("ALTER TABLE made ADD COLUMN b")
        one.execute("INSERT INTO made VALUES (1, 2)")
        assert query(one, "SELECT * FROM made") == [(1, 2)]
        one.execute("ROLLBACK TO s")
        one.execute("INSERT INTO made VALUES (1)")
        assert query(one, "SELECT * FROM made") == [(1,)]
        one.commit()
        assert query(other, "SELECT * FROM made") == [(1,)]

    def test_cost_a_request_each(self, one: Connection) -> None:
        query(one, "SELECT * FROM plain")
        carried = counting(one)
        for number in range(5):
            one.execute(f"CREATE TABLE made{number} (id INTEGER PRIMARY KEY)")
            assert len(query(one, f"PRAGMA table_info(made{number})")) == 1
        assert len(carried.requests) == 10
        one.execute("CREATE TABLE copied AS SELECT * FROM made0")  # looks at what there is
        one.execute("INSERT INTO made4 VALUES (7)")
        assert query(one, "SELECT * FROM made4") == [(7,)]
        one.commit()

    def test_warn_of_clocks(self, one: Connection) -> None:
        one.execute("CREATE TABLE made (a)")
        with pytest.warns(DeterminismWarning, match="a CHECK of clocked"):
            one.execute("CREATE TABLE clocked (a CHECK (a < datetime('now')))")
        with pytest.warns(DeterminismWarning, match="trigger ticks"):
            one.execute(
                "CREATE TRIGGER ticks AFTER INSERT ON made BEGIN UPDATE made SET a = datetime('now'); END"
            )

    def test_reflection_sees_them(self, one: Connection, other: Connection) -> None:
        one.execute("CREATE TABLE made (id INTEGER PRIMARY KEY, u INTEGER REFERENCES u(id))")
        one.execute("CREATE UNIQUE INDEX made_u ON made(u)")
        one.execute("CREATE VIEW seen AS SELECT id FROM made")
        assert [row[1] for row in query(one, "PRAGMA table_info(made)")] == ["id", "u"]
        assert [row[1] for row in query(one, "PRAGMA main.index_list('made')")] == ["made_u"]
        assert [row[2] for row in query(one, "PRAGMA foreign_key_list(made)")] == ["u"]
        assert query(one, "PRAGMA index_xinfo(made_u)")[0][2] == "u"
        sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
        names = [name for (name,) in query(one, sql)]
        assert {"made", "seen"} <= set(names)
        assert query(one, "SELECT name FROM pragma_table_xinfo('made')") == [("id",), ("u",)]
        assert "made" in str(query(one, "EXPLAIN QUERY PLAN SELECT * FROM made WHERE u = 1"))
        assert query(other, "PRAGMA table_info(made)") == []
        one.commit()
        assert len(query(other, "PRAGMA table_info(made)")) == 2

    def test_and_data_before_and_behind(self, one: Connection, other: Connection) -> None:
        other.execute("INSERT INTO t VALUES (1, 10, 'x')")
        assert query(one, "SELECT * FROM t") == [(1, 10, "x")]
        one.execute("ALTER TABLE t ADD COLUMN c DEFAULT 7")
        assert query(one, "SELECT * FROM t") == [(1, 10, "x", 7)]
        assert one.execute("UPDATE t SET c = 8 WHERE id = 1").rowcount == 1
        assert one.executemany("INSERT INTO t VALUES (?, 1, 2, 3)", [(5,), (6,)]).rowcount == 2
        assert [fact.kind for fact in one.facts()] == [
            FactKind.GUARDED, FactKind.CHECKED, FactKind.CHECKED, FactKind.NONE,
        ]  # fmt: skip
        one.commit()
        assert query(other, "SELECT c FROM t WHERE id = 1") == [(8,)]
        one.execute("UPDATE t SET c = 9 WHERE id = 1")
        assert [fact.kind for fact in one.facts()] == [FactKind.GUARDED]

    def test_facts_behind_them_are_still_checked(self, one: Connection, other: Connection) -> None:
        one.execute("CREATE INDEX t_a ON t(a)")
        assert query(one, "SELECT count(*) FROM t") == [(0,)]
        other.execute("INSERT INTO t(a) VALUES (1)")
        with pytest.raises(SerializationError):
            one.commit()
        assert "t_a" not in str(query(other, "PRAGMA index_list(t)"))


class TestOthersDefinitions:
    def test_new_column_is_a_conflict_once(self, one: Connection, other: Connection) -> None:
        query(one, "SELECT a FROM t")
        one.execute("INSERT INTO plain VALUES (1, 1)")
        other.execute("ALTER TABLE t ADD COLUMN c")
        with pytest.raises(SerializationError, match="schema"):
            one.commit()
        query(one, "SELECT * FROM t")
        one.execute("INSERT INTO plain VALUES (1, 1)")
        one.commit()
        assert query(other, "SELECT * FROM plain") == [(1, 1)]

    def test_new_column_while_the_transaction_runs(
        self, one: Connection, other: Connection
    ) -> None:
        other.execute("INSERT INTO t VALUES (1, 10, 'x')")
        assert query(one, "SELECT * FROM t") == [(1, 10, "x")]
        other.execute("ALTER TABLE t ADD COLUMN c")
        assert query(one, "SELECT * FROM t") == [(1, 10, "x", None)]
        one.execute("INSERT INTO plain VALUES (1, 1)")
        with pytest.raises(SerializationError):
            one.commit()

    def test_table_that_is_gone(self, one: Connection, other: Connection) -> None:
        one.execute("INSERT INTO plain VALUES (1, 1)")
        query(one, "SELECT count(*) FROM t")
        other.execute("DROP TABLE t")
        with pytest.raises(SerializationError):
            one.commit()
        one.execute("INSERT INTO plain VALUES (2, 2)")
        other.execute("DROP TABLE plain")
        with pytest.raises(SerializationError):
            query(one, "SELECT * FROM u")
        one.rollback()

    @pytest.mark.parametrize("sql", ["DROP INDEX one", "CREATE UNIQUE INDEX two ON t(b, a)"])
    def test_other_unique_indexes_are_a_conflict(
        self, sql: str, one: Connection, other: Connection
    ) -> None:
        """By them the driver knows that the order of rows is total, and in which order they can be written."""
        other.execute("CREATE UNIQUE INDEX one ON t(a, id)")
        query(one, "SELECT a FROM t ORDER BY a, id LIMIT 1")
        one.execute("INSERT INTO plain VALUES (1, 1)")
        other.execute(sql)
        with pytest.raises(SerializationError, match="schema"):
            one.commit()
        query(one, "SELECT a FROM t")
        one.execute("INSERT INTO plain VALUES (1, 1)")
        other.execute("CREATE INDEX three ON t(a)")
        one.commit()

    def test_unrelated_ones_are_no_conflict(self, one: Connection, other: Connection) -> None:
        query(one, "SELECT * FROM t")
        one.execute("INSERT INTO plain VALUES (1, 1)")
        other.execute("CREATE TABLE made (a)")
        other.execute("ALTER TABLE u ADD COLUMN z")
        one.commit()
        assert query(other, "SELECT * FROM plain") == [(1, 1)]


TRIGGER = "CREATE TRIGGER log_{event} AFTER {event} ON t BEGIN INSERT INTO plain VALUES ('{event}', {row}.id); END"


class TestTriggers:
    @pytest.fixture(autouse=True)
    def triggers(self, other: Connection) -> None:
        other.execute("INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y')")
        for event, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")):
            other.execute(TRIGGER.format(event=event, row=row))

    def test_fire_in_every_view_of_the_transaction(
        self, one: Connection, other: Connection
    ) -> None:
        assert query(one, "INSERT INTO t(a) VALUES (30) RETURNING id, a") == [(3, 30)]
        assert query(one, "UPDATE t SET a = a + 1 WHERE id = 1 RETURNING a") == [(11,)]
        assert query(one, "DELETE FROM t WHERE id = 2 RETURNING b") == [("y",)]
        events = [("INSERT", 3), ("UPDATE", 1), ("DELETE", 2)]
        assert query(one, "SELECT * FROM plain") == events
        assert one.execute("INSERT INTO t(a) VALUES (40)").lastrowid == 4
        assert one.execute("UPDATE t SET a = 0").rowcount == 3
        one.commit()
        assert query(other, "SELECT count(*) FROM plain") == [(7,)]

    @pytest.mark.parametrize(
        ("sql", "change"),
        [
            ("INSERT INTO t(a) VALUES (30) RETURNING id", "INSERT INTO t(a) VALUES (1)"),
            ("UPDATE t SET a = a + 1 WHERE id = 1 RETURNING a", "UPDATE t SET a = 5"),
            ("DELETE FROM t WHERE id = 1 RETURNING a", "UPDATE t SET a = 5"),
        ],
    )
    def test_returning_is_checked(
        self, sql: str, change: str, one: Connection, other: Connection
    ) -> None:
        query(one, sql)
        assert [fact.kind for fact in one.facts()] == [FactKind.CHECKED]
        assert "triggers" in one.facts()[0].reason
        other.execute(change)
        with pytest.raises(SerializationError):
            one.commit()

    def test_raise_rollback_undoes_the_statement(self, one: Connection, other: Connection) -> None:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON u BEGIN SELECT RAISE(ROLLBACK, 'not here'); END"
        )
        one.execute("INSERT INTO t(id) VALUES (50)")
        with pytest.raises(Exception, match="not here"):
            one.execute("INSERT INTO u(name) VALUES ('a')")
        assert query(other, "SELECT id FROM t WHERE id = 50") == []
        one.rollback()

    def test_trigger_that_ignores_rows(self, one: Connection, other: Connection) -> None:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON u WHEN new.n = 0 BEGIN SELECT RAISE(IGNORE); END"
        )
        rows = [("a", 0), ("b", 1), ("c", 0)]
        assert one.executemany("INSERT INTO u(name, n) VALUES (?, ?)", rows).rowcount == 1
        assert one.execute("INSERT INTO u(name, n) VALUES ('d', 0)").rowcount == 0
        one.commit()
        assert query(other, "SELECT name FROM u") == [("b",)]


def test_a_trigger_that_comes_meanwhile_is_a_conflict(one: Connection, other: Connection) -> None:
    """It may write a node's clock into what was taken for steady."""
    other.execute("CREATE TABLE watched (id INTEGER PRIMARY KEY, v)")
    other.execute("INSERT INTO watched VALUES (1, 1)")
    assert query(one, "SELECT v FROM watched WHERE id = 1") == [(1,)]
    one.execute("INSERT INTO watched VALUES (2, 2)")
    other.execute(
        "CREATE TRIGGER later AFTER UPDATE ON watched BEGIN UPDATE watched SET v = 0 WHERE id = 3; END"
    )
    with pytest.raises(SerializationError, match="schema has changed"):
        one.commit()
    one.execute("INSERT INTO watched VALUES (2, 2)")
    one.commit()
    assert query(other, "SELECT * FROM watched") == [(1, 1), (2, 2)]
