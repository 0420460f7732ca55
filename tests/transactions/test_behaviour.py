"""What an application sees of its own transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import tenacity

import pyrqlite
from pyrqlite import (
    Connection,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    SerializationError,
)
from pyrqlite.base import UncommittedWarning
from pyrqlite.sql.reads import FactKind
from tests.rqlited import NodeOptions
from tests.servers import RunningServer
from tests.transactions.clients import Connect, counting, query
from tests.worlds import World


def ids(connection: Connection) -> list[int]:
    return [row[0] for row in query(connection, "SELECT id FROM t ORDER BY id")]


class TestOwnWrites:
    def test_are_seen_by_oneself_alone(self, one: Connection, other: Connection) -> None:
        assert one.execute("INSERT INTO t VALUES (1, 10, 'x')").lastrowid == 1
        assert one.execute("UPDATE t SET a = a + 1").rowcount == 1
        assert query(one, "SELECT * FROM t") == [(1, 11, "x")]
        assert query(other, "SELECT * FROM t") == []
        one.commit()
        assert query(other, "SELECT * FROM t") == [(1, 11, "x")]

    def test_are_gone_after_a_rollback(self, one: Connection, other: Connection) -> None:
        one.execute("INSERT INTO t VALUES (1, 10, 'x')")
        one.rollback()
        assert ids(one) == ids(other) == []
        one.commit()
        assert ids(other) == []

    def test_statement_that_fails_leaves_the_rest(self, one: Connection, other: Connection) -> None:
        one.execute("INSERT INTO u(name) VALUES ('a')")
        with pytest.raises(IntegrityError, match="UNIQUE"):
            one.execute("INSERT INTO u(name) VALUES ('b'), ('a')")
        with pytest.raises(ProgrammingError, match="no such table"):
            one.execute("INSERT INTO nowhere VALUES (1)")
        with pytest.raises(ProgrammingError, match="no such column"):
            query(one, "SELECT nix FROM u")
        with pytest.raises(ProgrammingError, match="incomplete"):
            one.execute("INSERT INTO")
        one.execute("INSERT INTO u(name) VALUES ('c')")
        one.commit()
        assert query(other, "SELECT name FROM u ORDER BY id") == [("a",), ("c",)]

    def test_many_rows_are_one_entry(self, one: Connection, other: Connection) -> None:
        carried = counting(one)
        one.executemany("INSERT INTO t(a) VALUES (?)", [(n,) for n in range(50)])
        assert carried.paths.count("/db/request") == 1
        assert one.execute("SELECT count(*) FROM t").fetchone() == (50,)
        found = one.executemany("UPDATE t SET b = ? WHERE a < ?", [("x", 10), ("y", 5)])
        assert found.rowcount == 15
        one.commit()
        assert query(other, "SELECT count(*) FROM t WHERE b = 'y'") == [(5,)]

    def test_one_bad_row_of_many_undoes_all(self, one: Connection, other: Connection) -> None:
        with pytest.raises(IntegrityError):
            one.executemany("INSERT INTO u(name) VALUES (?)", [("a",), ("b",), ("a",)])
        one.commit()
        assert query(other, "SELECT * FROM u") == []


class TestConnectionAsContext:
    def test_commits(self, one: Connection, other: Connection) -> None:
        with one:
            one.execute("INSERT INTO t(id) VALUES (1)")
        assert ids(other) == [1]

    def test_rolls_back_and_raises(self, one: Connection, other: Connection) -> None:
        def fail() -> None:
            with one:
                one.execute("INSERT INTO t(id) VALUES (1)")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert not one.in_transaction
        assert ids(other) == []


class TestTransactionBlock:
    def fail(self, connection: Connection, *before: Callable[[], object]) -> None:
        """A block that does something, and fails."""
        with connection.transaction():
            for do in before:
                do()
            raise ZeroDivisionError

    def test_commits_or_rolls_back(self, other: Connection) -> None:
        with other.transaction():
            other.execute("INSERT INTO t(id) VALUES (1)")
            assert other.in_transaction
        with pytest.raises(ZeroDivisionError):
            self.fail(other, lambda: other.execute("INSERT INTO t(id) VALUES (2)"))
        assert not other.in_transaction
        assert ids(other) == [1]

    def insert(self, connection: Connection, number: int) -> Callable[[], object]:
        """A block within, that works."""

        def run() -> None:
            with connection.transaction():
                connection.execute("INSERT INTO t(id) VALUES (?)", (number,))

        return run

    def test_inside_of_another_is_a_savepoint(self, one: Connection, other: Connection) -> None:
        with one.transaction():
            one.execute("INSERT INTO t(id) VALUES (1)")
            with pytest.raises(ZeroDivisionError):
                self.fail(
                    one, lambda: one.execute("INSERT INTO t(id) VALUES (2)"), self.insert(one, 3)
                )
            with one.transaction():
                one.execute("INSERT INTO t(id) VALUES (4)")
            assert ids(other) == []
        assert ids(other) == [1, 4]

    def test_hides_no_error_when_the_transaction_is_gone(self, one: Connection) -> None:
        with pytest.raises(ZeroDivisionError):
            self.fail(one, self.insert(one, 1), lambda: self.fail(one, one.rollback))

    def test_hides_no_error_behind_a_commit_inside(self, one: Connection) -> None:
        with pytest.raises(ZeroDivisionError):
            self.fail(
                one, lambda: self.fail(one, one.commit, lambda: query(one, "SELECT * FROM t"))
            )


class TestModes:
    def test_autocommit_can_be_switched(self, one: Connection, other: Connection) -> None:
        assert one.autocommit is False
        one.execute("INSERT INTO t(id) VALUES (1)")
        one.autocommit = True
        assert ids(other) == [1]
        one.execute("INSERT INTO t(id) VALUES (2)")
        assert ids(other) == [1, 2]
        one.autocommit = False
        one.execute("INSERT INTO t(id) VALUES (3)")
        assert ids(other) == [1, 2]
        one.rollback()

    def test_in_transaction(self, one: Connection, other: Connection) -> None:
        assert not one.in_transaction
        query(one, "SELECT * FROM t")
        assert one.in_transaction
        one.commit()
        assert not one.in_transaction
        other.execute("BEGIN")
        assert other.in_transaction
        other.execute("COMMIT")
        assert not other.in_transaction

    def test_counts_outlive_the_cursor(self, connect: Connect) -> None:
        cursor = connect().execute("INSERT INTO t(a) VALUES (9), (8)")
        cursor.close()
        assert (cursor.rowcount, cursor.lastrowid) == (2, 2)

    def test_isolation_names(self, connect: Connect) -> None:
        assert connect().isolation_level == "SERIALIZABLE"
        assert connect(isolation_level="read committed").isolation_level == "READ COMMITTED"
        assert connect(isolation_level="AUTOCOMMIT").autocommit is True
        connection = connect()
        connection.isolation_level = "READ_COMMITTED"
        assert connection.isolation_level == "READ COMMITTED"
        connection.isolation_level = None  # as sqlite3 calls it
        assert connection.isolation_level == "AUTOCOMMIT"
        connection.isolation_level = "SERIALIZABLE"
        with pytest.raises(pyrqlite.InterfaceError, match="none of"):
            connection.isolation_level = "SNAPSHOT"
        query(connection, "SELECT 1")
        connection.execute("INSERT INTO t(id) VALUES (1)")
        with pytest.raises(ProgrammingError):
            connection.isolation_level = "SERIALIZABLE"

    def test_read_committed_keeps_counts_and_no_rows(
        self, connect: Connect, other: Connection
    ) -> None:
        other.execute("INSERT INTO t VALUES (1, 1, 'x')")
        one = connect(isolation_level="READ COMMITTED")
        assert query(one, "SELECT a FROM t") == [(1,)]
        one.execute("INSERT INTO plain VALUES (1, 1)")
        assert query(one, "SELECT a FROM t") == [(1,)]
        other.execute("UPDATE t SET a = 2")
        assert query(one, "SELECT a FROM t") == [(2,)]
        one.execute("UPDATE t SET b = 'y' WHERE a = 2")
        assert [fact.kind for fact in one.facts()] == [FactKind.GUARDED] * 2
        other.execute("UPDATE t SET a = 3")
        with pytest.raises(SerializationError):
            one.commit()

    def test_lost_writes_of_one_who_never_committed_are_warned_of(self, connect: Connect) -> None:
        unaware = connect()
        unaware.execute("INSERT INTO t(id) VALUES (1)")
        with pytest.warns(UncommittedWarning, match="1 writes"):
            unaware.close()

    def test_lost_writes_of_one_who_has_committed_are_not(self, connect: Connect) -> None:
        aware = connect()
        aware.commit()
        aware.execute("INSERT INTO t(id) VALUES (1)")
        aware.commit()
        aware.execute("INSERT INTO t(id) VALUES (2)")
        aware.close()

    def test_queued_writes_and_vacuum_are_refused(self, one: Connection) -> None:
        with pytest.raises(NotSupportedError):
            one.execute("INSERT INTO t(id) VALUES (1)", queue=True)
        with pytest.raises(OperationalError, match="VACUUM"):
            one.execute("VACUUM")


class TestConflictResolution:
    def test_or_rollback_ends_the_transaction(self, one: Connection, other: Connection) -> None:
        other.execute("INSERT INTO u(name) VALUES ('a')")
        one.execute("INSERT INTO t(id) VALUES (1)")
        with pytest.raises(IntegrityError):
            one.execute("INSERT OR ROLLBACK INTO u(name) VALUES ('a')")
        assert not one.in_transaction
        one.execute("INSERT INTO t(id) VALUES (2)")
        one.commit()
        assert ids(other) == [2]

    def test_or_rollback_that_works_does_not(self, one: Connection, other: Connection) -> None:
        one.execute("INSERT INTO t(id) VALUES (1)")
        one.execute("INSERT OR ROLLBACK INTO u(name) VALUES ('a')")
        one.commit()
        assert ids(other) == [1]

    @pytest.mark.parametrize("sql", ["INSERT OR FAIL INTO t(id) VALUES (1)",
                                     "UPDATE OR FAIL t SET id = 1",
                                     "/* c */ insert or/**/fail into t(id) values (1)"])  # fmt: skip
    def test_or_fail_is_refused(self, sql: str, one: Connection) -> None:
        with pytest.raises(NotSupportedError, match="OR FAIL"):
            one.execute(sql)

    def test_ignore_replace_and_abort(self, one: Connection, other: Connection) -> None:
        other.execute("INSERT INTO u VALUES (1, 'a', 5), (2, 'b', 6)")
        assert one.execute("INSERT OR IGNORE INTO u(name) VALUES ('a'), ('c')").rowcount == 1
        assert one.execute("INSERT OR REPLACE INTO u VALUES (9, 'b', 7)").rowcount == 1
        with pytest.raises(IntegrityError):
            one.execute("INSERT OR ABORT INTO u(name) VALUES ('q'), ('a')")
        assert one.execute("UPDATE OR IGNORE u SET name = 'a' WHERE id = 9").rowcount == 0
        one.commit()
        assert query(other, "SELECT id, name FROM u ORDER BY id") == [(1, "a"), (3, "c"), (9, "b")]


class TestFailingCommit:
    def test_leaves_a_usable_connection(self, one: Connection, other: Connection) -> None:
        query(one, "SELECT a FROM t WHERE id = 1")
        one.execute("INSERT INTO plain VALUES (1, 1)")
        other.execute("INSERT INTO t VALUES (1, 1, 'x')")
        with pytest.raises(SerializationError, match="SELECT a FROM t WHERE id = 1") as caught:
            one.commit()
        assert caught.value.fact.statement == "SELECT a FROM t WHERE id = 1"  # type: ignore[attr-defined]
        assert (one.in_transaction, one.facts()) == (False, [])
        one.commit()
        assert query(one, "SELECT a FROM t") == [(1,)]

    def test_unique_value_that_another_took_is_a_conflict_first_and_an_error_then(
        self, one: Connection, other: Connection
    ) -> None:
        insert = "INSERT INTO u(id, name) VALUES (7, 'a')"
        one.execute(insert)
        other.execute("INSERT INTO u(name) VALUES ('a')")
        with pytest.raises(SerializationError, match="INSERT INTO u"):
            one.commit()
        with pytest.raises(IntegrityError):
            one.execute(insert)

    def test_table_that_another_made_is_a_conflict_that_names_the_statement(
        self, one: Connection, other: Connection
    ) -> None:
        one.execute("CREATE TABLE made (a)")
        other.execute("CREATE TABLE made (b)")
        with pytest.raises(SerializationError, match=r"CREATE TABLE made \(a\)"):
            one.commit()

    def test_early_conflict_needs_a_rollback(self, one: Connection, other: Connection) -> None:
        one.execute("UPDATE t SET a = 1")
        other.execute("INSERT INTO t(id) VALUES (1)")
        with pytest.raises(SerializationError, match="UPDATE t SET a = 1"):
            query(one, "SELECT * FROM t")
        with pytest.raises(OperationalError, match="rolled back"):
            query(one, "SELECT * FROM t")
        with pytest.raises(SerializationError):
            one.commit()
        assert one.execute("UPDATE t SET a = 1").rowcount == 1
        one.commit()

    def test_swallowed_conflict_cannot_be_committed(
        self, one: Connection, other: Connection
    ) -> None:
        one.execute("UPDATE t SET a = 1")
        one.execute("SAVEPOINT s")
        other.execute("INSERT INTO t(id) VALUES (1)")
        with pytest.raises(SerializationError):
            query(one, "SELECT * FROM t")
        one.execute("ROLLBACK TO s")
        with pytest.raises(SerializationError):
            one.commit()
        assert query(other, "SELECT a FROM t") == [(None,)]

    @pytest.mark.parametrize("end", ["commit", "rollback"])
    def test_next_try_reads_at_the_leader(
        self, end: str, connect: Connect, other: Connection
    ) -> None:
        one = connect(level="none")
        one.execute("UPDATE t SET a = 1")
        other.execute("INSERT INTO t(id) VALUES (1)")
        with pytest.raises(SerializationError):
            query(one, "SELECT * FROM t")
        if end == "commit":
            with pytest.raises(SerializationError):
                one.commit()
        else:
            one.rollback()
        carried = counting(one)
        query(one, "SELECT * FROM t")
        assert [r.target for r in carried.requests if "level=strong" in r.target]
        one.commit()
        del carried.requests[:]
        query(one, "SELECT * FROM t")
        assert [r.target for r in carried.requests if "level=none" in r.target]


class TestRunTransaction:
    def test_tries_until_nobody_interferes(
        self, one: Connection, other: Connection, world: World
    ) -> None:
        other.execute("INSERT INTO t VALUES (1, 0, 'x')")
        tries: list[int] = []

        def work(connection: Connection) -> int:
            value: int = query(connection, "SELECT a FROM t WHERE id = 1")[0][0]
            if len(tries) < 3:
                other.execute("UPDATE t SET a = a + 1 WHERE id = 1")
            tries.append(value)
            connection.execute("UPDATE t SET a = ? WHERE id = 1", (value + 100,))
            return value + 100

        assert world.run_transaction(one, work) == 103
        assert tries == [0, 1, 2, 3]
        assert query(other, "SELECT a FROM t") == [(103,)]

    def test_swallowed_early_conflict_is_run_again(
        self, one: Connection, other: Connection, world: World
    ) -> None:
        tries = []

        def work(connection: Connection) -> None:
            tries.append(connection.execute("UPDATE t SET a = 1").rowcount)
            if len(tries) == 1:
                other.execute("INSERT INTO t(id) VALUES (1)")
            try:
                query(connection, "SELECT * FROM t")
            except OperationalError:
                tries.append(-1)

        world.run_transaction(one, work)
        assert tries == [0, -1, 1]

    def test_other_errors_roll_back(self, one: Connection, other: Connection, world: World) -> None:
        def work(connection: Connection) -> None:
            connection.execute("INSERT INTO t(id) VALUES (1)")
            connection.execute("INSERT INTO t(id) VALUES (1)")

        with pytest.raises(IntegrityError):
            world.run_transaction(one, work)
        assert ids(other) == []

    def test_needs_a_transaction_of_its_own(self, one: Connection, world: World) -> None:
        query(one, "SELECT * FROM t")
        with pytest.raises(ProgrammingError, match="of its own"):
            world.run_transaction(one, lambda connection: None)

    def test_policy_that_would_have_to_be_awaited(self, one: Connection, world: World) -> None:
        with pytest.raises(InterfaceError, match="asyncio waits by it too"):
            world.run_transaction(one, lambda connection: None, retry=tenacity.AsyncRetrying())


class TestPipeline:
    def test_costs_one_request(self, one: Connection, other: Connection) -> None:
        query(one, "SELECT 1 FROM u")  # the schema is known then
        one.commit()
        carried = counting(one)
        with one.pipeline():
            for number in range(20):
                one.execute("INSERT INTO t(id, a) VALUES (?, ?)", (number, number))
            one.executemany("UPDATE t SET b = ? WHERE id = ?", [("x", 1), ("y", 2)])
            assert carried.paths == []
        one.commit()
        assert carried.paths == ["/db/execute"]
        assert query(other, "SELECT count(*), count(b) FROM t") == [(20, 2)]

    def test_every_statement_costs_one_without_it(self, one: Connection) -> None:
        query(one, "SELECT 1 FROM u")
        one.commit()
        carried = counting(one)
        for number in range(3):
            one.execute("INSERT INTO t(id) VALUES (?)", (number,))
        one.commit()
        assert carried.paths == ["/db/request"] * 3 + ["/db/execute"]

    def test_has_no_results_and_no_facts(self, one: Connection, other: Connection) -> None:
        with one.pipeline():
            assert one.execute("INSERT INTO t(a) VALUES (1)").rowcount == -1
            assert one.execute("UPDATE t SET a = 2").lastrowid is None
        assert one.facts() == []
        other.execute("INSERT INTO t(a) VALUES (7)")
        one.commit()
        assert query(other, "SELECT a FROM t") == [(2,), (2,)]

    def test_errors_come_at_the_commit(self, one: Connection, other: Connection) -> None:
        with one.pipeline():
            one.execute("INSERT INTO u(name) VALUES ('a')")
            one.execute("INSERT INTO u(name) VALUES ('a')")
            one.execute("INSERT INTO t(id) VALUES (1)")
        with pytest.raises(IntegrityError, match="in a pipeline: INSERT INTO u"):
            one.commit()
        assert not one.in_transaction
        assert (ids(other), query(other, "SELECT * FROM u")) == ([], [])

    @pytest.mark.parametrize("sql", ["INSERT INTO nowhere VALUES (1)", "INSERT INTO u(nope) VALUES (1)",
                                     "INSERT INTO", "FROBNICATE"])  # fmt: skip
    def test_statements_that_cannot_be_prepared_undo_all(
        self, sql: str, one: Connection, other: Connection
    ) -> None:
        with one.pipeline():
            one.execute("INSERT INTO t(id) VALUES (1)")
            one.execute(sql)
            one.execute("INSERT INTO t(id) VALUES (2)")
        with pytest.raises((ProgrammingError, OperationalError)):
            one.commit()
        assert ids(other) == []

    def test_errors_come_with_the_next_look(self, one: Connection) -> None:
        with one.pipeline():
            one.execute("INSERT INTO u(name) VALUES ('a'), ('a')")
        with pytest.raises(IntegrityError, match="in a pipeline"):
            query(one, "SELECT * FROM u")
        with pytest.raises(OperationalError, match="rolled back"):
            query(one, "SELECT * FROM u")

    def test_reads_inside_see_the_writes(self, one: Connection) -> None:
        with one.pipeline():
            one.execute("INSERT INTO t(id) VALUES (1)")
            assert ids(one) == [1]

    def test_is_part_of_a_transaction(self, one: Connection, other: Connection) -> None:
        with pytest.raises(ProgrammingError, match="begin one"), other.pipeline():
            raise AssertionError
        with one.pipeline():
            one.execute("INSERT INTO t(id) VALUES (1)")
            with pytest.raises(NotSupportedError):
                one.commit()
        one.commit()
        assert ids(other) == [1]


class TestForeignKeys:
    @pytest.fixture
    def enforcing(self, server: RunningServer, request: pytest.FixtureRequest) -> Iterator[str]:
        """The address of a server of that kind that enforces them."""
        if server.kind == "rqlited":
            yield request.getfixturevalue("rqlited_factory")(NodeOptions(foreign_keys=True)).url
            return
        from rqlite_embedded import EmbeddedServer, Options

        with EmbeddedServer(None, Options(fk=True)) as running:
            yield running.url

    def test_pragma_sees_violations_of_the_transaction(self, one: Connection) -> None:
        one.execute("CREATE TABLE child (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t)")
        one.commit()
        one.execute("INSERT INTO child VALUES (1, 2)")
        assert query(one, "PRAGMA foreign_key_check") == [("child", 1, "t", 0)]
        one.execute("INSERT INTO t VALUES (2, 0, '')")
        assert query(one, "PRAGMA foreign_key_check") == []

    def test_all_are_deferred_for_a_transaction(self, enforcing: str) -> None:
        with pyrqlite.connect(enforcing, autocommit=False) as one:
            one.executescript(
                "CREATE TABLE p (id INTEGER PRIMARY KEY);"
                "CREATE TABLE c (p INTEGER REFERENCES p ON DELETE RESTRICT);"
                "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1);"
            )
            with pytest.raises(IntegrityError, match="FOREIGN KEY"):
                one.execute("DELETE FROM p")
            one.execute("PRAGMA defer_foreign_keys = ON")
            assert query(one, "PRAGMA defer_foreign_keys") == [(1,)]
            one.execute("DELETE FROM p")
            one.execute("INSERT INTO p VALUES (1)")
            one.commit()
            with pytest.raises(IntegrityError, match="FOREIGN KEY"):
                one.execute("DELETE FROM p")
            one.rollback()
            one.execute("PRAGMA defer_foreign_keys(1)")
            one.execute("DELETE FROM p")
            with pytest.raises(IntegrityError, match="FOREIGN KEY"):
                one.commit()
            one.executescript("PRAGMA defer_foreign_keys = 1; DELETE FROM p; DELETE FROM c")
            assert query(one, "SELECT count(*) FROM p") == [(0,)]

    def test_deferred_ones_fail_at_the_commit(self, enforcing: str) -> None:
        with pyrqlite.connect(enforcing, autocommit=False) as one:
            one.execute("CREATE TABLE p (id INTEGER PRIMARY KEY)")
            one.execute("CREATE TABLE c (p INTEGER REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)")
            one.commit()
            one.execute("INSERT INTO c VALUES (1)")
            assert query(one, "SELECT * FROM c") == [(1,)]
            with pytest.raises(IntegrityError, match="FOREIGN KEY"):
                one.commit()
            assert query(one, "SELECT * FROM c") == []
            one.execute("INSERT INTO c VALUES (1)")
            one.execute("INSERT INTO p VALUES (1)")
            one.commit()
            assert query(one, "SELECT * FROM c") == [(1,)]
            one.execute("DELETE FROM c")
            one.execute("DELETE FROM p")
            one.commit()
            assert query(one, "SELECT * FROM p") == []
        one.close()
