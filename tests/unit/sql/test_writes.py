"""Which results of writes are guarded, and the reasons why others are not."""

from __future__ import annotations

import apsw
import pytest

from pyrqlite.sql.parameters import Value
from pyrqlite.sql.statement import parse
from pyrqlite.sql.writes import WriteVerdict, judge_write
from tests.unit.sql.sqlite_oracle import schema_of

DATABASE = apsw.Connection(":memory:")
DATABASE.execute("""
CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE, b TEXT, created DEFAULT CURRENT_TIMESTAMP, g AS (b));
CREATE TABLE u(k TEXT NOT NULL UNIQUE, n INTEGER CHECK (n > 0));
CREATE TABLE w(x, y, PRIMARY KEY (x, y)) WITHOUT ROWID;
CREATE TABLE keyless(a, b);
CREATE TABLE stamped(id INTEGER PRIMARY KEY, stamp DEFAULT CURRENT_TIMESTAMP UNIQUE, a);
CREATE TABLE partly(id INTEGER PRIMARY KEY, a); CREATE UNIQUE INDEX partly_a ON partly(a) WHERE id > 5;
CREATE TABLE lenient(id INTEGER PRIMARY KEY, a UNIQUE ON CONFLICT IGNORE);
CREATE TABLE doubtful(id INTEGER PRIMARY KEY, a CHECK (a <> random()));
CREATE TABLE zoned(id INTEGER PRIMARY KEY, a);
CREATE TABLE tree(id INTEGER PRIMARY KEY, parent REFERENCES tree ON DELETE CASCADE);
CREATE TABLE leaf(id INTEGER PRIMARY KEY, tree_id REFERENCES tree ON UPDATE CASCADE);
CREATE TABLE skipped(id INTEGER PRIMARY KEY, a);
CREATE TRIGGER skip BEFORE INSERT ON skipped WHEN new.a < 0 BEGIN SELECT RAISE(IGNORE); END;
CREATE TABLE logged(id INTEGER PRIMARY KEY, a); CREATE TABLE log(id INTEGER PRIMARY KEY, a);
CREATE TRIGGER l AFTER INSERT ON logged BEGIN INSERT INTO log(a) VALUES (new.a); END;
CREATE TABLE reading(id INTEGER PRIMARY KEY, a);
CREATE TRIGGER r AFTER INSERT ON reading BEGIN INSERT INTO log(a) SELECT a FROM t; END;
CREATE TABLE clocked(id INTEGER PRIMARY KEY, a); CREATE TABLE times(id INTEGER PRIMARY KEY, a);
CREATE TRIGGER c AFTER INSERT ON clocked BEGIN INSERT INTO times(a) VALUES (CURRENT_TIMESTAMP); END;
CREATE TABLE recursive(id INTEGER PRIMARY KEY, a);
CREATE TRIGGER again AFTER INSERT ON recursive WHEN new.id < 5 BEGIN INSERT INTO recursive(a) VALUES (1); END;
CREATE TABLE failing(id INTEGER PRIMARY KEY, a, g AS (json_extract(a, '$.g')));
CREATE TABLE derived(
    id INTEGER PRIMARY KEY, a, b, g INTEGER AS (a + b), h AS (g || 'h') NOT NULL UNIQUE, c
);
CREATE TABLE indexed(id INTEGER PRIMARY KEY, a, b, c);
CREATE UNIQUE INDEX summed ON indexed(a + b); CREATE UNIQUE INDEX some ON indexed(c) WHERE b > 1;
CREATE VIEW v AS SELECT id, a FROM t;
CREATE TRIGGER i INSTEAD OF INSERT ON v BEGIN INSERT INTO t(id) VALUES (new.id); END;
CREATE VIRTUAL TABLE f USING fts5(body);
""")
SCHEMA = schema_of(DATABASE)


def judge(sql: str, *values: Value, steady_times: bool = False) -> WriteVerdict:
    statement = parse(sql)
    known = values or (1,) * statement.placeholders.count
    return judge_write(statement, SCHEMA, known, steady_times)


@pytest.mark.parametrize(
    ("sql", "rowid"),
    [
        ("INSERT INTO t(a) VALUES (?)", True),
        ("INSERT INTO main.t AS x VALUES (1, -2, 'x', x'00', NULL)", True),
        ("INSERT INTO t(a) VALUES (lower(hex(x'00')))", True),  # a default, completed and frozen
        (
            "INSERT INTO t(a, created) VALUES (?, CURRENT_TIMESTAMP), (random(), coalesce(?, date('now')))",
            False,
        ),
        ("INSERT INTO t DEFAULT VALUES", True),
        ("INSERT OR IGNORE INTO t(a) VALUES (1)", True),
        ("INSERT OR IGNORE INTO t(a) VALUES (1), (1)", False),
        ("REPLACE INTO t(id, a) VALUES (1, 2)", True),
        ("INSERT INTO t(a) VALUES (1) ON CONFLICT DO NOTHING", True),
        ("INSERT INTO t(a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = excluded.b", False),
        ("INSERT INTO u VALUES ('a', 1)", False),
        ("INSERT INTO w VALUES (1, 2)", False),
        ("INSERT INTO logged(a) VALUES (1)", True),
        ("UPDATE t SET b = 'x'", False),
        ("UPDATE t AS x SET b = b || 'x' WHERE x.id = ? AND a IN (1, 2)", False),
        ("DELETE FROM t WHERE id BETWEEN 1 AND ? OR a IS NULL", False),
        ("DELETE FROM main.t", False),
        ("DELETE FROM w WHERE x = 1", False),
        ("UPDATE leaf SET tree_id = 1 WHERE id = 2", False),
    ],
)
def test_guarded_counts(sql: str, rowid: bool) -> None:
    verdict = judge(sql)
    assert verdict.count, verdict.reason
    assert verdict.rowid is rowid
    assert verdict.uniform, verdict.uniform_reason


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1", "changes no rows"),
        ("INSERT INTO v(id) VALUES (1)", "v is a view"),
        ("INSERT INTO f VALUES ('a')", "virtual"),
        ("INSERT INTO unknown VALUES (1)", "no known table"),
        ("INSERT INTO other.t VALUES (1)", "another database"),
        ("INSERT INTO sqlite_sequence VALUES (1, 2)", "no known table"),
        ("INSERT INTO t(a) SELECT k FROM u", "from a query"),
        ("INSERT INTO t(a) VALUES (1) UNION VALUES (2)", "from a query"),
        ("INSERT INTO t(a) VALUES ((SELECT max(n) FROM u))", "SELECT"),
        ("INSERT INTO t(a) VALUES (myfunction(1))", "calls myfunction"),
        ("INSERT INTO t(a) VALUES (1 LIKE 2)", "LIKE"),
        ('INSERT INTO t(a) VALUES ("text")', "no literal"),
        ("INSERT OR FAIL INTO t(a) VALUES (1)", "OR FAIL"),
        ("INSERT INTO t(a) VALUES (1), (2) ON CONFLICT DO NOTHING", "several rows"),
        (
            "INSERT INTO t(a) VALUES (1) ON CONFLICT DO UPDATE SET b = 1 WHERE t.created > 5",
            "condition",
        ),
        ("INSERT OR IGNORE INTO stamped(a) VALUES (1)", "DEFAULT of stamped.stamp"),
        ("REPLACE INTO partly VALUES (1, 2)", "partial"),
        ("INSERT OR IGNORE INTO u VALUES ('a', ?)", "CHECK"),
        ("INSERT INTO skipped(a) VALUES (1)", "trigger skip can skip"),
        ("INSERT INTO times(a) VALUES (1)", "trigger c writes"),
        ("INSERT INTO t(a) VALUES (datetime('now', 'localtime'))", "time zone"),
        ("WITH x AS (SELECT 1) INSERT INTO t(a) VALUES (1)", "WITH"),
        ("UPDATE OR IGNORE t SET a = 1", "UPDATE OR"),
        ("UPDATE t SET a = 1 FROM u WHERE k = b", "FROM"),
        ("UPDATE t SET a = 1 WHERE id = 1 LIMIT 1", "LIMIT"),
        ("DELETE FROM t ORDER BY id LIMIT 1", "LIMIT"),
        ("DELETE FROM t INDEXED BY x WHERE id = 1", "INDEXED"),
        ("UPDATE t SET a = 1 WHERE created < 'x'", "DEFAULT of t.created"),
        ("UPDATE failing SET a = 1 WHERE g = 1", "generated"),
        ("DELETE FROM keyless WHERE rowid = 1", "rowid of keyless"),
        ("DELETE FROM t WHERE a IN (SELECT k FROM u)", "SELECT"),
        ("DELETE FROM t WHERE a LIKE 'x'", "LIKE"),
        ("UPDATE lenient SET a = 1", "skip or replace"),
        ("DELETE FROM tree WHERE id = 1", "further rows of tree"),
        ("DELETE FROM times", "trigger c writes"),
        ("INSERT INTO keyless(a, _rowid_) VALUES (1, 2)", "rowid of keyless"),
        ("INSERT OR IGNORE INTO keyless(rowid, a) VALUES (1, 2)", "rowid of keyless"),
        ("UPDATE t", "form is not known"),
        ("CREATE TABLE x AS SELECT a FROM t", "from a query"),
    ],
)
def test_counts_that_are_not_guarded(sql: str, reason: str) -> None:
    verdict = judge(sql)
    assert not verdict.count
    assert not verdict.rowid
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("UPDATE t SET b = (SELECT k FROM u LIMIT 1) WHERE id = 1", "SELECT"),
        ("UPDATE t SET b = created", "DEFAULT of t.created"),
        ("UPDATE t SET b = myfunction(b)", "calls myfunction"),
        ('UPDATE t SET b = "text"', "no column"),
        ("UPDATE t SET a = a + 1", "order"),
        ("UPDATE t SET id = id + 1 WHERE id > 5", "order"),
        ("UPDATE t SET RowId = id + 1 WHERE id > 5", "order"),
        ("UPDATE t SET (b, oid) = (1, id + 1) WHERE id > 5", "order"),
        ("UPDATE keyless SET rowid = 7 WHERE a = 1", "rowid of keyless"),
        ("UPDATE partly SET id = 5, a = a + 1", "order"),
        ("UPDATE partly SET a = 5", "order"),
        ("UPDATE derived SET a = 5", "order"),
        ("UPDATE derived SET b = b + 1 WHERE g = 7", "order"),
        ("UPDATE indexed SET a = 5", "order"),
        ("UPDATE indexed SET b = 5", "order"),
        ("UPDATE indexed SET c = c + 1", "order"),
        (
            "INSERT INTO t(a) VALUES (1) ON CONFLICT DO UPDATE SET b = t.created",
            "DEFAULT of t.created",
        ),
        ("INSERT INTO reading(a) VALUES (1)", "trigger r reads"),
        ("INSERT INTO clocked(a) VALUES (1)", "trigger c writes"),
        ("INSERT INTO recursive(a) VALUES (1)", "PRAGMA"),
        ("INSERT INTO doubtful(a) VALUES (1)", "CHECK"),
    ],
)
def test_guarded_counts_of_writes_that_may_store_something_else(sql: str, reason: str) -> None:
    verdict = judge(sql)
    assert verdict.count
    assert not verdict.uniform
    assert reason in verdict.uniform_reason


@pytest.mark.parametrize(
    ("sql", "uniform"),
    [
        ("INSERT INTO keyless SELECT a, b FROM t", True),
        ("INSERT INTO keyless SELECT * FROM u WHERE n > ? ORDER BY n", True),
        ("INSERT INTO keyless(a) SELECT lower(x.b) || '!' FROM t AS x JOIN u ON x.b = u.k", True),
        ("INSERT INTO w SELECT k, 1 FROM u", True),
        ("INSERT INTO t(id, b) SELECT t.id, b FROM t", True),
        ("INSERT INTO logged SELECT * FROM log", True),
        ("INSERT INTO t(id, b) SELECT n, k FROM u", False),  # a NULL gets an automatic key
        (
            "INSERT INTO t(b, id) SELECT x.b, y.id FROM t AS x LEFT JOIN log AS y ON x.id = y.a",
            False,
        ),
        ("INSERT INTO t(b) SELECT ? WHERE 1 > 0", True),
        ("INSERT INTO t(b) SELECT k FROM u", False),  # automatic keys
        ("INSERT INTO w SELECT k, 1 FROM u LIMIT 5", False),
        ("INSERT INTO w SELECT DISTINCT k, 1 FROM u", False),
        ("INSERT INTO w SELECT k, max(n) FROM u GROUP BY k", False),
        ("INSERT INTO w SELECT b, created FROM t", False),
        ("INSERT INTO w SELECT * FROM keyless WHERE rowid > 5", False),
        ("INSERT INTO keyless SELECT a, b FROM times, u", False),
        ("INSERT INTO keyless(rowid, a) SELECT id, b FROM t", False),
        ("INSERT INTO t(rowid, b) SELECT id, b FROM t", False),
        ("INSERT INTO keyless(a) SELECT id FROM failing", False),
        ("INSERT OR IGNORE INTO w SELECT k, 1 FROM u", False),
        ("INSERT INTO w SELECT k, 1 FROM u UNION SELECT 1, 2", False),
        ("INSERT INTO w SELECT id, b FROM t JOIN u ON id = n WHERE nowhere = 1", False),
    ],
)
def test_rows_from_a_query_may_be_the_same_everywhere(sql: str, uniform: bool) -> None:
    verdict = judge(sql)
    assert not verdict.count
    assert verdict.uniform is uniform, verdict.uniform_reason


def test_definitions_do_the_same_everywhere() -> None:
    assert judge("CREATE TABLE x(a DEFAULT CURRENT_TIMESTAMP)").uniform
    assert judge("DROP TABLE t").uniform


@pytest.mark.parametrize(
    ("condition", "one"),
    [
        ("id = 5", True),
        ("b > 1 AND x.id == ? AND NOT (a = 1 OR b = 2)", True),
        ("rowid = ?", True),
        ("h = 'x'", True),
        ("id = 5 OR a = 1", False),
        ("NOT id = 5", False),
        ("id IN (5)", False),
        ("id = a", False),
        ("id IS 5", False),
        ("a = 5", False),
        ("id > 5", False),
        ("a BETWEEN 1 AND id", False),
        ("(id = 5 OR a = 1) AND b = 2", False),
    ],
)
def test_one_row_is_written_in_any_order(condition: str, one: bool) -> None:
    for assigned in ("a = a + 1", "id = id + 1"):
        verdict = judge(f"UPDATE derived AS x SET {assigned} WHERE {condition}")
        assert verdict.uniform is one, verdict.uniform_reason


def test_texts_that_a_clock_may_have_given_are_not_compared() -> None:
    assert not judge("DELETE FROM t WHERE b = ?", "2020-01-01 10:00").count
    assert judge("DELETE FROM t WHERE b = ?", "2020-01-01 10:00", steady_times=True).count
    assert not judge("UPDATE t SET a = 1 WHERE b = '2020-01-01 10:00'").count
    assert judge("UPDATE t SET b = ? WHERE id = 1", "2020-01-01 10:00").count
    assert not judge(
        "INSERT INTO keyless SELECT a, b FROM t WHERE b = ?", "2020-01-01 10:00"
    ).uniform


# RETURNING


def _returned(sql: str) -> tuple[list[str], set[int], list[str], bool]:
    returning = judge(sql).returning
    assert returning is not None, judge(sql).returning_reason
    return (
        [column.name for column in returning.columns],
        set(returning.apart),
        [column.name for column in returning.key],
        returning.before,
    )


def test_rows_of_returning_are_found_again_by_a_key() -> None:
    assert _returned("INSERT INTO t(a) VALUES (1) RETURNING a, rowid AS x, t.created") == (
        ["a", "id", "created"],
        {2},
        ["id"],
        False,
    )
    assert _returned("DELETE FROM u WHERE n = 1 RETURNING *") == (["k", "n"], set(), ["k"], True)
    assert _returned('UPDATE w SET y = 1 WHERE x = 1 RETURNING "y"') == (
        ["y"],
        set(),
        ["x", "y"],
        False,
    )
    assert _returned(
        "INSERT INTO t VALUES (1, 2, 3, 4) ON CONFLICT DO UPDATE SET b = 1 RETURNING *"
    )[1] == {3}
    assert judge("INSERT INTO t(a) VALUES (1)").returning is None


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("INSERT INTO t(a) VALUES (1) RETURNING a + 1", "more than columns"),
        ("INSERT INTO t(a) VALUES (1) RETURNING random()", "more than columns"),
        ("INSERT INTO t(a) VALUES (1) RETURNING unknown", "more than columns"),
        ("INSERT INTO keyless VALUES (1, 2) RETURNING a", "no key"),
        ("INSERT INTO keyless VALUES (1, 2) RETURNING rowid", "more than columns"),
        ("INSERT INTO logged(a) VALUES (1) RETURNING id", "triggers"),
        ("INSERT INTO keyless SELECT a, b FROM t RETURNING a", "from a query"),
        ("UPDATE t SET b = (SELECT 1) RETURNING b", "SELECT"),
        ("DELETE FROM tree RETURNING id", "further rows"),
    ],
)
def test_rows_of_returning_that_are_not_guarded(sql: str, reason: str) -> None:
    verdict = judge(sql)
    assert verdict.returning is None
    assert reason in verdict.returning_reason
