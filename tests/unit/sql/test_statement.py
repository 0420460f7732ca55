"""Statements end, are of a kind, and want values, as SQLite says."""

from __future__ import annotations

import apsw
import apsw.ext
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pyrqlite.errors import ProgrammingError
from pyrqlite.sql.names import words
from pyrqlite.sql.statement import StatementKind, parse, split
from tests.unit.sql.sqlite_oracle import examples, query_details

DATABASE = apsw.Connection(":memory:")
DATABASE.execute("CREATE TABLE t(a, b); CREATE VIEW v AS SELECT a FROM t")

STATEMENTS = [
    "SELECT 1",
    "SELECT ';' FROM t -- ;",
    'SELECT ";" /* ; */ FROM t',
    "SELECT ?, ?3, :a, @b, $c, ?, :a FROM t",
    "VALUES (1), (?)",
    "WITH x(a) AS (SELECT 1), y AS MATERIALIZED (SELECT ?) SELECT * FROM x, y",
    "WITH RECURSIVE x AS (VALUES (1)) INSERT INTO t SELECT *, 1 FROM x",
    "WITH x AS NOT MATERIALIZED (SELECT 1) UPDATE t SET a = (SELECT * FROM x)",
    "WITH x AS (SELECT 1) DELETE FROM t WHERE a IN x",
    "INSERT INTO t VALUES (:a, ?2)",
    "INSERT INTO t DEFAULT VALUES RETURNING a",
    "REPLACE INTO t SELECT 1, ?",
    "UPDATE t SET a = '; END' WHERE b = ? RETURNING *",
    "DELETE FROM t WHERE a = ?2",
    "CREATE TABLE u(a DEFAULT (1), b CHECK (b <> ';'))",
    "CREATE TRIGGER w AFTER INSERT ON t BEGIN SELECT 1; UPDATE t SET a = 1; END",
    "CREATE TEMP TRIGGER w AFTER INSERT ON t BEGIN DELETE FROM t WHERE a = 'END'; END",
    "CREATE TEMPORARY TRIGGER w DELETE ON t WHEN CASE WHEN 1 THEN 0 END BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END",
    "CREATE TRIGGER IF NOT EXISTS w INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (1, ';'); END",
    "EXPLAIN CREATE TRIGGER w AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END",
    "EXPLAIN QUERY PLAN SELECT ?",
    "DROP TABLE IF EXISTS nowhere",
    "ALTER TABLE t RENAME TO s",
    "ANALYZE",
    "REINDEX",
    "VACUUM",
    "PRAGMA table_info(t)",
    "PRAGMA foreign_keys = ON",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "END TRANSACTION",
    "ROLLBACK",
    "SAVEPOINT x",
    "RELEASE x",
    "ATTACH ':memory:' AS other",
    "DETACH other",
]
SPACES = st.lists(
    st.sampled_from([" ", "\n", "-- ;\n", "/* ; ' */", "/**/", "\ufeff"]), max_size=3
).map("".join)


@given(st.lists(st.tuples(SPACES, st.sampled_from(STATEMENTS), SPACES, SPACES), max_size=5))
@examples(200)
def test_scripts_are_cut_where_sqlite_cuts_them(pieces: list[tuple[str, str, str, str]]) -> None:
    script = "".join(
        f"{before}{statement}\n{between};{behind}" for before, statement, between, behind in pieces
    )
    found = []
    rest: str | None = script
    while rest:
        details = query_details(DATABASE, rest)
        found += split(details.first_query)
        assert len(split(details.first_query)) <= 1
        rest = details.query_remaining
    assert split(script) == found
    assert len(found) == len(pieces)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_one_statement_with_semicolons_and_comments_around(sql: str) -> None:
    statement = parse(f"; /* a */ {sql}\n ; -- b\n;;")
    assert statement.text == parse(sql).text
    assert statement.kind is parse(sql).kind
    with pytest.raises(ProgrammingError, match="one statement"):
        parse(f"{sql}\n; {sql}")


@pytest.mark.parametrize("sql", STATEMENTS)
def test_placeholders_are_numbered_as_sqlite_does(sql: str) -> None:
    details = query_details(DATABASE, sql)
    placeholders = parse(sql).placeholders
    assert placeholders.count == details.bindings_count
    assert placeholders.names == details.bindings_names


PARAMETERS = st.sampled_from(
    ["?", "?1", "?2", "?5", ":a", ":b", "@a", "$a", "$a::b", "$a(b)", ":1"]
)


@given(st.lists(PARAMETERS, min_size=1, max_size=8))
@examples(300)
def test_placeholders_in_any_mixture(parameters: list[str]) -> None:
    sql = f"SELECT {', '.join(parameters)}"
    details = query_details(DATABASE, sql)
    placeholders = parse(sql).placeholders
    assert placeholders.count == details.bindings_count
    assert placeholders.names == details.bindings_names


CHANGING = {StatementKind.WRITE, StatementKind.DEFINITION}
# What SQLite calls read-only here changes nothing because there is nothing to change, and BEGIN IMMEDIATE
# takes a lock.
NOTHING_TO_DO = {"DROP TABLE IF EXISTS nowhere", "REINDEX"}


@pytest.mark.parametrize("sql", [sql for sql in STATEMENTS if sql not in NOTHING_TO_DO])
def test_what_changes_the_database_is_of_a_kind_that_says_so(sql: str) -> None:
    details = query_details(DATABASE, sql)
    kind = parse(sql).kind
    assert kind is not StatementKind.UNKNOWN
    assert (kind is StatementKind.EXPLAIN) == bool(details.is_explain)
    if kind in CHANGING or kind is StatementKind.MAINTENANCE:
        assert not details.is_readonly
    if kind is StatementKind.READ:
        assert details.is_readonly


WORDS = st.sampled_from(
    sorted(
        words(
            """SELECT INSERT INTO t VALUES ( ) 1 , UPDATE SET a = DELETE FROM WHERE WITH x AS RETURNING * ;
            EXPLAIN QUERY PLAN PRAGMA user_version BEGIN COMMIT END ROLLBACK REPLACE DEFAULT NOT
            MATERIALIZED RECURSIVE CREATE TRIGGER"""
        )
    )
)


@given(st.lists(WORDS, min_size=1, max_size=9).map(" ".join))
@examples(1000)
def test_whatever_sqlite_takes_is_of_the_right_kind(sql: str) -> None:
    try:
        details = query_details(DATABASE, sql)
    except apsw.Error:
        assume(False)
        return
    statements = split(sql)
    if not statements:
        return
    kind = parse(statements[0]).kind
    assert kind is not StatementKind.UNKNOWN
    changing = kind in CHANGING
    if kind is not StatementKind.PRAGMA and not details.is_explain:
        assert changing == (not details.is_readonly)


@pytest.mark.parametrize(
    ("sql", "returns"),
    [
        ("INSERT INTO t VALUES (1, 2) RETURNING a", True),
        ("INSERT INTO t SELECT 1, 'RETURNING'", False),
        ("UPDATE t SET a = (SELECT 1) RETURNING(a)", True),
        ('DELETE FROM t WHERE a = "RETURNING"', False),
        ("SELECT 1", True),
        ("PRAGMA user_version", True),
        ("CREATE TABLE x AS SELECT 1", False),
    ],
)
def test_returning_is_found_outside_of_parentheses_and_quotes(sql: str, returns: bool) -> None:
    assert parse(sql).returns_rows is returns


def test_nothing_is_an_empty_statement() -> None:
    for sql in ("", " ;; -- a", "/* b */"):
        assert parse(sql).kind is StatementKind.EMPTY
        assert split(sql) == []


def test_what_sqlite_cannot_hold_is_refused() -> None:
    with pytest.raises(ProgrammingError, match="null character"):
        parse("SELECT '\0'")
    with pytest.raises(UnicodeEncodeError):
        parse("SELECT '\udc80'")
