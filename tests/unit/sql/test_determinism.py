"""Warnings about what differs between nodes in every client."""

from __future__ import annotations

import apsw
import pytest

from pyrqlite.sql.determinism import DeterminismWarning, write_causes
from pyrqlite.sql.statement import parse
from tests.unit.sql.sqlite_oracle import schema_of

DATABASE = apsw.Connection(":memory:")
DATABASE.execute("""
CREATE TABLE t(id INTEGER PRIMARY KEY, a, b);
CREATE TABLE keyless(a, b);
CREATE TABLE stamped(id INTEGER PRIMARY KEY, a, created NOT NULL DEFAULT CURRENT_TIMESTAMP, day DATE);
CREATE TABLE zoned(id INTEGER PRIMARY KEY, at DEFAULT (datetime('now', 'localtime')));
CREATE TABLE doubtful(id INTEGER PRIMARY KEY, a CHECK (a <> random()));
CREATE TABLE watched(id INTEGER PRIMARY KEY, a, changed);
CREATE TRIGGER touch AFTER UPDATE ON watched BEGIN UPDATE watched SET changed = CURRENT_TIMESTAMP; END;
CREATE TABLE outer_one(id INTEGER PRIMARY KEY, a);
CREATE TRIGGER outer_t AFTER DELETE ON outer_one BEGIN UPDATE watched SET a = 1; END;
CREATE TRIGGER outer_d AFTER INSERT ON outer_one BEGIN INSERT INTO stamped(a) VALUES (1); END;
CREATE TABLE parent(id INTEGER PRIMARY KEY);
CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent ON DELETE SET NULL);
CREATE TRIGGER child_t AFTER UPDATE ON child BEGIN UPDATE other SET a = random(); END;
CREATE TABLE other(id INTEGER PRIMARY KEY, a);
CREATE TABLE event(id INTEGER PRIMARY KEY, a, "end" DATETIME);
CREATE VIEW ages AS SELECT id, julianday('now') AS age FROM t;
CREATE VIEW plain AS SELECT id, created AS c FROM stamped;
""")
SCHEMA = schema_of(DATABASE)


def causes(sql: str, steady_times: bool = False) -> list[tuple[str, ...]]:
    return [cause.key for cause in write_causes(parse(sql), SCHEMA, steady_times)]


@pytest.mark.parametrize(
    ("sql", "keys"),
    [
        # Nothing to say.
        ("INSERT INTO t VALUES (1, 2, 3)", []),
        ("INSERT INTO stamped(a) VALUES (?)", []),  # completed
        (
            "INSERT INTO stamped(a) VALUES (1) ON CONFLICT DO UPDATE SET created = excluded.created",
            [],
        ),
        ("UPDATE t SET a = b + 1 WHERE id IS DISTINCT FROM 5", []),
        ("UPDATE stamped SET created = '2020-01-01' WHERE created < '2019-01-01'", []),
        ("DELETE FROM doubtful WHERE id = 1", []),
        ("DELETE FROM watched", []),
        ("INSERT INTO watched(a) VALUES (1)", []),
        ("INSERT INTO keyless SELECT a, b FROM t", []),
        ("INSERT INTO t SELECT id, a, 1 FROM t", []),
        ("INSERT INTO t(a) SELECT a FROM t ORDER BY id", []),
        ("INSERT INTO t(a) SELECT a FROM t ORDER BY id LIMIT 5", []),
        ("INSERT INTO t(a) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM t)", []),
        ("SELECT * FROM ages", []),
        # The schema.
        ("UPDATE watched SET a = 1", [("trigger", "touch")]),
        ("DELETE FROM outer_one", [("trigger", "touch")]),
        ("INSERT INTO outer_one(a) VALUES (1)", [("trigger", "outer_d")]),
        ("DELETE FROM parent", [("trigger", "child_t")]),
        ("INSERT INTO doubtful(a) VALUES (1)", [("check", "doubtful")]),
        ("UPDATE doubtful SET a = 1", [("check", "doubtful")]),
        ("INSERT INTO zoned DEFAULT VALUES", [("zone", "zoned", "at")]),
        ("INSERT INTO zoned(at) VALUES (1)", []),
        ("INSERT INTO keyless(a) SELECT age FROM ages", [("view", "ages")]),
        ("DELETE FROM t WHERE id IN (SELECT id FROM ages)", [("view", "ages")]),
        (
            "REPLACE INTO stamped(id, created) SELECT a, b FROM t ORDER BY id",
            [("default", "stamped", "created")],
        ),
        ("INSERT INTO keyless(rowid, a) VALUES (1, 2)", [("rowid", "keyless")]),
        ("UPDATE keyless SET _rowid_ = 7", [("rowid", "keyless")]),
        ("DELETE FROM keyless WHERE rowid = 1", [("rowid", "keyless")]),
        ("INSERT INTO keyless SELECT rowid, a FROM t", []),
        ("INSERT INTO keyless VALUES (1, 2) RETURNING rowid", []),
        ("UPDATE t SET a = 1 WHERE rowid = 5", []),
        # Plans.
        ("INSERT INTO t(a) SELECT a FROM t", [("order", "t")]),
        ("INSERT INTO t(a) SELECT a FROM t ORDER BY a", [("order", "t")]),
        (
            "INSERT INTO t(a, b) SELECT t.a + ?, upper(b) AS b_1 FROM t WHERE a <> b || 'x' ORDER BY t.id",
            [],
        ),
        ("INSERT INTO t(a) SELECT CASE WHEN a THEN 1 END FROM t WHERE 1 ORDER BY id LIMIT 3", []),
        ("INSERT INTO t(a) SELECT a + 1 AS id FROM t ORDER BY id", [("order", "t")]),
        ("INSERT INTO t(a) SELECT a + 1 id FROM t ORDER BY id", [("order", "t")]),
        ("INSERT INTO t(a) SELECT a + 1 AS id FROM t ORDER BY t.id", []),
        ("INSERT INTO t(a) SELECT a + 1 FROM t ORDER BY b", [("order", "t")]),
        ("INSERT INTO t(a) SELECT a + 1 FROM t ORDER BY 1", [("order", "t")]),
        ("INSERT INTO t(a) SELECT a + 1 FROM t ORDER BY id COLLATE NOCASE", [("order", "t")]),
        ("INSERT INTO t(a) SELECT DISTINCT a + 1 FROM t ORDER BY t.id", [("order", "t")]),
        ("INSERT INTO t(a, b) SELECT a + 1, max(b) FROM t ORDER BY t.id", [("order", "t")]),
        ("INSERT INTO t(a, b) SELECT a + 1, count(*) FROM t ORDER BY t.id", [("order", "t")]),
        ("INSERT INTO t(a, b) SELECT a + 1, b FROM t GROUP BY a ORDER BY t.id", [("order", "t")]),
        ("INSERT INTO t(a) SELECT row_number() OVER () FROM t ORDER BY t.id", [("order", "t")]),
        ("INSERT INTO t(a) SELECT (SELECT b FROM keyless) FROM t ORDER BY t.id", [("order", "t")]),
        (
            "INSERT INTO t(a) SELECT a + 1 FROM t WHERE a IN (SELECT b FROM keyless LIMIT 1) ORDER BY t.id",
            [("order", "t"), ("limit", "t")],
        ),
        ("INSERT INTO t(a) SELECT t.a + 1 FROM t, keyless ORDER BY t.id", [("order", "t")]),
        ("INSERT OR IGNORE INTO keyless SELECT a, b FROM t", [("order", "keyless")]),
        (
            "INSERT INTO t SELECT id, a, b FROM t WHERE true ON CONFLICT DO NOTHING",
            [("order", "t")],
        ),
        ("UPDATE t SET a = u.a FROM keyless AS u WHERE u.b = t.b", [("from", "t")]),
        ("DELETE FROM t WHERE id IN (SELECT id FROM t LIMIT 5)", [("limit", "t")]),
        ("UPDATE t SET a = 1 ORDER BY a LIMIT 1", [("limit", "t")]),
        ("INSERT INTO keyless SELECT a, b FROM t LIMIT 5", [("limit", "keyless")]),
        # Copies.
        ("INSERT INTO keyless SELECT id, created FROM stamped", [("copy", "stamped", "created")]),
        (
            "INSERT INTO keyless SELECT * FROM stamped",
            [("copy", "stamped", "created"), ("copy", "stamped", "day")],
        ),
        ("INSERT INTO keyless SELECT id, c FROM plain", [("copy", "stamped", "created")]),
        ("UPDATE stamped SET a = created", [("copy", "stamped", "created")]),
        ("UPDATE event SET a = CASE a WHEN 1 THEN 2 END", []),
        ('UPDATE event SET a = "end"', [("copy", "event", "end")]),
        ("UPDATE t SET a = (SELECT day FROM stamped WHERE id = 1)", [("copy", "stamped", "day")]),
        # Definitions.
        ("CREATE TABLE x(a DEFAULT CURRENT_TIMESTAMP, CHECK (a <> ''))", []),
        ("CREATE TABLE IF NOT EXISTS x(a CHECK (a < CURRENT_DATE))", [("check", "x")]),
        (
            "CREATE TRIGGER y AFTER INSERT ON t BEGIN UPDATE t SET a = random(); END",
            [("trigger", "y")],
        ),
        ("CREATE TRIGGER y AFTER INSERT ON t BEGIN UPDATE t SET a = 'random()'; END", []),
        ("CREATE VIEW z AS SELECT CURRENT_TIME", [("view", "z")]),
        ("CREATE INDEX i ON t(a)", []),
        ("DROP TABLE t", []),
    ],
)
def test_causes(sql: str, keys: list[tuple[str, ...]]) -> None:
    assert causes(sql) == keys


def test_the_users_word_makes_declared_times_steady() -> None:
    sql = "UPDATE t SET a = (SELECT day FROM stamped WHERE id = 1)"
    assert causes(sql, steady_times=True) == []


def test_messages_say_what_to_do() -> None:
    [cause] = write_causes(parse("UPDATE watched SET a = 1"), SCHEMA)
    assert "bind" in cause.message
    assert issubclass(DeterminismWarning, UserWarning)
