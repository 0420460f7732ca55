"""Random scripts: what lists of statements do one after another, without anybody having chosen them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.differential.model import Case, Statement, Step, query, setup, statements

SCHEMA = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 8), u TEXT UNIQUE)",
    "CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT NOT NULL)",
    "CREATE TRIGGER added AFTER INSERT ON t BEGIN INSERT INTO log (what) VALUES (NEW.u); END",
    "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')",
)
CONTENT = query(
    "SELECT * FROM t ORDER BY id",
    "SELECT * FROM log ORDER BY id",
    "SELECT * FROM sqlite_sequence",
    "SELECT name, sql FROM sqlite_schema ORDER BY name",
)
WRITES: tuple[Statement, ...] = (
    "INSERT INTO t (n, u) VALUES (3, 'c')",
    "INSERT INTO t (n, u) VALUES (4, 'd'), (9, 'e')",
    "INSERT INTO t (n, u) VALUES (5, 'f'), (6, 'g') RETURNING id, u",
    ["INSERT INTO t (n, u) VALUES (?, ?)", 7, "h"],
    ["INSERT INTO t (n, u) VALUES (:n, :u)", {"n": 0, "u": "i"}],
    ["INSERT INTO t (n, u) VALUES (?, ?)", 7],
    "INSERT INTO t (n) VALUES (1)",
    "INSERT OR IGNORE INTO t (u) VALUES ('a')",
    "INSERT OR REPLACE INTO t (n, u) VALUES (1, 'a')",
    "INSERT OR ROLLBACK INTO t (u) VALUES ('a')",
    "INSERT OR FAIL INTO t (u) VALUES ('j'), ('a')",
    "INSERT INTO t (n, u) VALUES (1, 'a') ON CONFLICT (u) DO UPDATE SET n = n + 1 RETURNING n",
    "UPDATE t SET n = n + 1",
    "UPDATE t SET n = n + 1 WHERE id = 1",
    "UPDATE t SET u = 'same'",
    "DELETE FROM t WHERE id = (SELECT max(id) FROM t)",
    "DELETE FROM t",
    "DELETE FROM log RETURNING id",
    "CREATE TABLE IF NOT EXISTS extra (a)",
    "CREATE TABLE extra (a)",
    "INSERT INTO extra VALUES (1)",
    "DROP TABLE extra",
    "PRAGMA user_version = 3",
    "RELEASE s",
    "ROLLBACK TO s",
)
READS: tuple[Statement, ...] = (
    "SELECT * FROM t ORDER BY id",
    "SELECT count(*), sum(n), max(u) FROM t",
    ["SELECT u FROM t WHERE n > ? ORDER BY id", 1],
    "SELECT * FROM log ORDER BY id DESC LIMIT 1",
    "SELECT * FROM extra",
    "SELECT last_insert_rowid() > 0, 1",
    "SELECT nope FROM t",
    "SELEC",
    ["SELECT json(?)", "x"],
    ["SELECT CASE WHEN (SELECT count(*) FROM t) > 2 THEN json(?) END", "x"],
    "PRAGMA table_info(t)",
    "PRAGMA user_version",
    "",
    "-- nothing",
    "SELECT 1; SELECT 2",
)
ENDPOINTS = ("execute", "execute", "request", "request", "query")
FLAGS = ("transaction", "associative", "blob_array", "noparse", "level=strong", "norwrandom")


def script(steps: Sequence[tuple[str, Sequence[str], Sequence[Statement]]]) -> tuple[Step, ...]:
    """The requests of a script, each followed by a look at all tables."""
    requests = []
    for endpoint, flags, items in steps:
        requests += [statements(endpoint, "&".join(flags), items), CONTENT]
    return (setup(*SCHEMA), *requests)


def random_case(seed: int) -> Case:
    random = Random(seed)
    steps = []
    for _ in range(2):
        flags = [flag for flag in FLAGS if random.random() < 0.3]
        items = [
            random.choice(WRITES if random.random() < 0.6 else READS)
            for _ in range(1 + int(random.random() * 6))
        ]
        steps.append((random.choice(ENDPOINTS), flags, items))
    return Case(f"scripts/{seed}", script(steps))


CASES = tuple(random_case(seed) for seed in range(150))
