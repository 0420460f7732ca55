"""The anomalies of the textbooks, by name: none with guards, each of them without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pyrqlite import Connection, SerializationError
from tests.transactions.clients import Connect, query, without_guards


@pytest.fixture(params=["guarded", "unguarded"])
def guarded(request: pytest.FixtureRequest) -> Iterator[bool]:
    """With the guards, and without them."""
    with ExitStack() as stack:
        if request.param == "unguarded":
            stack.enter_context(without_guards())
        yield request.param == "guarded"


@pytest.fixture
def another(connect: Connect) -> Connection:
    return connect()


@pytest.fixture(autouse=True)
def accounts(other: Connection) -> None:
    other.execute("INSERT INTO t VALUES (1, 50, 'x'), (2, 50, 'y')")
    other.execute("INSERT INTO u VALUES (1, 'a', 1)")


def commits(connection: Connection) -> bool:
    """Whether the commit succeeds."""
    try:
        connection.commit()
    except SerializationError:
        return False
    return True


def balance(connection: Connection, number: int) -> int:
    found: int = query(connection, "SELECT a FROM t WHERE id = ?", number)[0][0]
    return found


def pay(connection: Connection, number: int, amount: int) -> None:
    connection.execute("UPDATE t SET a = ? WHERE id = ?", (amount, number))


def test_dirty_read(one: Connection, other: Connection, guarded: bool) -> None:
    """Nobody ever sees what is not committed, guards or no guards: nothing is applied before."""
    pay(one, 1, 0)
    assert balance(other, 1) == 50
    one.rollback()
    assert balance(other, 1) == 50


def test_lost_update(
    one: Connection, another: Connection, other: Connection, guarded: bool
) -> None:
    seen, seen_too = balance(one, 1), balance(another, 1)
    pay(one, 1, seen + 10)
    pay(another, 1, seen_too + 7)
    assert (commits(one), commits(another)) == (True, not guarded)
    assert balance(other, 1) == (60 if guarded else 57)


def total_guarded(connection: Connection) -> int:
    return sum(row[0] for row in query(connection, "SELECT a FROM t"))


def total_checked(connection: Connection) -> int:
    return int(query(connection, "SELECT total(a) FROM t")[0][0])


@pytest.mark.parametrize("total", [total_guarded, total_checked])
def test_write_skew(
    total: Callable[[Connection], int],
    one: Connection,
    another: Connection,
    other: Connection,
    guarded: bool,
) -> None:
    """Each takes 70, from one account each, as long as both together have it."""
    for number, connection in ((1, one), (2, another)):
        assert total(connection) >= 70
        pay(connection, number, balance(connection, number) - 70)
    assert (commits(one), commits(another)) == (True, not guarded)
    assert total_checked(other) == (30 if guarded else -40)


@pytest.mark.parametrize(
    "sql", ["SELECT id FROM t WHERE a > 40", "SELECT max(id) FROM t WHERE a > 40"]
)
def test_phantom(sql: str, one: Connection, other: Connection, guarded: bool) -> None:
    seen = query(one, sql)
    other.execute("INSERT INTO t VALUES (3, 60, 'z')")
    one.execute("INSERT INTO plain VALUES ('seen', ?)", (str(seen),))
    assert commits(one) is not guarded
    assert bool(query(other, "SELECT * FROM plain")) is not guarded


@pytest.mark.parametrize(
    "sql", ["SELECT a FROM t WHERE id = ?", "SELECT a + 0 FROM t WHERE id = ?"]
)
def test_read_only_anomaly(
    sql: str, one: Connection, another: Connection, connect: Connect, guarded: bool
) -> None:
    """Fekete, O'Neil, O'Neil 2004: savings get 20; a withdrawal that saw none of it pays a fee; a reader sees the
    20 and no fee yet. The order would have to be deposit, reader, withdrawal; the withdrawal has seen otherwise."""

    def look(connection: Connection) -> list[Any]:
        return [query(connection, sql, number)[0][0] for number in (1, 2)]

    withdrawal, deposit, reader = one, another, connect()
    assert look(withdrawal) == [50, 50]
    pay(deposit, 2, balance(deposit, 2) + 20)
    assert commits(deposit)
    assert look(reader) == [50, 70]
    assert commits(reader)
    pay(withdrawal, 1, -61)
    assert commits(withdrawal) is not guarded


@pytest.mark.parametrize(
    "sql", ["SELECT a FROM t WHERE id = ?", "SELECT a + 0 FROM t WHERE id = ?"]
)
def test_read_skew_of_a_reader(sql: str, one: Connection, other: Connection, guarded: bool) -> None:
    """A transaction that only reads has seen two states: its commit says so."""
    first = query(one, sql, 1)[0][0]
    other.execute("UPDATE t SET a = a + CASE id WHEN 1 THEN -10 ELSE 10 END")
    second = query(one, sql, 2)[0][0]
    assert first + second == 110
    assert commits(one) is not guarded


@pytest.mark.parametrize(
    "condition", ["a >= 50", "a + 0 >= 50"], ids=["guarded fact", "checked fact"]
)
def test_changed_row_count(
    condition: str, one: Connection, other: Connection, guarded: bool
) -> None:
    paid = one.execute(f"UPDATE t SET b = 'paid' WHERE {condition}").rowcount
    one.execute("INSERT INTO plain VALUES ('paid', ?)", (paid,))
    pay(other, 2, 0)
    assert commits(one) is not guarded
    if not guarded:
        assert query(other, "SELECT y FROM plain") == [(2,)]
        assert query(other, "SELECT count(*) FROM t WHERE b = 'paid'") == [(1,)]


@pytest.mark.parametrize("returning", ["", " RETURNING id"])
@pytest.mark.parametrize("values", ["('new')", "('new'), ('newer')"])
def test_stolen_rowid(
    values: str, returning: str, one: Connection, other: Connection, guarded: bool
) -> None:
    cursor = one.execute(f"INSERT INTO u(name) VALUES {values}{returning}")
    number = cursor.fetchall()[0][0] if returning else cursor.lastrowid
    one.execute("INSERT INTO plain VALUES ('order', ?)", (number,))
    other.execute("INSERT INTO u(name) VALUES ('thief')")
    assert commits(one) is not guarded
    if not guarded:
        assert ("thief",) in query(other, "SELECT name FROM u WHERE id <= ?", number)


@pytest.mark.parametrize("item", ["n", "n + 0"], ids=["guarded fact", "checked fact"])
def test_changed_returning_value(
    item: str, one: Connection, another: Connection, other: Connection, guarded: bool
) -> None:
    sql = f"UPDATE u SET n = n + 1 WHERE id = 1 RETURNING {item}"
    tickets = [query(connection, sql)[0][0] for connection in (one, another)]
    for connection, ticket in zip((one, another), tickets, strict=True):
        connection.execute("INSERT INTO plain VALUES ('ticket', ?)", (ticket,))
    assert (commits(one), commits(another)) == (True, not guarded)
    drawn = [row[0] for row in query(other, "SELECT y FROM plain ORDER BY y")]
    assert drawn == ([2] if guarded else [2, 2])


def interfering(one: Connection, other: Connection, change: str) -> None:
    """Have another client come between the check of facts and the commit."""
    from tests.transactions.clients import counting

    carried = counting(one)

    def interfere(request: Any) -> None:
        if request.target.startswith("/db/execute"):
            carried.before = lambda request: None
            other.execute(change)

    carried.before = interfere


def test_checked_facts_leave_a_moment(one: Connection, other: Connection) -> None:
    """What the documentation says of checked facts: a change between the check and the commit is not seen."""
    assert total_checked(one) == 100
    one.execute("INSERT INTO plain VALUES ('total', 100)")
    interfering(one, other, "UPDATE t SET a = 0 WHERE id = 1")
    assert commits(one)
    assert total_checked(other) == 50


@pytest.mark.parametrize(
    ("sql", "change"),
    [
        ("SELECT a FROM t", "UPDATE t SET a = 0 WHERE id = 1"),
        ("SELECT max(a) FROM t", "INSERT INTO t VALUES (9, 51, 'z')"),
        ("SELECT b, a FROM t ORDER BY b DESC LIMIT 1", "INSERT INTO t VALUES (9, 50, 'z')"),
        ("SELECT 1 FROM t LIMIT 1", "DELETE FROM t"),
    ],
)
def test_guarded_facts_leave_none(
    one: Connection, other: Connection, sql: str, change: str
) -> None:
    query(one, sql)
    one.execute("INSERT INTO plain VALUES ('done', 1)")
    interfering(one, other, change)
    assert not commits(one)
