"""Rows that were inserted one by one are run again together, and nobody sees a difference."""

from __future__ import annotations

from unittest import mock

import pytest

from pyrqlite import Connection, IntegrityError, SerializationError
from tests.transactions.clients import counting, query

INSERT = "INSERT INTO t(a, b) VALUES (?, ?) RETURNING id"


def insert(connection: Connection, count: int) -> list[int]:
    """The keys of so many new rows."""
    return [query(connection, INSERT, number, f"'{number}")[0][0] for number in range(count)]


def test_rows_and_keys_are_those_that_were_seen(one: Connection, other: Connection) -> None:
    keys = insert(one, 300)
    assert keys == list(range(1, 301))
    seen = query(one, "SELECT * FROM t ORDER BY id")
    assert seen == [(key, key - 1, f"'{key - 1}") for key in keys]
    one.commit()
    assert query(other, "SELECT * FROM t ORDER BY id") == seen


def test_requests_do_not_grow_by_a_statement_each(one: Connection) -> None:
    insert(one, 40)
    carried = counting(one)
    insert(one, 1)
    (request,) = [asked for asked in carried.requests if asked.target.startswith("/db/request")]
    assert request.body is not None
    assert request.body.count(b"INSERT INTO t") == 2


def statements_of(connection: Connection, sql: str) -> int:
    """How many INSERTs and UPDATEs a statement takes along, its own among them."""
    carried = counting(connection)
    query(connection, sql)
    (request,) = [asked for asked in carried.requests if asked.target.startswith("/db/request")]
    assert request.body is not None
    return request.body.count(b"INSERT INTO") + request.body.count(b"UPDATE ")


def test_rows_with_keys_of_their_own_need_not_follow_each_other(
    one: Connection, other: Connection
) -> None:
    for number in range(1, 21):
        one.execute("INSERT INTO t VALUES (?, ?, ?)", (number * 10 % 21, number, "x"))
        one.execute("INSERT INTO k VALUES (?, ?)", (f"key {number}", number))
    assert statements_of(one, "SELECT 1 FROM t") == 2
    assert query(one, "SELECT sum(id), sum(a), count(*) FROM t") == [(210, 210, 20)]
    assert query(one, "SELECT sum(value) FROM k") == [(210,)]
    one.commit()
    assert query(other, "SELECT id FROM t WHERE a = 3") == [(9,)]


def test_tables_that_are_filled_in_turn(one: Connection, other: Connection) -> None:
    other.execute("CREATE TABLE of_t (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t)")
    for number in range(1, 21):
        one.execute("UPDATE u SET n = 1 WHERE id = ?", (number,))
        one.execute("INSERT INTO u(id, name) VALUES (?, ?)", (number, f"n{number}"))
        one.execute("INSERT INTO t(a) VALUES (?)", (number,))
        one.execute("INSERT INTO of_t(t) VALUES (?)", (number,))
    assert statements_of(one, "SELECT 1 FROM t") == 3
    joined = "SELECT u.name, t.id, of_t.id FROM u JOIN t ON t.a = u.id JOIN of_t ON of_t.t = t.id"
    expected = [(f"n{number}", number, number) for number in range(1, 21)]
    assert query(one, f"{joined} ORDER BY 2") == expected
    one.commit()
    assert query(other, f"{joined} ORDER BY 2") == expected


def test_row_never_comes_before_what_it_refers_to(one: Connection, other: Connection) -> None:
    other.execute("CREATE TABLE of_u (id INTEGER PRIMARY KEY, u INTEGER REFERENCES u)")
    one.execute("INSERT INTO of_u(u) VALUES (?)", (None,))
    for number in range(1, 9):
        one.execute("INSERT INTO u(id) VALUES (?)", (number,))
        one.execute("INSERT INTO of_u(u) VALUES (?)", (number,))
    assert statements_of(one, "SELECT 1 FROM t") == 3
    assert query(one, "SELECT sum(u) FROM of_u") == [(36,)]
    one.rollback()


def test_write_that_did_nothing_is_an_early_conflict_at_once_and_a_late_one_later(
    one: Connection, other: Connection
) -> None:
    one.execute("UPDATE t SET a = 1 WHERE id = 1")
    one.execute("INSERT INTO u(id) VALUES (1)")
    other.execute("INSERT INTO t(id) VALUES (1)")
    assert query(one, "SELECT id FROM u") == [(1,)]
    with pytest.raises(SerializationError, match="UPDATE t SET a = 1"):
        one.commit()
    assert query(other, "SELECT id FROM u") == []


def test_rows_that_cannot_go_together_go_one_by_one(one: Connection) -> None:
    insert(one, 8)
    with mock.patch("pyrqlite.transaction.replay.Run.holds", return_value=False):
        assert query(one, "SELECT count(*) FROM t") == [(8,)]
    insert(one, 8)
    assert query(one, "SELECT count(*) FROM t") == [(16,)]
    one.commit()


def test_values_of_every_kind(one: Connection, other: Connection) -> None:
    values = [
        None,
        1,
        -(2**63),
        2**63 - 1,
        1.0,
        0.1,
        1e300,
        "",
        "é\0",
        "x'00'",
        b"",
        b"\0\xff",
        "[1]",
    ]
    for value in values:
        one.execute("INSERT INTO plain VALUES (1, ?)", (value,))
    expected = [(type(value), value) for value in values]
    for key, value in enumerate(values):
        one.execute("INSERT INTO u(id, name) VALUES (?, ?)", (key, value))
    found = [row[0] for row in query(one, "SELECT y FROM plain ORDER BY rowid")]
    assert [(type(value), value) for value in found] == expected
    one.commit()
    found = [row[0] for row in query(other, "SELECT y FROM plain ORDER BY rowid")]
    assert [(type(value), value) for value in found] == expected


def test_savepoints_cut_between_rows(one: Connection, other: Connection) -> None:
    insert(one, 6)
    one.execute("SAVEPOINT s")
    insert(one, 6)
    one.execute("ROLLBACK TO s")
    assert insert(one, 2) == [7, 8]
    assert query(one, "SELECT count(*) FROM t") == [(8,)]
    one.commit()
    assert query(other, "SELECT count(*), max(id) FROM t") == [(8, 8)]


def test_row_that_fails_leaves_the_others(one: Connection) -> None:
    for number in range(6):
        one.execute("INSERT INTO u(name) VALUES (?)", (f"n{number}",))
    with pytest.raises(IntegrityError):
        one.execute("INSERT INTO u(name) VALUES (?)", ("n3",))
    one.execute("INSERT INTO u(name) VALUES (?)", ("n6",))
    assert query(one, "SELECT count(*) FROM u") == [(7,)]
    one.commit()


def test_key_that_another_took_is_an_early_conflict(one: Connection, other: Connection) -> None:
    insert(one, 6)
    other.execute("INSERT INTO t(id) VALUES (2)")
    with pytest.raises(SerializationError, match="INSERT INTO t"):
        query(one, "SELECT count(*) FROM t")
    one.rollback()


def test_triggers_fire_for_each_row(one: Connection, other: Connection) -> None:
    other.execute(
        "CREATE TRIGGER log AFTER INSERT ON t BEGIN INSERT INTO plain VALUES (new.id, new.a); END"
    )
    insert(one, 10)
    expected = [(number + 1, number) for number in range(10)]
    assert query(one, "SELECT * FROM plain") == expected
    one.commit()
    assert query(other, "SELECT * FROM plain") == expected


def test_table_named_json_each(one: Connection, other: Connection) -> None:
    other.execute("CREATE TABLE json_each (a)")
    insert(one, 10)
    assert query(one, "SELECT count(*) FROM t") == [(10,)]
    one.commit()
