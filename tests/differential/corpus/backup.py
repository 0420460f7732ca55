"""Backups in all forms, and what can be loaded."""

from __future__ import annotations

import sqlite3
import tempfile
from functools import cache
from pathlib import Path

from tests.differential.model import Case, Compare, Step, case, execute, get, post, query, setup

CONTENT = (
    "CREATE TABLE plain (id INTEGER PRIMARY KEY, a INTEGER, b REAL, c TEXT, d BLOB)",
    'CREATE TABLE "odd ""name" ("a b" TEXT DEFAULT \'x\', "select" INTEGER)',
    "CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, a)",
    "CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID",
    "CREATE TABLE child (p INTEGER REFERENCES plain (id))",
    "INSERT INTO plain VALUES (1, 2, 0.1, 'it''s', x'00ff'), (2, NULL, 1e300, '', x'')",
    "INSERT INTO plain VALUES (3, 9223372036854775807, -0.5, 'é\n\t', NULL), (4, 0, 1.0, '1', NULL)",
    "INSERT INTO plain VALUES (5, 1.5, 2, char(10) || 'x''00''', 'text in d')",
    "INSERT INTO \"odd \"\"name\" VALUES ('quote''d', 1)",
    "INSERT INTO counted (a) VALUES ('one'), ('two')",
    "INSERT INTO keyed VALUES ('k', 'v')",
    "INSERT INTO child VALUES (1)",
    "CREATE INDEX by_a ON plain (a) WHERE a IS NOT NULL",
    "CREATE VIEW shown AS SELECT a, b FROM plain",
    "CREATE TRIGGER added AFTER INSERT ON plain BEGIN DELETE FROM child; END",
    "PRAGMA user_version = 7",
)

BINARY = (
    *("", "fmt=binary", "fmt=BINARY", "fmt=nonsense", "fmt=", "fmt=delete", "fmt=delete&compress"),
    *("compress", "vacuum", "vacuum&compress", "fmt=binary&vacuum", "noleader", "redirect"),
    *("timeout=10s", "tables=plain", "fmt=delete&tables=plain"),
)
TEXT = (
    *("fmt=sql", "fmt=SQL", "fmt=sql&tables=plain", "fmt=sql&tables=plain,keyed"),
    *("fmt=sql&tables=plain,%20keyed%20", "fmt=sql&tables=nope", "fmt=sql&tables="),
    *("fmt=sql&tables=PLAIN", "fmt=sql&tables=sqlite_sequence", "fmt=sql&noleader"),
    *("fmt=sql&tables=odd%20%22name", "fmt=sql&vacuum", "fmt=delete&vacuum"),
)

LOADED_SQL = {
    "one statement": "CREATE TABLE t (a)",
    "several": "CREATE TABLE t (a); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)",
    "ends with a comment": "CREATE TABLE t (a); -- end",
    "ends with a select": "CREATE TABLE t (a); INSERT INTO t VALUES (1); SELECT * FROM t",
    "ends with returning": "CREATE TABLE t (a); INSERT INTO t VALUES (1) RETURNING a",
    "second fails": "CREATE TABLE t (a); SELEC; INSERT INTO t VALUES (1)",
    "third fails": "CREATE TABLE t (a); INSERT INTO t VALUES (1); INSERT INTO nope VALUES (1)",
    "transaction": "BEGIN; CREATE TABLE t (a); INSERT INTO t VALUES (1); COMMIT",
    "failing transaction": "BEGIN; CREATE TABLE t (a); INSERT INTO nope VALUES (1); COMMIT",
    "open transaction": "BEGIN; CREATE TABLE t (a);",
    "dump": "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t (a);\n"
    "INSERT INTO \"t\" VALUES('x;y');\nCREATE TRIGGER r AFTER INSERT ON t BEGIN "
    "INSERT INTO t VALUES (1); DELETE FROM t WHERE a = 1; END;\nCOMMIT;\n",
    "nothing": "",
    "blank": " \n",
    "comment": "-- nothing",
    "JSON": '["CREATE TABLE t (a)"]',
    "no SQL": "\x01\x02\x03",
    "random is left alone": "CREATE TABLE t (a); INSERT INTO t VALUES (typeof(random()))",
    "disallowed pragma": "PRAGMA journal_mode=DELETE",
    "semicolons": ";;",
    "NUL": "CREATE TABLE t (a);\x00 SELEC",
}


@cache
def database_file(mode: str = "DELETE") -> bytes:
    """A SQLite file with one table, for loading."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "file.db"
        connection = sqlite3.connect(file)
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE loaded (a INTEGER, b TEXT)")
        connection.execute("INSERT INTO loaded VALUES (1, 'one'), (2, 'two')")
        connection.execute("PRAGMA user_version = 9")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return file.read_bytes()


def after_load() -> tuple[Step, ...]:
    return (
        query("SELECT type, name, sql FROM sqlite_schema ORDER BY name"),
        query("SELECT * FROM t", "SELECT * FROM loaded", "PRAGMA user_version"),
        execute("INSERT INTO t VALUES (3)", flags="transaction"),
        execute("INSERT INTO loaded (a) VALUES (3)", flags="transaction"),
    )


def load_case(name: str, body: str | bytes, flags: str = "", **headers: str) -> Case:
    return case(f"load/{name}", post(f"/db/load{flags}", body, **headers), *after_load())


def round_trip(flags: str, endpoint: str = "/db/load") -> Case:
    return case(
        f"load/backup {flags} into {endpoint}",
        setup(*CONTENT),
        get(f"/db/backup?{flags}").but(compare=Compare.NOTHING),
        setup("DROP TABLE child", "DELETE FROM plain", "INSERT INTO counted (a) VALUES ('three')"),
        post(endpoint).but(load_answer=True),
        get("/db/backup?fmt=sql"),
        query("PRAGMA user_version", "SELECT * FROM sqlite_sequence"),
    )


CASES: tuple[Case, ...] = (
    *(
        case(
            f"backup/{flags}",
            setup(*CONTENT),
            get(f"/db/backup?{flags}").but(compare=Compare.DATABASE),
        )
        for flags in BINARY
    ),
    *(case(f"backup/{flags}", setup(*CONTENT), get(f"/db/backup?{flags}")) for flags in TEXT),
    case(
        "backup/sql, compressed",
        setup(*CONTENT),
        get("/db/backup?fmt=sql&compress").but(compare=Compare.DATABASE),
    ),
    case(
        "backup/nothing",
        get("/db/backup").but(compare=Compare.DATABASE),
        get("/db/backup?fmt=sql"),
        get("/db/backup?fmt=delete").but(compare=Compare.DATABASE),
    ),
    case(
        "backup/virtual tables",
        setup("CREATE VIRTUAL TABLE f USING fts5(a)", "INSERT INTO f VALUES ('some words')"),
        get("/db/backup").but(compare=Compare.DATABASE),
    ),
    case(
        "backup/open transaction",
        setup("CREATE TABLE t (a)", "BEGIN", "INSERT INTO t VALUES (1)"),
        get("/db/backup?fmt=sql"),
    ),
    *(load_case(f"sql {name}", body) for name, body in LOADED_SQL.items()),
    load_case("file", database_file()),
    load_case("file in WAL mode", database_file("WAL")),
    load_case("file as JSON", database_file(), Content_Type="application/json"),
    load_case("file as text", database_file(), Content_Type="text/plain"),
    load_case("file with flags", database_file(), "?pretty&redirect&timeout=5s&retries=1"),
    load_case("sql with flags", "CREATE TABLE t (a)", "?pretty&timings&associative"),
    load_case("sql with index", "CREATE TABLE t (a)", "?raft_index"),
    load_case("file, compressed", b"\x1f\x8b" + database_file()),
    load_case("header in other case", b"sqlite format 3\x00"),
    case(
        "load/replaces everything",
        setup("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)", "CREATE VIEW v AS SELECT 1"),
        post("/db/load", database_file()),
        *after_load(),
    ),
    case(
        "load/adds to what is there",
        setup("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)"),
        post("/db/load", "INSERT INTO t VALUES (2); CREATE TABLE t (a); INSERT INTO t VALUES (3)"),
        *after_load(),
    ),
    *(round_trip(flags) for flags in ("", "fmt=binary&vacuum", "fmt=delete", "fmt=sql")),
    *(round_trip(flags, "/boot") for flags in ("", "fmt=delete")),
    case(
        "boot/file",
        setup("CREATE TABLE t (a)"),
        post("/boot", database_file()),
        *after_load(),
    ),
    case("boot/file in WAL mode", post("/boot", database_file("WAL")), *after_load()),
    case("boot/file, chunked", post("/boot", database_file(), Transfer_Encoding="chunked")),
    case(
        "boot/what is no file",
        post("/boot", ""),
        post("/boot", "short"),
        post("/boot", "CREATE TABLE t (a)"),
        post("/boot", "x" * 5000),
        get("/boot"),
        query("SELECT 1"),
    ),
)
