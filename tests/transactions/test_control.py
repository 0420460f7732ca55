"""BEGIN, COMMIT, ROLLBACK and savepoints as SQL text, in every spelling; none of them reaches the server."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from pyrqlite import (
    Connection,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    SerializationError,
)
from tests.transactions.clients import Connect, counting, query
from tests.worlds import one_world

world = one_world  # nothing here depends on how requests are carried


def ids(connection: Connection) -> list[int]:
    return [row[0] for row in query(connection, "SELECT id FROM t ORDER BY id")]


def insert(connection: Connection, number: int) -> None:
    connection.execute("INSERT INTO t(id) VALUES (?)", (number,))


BEGINS = [
    "BEGIN",
    "begin;",
    "BEGIN TRANSACTION",
    "BEGIN DEFERRED",
    "BEGIN IMMEDIATE TRANSACTION",
    " /* now */ BEGIN EXCLUSIVE -- go",
    ";;BEGIN;;",
    "\ufeffBEGIN",
    "BEGIN TRANSACTION named",
]
COMMITS = [
    "COMMIT",
    "end",
    "COMMIT TRANSACTION;",
    "END TRANSACTION",
    "\n--x\nCommit",
    "COMMIT TRANSACTION named",
]
ROLLBACKS = ["ROLLBACK", "rollback transaction;", "/**/ROLLBACK", 'ROLLBACK TRANSACTION "named"']


@pytest.mark.parametrize("begin", BEGINS)
def test_begin_opens(begin: str, other: Connection, one: Connection) -> None:
    carried = counting(other)
    other.execute(begin)
    assert carried.requests == []
    insert(other, 1)
    assert ids(one) == []
    one.rollback()
    with pytest.raises(OperationalError, match="within a transaction"):
        other.execute("BEGIN")
    other.execute("COMMIT")
    assert ids(other) == [1]


@pytest.mark.parametrize("commit", COMMITS)
def test_commit_commits(commit: str, one: Connection, other: Connection) -> None:
    insert(one, 1)
    one.execute(commit)
    assert not one.in_transaction
    assert ids(other) == [1]
    with pytest.raises(OperationalError, match="no transaction is active"):
        other.execute(commit)


@pytest.mark.parametrize("rollback", ROLLBACKS)
def test_rollback_rolls_back(rollback: str, one: Connection, other: Connection) -> None:
    insert(one, 1)
    one.execute(rollback)
    assert not one.in_transaction
    one.commit()
    assert ids(other) == []
    with pytest.raises(OperationalError, match="no transaction is active"):
        other.execute(rollback)


@pytest.mark.parametrize(
    "sql",
    ["BEGIN SOMETHING", "COMMIT 1", "COMMIT TO x", "ROLLBACK TO", "SAVEPOINT", "SAVEPOINT a b",
     "RELEASE", "ROLLBACK TO SAVEPOINT 1", "WITH w AS (SELECT 1) COMMIT", "SAVEPOINT 5"],
)  # fmt: skip
def test_nonsense_is_refused_and_changes_nothing(sql: str, one: Connection) -> None:
    insert(one, 1)
    one.execute("SAVEPOINT x")
    with pytest.raises(ProgrammingError):
        one.execute(sql)
    assert one.in_transaction
    assert ids(one) == [1]


@pytest.mark.parametrize(
    ("save", "back", "release"),
    [("SAVEPOINT s", "ROLLBACK TO s", "RELEASE s"),
     ('savepoint "S";', "rollback to savepoint [s]", "release savepoint `s`"),
     ("SAVEPOINT 's'", "ROLLBACK TRANSACTION TO SAVEPOINT S", "RELEASE SAVEPOINT 's'"),
     ("/*1*/SAVEPOINT/*2*/s", "ROLLBACK TRANSACTION named TO s", "RELEASE--\ns")],
)  # fmt: skip
def test_savepoint_spellings(
    save: str, back: str, release: str, one: Connection, other: Connection
) -> None:
    insert(one, 1)
    one.execute(save)
    insert(one, 2)
    one.execute(back)
    assert ids(one) == [1]
    insert(one, 3)
    one.execute(release)
    with pytest.raises(ProgrammingError, match="no such savepoint"):
        one.execute(back)
    one.commit()
    assert ids(other) == [1, 3]


class TestSavepoints:
    def test_nested(self, one: Connection) -> None:
        for number in (1, 2, 3):
            one.execute(f"SAVEPOINT s{number}")
            insert(one, number)
        one.execute("ROLLBACK TO s2")
        assert ids(one) == [1]
        with pytest.raises(ProgrammingError, match="no such savepoint: s3"):
            one.execute("RELEASE s3")
        one.execute("ROLLBACK TO s2")
        one.execute("RELEASE s1")
        with pytest.raises(ProgrammingError, match="no such savepoint"):
            one.execute("RELEASE s2")
        assert ids(one) == [1]

    def test_of_the_same_name_hide_each_other(self, one: Connection) -> None:
        for number in (1, 2, 3):
            one.execute("SAVEPOINT s")
            insert(one, number)
        one.execute("ROLLBACK TO s")
        assert ids(one) == [1, 2]
        one.execute("RELEASE s")
        one.execute("ROLLBACK TO s")
        assert ids(one) == [1]
        one.execute("RELEASE s")
        one.execute("ROLLBACK TO s")
        assert ids(one) == []

    def test_outside_of_a_transaction_opens_one(self, one: Connection, other: Connection) -> None:
        other.execute("SAVEPOINT s")
        insert(other, 1)
        other.execute("SAVEPOINT s")
        other.execute("RELEASE s")
        assert ids(one) == []
        one.rollback()
        other.execute("RELEASE s")
        assert not other.in_transaction
        assert ids(other) == [1]

    def test_in_manual_mode_its_release_does_not_commit(
        self, one: Connection, other: Connection
    ) -> None:
        one.execute("SAVEPOINT s")
        insert(one, 1)
        one.execute("RELEASE s")
        assert one.in_transaction
        assert ids(other) == []

    def test_reads_behind_it_stay_facts(self, one: Connection, other: Connection) -> None:
        one.execute("INSERT INTO plain VALUES (1, 1)")
        one.execute("SAVEPOINT s")
        ids(one)
        one.execute("ROLLBACK TO s")
        assert [fact.statement for fact in one.facts()][1:] == ["SELECT id FROM t ORDER BY id"]
        insert(other, 1)
        with pytest.raises(OperationalError, match="changed what this transaction saw"):
            one.commit()

    @pytest.mark.parametrize("look", ["SELECT count(*) FROM t", "UPDATE t SET a = 2 RETURNING a"])
    @pytest.mark.parametrize("write", ["", "INSERT INTO plain VALUES (1, 1)"])
    def test_what_was_seen_and_undone_is_not_forgotten(
        self, look: str, write: str, one: Connection, other: Connection
    ) -> None:
        for change in ("", "INSERT INTO t(a) VALUES (1)"):
            one.execute("SAVEPOINT s")
            one.execute("INSERT INTO u(name) VALUES ('a')")
            query(one, look)
            one.execute("ROLLBACK TO s")
            if write:
                one.execute(write)
            if not change:
                one.commit()
                continue
            other.execute(change)
            with pytest.raises(SerializationError, match=re.escape(look)):
                one.commit()
        assert query(other, "SELECT name FROM u") == []

    def test_one_read_and_one_undone_are_two(self, one: Connection, other: Connection) -> None:
        assert query(one, "SELECT count(*) FROM k") == [(0,)]
        other.execute("INSERT INTO k VALUES ('a', 1)")
        insert(other, 1)
        one.execute("SAVEPOINT s")
        assert one.execute("UPDATE t SET a = 1").rowcount == 1
        one.execute("ROLLBACK TO s")
        with pytest.raises(SerializationError, match="FROM k"):
            one.commit()

    def test_read_committed_forgets_it(self, connect: Connect, other: Connection) -> None:
        one = connect(isolation_level="READ COMMITTED")
        one.execute("SAVEPOINT s")
        one.execute("UPDATE t SET a = 1")
        one.execute("ROLLBACK TO s")
        one.execute("INSERT INTO plain VALUES (1, 1)")
        insert(other, 1)
        one.commit()
        assert query(other, "SELECT * FROM plain") == [(1, 1)]

    def test_without_one_nothing_can_be_released(self, one: Connection, other: Connection) -> None:
        for connection in (one, other):
            for sql in ("RELEASE s", "ROLLBACK TO s"):
                with pytest.raises(ProgrammingError, match="no such savepoint"):
                    connection.execute(sql)


SMUGGLED = [
    "INSERT INTO t(id) VALUES (1); COMMIT",
    "SELECT 1; END",
    "SELECT 1;\n--\n;COMMIT;",
    "SELECT 1 /* ; */; COMMIT",
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END; COMMIT",
    "CREATE TRIGGER g AFTER INSERT ON t; COMMIT; SELECT 1; END",
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; COMMIT",
    "CREATE TRIGGER g AFTER INSERT ON t BEGIN COMMIT; END",
    "CREATE/**/TEMP/**/TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END; COMMIT",
    "CREATE TABLE trigger (begin); COMMIT",
    "CREATE TABLE z AS SELECT 1; COMMIT; END",
    "EXPLAIN CREATE TRIGGER g AFTER INSERT ON t; COMMIT; SELECT 1; END",
    "EXPLAIN SELECT 1; COMMIT",
    "EXPLAIN COMMIT",
    "EXPLAIN QUERY PLAN COMMIT",
    "\ufeff;\ufeffSELECT 1;COMMIT",
    "SELECT '\\'; COMMIT; --'",
    "SELECT 1 WHERE 'a'';'; COMMIT",
    "SELECT [a]]; COMMIT",
    'SELECT "a"; COMMIT; SELECT "',
    "SELECT `;`; COMMIT",
    "SELECT x'; COMMIT; --'",
    "SELECT 1 -- \r; COMMIT",
    "SELECT 1 --\n; COMMIT",
    "SELECT 1 /*/; COMMIT; /*/",
    "SELECT $a(;COMMIT",
    "SELECT :a::b(x); COMMIT",
    "SELECT #1; COMMIT",
    "WITH w AS (SELECT 1) SELECT * FROM w; COMMIT",
    "PRAGMA user_version; COMMIT",
    "PRAGMA user_version = 1; COMMIT",
    "VALUES (1); COMMIT",
    "\x0b;COMMIT",
    "\x0bCOMMIT",
    "\u00a0COMMIT",
    "COMM\u0131T",
    "SELECT json_extract('{}', 'pyrqlite:abort')",
    "INSERT INTO t(id) VALUES (json_extract('{}', 'pyrqlite:abort'))",
    "SELECT json_extract('{}', 'pyrqlite:conflict:0:')",
    "INSERT OR ROLLBACK INTO u(name) VALUES ('taken')",
    "ATTACH ':memory:' AS x",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA wal_checkpoint",
    "ANALYZE",
    "REINDEX",
]


@pytest.mark.parametrize("behind", ["", "CREATE TABLE made (a)"])
def test_a_setting_may_be_asked_for_that_is_so_already(behind: str, one: Connection) -> None:
    if behind:
        one.execute(behind)
    for sql in ("PRAGMA journal_mode=WAL", "pragma main.journal_mode = 'wal'"):
        assert one.execute(sql).fetchall() == [("wal",)]
    for sql in (
        "PRAGMA foreign_keys=OFF",
        "PRAGMA Foreign_Keys(0)",
        'PRAGMA foreign_keys = "no"',
        "PRAGMA legacy_alter_table = OFF;",
    ):
        assert one.execute(sql).description is None
    for sql in (
        "PRAGMA foreign_keys=ON",
        "PRAGMA foreign_keys=",
        "PRAGMA foreign_keys(1)",
        "PRAGMA foreign_keys='perhaps'",
        "PRAGMA legacy_alter_table=ON",
        "PRAGMA journal_mode=delete",
        "PRAGMA synchronous=0",
    ):
        with pytest.raises(NotSupportedError, match="cannot be set"):
            one.execute(sql)
    assert one.in_transaction is bool(behind)


def failure(run: Callable[[], object]) -> Exception | None:
    """How it failed, if it did."""
    try:
        run()
    except Exception as error:
        return error
    return None


@pytest.fixture
def prepared(one: Connection, other: Connection) -> Connection:
    other.execute("INSERT INTO u(name) VALUES ('taken')")
    other.execute('CREATE TABLE "trigger" (x)')
    return one


@pytest.mark.parametrize("sql", SMUGGLED)
def test_smuggled_words_commit_no_speculation(
    sql: str, prepared: Connection, other: Connection
) -> None:
    """Whatever the text does, what stands before it in the transaction is not applied."""
    insert(prepared, 100)
    for text in (sql, f"{sql} "):
        error = failure(lambda text=text: prepared.execute(text))  # type: ignore[misc]
        assert "may have been applied" not in str(error)
        assert prepared.in_transaction is (prepared.session.work.log is not None)
        assert ids(other) == []
    prepared.rollback()
    assert ids(other) == []


@pytest.mark.parametrize("sql", SMUGGLED)
def test_smuggled_words_end_no_commit_early(
    sql: str, prepared: Connection, other: Connection
) -> None:
    """In a pipeline nothing is looked at before the commit: all is applied, or nothing."""

    def run() -> None:
        with prepared.pipeline():
            insert(prepared, 100)
            prepared.execute(sql)
            insert(prepared, 101)
            insert(prepared, 101)
        prepared.commit()

    assert failure(run) is not None
    assert ids(other) == []
