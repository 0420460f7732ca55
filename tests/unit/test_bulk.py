"""Which INSERTs are packed, and that they mean the same then."""

from __future__ import annotations

import math
from typing import Any

import apsw
import pytest

from pyrqlite import DataError
from pyrqlite.sql.statement import parse
from pyrqlite.types import adapt
from pyrqlite.wire import bulk

LIMIT = 10**9


def packed(sql: str, rows: Any, *, unhex: bool = True) -> list[list[Any]]:
    statement = parse(sql)
    how = bulk.packable(statement)
    assert how is not None
    return bulk.pack(how, statement, rows, adapt, unhex=unhex, limit=LIMIT)


PACKED = [
    "INSERT INTO t(a, b) VALUES (?, ?)",
    "INSERT INTO t VALUES (?, ?)",
    "insert into main.t(a, b) values (?, ?)",
    "INSERT OR IGNORE INTO t VALUES (?, ?)",
    "INSERT OR REPLACE INTO t VALUES (?, ?)",
    "REPLACE INTO t VALUES (?, ?)",
    'INSERT INTO "t"("a", [b]) VALUES (?, ?)',
    "INSERT INTO t VALUES (:a, :b)",
    "INSERT INTO t VALUES (?2, ?1)",
    "INSERT INTO t VALUES (?, 'x')",
    "INSERT INTO t VALUES (NULL, ?)",
    "INSERT INTO t VALUES (-?, x'00')",
    "INSERT INTO t VALUES (? || 'y', ? + 1)",
    "INSERT INTO t VALUES (upper(?), coalesce(?, 1))",
    "INSERT INTO t(a, b) VALUES (?, ?) ON CONFLICT DO NOTHING",
    "INSERT INTO t(a, b) VALUES (?, ?) ON CONFLICT(a) DO UPDATE SET b = excluded.b WHERE excluded.b > 1",
    "INSERT INTO t AS u(a, b) VALUES (?, ?) ON CONFLICT(a) DO UPDATE SET b = u.b + 1",
    "INSERT INTO t VALUES (? /* , ? */, ?)",
]
LISTED = [
    "INSERT INTO t VALUES (?, ?), (?, ?)",
    "INSERT INTO t SELECT ?, ?",
    "INSERT INTO t DEFAULT VALUES",
    "INSERT INTO t VALUES (1, 2)",
    "INSERT INTO t VALUES (?, a)",
    'INSERT INTO t VALUES (?, "key")',
    'INSERT INTO t VALUES (?, "value")',
    "INSERT INTO t VALUES (?, [value])",
    "INSERT INTO t VALUES (?, `key`)",
    "INSERT INTO t VALUES (?, (SELECT max(a) FROM t))",
    "INSERT INTO t VALUES (?, (SELECT 1))",
    "INSERT INTO t VALUES (?, EXISTS (SELECT 1 FROM t))",
    "INSERT INTO t VALUES (?, random())",
    "INSERT INTO t VALUES (?, randomblob(4))",
    "INSERT INTO t VALUES (?, CURRENT_TIMESTAMP)",
    "INSERT INTO t VALUES (?, datetime('now'))",
    "INSERT INTO t VALUES (?, last_insert_rowid())",
    "INSERT INTO t VALUES (?, changes())",
    "INSERT INTO t VALUES (?, own_function(?))",
    "INSERT INTO t VALUES (max(?), 1)",
    "INSERT INTO t VALUES (min(?), 1)",
    "INSERT INTO t VALUES (count(?), 1)",
    "INSERT INTO t VALUES (sum(?), 1)",
    "INSERT INTO t VALUES (group_concat(?), 1)",
    "INSERT INTO t VALUES (?, ? COLLATE NOCASE)",
    "INSERT INTO t(a, b) VALUES (?, 1) ON CONFLICT(a) DO UPDATE SET b = ?",
    "INSERT INTO t(a, b) VALUES (1, 1) ON CONFLICT(a) DO UPDATE SET b = ?",
    "INSERT INTO t VALUES (?, ?) RETURNING a",
    "WITH x AS (SELECT 1) INSERT INTO t VALUES (?, ?)",
    "UPDATE t SET a = ?",
    "DELETE FROM t WHERE a = ?",
    "SELECT ?",
    "INSERT INTO t VALUES (?, ?",
    "INSERT INTO t VALUES",
    "INSERT INTO t VALUES ?",
    "INSERT",
    f"INSERT INTO t VALUES ({', '.join('?' * 41)})",
]


@pytest.mark.parametrize("sql", PACKED)
def test_packed(sql: str) -> None:
    assert bulk.packable(parse(sql)) is not None


@pytest.mark.parametrize("sql", LISTED)
def test_listed(sql: str) -> None:
    assert bulk.packable(parse(sql)) is None


ROWS: list[tuple[Any, Any]] = [
    (1, "one"),
    ("x", b"\x00\xff"),
    (None, 1.5),
    (2.0, ""),
    (b"", None),
    (-(2**63), 2**63 - 1),
    ('é\0"\\', "[1]"),
    (True, False),
    (1, "again"),
    ('["41"]', b"A"),
    (0.1 + 0.2, 5e-324),
    (1e22, -0.5),
]


@pytest.mark.parametrize("sql", PACKED)
def test_same_as_row_by_row(sql: str) -> None:
    statement = parse(sql)
    wanted = statement.placeholders
    rows: list[Any] = [row[: wanted.count] for row in ROWS]
    if wanted.names and wanted.names[0] == "a":
        rows = [dict(zip("ab", row, strict=True)) for row in rows]
    one, many = _database(), _database()
    for row in rows:
        one.execute(sql, row)
    for text, parameter in packed(sql, rows):
        many.execute(text, (parameter,))
    question = "SELECT rowid, a, typeof(a), b, typeof(b) FROM t ORDER BY rowid"
    assert many.execute(question).fetchall() == one.execute(question).fetchall()
    assert many.total_changes() == one.total_changes()


def _database() -> apsw.Connection:
    made = apsw.Connection(":memory:")
    made.execute("CREATE TABLE t (a UNIQUE ON CONFLICT REPLACE, b)")
    return made


def test_chunks_keep_the_order() -> None:
    rows = [(number, f"row {number}") for number in range(9000)]
    statements = packed("INSERT INTO t VALUES (?, ?)", iter(rows))
    assert len(statements) == 9
    database = _database()
    for text, parameter in statements:
        database.execute(text, (parameter,))
    assert database.execute("SELECT a, b FROM t ORDER BY rowid").fetchall() == rows


def test_no_rows_no_statements() -> None:
    assert packed("INSERT INTO t VALUES (?, ?)", []) == []


def test_what_only_a_list_can_carry() -> None:
    for rows, unhex in (
        ([(math.inf, 1)], True),
        ([(1, 2), (-math.inf, 2)], True),
        ([(b"x", 1)], False),
    ):
        with pytest.raises(bulk.NotPackable):
            packed("INSERT INTO t VALUES (?, ?)", rows, unhex=unhex)


def test_limit() -> None:
    statement = parse("INSERT INTO t VALUES (?)")
    how = bulk.packable(statement)
    assert how is not None
    with pytest.raises(DataError, match="max_request_bytes"):
        bulk.pack(how, statement, [("x" * 100,)] * 10, adapt, unhex=True, limit=500)
