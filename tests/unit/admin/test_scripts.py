"""Files of SQL that are not whole are told from those that are."""

from __future__ import annotations

import resource
import sqlite3
from pathlib import Path

import pytest

from pyrqlite.admin.scripts import check_script
from pyrqlite.errors import ProgrammingError

TRIGGER = (
    "CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO t VALUES (';'); DELETE FROM t; END;\n"
)


def check(tmp_path: Path, text: str | bytes) -> bool:
    file = tmp_path / "script.sql"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with file.open("rb") as opened:
        return check_script(opened, "script.sql")


@pytest.mark.parametrize(
    "text",
    [
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t (a);\nCOMMIT;\n",
        "BEGIN; INSERT INTO t VALUES ('BEGIN; it''s'), (\"x;\"), ([y;]), (`z;`); END",
        "begin immediate;\ncommit transaction ; -- it's the end",
        f"BEGIN;{TRIGGER}COMMIT;",
        "/* it's */ BEGIN /* ; */; -- don't\nSELECT 5 - 3 / 2 ; COMMIT; /* open",
        "SAVEPOINT s; INSERT INTO t VALUES (1); RELEASE s;",
        "BEGIN; SAVEPOINT s; ROLLBACK TRANSACTION TO s; RELEASE s; COMMIT;",
        "\ufeffBEGIN; COMMIT;",
    ],
)
def test_one_transaction(tmp_path: Path, text: str) -> None:
    assert check(tmp_path, text) is True


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (a)",
        "CREATE TABLE t (a); INSERT INTO t VALUES (';')",
        "BEGIN; COMMIT; INSERT INTO t VALUES (1)",
        "BEGIN; COMMIT; BEGIN; COMMIT;",
        TRIGGER,
        " \n",
        "-- nothing",
    ],
)
def test_several_steps(tmp_path: Path, text: str) -> None:
    assert check(tmp_path, text) is False


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN",
        "BEGIN; CREATE TABLE t (a);",
        "BEGIN; INSERT INTO t VALUES ('COMMIT;')",
        f"BEGIN; {TRIGGER}",
        "BEGIN; SAVEPOINT s; RELEASE s;",
        "SAVEPOINT s; ROLLBACK TO s;",
        "BEGIN; -- COMMIT;",
        "BEGIN; /* COMMIT;",
    ],
)
def test_open_transactions(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProgrammingError, match="does not end it"):
        check(tmp_path, text)


@pytest.mark.parametrize(
    "text", ["INSERT INTO t VALUES ('it", 'BEGIN; SELECT "x; COMMIT;', "'", ";'", "SELECT [a; END;"]
)
def test_open_texts(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProgrammingError, match="never ends"):
        check(tmp_path, text)


@pytest.mark.parametrize("text", [b"SELECT 1;\0", b"SELECT '\xff';", b"\x1f\x8b\x08 and so on"])
def test_no_text(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(ProgrammingError, match="neither an SQLite file nor SQL"):
        check(tmp_path, text)


def test_every_cut_of_a_dump_is_noticed(tmp_path: Path) -> None:
    database = sqlite3.connect(":memory:")
    database.executescript(
        f"CREATE TABLE t (a); INSERT INTO t VALUES ('x;''y'), ('COMMIT;'); {TRIGGER}"
    )
    dump = "\n".join(database.iterdump())
    database.close()
    assert dump.endswith("COMMIT;")
    assert check(tmp_path, dump)
    begun = dump.index("BEGIN TRANSACTION") + len("BEGIN")
    for end in range(begun, len(dump) - len("COMMIT;") + 1):
        with pytest.raises(ProgrammingError, match=r"never ends|does not end it"):
            check(tmp_path, dump[:end])


def test_large_statements_are_not_held(tmp_path: Path) -> None:
    rows = b",".join([b"('it''s')"] * 300_000)
    file = tmp_path / "script.sql"
    file.write_bytes(b"BEGIN; INSERT INTO t VALUES " + rows + b"; -- end;\nCOMMIT;")
    size = file.stat().st_size
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with file.open("rb") as opened:
        assert check_script(opened, "script.sql")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 3 * size


def test_comments_that_never_end_take_no_time(tmp_path: Path) -> None:
    assert check(tmp_path, "SELECT 1 " + "/* " * 200_000) is False
