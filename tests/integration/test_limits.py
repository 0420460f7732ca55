"""Large and many, on both servers."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pyrqlite import Connection, DataError, OperationalError, ProgrammingError
from tests.integration.conftest import Connect
from tests.servers import RunningServer


@pytest.fixture
def connection(server: RunningServer, connect: Connect) -> Connection:
    return connect(server.url)


def test_many_rows(server: RunningServer, connect: Connect, transport: str) -> None:
    connection = connect(server.url, transport=transport)
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b REAL, c BLOB)")
    rows = [
        (number, f"row {number} " + "x" * 150, number / 7, b"\x00%d" % number)
        for number in range(60_000)
    ]
    cursor = connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", iter(rows))
    assert cursor.rowcount == len(rows)
    found = connection.execute("SELECT * FROM t ORDER BY id").fetchall()
    assert found == rows


def test_tens_of_megabytes(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
    texts = [chr(0x61 + number % 26) * 2_000_000 for number in range(15)]
    connection.executemany("INSERT INTO t(a) VALUES (?)", [(text,) for text in texts])
    found = connection.execute("SELECT a FROM t ORDER BY id").fetchall()
    assert [text for (text,) in found] == texts


def test_large_blobs(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB, b TEXT)")
    blob = os.urandom(4_000_000)
    connection.execute("INSERT INTO t(a) VALUES (?)", (blob,))
    connection.executemany("INSERT INTO t(a) VALUES (?)", [(blob[:2_000_000],), (b"",)])
    for _ in range(3):
        assert connection.execute("SELECT a FROM t WHERE id = 1").fetchone() == (blob,)
    found = connection.execute("SELECT a FROM t ORDER BY id").fetchall()
    assert found == [(blob,), (blob[:2_000_000],), (b"",)]


@pytest.mark.parametrize("width", [100, 101, 1000, 2000])
def test_many_columns(connection: Connection, width: int) -> None:
    columns = ", ".join(f"c{number}" for number in range(width))
    connection.execute(f"CREATE TABLE t ({columns})")
    row = tuple(
        [None, number, number / 3, str(number), b"%d" % number][number % 5]
        for number in range(width)
    )
    connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * width)})", row)
    connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * width)})", [row, row])
    for sql in ("SELECT * FROM t", f"SELECT {columns} FROM t"):
        for _ in range(2):
            assert connection.execute(sql).fetchall() == [row] * 3
    cursor = connection.execute("SELECT * FROM t")
    assert len(cursor.description or ()) == width


def test_more_columns_than_sqlite_has(connection: Connection) -> None:
    with pytest.raises((ProgrammingError, OperationalError), match="too many columns"):
        connection.execute(f"SELECT {', '.join(['1'] * 2001)}")


def test_as_many_parameters_as_sqlite_takes(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (a, b)")
    values = list(range(32766))
    marks = ", ".join(["(?, ?)"] * (len(values) // 2))
    assert connection.execute(f"INSERT INTO t VALUES {marks}", values).rowcount == 16383
    marks = ", ".join("?" * len(values))
    found = connection.execute(f"SELECT count(*) FROM t WHERE a IN ({marks})", values).fetchone()
    assert found == (16383,)


def test_more_parameters_than_sqlite_takes(connection: Connection) -> None:
    marks = ", ".join("?" * 32767)
    with pytest.raises(ProgrammingError):
        connection.execute(f"SELECT 1 WHERE 1 IN ({marks})", list(range(32767)))


def test_long_statements(connection: Connection) -> None:
    connection.execute("CREATE TABLE t (a)")
    text = "x" * 900_000
    connection.execute(f"INSERT INTO t VALUES ('{text}')")
    assert connection.execute(f"SELECT a = '{text}' FROM t").fetchone() == (1,)
    rows = ", ".join(f"({number}, 'row {number}')" for number in range(40_000))
    connection.execute(f"CREATE TABLE u AS SELECT column1 AS a, column2 AS b FROM (VALUES {rows})")
    assert connection.execute("SELECT count(*), max(b) FROM u").fetchone() == (40_000, "row 9999")


def test_values_of_many_rows(connection: Connection) -> None:
    rows = [(number, f"{number}") for number in range(3000)]
    text = ", ".join(f"({number}, '{number}')" for number, _ in rows)
    for _ in range(2):
        assert connection.execute(f"VALUES {text}").fetchall() == rows


@pytest.mark.parametrize("arms", [2, 499, 500])
def test_compound_of_many_arms(connection: Connection, arms: int) -> None:
    sql = " UNION ALL ".join(f"SELECT {number}" for number in range(arms))
    for _ in range(2):
        assert connection.execute(sql).fetchall() == [(number,) for number in range(arms)]


def test_deep_expressions(connection: Connection) -> None:
    deep = "(" * 90 + "1" + ")" * 90
    assert connection.execute(f"SELECT {deep}, {'+'.join(['1'] * 900)}").fetchone() == (1, 900)


def test_request_that_is_too_large(server: RunningServer, connect: Connect) -> None:
    connection = connect(server.url, max_request_bytes=10_000)
    connection.execute("CREATE TABLE t (a)")
    with pytest.raises(DataError, match="nothing was sent"):
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 11)
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


THREADS = 8
EACH = 25


def test_threads_with_connections_of_their_own(
    server: RunningServer, connect: Connect, transport: str
) -> None:
    connect(server.url).execute("CREATE TABLE t (who, number)")
    start = threading.Barrier(THREADS)

    def work(who: int) -> list[tuple[int, int]]:
        connection = connect(server.url, transport=transport)
        start.wait(10)
        for number in range(EACH):
            connection.execute("INSERT INTO t VALUES (?, ?)", (who, number))
            assert connection.execute("SELECT ?, ?", (who, number)).fetchone() == (who, number)
        sql = "SELECT who, number FROM t WHERE who = ? ORDER BY number"
        rows: list[tuple[int, int]] = connection.execute(sql, (who,)).fetchall()
        return rows

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(work, range(THREADS)))
    assert results == [[(who, number) for number in range(EACH)] for who in range(THREADS)]


def test_threads_with_one_connection(
    server: RunningServer, connect: Connect, transport: str
) -> None:
    """No answer goes to the wrong cursor."""
    connection = connect(server.url, transport=transport)
    connection.execute("CREATE TABLE t (who, number)")
    start = threading.Barrier(THREADS)

    def work(who: int) -> bool:
        start.wait(10)
        cursor = connection.cursor()
        for number in range(EACH):
            cursor.execute("INSERT INTO t VALUES (?, ?)", (who, number))
            if cursor.execute("SELECT ?, ?", (who, number)).fetchone() != (who, number):
                return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(work, range(THREADS)))
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (THREADS * EACH,)


def test_threads_with_one_transaction(
    server: RunningServer, connect: Connect, transport: str
) -> None:
    """It is theirs together: each sees what the others have written, and one commit applies it all."""
    connection = connect(server.url, transport=transport)
    connection.execute("CREATE TABLE t (who, number)")
    connection.isolation_level = "SERIALIZABLE"
    start = threading.Barrier(THREADS)

    def work(who: int) -> bool:
        start.wait(10)
        for number in range(4):
            connection.execute("INSERT INTO t VALUES (?, ?)", (who, number))
            query = "SELECT count(*) FROM t WHERE who = ?"
            if connection.execute(query, (who,)).fetchone() != (number + 1,):
                return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(work, range(THREADS)))
    connection.commit()
    connection.isolation_level = "AUTOCOMMIT"
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (THREADS * 4,)


def test_threads_that_commit_and_roll_back(
    server: RunningServer, connect: Connect, transport: str
) -> None:
    """Statements between which another thread ends the transaction begin the next one; none is applied twice."""
    connection = connect(server.url, transport=transport)
    connection.execute("CREATE TABLE t (number)")
    connection.isolation_level = "SERIALIZABLE"
    start = threading.Barrier(THREADS)

    def work(who: int) -> None:
        start.wait(10)
        for number in range(4):
            connection.execute("INSERT INTO t VALUES (?)", (who * 10 + number,))
            connection.commit()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    connection.isolation_level = "AUTOCOMMIT"
    numbers = [n for (n,) in connection.execute("SELECT number FROM t ORDER BY number")]
    assert numbers == [who * 10 + number for who in range(THREADS) for number in range(4)]


def test_other_clients_change_the_schema(server: RunningServer, connect: Connect) -> None:
    """Whatever is remembered of tables must not outlive them."""
    mine, other = connect(server.url), connect(server.url, user="other")
    assert mine.session.cluster is not other.session.cluster
    sql = "SELECT * FROM t"
    for columns, row in (
        ("a INTEGER, b TEXT", (1, "x")),
        ("b TEXT, a INTEGER", ("x", 1)),
        ("a DATE, b BOOLEAN, c", ("2024-01-02", 2, b"\xff")),
        ("a", (1.0,)),
    ):
        other.execute("DROP TABLE IF EXISTS t")
        other.execute(f"CREATE TABLE t ({columns})")
        other.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(row))})", row)
        names = [definition.split()[0] for definition in columns.split(", ")]
        for _ in range(3):
            for text in (sql, f"SELECT {', '.join(names)} FROM t"):
                cursor = mine.execute(text)
                assert [column[0] for column in cursor.description or ()] == names
                assert cursor.fetchall() == [row]
    other.execute("ALTER TABLE t ADD COLUMN d DEFAULT 'new'")
    assert mine.execute(sql).fetchall() == [(1.0, "new")]


def test_returning_follows_the_schema(server: RunningServer, connect: Connect) -> None:
    mine, other = connect(server.url), connect(server.url, user="other")
    other.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
    sql = "INSERT INTO t(a) VALUES (?) RETURNING *"
    assert mine.execute(sql, (1,)).fetchall() == [(1, 1)]
    other.execute("ALTER TABLE t ADD COLUMN b DATE DEFAULT 'new'")
    assert mine.execute(sql, (2,)).fetchall() == [(2, 2, "new")]
    other.execute("DROP TABLE t")
    other.execute("CREATE TABLE t (a, x DEFAULT x'ff')")
    assert mine.execute(sql, (3,)).fetchall() == [(3, b"\xff")]
    assert mine.execute("SELECT count(*) FROM t").fetchone() == (1,)


def test_insert_follows_the_schema(server: RunningServer, connect: Connect) -> None:
    """Columns whose defaults read a clock are given values, as long as they are there."""
    mine, other = connect(server.url), connect(server.url, user="other")
    other.execute("CREATE TABLE t (a, made TEXT DEFAULT CURRENT_TIMESTAMP)")
    mine.execute("INSERT INTO t(a) VALUES (1)")
    other.execute("ALTER TABLE t DROP COLUMN made")
    mine.execute("INSERT INTO t(a) VALUES (2)")
    mine.executemany("INSERT INTO t(a) VALUES (?)", [(3,), (4,)])
    assert mine.execute("SELECT a FROM t").fetchall() == [(1,), (2,), (3,), (4,)]
