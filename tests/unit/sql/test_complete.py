"""Completed and frozen, an INSERT stores what the original stores at that instant."""

from __future__ import annotations

import random
from collections.abc import Sequence

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrqlite.errors import NotSupportedError
from pyrqlite.sql.clock import Instant
from pyrqlite.sql.complete import Completion, complete
from pyrqlite.sql.freeze import Context, Frozen, freeze, freeze_rows
from pyrqlite.sql.parameters import Value
from pyrqlite.sql.statement import parse
from tests.unit.sql.sqlite_oracle import CLOCK, examples, schema_of

NOON = Instant(1_795_435_200_123)

DEFINITIONS = """
CREATE TABLE stamped(
    id INTEGER PRIMARY KEY, name TEXT UNIQUE, created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "day of" DEFAULT (date('now')), seconds INTEGER DEFAULT (strftime('%s', 'now') -- since 1970
    ), plain DEFAULT 'CURRENT_TIME', twice AS (seconds * 2), at TIME DEFAULT CURRENT_TIME
);
CREATE TABLE lenient(id INTEGER PRIMARY KEY, created NOT NULL ON CONFLICT REPLACE DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE chance(id INTEGER PRIMARY KEY, token TEXT DEFAULT (lower(hex(randomblob(8)))), n DEFAULT (random()));
CREATE TABLE zoned(id INTEGER PRIMARY KEY, created DEFAULT (datetime('now', 'localtime')));
CREATE TABLE steady(a, b DEFAULT 5);
CREATE TABLE source(a, b, "now", "day of");
INSERT INTO source VALUES (1, 'x', 'n1', 'd1'), (2, 'y', 'n2', 'd2'), (2, 'z', 'n3', 'd3');
CREATE VIEW through AS SELECT id, name FROM stamped;
CREATE TRIGGER t INSTEAD OF INSERT ON through BEGIN INSERT INTO stamped(id, name) VALUES (new.id, new.name); END;
"""


def database() -> apsw.Connection:
    connection = apsw.Connection(":memory:", vfs=CLOCK.NAME)
    connection.execute(DEFINITIONS)
    return connection


SCHEMA = schema_of(database())
TABLES = ("stamped", "lenient", "zoned", "steady")


def prepared(sql: str, *values: Value, instant: Instant = NOON) -> Frozen:
    completion = complete(parse(sql), SCHEMA)
    return freeze(
        completion.statement, values, Context(instant, random.Random(3)), completion.defaults
    )


def outcome(milliseconds: int, sql: str, values: Sequence[Value]) -> object:
    """What comes back at this time, and what is stored then."""
    connection = database()
    CLOCK.milliseconds = milliseconds
    try:
        answer: object = list(connection.execute(sql, tuple(values)))
    except apsw.Error as error:
        answer = type(error).__name__
    return answer, [list(connection.execute(f"SELECT * FROM {table}")) for table in TABLES]


INSERTS = [
    "INSERT INTO stamped(name) VALUES (?)",
    "INSERT INTO stamped(name) VALUES (?), ('b'), (NULL) RETURNING *",
    "INSERT INTO main.stamped AS s (id, name) VALUES (5, ?) RETURNING created, twice",
    "INSERT INTO 'stamped' (ID, CREATED) VALUES (1, '2020')",
    "INSERT INTO stamped DEFAULT VALUES",
    "INSERT INTO stamped DEFAULT VALUES RETURNING *",
    "INSERT INTO stamped VALUES (1, 'a', 'b', 'c', 'd', 'e', 'f')",
    'INSERT INTO stamped("day of") VALUES (?)',
    'INSERT INTO stamped(name, created, "day of", seconds, at) VALUES (1, 2, 3, 4, 5)',
    "INSERT INTO stamped(id, name) SELECT a, b FROM source WHERE a = 1",
    "INSERT INTO stamped(name) SELECT b FROM source ORDER BY 1 DESC LIMIT 2",
    "INSERT INTO stamped(name) SELECT DISTINCT a FROM source",
    "INSERT INTO stamped(name) SELECT max(b) FROM source GROUP BY a HAVING count(*) IS NOT DISTINCT FROM 1",
    "INSERT INTO stamped(id, name) SELECT row_number() OVER w, b FROM source WINDOW w AS (ORDER BY b)",
    "INSERT INTO stamped(name) SELECT a FROM source UNION SELECT b FROM source ORDER BY 1",
    "INSERT INTO stamped(name) VALUES ('p') UNION ALL SELECT b FROM source EXCEPT VALUES ('x'), ('q')",
    "INSERT INTO stamped(name) SELECT ? WHERE NOT EXISTS (SELECT 1 FROM stamped)",
    "INSERT INTO stamped(name, id) WITH w(n) AS (SELECT b FROM source) SELECT n, rowid FROM source, w WHERE n = b",
    "WITH w(n) AS (SELECT b FROM source) INSERT INTO stamped(name) SELECT * FROM w",
    "INSERT OR IGNORE INTO stamped(name) VALUES ('a'), ('a'), (?)",
    "INSERT INTO stamped(name) VALUES (?) "
    "ON CONFLICT (name) DO UPDATE SET created = excluded.created, plain = CURRENT_DATE",
    "INSERT INTO stamped(id, name) VALUES (1, 'a'), (1, 'b') "
    'ON CONFLICT DO UPDATE SET plain = excluded."day of" WHERE true',
    "INSERT INTO stamped(id, name) SELECT a, 'n' FROM source WHERE true "
    "ON CONFLICT DO NOTHING RETURNING id, created",
    "INSERT OR REPLACE INTO stamped(name, created) VALUES (?, NULL), ('b', ?), ('c', 'd')",
    "REPLACE INTO stamped VALUES (1, 'a', NULL, NULL, NULL, 'e', NULL)",
    "REPLACE INTO stamped(created) VALUES (CAST(NULL AS TEXT))",
    "INSERT INTO lenient(created) VALUES (?), (NULL), (1)",
    "INSERT OR IGNORE INTO lenient(created) VALUES (NULL)",
    "INSERT INTO zoned(id) VALUES (1)",
    "INSERT INTO steady(a) VALUES (1)",
    "INSERT INTO steady(a) VALUES (CURRENT_TIMESTAMP) -- (",
    "INSERT INTO stamped(name /* , */ ) VALUES /* ( */ ( ? -- )\n )",
]


@given(
    st.sampled_from(INSERTS),
    st.sampled_from([None, 1, "a", b"b", "now"]),
    st.integers(0, 4_102_444_800_000),
)
@examples(250)
def test_inserts_store_what_they_store_at_that_instant(
    sql: str, value: Value, milliseconds: int
) -> None:
    statement = parse(sql)
    values = [value] * statement.placeholders.count
    result = prepared(sql, *values, instant=Instant(milliseconds))
    wanted = outcome(milliseconds, sql, values)
    assert outcome(milliseconds + 90_061_001, result.text, result.values) == wanted, result


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO stamped VALUES (1, 2, 3, 4, 5, 6, 7)",
        "INSERT INTO steady(a) VALUES (1)",
        "INSERT INTO through(id, name) VALUES (1, 'a')",
        "INSERT INTO unknown(a) VALUES (1)",
        "INSERT INTO other.stamped(name) VALUES (1)",
        "INSERT INTO stamped(name) DEFAULT VALUES",
        "UPDATE stamped SET name = 1",
        "SELECT 1",
    ],
)
def test_all_else_stays_as_it_is(sql: str) -> None:
    statement = parse(sql)
    assert complete(statement, SCHEMA) == Completion(statement)


def test_completing_again_adds_nothing() -> None:
    for sql in INSERTS:
        once = complete(parse(sql), SCHEMA)
        again = complete(once.statement, SCHEMA)
        assert again.columns == ()
        if "REPLACE" not in sql and "lenient" not in sql:
            assert again.statement.text == once.statement.text


def test_each_row_gets_random_values_of_its_own() -> None:
    connection = database()
    result = prepared("INSERT INTO chance(id) VALUES (1), (2), (3)")
    connection.execute(result.text)
    rows = list(connection.execute("SELECT token, n FROM chance"))
    assert len({row[0] for row in rows}) == len({row[1] for row in rows}) == 3
    assert all(len(row[0]) == 16 and isinstance(row[1], int) for row in rows)
    single = prepared(
        "INSERT INTO chance(id) SELECT 4 WHERE NOT EXISTS (SELECT 1 FROM chance WHERE id = 4)"
    )
    connection.execute(single.text)
    assert list(connection.execute("SELECT length(token) FROM chance WHERE id = 4")) == [(16,)]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO chance(id) SELECT a FROM source",
        "INSERT INTO chance(id) SELECT 1 UNION SELECT 1",
        "INSERT INTO chance(id) VALUES (1) UNION VALUES (2)",
    ],
)
def test_random_defaults_for_the_rows_of_a_query_are_refused(sql: str) -> None:
    with pytest.raises(NotSupportedError, match=r"column token of chance .* give its values"):
        complete(parse(sql), SCHEMA)


def test_many_rows_get_the_instant_as_a_constant_and_random_values_as_parameters() -> None:
    completion = complete(parse("INSERT INTO stamped(name) VALUES (?)"), SCHEMA)
    rows = freeze_rows(completion.statement, [["a"], ["b"]], Context(NOON, random.Random(1)))
    assert rows.rows == [["a"], ["b"]]
    assert "'2026-11-23 12:00:00'" in rows.text
    completion = complete(parse("INSERT INTO chance(id) VALUES (:id)"), SCHEMA)
    rows = freeze_rows(completion.statement, [[1], [2]], Context(NOON, random.Random(1)))
    assert rows.text == (
        'INSERT INTO chance(id, "token", "n") VALUES (:id, (lower ( hex ( ? ) )), (?))'
    )
    connection = database()
    connection.executemany(rows.text, rows.rows)
    assert len(set(connection.execute("SELECT token, n FROM chance"))) == 2


def test_a_local_time_is_let_pass_in_a_default_only() -> None:
    completion = complete(parse("INSERT INTO zoned(id) VALUES (1)"), SCHEMA)
    text = freeze(
        completion.statement, (), Context(NOON, random.Random()), completion.defaults
    ).text
    assert "'localtime'" in text
    assert "'now'" not in text
    sql = "INSERT INTO zoned(id) VALUES (strftime('%s', 'now', 'localtime'))"
    with pytest.raises(NotSupportedError, match="time zone"):
        prepared(sql)
