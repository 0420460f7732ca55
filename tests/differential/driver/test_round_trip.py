"""Every odd value through every declared type, by every way in and out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyrqlite
from pyrqlite import Connection
from tests.differential.driver.choices import Chooser, choosers
from tests.differential.driver.conftest import examples
from tests.differential.driver.reference import Reference
from tests.differential.driver.values import DECLARED, POOLS, Value, shown, value

EVERY: list[Value] = [each for pool in POOLS for each in pool]
NULLABLE = sorted({declared.replace(" NOT NULL DEFAULT 'd'", "") for declared in DECLARED})


def expected(declared: str, values: Sequence[Value]) -> list[tuple[str, ...]]:
    """What SQLite itself gives back."""
    reference = Reference()
    reference.run(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
    for each in values:
        reference.run("INSERT INTO t(v) VALUES (?)", (each,))
    return [shown(row) for row in reference.run("SELECT v, typeof(v) FROM t ORDER BY id")]


def put(connection: Connection, way: str, values: Sequence[Value]) -> None:
    rows = [(each,) for each in values]
    cursor = connection.cursor()
    if way == "packed":
        cursor.executemany("INSERT INTO t(v) VALUES (?)", rows)
    elif way == "listed":
        cursor.executemany("INSERT INTO t(v) SELECT ?", rows)
    elif way == "multi-row":
        marks = ", ".join(["(?)"] * len(values))
        cursor.execute(f"INSERT INTO t(v) VALUES {marks}", list(values))
    elif way == "named":
        cursor.executemany("INSERT INTO t(v) VALUES (:v)", [{"v": each} for each in values])
    else:
        for row in rows:
            cursor.execute("INSERT INTO t(v) VALUES (?)", row)


def read_back(connection: Connection) -> list[list[tuple[str, ...]]]:
    """The rows as several queries show them, each asked three times, since the form of an answer is learnt."""
    queries = [
        "SELECT v, typeof(v) FROM t ORDER BY id",
        "SELECT s.v, typeof(s.v) FROM (SELECT v, id FROM t) AS s ORDER BY id",
        "SELECT v AS \"v [x]\", typeof(v) 'kind' FROM t AS t2 ORDER BY t2.id",
    ]
    found = [[shown(row) for row in connection.execute(sql)] for sql in queries for _ in range(3)]
    for sql in ("SELECT v FROM t ORDER BY id", "SELECT * FROM t ORDER BY id"):
        kinds = [row[-1] for row in found[0]]
        for _ in range(3):
            rows = connection.execute(sql).fetchall()
            found.append([(*shown(row[-1:]), kind) for row, kind in zip(rows, kinds, strict=True)])
    return found


@pytest.mark.parametrize("way", ["packed", "listed", "multi-row", "named"])
@pytest.mark.parametrize("declared", NULLABLE)
def test_every_value(connection: Connection, declared: str, way: str) -> None:
    connection.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
    put(connection, way, EVERY)
    wanted = expected(declared, EVERY)
    for found in read_back(connection):
        assert found == wanted


@pytest.mark.parametrize("declared", ["", "TEXT", "DATE", "BOOLEAN", "REAL"])
def test_every_value_for_itself(connection: Connection, declared: str) -> None:
    """One row, one value: where answers take their plain forms."""
    connection.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
    put(connection, "single", EVERY)
    wanted = expected(declared, EVERY)
    for key, row in enumerate(wanted, 1):
        for sql in ("SELECT v FROM t WHERE id = ?", "SELECT v, id FROM t WHERE ? = id"):
            for _ in range(2):
                assert shown(connection.execute(sql, (key,)).fetchone()[:1]) == row[:1], EVERY[
                    key - 1
                ]


@pytest.mark.parametrize(
    "declared", ["", "TEXT", "DATE", "TIMESTAMP", "BOOLEAN", "DOUBLE PRECISION", "BLOB"]
)
@pytest.mark.parametrize(
    "clause",
    ["RETURNING v", "RETURNING id, v AS w", "RETURNING *", "RETURNING v, typeof(v), v IS NULL"],
)
def test_returning(connection: Connection, declared: str, clause: str) -> None:
    connection.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
    reference = Reference()
    reference.run(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
    for each in EVERY:
        sql = f"INSERT INTO t(v) VALUES (?) {clause}"
        wanted = [shown(row) for row in reference.run(sql, (each,))]
        cursor = connection.execute(sql, (each,))
        assert [shown(row) for row in cursor.fetchall()] == wanted, each
        assert cursor.rowcount == 1
    wanted = sorted(shown(row) for row in reference.run(f"DELETE FROM t {clause}"))
    assert sorted(shown(row) for row in connection.execute(f"DELETE FROM t {clause}")) == wanted


EXPRESSIONS = [
    *(
        "?",
        "?, 1",
        "?, NULL, ?",
        "+?",
        "(?)",
        "CASE WHEN 1 THEN ? END",
        "typeof(?), ?",
        "? AS date",
    ),
    *("coalesce(NULL, ?)", "(SELECT ?)", "json_array(?)", "quote(?)", "CAST(? AS BLOB)", "hex(?)"),
]


@pytest.mark.parametrize("items", EXPRESSIONS)
def test_every_parameter_of_a_query(connection: Connection, items: str) -> None:
    reference = Reference()
    sql = f"SELECT {items}"
    for each in EVERY:
        values = [each] * items.count("?")
        if "json_array" in items and isinstance(each, bytes):
            continue  # SQLite takes some blobs for its binary JSON
        wanted = [shown(row) for row in reference.run(sql, values)]
        for _ in range(2):
            found = [shown(row) for row in connection.execute(sql, values)]
            assert found == wanted, each


def test_every_value_is_found_again(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    put(connection, "packed", EVERY)
    for key, each in enumerate(EVERY, 1):
        sql = "SELECT id FROM t WHERE v IS ? AND typeof(v) = typeof(?) AND id = ?"
        assert connection.execute(sql, (each, each, key)).fetchall() == [(key,)], each


def test_integers_that_are_too_large_are_refused(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    for number in (2**63, -(2**63) - 1, 10**30):
        for sql in ("INSERT INTO t(v) VALUES (?)", "INSERT INTO t(v) SELECT ?"):
            with pytest.raises(OverflowError):
                connection.execute(sql, (number,))
            with pytest.raises(OverflowError):
                connection.executemany(sql, [(1,), (number,)])
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_what_sqlite_has_not_is_refused(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    refused: list[tuple[Any, type[Exception]]] = [
        (math.nan, pyrqlite.DataError),
        ("\ud800", UnicodeEncodeError),
        (object(), pyrqlite.ProgrammingError),
        ([1], pyrqlite.ProgrammingError),
        (1j, pyrqlite.ProgrammingError),
    ]
    for each, kind in refused:
        for sql in ("INSERT INTO t(v) VALUES (?)", "INSERT INTO t(v) SELECT ?"):
            with pytest.raises(kind):
                connection.execute(sql, (each,))
            with pytest.raises(kind):
                connection.executemany(sql, [("fine",), (each,), ("fine",)])
        with pytest.raises(kind):
            connection.execute("SELECT ?", (each,))
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


@examples(40)
@given(
    choose=choosers(),
    declared=st.sampled_from(NULLABLE),
    way=st.sampled_from(["packed", "listed", "multi-row", "named", "single"]),
)
def test_random_values(choose: Chooser, declared: str, way: str, connection: Connection) -> None:
    values = [value(choose) for _ in range(choose.between(1, 12))]
    connection.execute("DROP TABLE IF EXISTS t")
    connection.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
    put(connection, way, values)
    wanted = expected(declared, values)
    for found in read_back(connection):
        assert found == wanted


@examples(4)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=50, max_size=400))
def test_doubles_survive_to_the_last_bit(connection: Connection, numbers: list[float]) -> None:
    connection.execute("DROP TABLE IF EXISTS d")
    connection.execute("CREATE TABLE d (id INTEGER PRIMARY KEY, v REAL)")
    connection.executemany("INSERT INTO d(v) VALUES (?)", [(number,) for number in numbers])
    rows = connection.execute("SELECT v FROM d ORDER BY id").fetchall()
    assert [row[0] for row in rows] == numbers


@examples(4)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=20, max_size=100))
def test_texts_survive(connection: Connection, texts: list[str]) -> None:
    connection.execute("DROP TABLE IF EXISTS d")
    connection.execute("CREATE TABLE d (id INTEGER PRIMARY KEY, v DATE)")
    connection.executemany("INSERT INTO d(v) VALUES (?)", [("t" + text,) for text in texts])
    rows = connection.execute("SELECT v FROM d ORDER BY id").fetchall()
    assert [row[0] for row in rows] == ["t" + text for text in texts]
    assert [connection.execute("SELECT ?", (text,)).fetchone()[0] for text in texts[:5]] == texts[
        :5
    ]
