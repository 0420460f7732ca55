"""Every kind of fact: another client changes just that fact between the statement and the commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pyrqlite import Connection, SerializationError
from pyrqlite.sql.reads import FactKind
from tests.transactions.clients import query, without_guards
from tests.worlds import one_world

world = one_world  # nothing here depends on how requests are carried


@dataclass(frozen=True)
class Case:
    """What the transaction does and sees, what another client does then, and of which kind the fact is."""

    look: Callable[[Connection], object]
    change: tuple[str, ...]
    kind: FactKind = FactKind.GUARDED


def statement(sql: str, *values: Any) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(sql, values)


def rows(sql: str, *values: Any) -> Callable[[Connection], object]:
    return lambda connection: query(connection, sql, *values)


def many(sql: str, *values: Any) -> Callable[[Connection], object]:
    return lambda connection: connection.executemany(sql, values)


C = FactKind.CHECKED
SWAP = ("UPDATE t SET a = a + 100 WHERE id = 1", "UPDATE t SET a = 10 WHERE id = 2")

CASES = {
    "one row": Case(rows("SELECT a FROM t WHERE id = 1"), ("UPDATE t SET a = 0 WHERE id = 1",)),
    "no row": Case(rows("SELECT a FROM t WHERE id = 9"), ("INSERT INTO t VALUES (9, 1, 'x')",)),
    "several rows": Case(rows("SELECT a FROM t"), ("UPDATE t SET a = 11 WHERE id = 2",)),
    "a duplicate row": Case(
        rows("SELECT a FROM t WHERE a = 10"), ("INSERT INTO t VALUES (9, 10, 'z')",)
    ),
    "a range": Case(
        rows("SELECT id FROM t WHERE a BETWEEN 5 AND 25"), ("INSERT INTO t VALUES (9, 15, 'x')",)
    ),
    "a count": Case(rows("SELECT count(*) FROM t"), ("DELETE FROM t WHERE id = 3",)),
    "a count of values": Case(
        rows("SELECT count(b) FROM t"), ("UPDATE t SET b = NULL WHERE id = 3",)
    ),
    "a join": Case(
        rows("SELECT t.id, u.name FROM t JOIN u ON u.id = t.id"), ("DELETE FROM u WHERE id = 2",)
    ),
    "an outer join": Case(
        rows("SELECT t.id, u.name FROM t LEFT JOIN u ON u.id = t.id WHERE t.id = 3"),
        ("INSERT INTO u VALUES (3, 'c', 0)",),
    ),
    "a limit that cuts nothing": Case(
        rows("SELECT a FROM t WHERE b = 'x' LIMIT 21"), ("INSERT INTO t VALUES (9, 1, 'x')",)
    ),
    "a limit that cuts": Case(
        rows("SELECT id FROM t ORDER BY id LIMIT 2"), ("INSERT INTO t VALUES (0, 1, 'x')",)
    ),
    "a page": Case(
        rows("SELECT id FROM t ORDER BY id LIMIT 1 OFFSET 1"), ("DELETE FROM t WHERE id = 1",)
    ),
    "the first places, where NULLs come first": Case(
        rows("SELECT t.id, n FROM t LEFT JOIN u ON t.id = u.id ORDER BY n LIMIT 1"),
        ("UPDATE u SET id = 9 WHERE id = 1",),
    ),
    "that there are no NULLs before the first place": Case(
        rows("SELECT b FROM t ORDER BY b LIMIT 1"), ("INSERT INTO t VALUES (9, 9, NULL)",)
    ),
    "a generated column": Case(
        rows("SELECT shown FROM made WHERE shown > ''"), ("UPDATE made SET a = '\"B\"'",)
    ),
    "a generated column that may fail": Case(
        rows("SELECT part FROM made"), ("UPDATE made SET a = '7'",), C
    ),
    "a limit in any order": Case(
        rows("SELECT a FROM t LIMIT 1"), ("UPDATE t SET a = a + 1",), C
    ),
    "a sum": Case(
        rows("SELECT sum(a), count(*) FROM t WHERE b <> 'y' LIMIT ?", 1),
        ("UPDATE t SET a = 0 WHERE id = 1",),
    ),
    "a sum of nothing": Case(
        rows("SELECT sum(n) FROM u WHERE name = 'q'"), ("UPDATE u SET name = 'q' WHERE id = 1",)
    ),
    "a sum that is the same by numbers of another type": Case(
        rows("SELECT sum(a) FROM t"),
        ("UPDATE t SET a = 9.5 WHERE id = 1", "UPDATE t SET a = 20.5 WHERE id = 2"),
    ),
    "a total": Case(rows("SELECT total(a) FROM t"), ("UPDATE t SET a = 0 WHERE id = 1",), C),
    "a LIKE": Case(
        rows("SELECT id FROM t WHERE b LIKE 'x%'"), ("UPDATE t SET b = 'xx' WHERE id = 3",), C
    ),
    "an exists": Case(
        rows("SELECT 1 AS a FROM t WHERE a > 5 LIMIT 1"), ("DELETE FROM t",)
    ),
    "that nothing exists": Case(
        rows("SELECT (1) FROM t WHERE a = 5 LIMIT 1"), ("INSERT INTO t VALUES (9, 5, 'x')",)
    ),
    "a largest value": Case(
        rows("SELECT max(a) FROM t WHERE b <> 'x'"), ("INSERT INTO t VALUES (9, 31, 'w')",)
    ),
    "a smallest value of none": Case(
        rows("SELECT min(a) FROM t WHERE b = 'w'"), ("INSERT INTO t VALUES (9, 31, 'w')",)
    ),
    "extremes beside a count": Case(
        rows("SELECT max(name), min(n), count(*) FROM u"), ("DELETE FROM u WHERE id = 1",)
    ),
    "an extreme blob": Case(
        rows("SELECT max(value), min(key) FROM k"), ("DELETE FROM k WHERE key = 'blob'",)
    ),
    "the last place": Case(
        rows("SELECT b, a FROM t ORDER BY a DESC LIMIT 1"), ("INSERT INTO t VALUES (9, 31, 'x')",)
    ),
    "the first places": Case(
        rows("SELECT b FROM t WHERE id < ? ORDER BY b, a LIMIT ?", 9, 2),
        ("UPDATE t SET b = 'xx' WHERE id = 3",),
    ),
    "existence": Case(
        rows("SELECT EXISTS (SELECT 1 FROM t WHERE a = 99)"), ("INSERT INTO t VALUES (9, 99, 'x')",)
    ),
    "a subquery": Case(
        rows("SELECT (SELECT a FROM t WHERE a = 99)"), ("INSERT INTO t VALUES (9, 99, 'x')",), C
    ),
    "a union": Case(
        rows("SELECT a FROM t UNION SELECT n FROM u"), ("UPDATE u SET n = 77 WHERE id = 1",), C
    ),
    "a common table": Case(
        rows("WITH w AS (SELECT a FROM t) SELECT * FROM w"), ("DELETE FROM t WHERE id = 1",), C
    ),
    "the order of equal rows": Case(
        rows("SELECT b FROM t ORDER BY length(b), b DESC"),
        ("UPDATE t SET b = 'w' WHERE id = 1",),
        C,
    ),
    "a count of an UPDATE": Case(
        statement("UPDATE t SET b = 'new' WHERE a = 10"), ("UPDATE t SET a = 10 WHERE id = 2",)
    ),
    "no row to UPDATE": Case(
        statement("UPDATE t SET b = 'new' WHERE a = 99"), ("UPDATE t SET a = 99 WHERE id = 2",)
    ),
    "a count of a DELETE": Case(
        statement("DELETE FROM t WHERE a >= 20"), ("DELETE FROM t WHERE id = 2",)
    ),
    "a count of an expression": Case(
        statement("UPDATE t SET b = 'n' WHERE a + 1 > 20"),
        ("UPDATE t SET a = 0 WHERE id = 3",),
        C,
    ),
    "an ignored row": Case(
        statement("INSERT OR IGNORE INTO u(name) VALUES ('a')"), ("DELETE FROM u WHERE id = 1",)
    ),
    "a rowid": Case(
        statement("INSERT INTO t(a) VALUES (1)"), ("INSERT INTO t(a) VALUES (2)",)
    ),
    "a rowid of several rows": Case(
        statement("INSERT INTO t(a) VALUES (1), (2)"), ("INSERT INTO t(a) VALUES (2)",), C
    ),
    "a count of an INSERT ... SELECT": Case(
        statement("INSERT INTO plain(x) SELECT id FROM t WHERE a > 10"),
        ("DELETE FROM t WHERE id = 2",),
        C,
    ),
    "counts of many UPDATEs": Case(
        many("UPDATE t SET b = ? WHERE a = ?", ("p", 10), ("q", 20)),
        ("UPDATE t SET a = 20 WHERE id = 3",),
    ),
    "counts of many DELETEs": Case(
        many("DELETE FROM t WHERE a = ?", (10,), (20,)), ("DELETE FROM t WHERE id = 2",)
    ),
    "counts of many INSERTs that ignore": Case(
        many("INSERT OR IGNORE INTO u(name) VALUES (?)", ("a",), ("z",)),
        ("DELETE FROM u WHERE name = 'a'",),
        C,
    ),
    "RETURNING of an INSERT": Case(
        rows("INSERT INTO t(a) VALUES (1) RETURNING id"), ("INSERT INTO t(a) VALUES (2)",)
    ),
    "RETURNING of INSERTs": Case(
        rows("INSERT INTO t(a) VALUES (1), (2) RETURNING id"), ("INSERT INTO t(a) VALUES (2)",)
    ),
    "RETURNING of an UPDATE": Case(
        rows("UPDATE t SET a = a + 1 WHERE id = 1 RETURNING a"),
        ("UPDATE t SET a = a + 5 WHERE id = 1",),
    ),
    "RETURNING of a DELETE": Case(
        rows("DELETE FROM t WHERE id = 1 RETURNING a"), ("UPDATE t SET a = a + 5 WHERE id = 1",)
    ),
    "RETURNING of an upsert": Case(
        rows(
            "INSERT INTO u(name, n) VALUES ('a', 1) ON CONFLICT(name) DO UPDATE SET n = n + 1 RETURNING n"
        ),
        ("UPDATE u SET n = n + 1 WHERE name = 'a'",),
    ),
    "RETURNING of an upsert by its key": Case(
        rows("INSERT INTO t VALUES (?, 1, '') ON CONFLICT(id) DO UPDATE SET a = a + 1 RETURNING a", 1),
        ("UPDATE t SET a = a + 1 WHERE id = 1",),
    ),
    "RETURNING of an upsert that makes a rowid": Case(
        rows("INSERT INTO t(a) VALUES (1) ON CONFLICT DO UPDATE SET b = 'x' RETURNING id"),
        ("INSERT INTO t(a) VALUES (2)",),
        C,
    ),
    "RETURNING of an upsert that moves what it is found by": Case(
        rows("INSERT INTO u(name) VALUES ('a') ON CONFLICT(name) DO UPDATE SET name = 'c' RETURNING id"),
        ("UPDATE u SET name = 'c' WHERE id = 1", "UPDATE u SET name = 'a' WHERE id = 2",
         "UPDATE u SET name = 'd' WHERE id = 1"),
        C,
    ),
    "RETURNING of an upsert that does nothing": Case(
        rows("INSERT INTO u(name) VALUES ('z') ON CONFLICT(name) DO NOTHING RETURNING id"),
        ("INSERT INTO u(name) VALUES ('y')",),
    ),
    "RETURNING of a REPLACE": Case(
        rows("REPLACE INTO t(a) VALUES (1) RETURNING id"), ("INSERT INTO t(a) VALUES (2)",)
    ),
    "RETURNING of REPLACEs": Case(
        rows("REPLACE INTO t(a) VALUES (1), (2) RETURNING id"), ("INSERT INTO t(a) VALUES (2)",), C
    ),
    "RETURNING of a generated column": Case(
        rows("UPDATE made SET a = a RETURNING shown"), ("UPDATE made SET a = '\"q\"'",)
    ),
    "RETURNING of an expression": Case(
        rows("UPDATE t SET a = a + 1 WHERE id = 1 RETURNING a * 2"),
        ("UPDATE t SET a = a + 5 WHERE id = 1",),
        C,
    ),
    "RETURNING of an UPDATE FROM": Case(
        rows("UPDATE t SET a = u.n FROM u WHERE u.id = t.id RETURNING t.id, t.a"),
        ("UPDATE u SET n = 55 WHERE id = 1",),
        C,
    ),
    "RETURNING of a table without rowid": Case(
        rows("UPDATE k SET value = value + 1 WHERE key = 'a' RETURNING value"),
        ("UPDATE k SET value = 50 WHERE key = 'a'",),
    ),
    "RETURNING of a blob's length": Case(
        rows("UPDATE k SET value = value WHERE key = 'blob' RETURNING value"),
        ("UPDATE k SET value = x'00' WHERE key = 'blob'",),
    ),
    "which row was deleted": Case(rows("DELETE FROM t WHERE a = 10 RETURNING id"), SWAP),
    "which row was updated": Case(
        rows("UPDATE t SET b = 'x' WHERE a = 10 RETURNING id, b"), SWAP
    ),
    "which row was updated, by a moving key": Case(
        rows("UPDATE t SET id = id + 50 WHERE a = 10 RETURNING b"),
        ("UPDATE t SET a = 11 WHERE id = 1", "INSERT INTO t VALUES (7, 10, 'w')"),
        C,
    ),
    "which row was in the way": Case(
        rows(
            "INSERT INTO u(name, n) VALUES ('a', 1) ON CONFLICT(name) DO UPDATE SET n = 7 RETURNING id"
        ),
        ("UPDATE u SET name = 'x' WHERE id = 1", "UPDATE u SET name = 'a', n = 5 WHERE id = 2",
         "UPDATE u SET n = 7 WHERE id = 1"),
    ),
    "which row was ignored": Case(
        rows("INSERT OR IGNORE INTO u VALUES (1, 'a', 0), (8, 'h', 0) RETURNING id"),
        ("DELETE FROM u WHERE id = 1", "INSERT INTO u VALUES (8, 'h', 0)"),
    ),
}  # fmt: skip

DATA = (
    "CREATE TABLE made (id INTEGER PRIMARY KEY, a, shown AS (lower(a)), part AS (a ->> '$'))",
    "INSERT INTO made(a) VALUES ('\"x\"')",
    "INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y'), (3, 30, 'z')",
    "INSERT INTO u VALUES (1, 'a', 1), (2, 'b', 2)",
    "INSERT INTO k VALUES ('a', 1), ('blob', x'0011')",
)


@pytest.fixture
def filled(other: Connection) -> Connection:
    for sql in DATA:
        other.execute(sql)
    return other


@pytest.mark.filterwarnings("ignore::pyrqlite.DeterminismWarning")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
class TestFact:
    def look(self, case: Case, one: Connection) -> None:
        case.look(one)
        assert [fact.kind for fact in one.facts()] == [case.kind], one.facts()
        assert bool(one.facts()[0].reason) == (case.kind is FactKind.CHECKED)
        one.execute("INSERT INTO plain VALUES ('done', 1)")

    def test_that_another_client_changes_is_a_conflict(
        self, case: Case, one: Connection, filled: Connection
    ) -> None:
        self.look(case, one)
        fact = one.facts()[0]
        for sql in case.change:
            filled.execute(sql)
        with pytest.raises(SerializationError, match="run it again") as caught:
            one.commit()
        assert caught.value.fact == fact
        assert fact.statement in str(caught.value)
        assert query(filled, "SELECT * FROM plain") == []
        assert not one.in_transaction
        one.execute("INSERT INTO plain VALUES ('again', 1)")
        one.commit()
        assert query(filled, "SELECT x FROM plain") == [("again",)]

    def test_that_nobody_changes_commits(
        self, case: Case, one: Connection, filled: Connection
    ) -> None:
        self.look(case, one)
        filled.execute("INSERT INTO k VALUES ('unrelated', 1)")
        one.commit()
        assert query(filled, "SELECT 1 FROM plain WHERE x = 'done'") == [(1,)]

    def test_without_guards_the_change_goes_unseen(
        self, case: Case, one: Connection, filled: Connection
    ) -> None:
        self.look(case, one)
        for sql in case.change:
            filled.execute(sql)
        with without_guards():
            one.commit()
        assert query(filled, "SELECT 1 FROM plain WHERE x = 'done'") == [(1,)]


@pytest.mark.parametrize(
    ("sql", "change"),
    [
        ("SELECT b FROM t ORDER BY b LIMIT 2", "UPDATE t SET b = 'yy' WHERE id = 3"),
        ("SELECT b, a FROM t ORDER BY a DESC LIMIT 1", "UPDATE t SET b = 'w', a = 15 WHERE id = 2"),
        ("SELECT 1 FROM t WHERE a > 5 LIMIT 1", "DELETE FROM t WHERE id = 1"),
        ("SELECT max(a) FROM t", "UPDATE t SET a = 15 WHERE id = 2"),
        ("SELECT max(a) FROM t", "INSERT INTO t VALUES (9, 30, 'another')"),
    ],
)
def test_what_changes_nothing_that_was_seen_is_no_conflict(
    sql: str, change: str, one: Connection, filled: Connection
) -> None:
    query(one, sql)
    one.execute("INSERT INTO plain VALUES ('done', 1)")
    filled.execute(change)
    one.commit()
