"""Backups, loads and boots."""

from __future__ import annotations

import gzip
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.asking import Ask

SCHEMA = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b BLOB)",
    'CREATE TABLE "od""d" ("x y" REAL, twice AS ("x y" * 2))',
    "CREATE INDEX i ON t(a)",
    "CREATE VIEW v AS SELECT a FROM t",
    "CREATE TRIGGER r AFTER DELETE ON t BEGIN SELECT 1; END",
)


@pytest.fixture
def filled(ask: Ask) -> Ask:
    ask.execute(*SCHEMA, ["INSERT INTO t(a, b) VALUES (?,?)", "it's\né", [0, 255]])
    ask.execute('INSERT INTO "od""d" VALUES (1.5)')
    return ask


def read(path: Path, data: bytes, sql: str) -> list[Any]:
    path.write_bytes(data)
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize(
    ("query", "mode"),
    [("", b"\2\2"), ("fmt=odd", b"\2\2"), ("vacuum", b"\1\1"), ("fmt=delete", b"\1\1")],
)
def test_binary(filled: Ask, tmp_path: Path, query: str, mode: bytes) -> None:
    reply = filled("GET", "/db/backup?" + query)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.body[18:20] == mode
    squeezed = filled("GET", f"/db/backup?{query}&compress").body
    for data in (reply.body, gzip.decompress(squeezed)):
        rows = read(tmp_path / "copy.db", data, "SELECT a, b FROM t, pragma_integrity_check")
        assert rows == [("it's\né", b"\0\xff")]


def test_text(filled: Ask) -> None:
    reply = filled("GET", "/db/backup?fmt=sql")
    assert reply.headers["content-type"] == "application/sql"
    text = reply.body.decode()
    assert text.startswith("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE")
    assert text.endswith("COMMIT;\n")
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(text)
        assert connection.execute("SELECT * FROM t").fetchall() == [(1, "it's\né", b"\0\xff")]
        assert connection.execute('SELECT * FROM "od""d"').fetchall() == [(1.5, 3.0)]
    some = filled("GET", "/db/backup?fmt=sql&tables=%20t,%20nope").body.decode()
    assert "INSERT INTO \"t\" VALUES(1,'it''s\né',X'00FF');" in some
    assert "od" not in some
    assert gzip.decompress(filled("GET", "/db/backup?fmt=SQL&compress").body).decode() == text
    assert "CREATE INDEX i" in some


def test_formats_that_cannot_be_vacuumed(local: Ask) -> None:
    for form in ("sql", "delete"):
        reply = local("GET", f"/db/backup?vacuum&fmt={form}")
        assert reply.refusal == (500, "invalid backup format\n")


def test_loading_text(ask: Ask) -> None:
    reply = ask("POST", "/db/load", b"CREATE TABLE t (a); INSERT INTO t VALUES (1),(2);")
    assert reply.results == [{"last_insert_id": 2, "rows_affected": 2}]
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    broken = ask("POST", "/db/load", b"INSERT INTO t VALUES (3); INSERT INTO nope VALUES (1)")
    assert broken.results == [{"error": "no such table: nope"}]
    assert ask.column("SELECT a FROM t") == [1, 2, 3]
    whole = b"BEGIN; DELETE FROM t; INSERT INTO nope VALUES (1); COMMIT"
    assert ask("POST", "/db/load", whole).results == [{"error": "no such table: nope"}]
    assert ask.column("SELECT a FROM t") == [1, 2, 3]
    assert ask("POST", "/db/load", b"SELECT '\xff'").json == {
        "results": [],
        "error": "string field contains invalid UTF-8",
    }
    pragma = ask("POST", "/db/load", b"PRAGMA journal_mode=delete").json
    assert pragma == {"results": [], "error": "disallowed pragma"}


def test_loading_a_long_text(local: Ask) -> None:
    inserts = [f"INSERT INTO t VALUES ({number}, 'a;b')" for number in range(20_000)]
    script = ";\n".join(["BEGIN", "CREATE TABLE t (a PRIMARY KEY, b)", *inserts, "COMMIT"])
    assert local("POST", "/db/load", script.encode()).results == [
        {"last_insert_id": 20_000, "rows_affected": 1}
    ]
    again = local("POST", "/db/load", script.replace("CREATE TABLE t", "--").encode())
    assert again.results == [{"error": "UNIQUE constraint failed: t.a"}]
    assert local.column("SELECT count(*) FROM t") == [20_000]
    commented = local("POST", "/db/load", (script.replace(" t", " u") + "; -- end").encode())
    assert commented.results == [{}]
    late = local.execute(script.replace(" t", " v") + ";" + "SELECT 1;" * 20, q="db_timeout=1ms")
    assert late.results == [{"error": "execute timeout"}]
    local.execute("ROLLBACK")


def load(ask: Ask, data: bytes) -> None:
    assert ask("POST", "/db/load", data).json == {"results": []}


def boot(ask: Ask, data: bytes) -> None:
    assert ask("POST", "/boot", data).refusal == (200, "")


@pytest.fixture(params=[load, boot])
def replace(request: pytest.FixtureRequest) -> Callable[[Ask, bytes], None]:
    way: Callable[[Ask, bytes], None] = request.param
    return way


@pytest.mark.parametrize("page_size", [4096, 8192, 512])
def test_replacing_the_database(
    ask: Ask, tmp_path: Path, replace: Callable[[Ask, bytes], None], page_size: int
) -> None:
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            f"PRAGMA page_size={page_size}; CREATE TABLE n (a); INSERT INTO n VALUES (7)"
        )
    for _ in range(2):
        ask.execute("CREATE TABLE t (a)", "BEGIN", "CREATE TEMP TABLE tt (a)")
        ask.query("ATTACH ':memory:' AS other", "PRAGMA cache_size=5")
        replace(ask, path.read_bytes())
        assert ask.column("SELECT a FROM n") == [7]
        assert ask.query("SELECT * FROM t").results == [{"error": "no such table: t"}]
        # Connections start afresh.
        assert ask.request("SELECT * FROM tt").results == [{"error": "no such table: tt"}]
        assert len(ask.query("PRAGMA database_list").values) == 1
        assert ask.execute("INSERT INTO n VALUES (8)", q="transaction").results
        assert ask.column("SELECT a FROM n") == [7, 8]
    assert ask.query("PRAGMA journal_mode").values == [["wal"]]


def test_a_backup_can_be_loaded(filled: Ask, replace: Callable[[Ask, bytes], None]) -> None:
    backup = filled("GET", "/db/backup").body
    filled.execute("DROP TABLE t")
    replace(filled, backup)
    assert filled.column("SELECT a FROM t") == ["it's\né"]


def test_bytes_that_only_look_like_a_database(filled: Ask) -> None:
    fake = b"SQLite format 3\0" + b"x" * 5000
    assert filled("POST", "/db/load", fake).status == 500
    assert filled("POST", "/boot", fake).status == 503
    torn = bytearray(filled("GET", "/db/backup").body)
    torn[4096:] = b"\xff" * (len(torn) - 4096)
    assert filled("POST", "/db/load", bytes(torn)).status == 500
    assert filled("POST", "/boot", b"x" * 100).refusal == (400, "invalid SQLite data\n")
    assert filled("POST", "/boot", b"x").refusal == (503, "EOF\n")
    assert filled.column("SELECT a FROM t") == ["it's\né"]
    assert filled.execute("DELETE FROM t").results


def test_a_backup_under_writes_is_consistent(local: Ask, tmp_path: Path) -> None:
    local.execute("CREATE TABLE t (a)", "CREATE TABLE u (a)")
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            local.execute("INSERT INTO t VALUES (1)", "INSERT INTO u VALUES (1)", q="transaction")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for query in ("", "vacuum", "fmt=delete"):
            data = local("GET", "/db/backup?" + query).body
            ((t, u),) = read(
                tmp_path / "copy.db",
                data,
                "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)",
            )
            assert t == u
        text = local("GET", "/db/backup?fmt=sql").body
        assert text.count(b'INTO "t"') == text.count(b'INTO "u"')
    finally:
        stop.set()
        writer.join()


def test_snapshots(ask: Ask) -> None:
    ask.execute("CREATE TABLE t (a)")
    assert ask("POST", "/snapshot").refusal == (200, "")
    assert ask("POST", "/snapshot").refusal == (204, "")
    assert ask("POST", "/reap").json == {"snapshots_reaped": 0, "wals_checkpointed": 0}
