"""What the 2.x releases documented goes on working."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from pyrqlite import dbapi2
from tests.servers import RunningServer


def address(server: RunningServer) -> dict[str, Any]:
    parts = urlsplit(server.url)
    return {"host": parts.hostname, "port": parts.port}


@pytest.fixture
def connection(server: RunningServer) -> Iterator[Any]:
    made = dbapi2.connect(**address(server))
    yield made
    made.close()


def test_example_of_the_readme(server: RunningServer) -> None:
    connection = dbapi2.connect(**address(server))
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE foo (id integer not null primary key, name text)")
            cursor.executemany(
                "INSERT INTO foo(name) VALUES(?)", seq_of_parameters=(("a",), ("b",))
            )
        with connection.cursor() as cursor:
            cursor.execute("SELECT `id`, `name` FROM `foo` WHERE `name`=?", ("a",))
            result = cursor.fetchone()
            assert (result["id"], result["name"]) == (1, "a")
            cursor.execute("SELECT `id`, `name` FROM `foo` WHERE `name`=:name", {"name": "b"})
            result = cursor.fetchone()
            assert dict(result.items()) == {"id": 2, "name": "b"}
    finally:
        connection.close()


def test_rows_are_tuples_with_names(connection: Any) -> None:
    row = connection.execute("SELECT 1 AS a, 'x' AS b, 2 AS a").fetchone()
    assert row == (1, "x", 2)
    assert (row["a"], row["b"], row[2], row[0:2]) == (1, "x", 2, (1, "x"))
    assert list(row.keys()) == ["a", "b", "a"]
    assert list(row.values()) == [1, "x", 2]
    assert list(row.items()) == [("a", 1), ("b", "x"), ("a", 2)]
    assert (len(row), list(row), "x" in row) == (3, [1, "x", 2], True)
    assert isinstance(row, tuple)


@pytest.mark.parametrize("scheme", ["http"])
def test_arguments(server: RunningServer, scheme: str) -> None:
    where = address(server)
    for made in (
        dbapi2.connect(scheme=scheme, user="u", password="p", timeout=10, max_redirects=5, **where),
        dbapi2.connect(scheme, where["host"], where["port"]),
        dbapi2.connect(scheme, where["host"], where["port"], None, "u", "p"),
        dbapi2.connect(
            ssl_context=None, detect_types=0, max_redirects=dbapi2.UNLIMITED_REDIRECTS, **where
        ),
        dbapi2.connect(timeout=None, user=None, password=None, **where),
    ):
        assert made.execute("SELECT 1").fetchone() == (1,)
        made.close()


def test_memory() -> None:
    first, second = dbapi2.connect(scheme=":memory:"), dbapi2.connect(scheme=":memory:")
    first.execute("CREATE TABLE only_here (a)")
    assert first.execute("SELECT count(*) FROM only_here").fetchone() == (0,)
    with pytest.raises(dbapi2.Error):
        second.execute("SELECT * FROM only_here")
    first.close()
    second.close()


def test_each_statement_is_applied_at_once(server: RunningServer, connection: Any) -> None:
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (1)")
    connection.rollback()
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO t VALUES (?)", [(2,), (3,)])
    connection.rollback()
    connection.commit()
    other = dbapi2.connect(**address(server))
    assert other.execute("SELECT count(*) FROM t").fetchone() == (3,)
    other.close()


def test_queue_wait_consistency(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (a)")
    cursor.execute("INSERT INTO t VALUES (?)", (1,), queue=True, wait=True)
    cursor.executemany("INSERT INTO t VALUES (?)", [(2,), (3,)], queue=True, wait=True)
    for level in ("none", "weak", "strong"):
        cursor.execute("SELECT count(*) FROM t", consistency=level)
        assert cursor.fetchone()[0] == 3
    cursor.execute("INSERT INTO t VALUES (4)", None, True, True)
    assert connection.execute("SELECT max(a) FROM t").fetchone()[0] == 4


def test_wait_without_queue_is_what_always_happens(connection: Any) -> None:
    connection.execute("CREATE TABLE t (a)", wait=True)
    connection.execute("INSERT INTO t VALUES (1)", queue=False, wait=True)
    assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]


def test_converters(server: RunningServer) -> None:
    made = dbapi2.connect(
        detect_types=dbapi2.PARSE_DECLTYPES | dbapi2.PARSE_COLNAMES, **address(server)
    )
    before = dict(dbapi2.converters)
    dbapi2.register_converter("point", lambda data: tuple(map(int, data.split(b";"))))
    try:
        made.execute("CREATE TABLE t (p point, d date, ts timestamp)")
        moment = datetime.datetime(2024, 1, 2, 3, 4, 5, 600)
        made.execute("INSERT INTO t VALUES (?, ?, ?)", ("1;2", moment.date(), moment))
        assert made.execute("SELECT * FROM t").fetchone() == ((1, 2), moment.date(), moment)
        cursor = made.execute("SELECT '5;6' AS \"x [point]\"")
        assert cursor.fetchone() == ((5, 6),)
        assert [column[0] for column in cursor.description or ()] == ["x"]
    finally:
        dbapi2.converters.clear()
        dbapi2.converters.update(before)
        made.close()


def test_adapters(connection: Any) -> None:
    class Point:
        def __init__(self, x: int, y: int) -> None:
            self.x, self.y = x, y

    dbapi2.register_adapter(Point, lambda point: f"{point.x};{point.y}")
    assert connection.execute("SELECT ?", (Point(3, 4),)).fetchone() == ("3;4",)


def test_errors_are_the_standard_librarys(connection: Any) -> None:
    with pytest.raises(sqlite3.Error):
        connection.execute("NONSENSE")
    connection.execute("CREATE TABLE t (a UNIQUE)")
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO t VALUES (1)")
    assert connection.Error is dbapi2.Error


def test_values_that_2x_wrote_into_the_sql(connection: Any) -> None:
    """It had to quote them, and did not always."""
    connection.execute("CREATE TABLE t (a, b)")
    nasty = {"x": "see :y", "y": "'); DROP TABLE t; --"}
    connection.execute("INSERT INTO t VALUES (:x, :y)", nasty)
    connection.execute("INSERT INTO t VALUES ('why?', ?)", ("it's",))
    assert connection.execute("SELECT * FROM t").fetchall() == [
        tuple(nasty.values()),
        ("why?", "it's"),
    ]


def test_other_methods(connection: Any) -> None:
    connection.ping()
    connection.ping(reconnect=True)
    connection.ping(False)
    cursor = connection.cursor()
    assert cursor.connection is connection
    cursor.execute("SELECT 1 UNION SELECT 2")
    assert [tuple(row) for row in cursor] == [(1,), (2,)]
    assert cursor.rowcount == 2
    assert cursor.messages == connection.messages == []
    assert connection.cursor(dbapi2.Cursor).execute("SELECT 5").fetchone()[0] == 5
