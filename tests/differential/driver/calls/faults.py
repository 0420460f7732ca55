"""What fails, and how."""

from __future__ import annotations

import sqlite3
from typing import Any

from tests.differential.driver.calls.model import (
    NOT_FOUND,
    TABLE,
    Observed,
    call,
    differs,
    error_of,
    errors_of,
    names,
)

STATEMENTS_THAT_FAIL = r"""
SELECT * FROM nope
SELECT nope FROM t
SELECT nope(1)
SELECT
SELEC 1
SELECT 1 +
INSERT INTO t VALUES (1)
INSERT INTO t(nope) VALUES (1)
CREATE TABLE t (a)
DROP TABLE nope
SELECT 'open
SELECT (1
SELECT 1)
SELECT abs(1, 2)
SELECT (SELECT 1, 2)
SELECT sum(id) FROM t WHERE sum(id)
SELECT id FROM t, t AS u
SELECT 1 UNION SELECT 1, 2
UPDATE t SET nope = 1
DELETE FROM nope
SELECT * FROM t ORDER BY 9
ALTER TABLE nope ADD COLUMN x
DROP INDEX nope
SELECT 1 COLLATE nope
CREATE VIEW v AS SELECT
INSERT INTO t DEFAULT
VALUES (1), (1, 2)
SELECT ?1 FROM
PRAGMA table_info(
x
SELECT [a
SELECT "a
SELECT `a
SELECT @
SELECT #1
SELECT 1x
SELECT 0x
SELECT x'0'
""".strip().splitlines()


@call(differs(NOT_FOUND, **{f"_{n}": "ProgrammingError" for n in range(len(STATEMENTS_THAT_FAIL))}))
def faults(module: Any, connection: Any) -> Observed:
    connection.execute(TABLE)
    return errors_of(connection, STATEMENTS_THAT_FAIL)


@call()
def broken_constraints(module: Any, connection: Any) -> Observed:
    connection.executescript(
        "CREATE TABLE k (id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL, c CHECK (c > 0));"
        "INSERT INTO k VALUES (1, 1, 1, 1); CREATE TABLE s (i INTEGER) STRICT"
    )
    statements = [
        "INSERT INTO k VALUES (1, 2, 2, 2)",
        "INSERT INTO k VALUES (2, 1, 2, 2)",
        "INSERT INTO k VALUES (2, 2, NULL, 2)",
        "INSERT INTO k VALUES (2, 2, 2, 0)",
        "UPDATE k SET n = NULL",
        "INSERT INTO k(id) VALUES ('x')",
        "INSERT INTO s VALUES ('x')",
    ]
    return errors_of(connection, statements)


@call()
def names_of_errors(module: Any, connection: Any) -> Observed:
    connection.executescript(
        "CREATE TABLE k (u UNIQUE, n NOT NULL, c CHECK (c > 0)); INSERT INTO k VALUES (1, 1, 1)"
    )
    seen = []
    for sql in (
        "INSERT INTO k VALUES (1, 2, 2)",
        "INSERT INTO k VALUES (2, NULL, 2)",
        "INSERT INTO k VALUES (2, 2, 0)",
        "SELECT * FROM nope",
    ):
        try:
            connection.execute(sql)
        except sqlite3.Error as error:
            seen.append((error.sqlite_errorname, error.sqlite_errorcode, str(error)))
    return seen


@call(
    differs(
        "the server sends texts and no codes: a text of its own tells nothing of RAISE",
        _0="OperationalError",
    )
)
def raised_by_a_trigger(module: Any, connection: Any) -> Observed:
    connection.execute("CREATE TABLE k (a)")
    connection.execute(
        "CREATE TRIGGER g BEFORE INSERT ON k BEGIN SELECT RAISE(ABORT, 'not today'); END"
    )
    seen: Observed = []
    try:
        connection.execute("INSERT INTO k VALUES (1)")
    except sqlite3.Error as error:
        seen += [type(error).__name__, "not today" in str(error)]
    return seen


@call(differs("an overflow is a matter of data; sqlite3 says OperationalError", _0="DataError"))
def failures_at_run_time(module: Any, connection: Any) -> Observed:
    statements = [
        "SELECT abs(-9223372036854775807 - 1)",
        "SELECT json('{')",
        "SELECT json_extract('{}', 'x')",
        "SELECT zeroblob(2000000000)",
        "SELECT CAST(x'ff' AS TEXT)",
    ]
    return errors_of(connection, statements)


@call(differs("an empty statement behind the one is no second one", _6="no error"))
def misuse(module: Any, connection: Any) -> Observed:
    cursor = connection.cursor()
    seen = [
        error_of(lambda: cursor.execute(5)),
        error_of(lambda: cursor.execute(b"SELECT 1")),
        error_of(lambda: cursor.execute(None)),
        error_of(lambda: cursor.execute()),
        error_of(lambda: cursor.executescript(5)),
        error_of(lambda: cursor.execute("SELECT 1; SELECT 2")),
        error_of(lambda: cursor.execute("SELECT 1;; ")),
        error_of(lambda: cursor.execute("SELECT 1; -- comment")),
        error_of(lambda: cursor.execute("")),
        error_of(lambda: cursor.execute("  -- nothing")),
        error_of(lambda: cursor.execute(";")),
        names(cursor),
        error_of(lambda: cursor.execute("SELECT '\ud800'")),
        error_of(lambda: cursor.execute("SELECT 1\0")),
    ]
    cursor.close()
    seen += [error_of(lambda: cursor.execute("SELECT 1")), error_of(cursor.close)]
    seen += [error_of(cursor.fetchone), error_of(cursor.fetchall), error_of(cursor.fetchmany)]
    return seen


@call()
def closed_connection(module: Any, connection: Any) -> Observed:
    cursor = connection.cursor()
    connection.close()
    return [
        error_of(connection.close),
        error_of(connection.cursor),
        error_of(connection.commit),
        error_of(connection.rollback),
        error_of(lambda: connection.execute("SELECT 1")),
        error_of(lambda: connection.executemany("SELECT 1", [])),
        error_of(lambda: connection.executescript("SELECT 1")),
        error_of(lambda: cursor.execute("SELECT 1")),
        error_of(lambda: cursor.executemany("SELECT 1", [])),
        error_of(lambda: cursor.executescript("SELECT 1")),
        error_of(lambda: connection.__enter__()),
    ]


@call(differs("rows that have arrived stay there when the connection is closed", _0="no error"))
def fetching_behind_a_closed_connection(module: Any, connection: Any) -> Observed:
    cursor = connection.execute("SELECT 1")
    connection.close()
    return [error_of(cursor.fetchone)]
