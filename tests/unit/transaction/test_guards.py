"""Guards on a local SQLite: they pass as long as what was seen is so, and fail with their tag."""

from __future__ import annotations

from itertools import product
from typing import Any

import apsw
import pytest

from pyrqlite.sql.reads import judge_read
from pyrqlite.sql.statement import parse
from pyrqlite.transaction import guards
from pyrqlite.transaction.log import some_rows
from pyrqlite.wire import packing
from pyrqlite.wire.request import Item
from tests.unit.sql.sqlite_oracle import schema_of


@pytest.fixture
def database() -> apsw.Connection:
    made = apsw.Connection(":memory:")
    made.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)")
    made.execute("INSERT INTO t VALUES (1, 'x', x'00'), (2, 9e999, NULL), (3, 0.1, '[1]')")
    return made


def passes(database: apsw.Connection, item: Item) -> bool:
    """Whether the guard lets the request go on; it must fail with its own tag, and show one row."""
    text, *values = [item] if isinstance(item, str) else item
    failed, rows = "", [(None,)]
    try:
        rows = list(database.execute(text, values))
    except apsw.SQLError as error:
        failed = str(error)
    assert guards.conflict_number(failed) == (7 if failed else None)
    assert rows == [(None,)]
    return not failed


def seen(database: apsw.Connection, sql: str, width: int, values: tuple[Any, ...] = ()) -> str:
    text: str = database.execute(packing.rows_query(parse(sql), width), values).get
    return text


CHANGES = ["UPDATE t SET a = 'y' WHERE id = 1", "DELETE FROM t WHERE id = 3",
           "INSERT INTO t VALUES (9, 'x', x'00')", "UPDATE t SET b = '00' WHERE id = 1"]  # fmt: skip


class TestRows:
    @pytest.mark.parametrize(
        ("sql", "values", "count"),
        [("SELECT a, b FROM t", (), 3), ("SELECT b, a FROM t WHERE id = ?", (1,), 1),
         ("SELECT a, b FROM t WHERE id > ?2 OR id = ?1", (1, 2), 2), ("SELECT a, b FROM t WHERE id = :x", (8,), 0)],
    )  # fmt: skip
    @pytest.mark.parametrize("change", [None, *CHANGES])
    def test_are_compared(
        self,
        sql: str,
        values: tuple[Any, ...],
        count: int,
        change: str | None,
        database: apsw.Connection,
    ) -> None:
        before = seen(database, sql, 2, values)
        if change is not None:
            database.execute(change)
        guard = guards.rows_guard(parse(sql), list(values), 2, frozenset(), before, count, 7)
        now = seen(database, sql, 2, values)
        assert change is not None or now == before
        assert passes(database, guard) is (now == before)

    def test_in_any_order(self, database: apsw.Connection) -> None:
        before = seen(database, "SELECT a, b FROM t ORDER BY id DESC", 2)
        guard = guards.rows_guard(parse("SELECT a, b FROM t"), [], 2, frozenset(), before, 3, 7)
        assert passes(database, guard)
        database.pragma("reverse_unordered_selects", True)
        assert passes(database, guard)

    def test_without_columns_apart(self, database: apsw.Connection) -> None:
        apart = frozenset({1})
        statement = parse("SELECT a, b FROM t")
        before = next(database.execute(packing.rows_query(statement, 2, apart)))[0]
        database.execute("UPDATE t SET b = 'other'")
        assert passes(database, guards.rows_guard(statement, [], 2, apart, before, 3, 7))
        database.execute("UPDATE t SET a = 'other'")
        assert not passes(database, guards.rows_guard(statement, [], 2, apart, before, 3, 7))

    def test_duplicates_count(self, database: apsw.Connection) -> None:
        database.execute("UPDATE t SET a = 1")
        before = seen(database, "SELECT a FROM t WHERE id < 3", 1)
        guard = guards.rows_guard(parse("SELECT a FROM t"), [], 1, frozenset(), before, 2, 7)
        assert not passes(database, guard)


class TestCounts:
    def test_of_changes(self, database: apsw.Connection) -> None:
        database.execute("UPDATE t SET a = 1 WHERE id < 3")
        assert passes(database, guards.count_guard(2, None, 7))
        assert not passes(database, guards.count_guard(3, None, 7))

    def test_of_rowids(self, database: apsw.Connection) -> None:
        database.execute("INSERT INTO t(a) VALUES (1)")
        assert passes(database, guards.count_guard(1, 4, 7))
        assert not passes(database, guards.count_guard(1, 5, 7))
        assert not passes(database, guards.count_guard(0, 4, 7))

    def test_behind_another_guard(self, database: apsw.Connection) -> None:
        database.execute("DELETE FROM t")
        for _ in range(2):
            assert passes(database, guards.count_guard(3, None, 7))


@pytest.mark.parametrize("name", ["t", "x'41'", "it's", 'a"b', "T"])
def test_tables(name: str, database: apsw.Connection) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    database.execute(f"CREATE TABLE IF NOT EXISTS {quoted} (id INTEGER PRIMARY KEY, a, b)")
    known = schema_of(database).table(name)
    assert known is not None
    guard = guards.table_guard(known, 7)
    assert passes(database, guard)
    database.execute(f"ALTER TABLE {quoted} ADD COLUMN z")
    assert not passes(database, guard)
    database.execute(f"DROP TABLE {quoted}")
    assert not passes(database, guard)


def test_unique_indexes_of_a_table(database: apsw.Connection) -> None:
    database.execute("CREATE UNIQUE INDEX b ON t(a, b); CREATE UNIQUE INDEX a ON t(b) WHERE b > 1")
    known = schema_of(database).table("T")
    assert known is not None
    guard = guards.table_guard(known, 7)
    assert passes(database, guard)
    database.execute("CREATE INDEX c ON t(b); CREATE TABLE u (a UNIQUE)")
    assert passes(database, guard)
    database.execute("DROP INDEX b")
    assert not passes(database, guard)
    database.execute("CREATE UNIQUE INDEX b ON t(a, b); CREATE UNIQUE INDEX d ON t(id, a)")
    assert not passes(database, guard)


def sums(database: apsw.Connection, row: tuple[Any, ...]) -> Item:
    statement = parse("SELECT sum(n), count(n) FROM s WHERE n <> ? LIMIT ?")
    database.execute("CREATE TABLE IF NOT EXISTS s (n INTEGER)")
    aggregates = judge_read(statement, schema_of(database), [7, 1]).aggregates
    assert aggregates is not None
    return guards.aggregates_guard(statement, [7, 1], aggregates, row, 7)


MOST, LEAST = 2**63 - 1, -(2**63)


@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [None],
        [0],
        [MOST],
        [LEAST],
        [LEAST, -1, 5],  # in this order an overflow
        [MOST, 1, -5],
        [MOST, MOST, LEAST, LEAST, -3],
        [2**32, -1, None, 2**31, -(2**32)],
    ],
)
def test_sums_are_exact_in_any_order(database: apsw.Connection, numbers: list[int | None]) -> None:
    known = [number for number in numbers if number is not None]
    total = sum(known) if known else None
    guard = sums(database, (total, len(known)))
    database.executemany("INSERT INTO s VALUES (?)", [(number,) for number in numbers])
    assert passes(database, guard)
    for other in (0, 1, None, total or 2**32, (total or 0) ^ 1, (total or 0) ^ 2**32):
        assert passes(database, sums(database, (other, len(known)))) is (other == total)
    assert not passes(database, sums(database, (total, len(known) + 1)))


def test_sums_that_are_no_number(database: apsw.Connection) -> None:
    nothing, both = sums(database, (None, 0)), sums(database, (None, 2))
    assert passes(database, nothing)
    database.execute("INSERT INTO s VALUES (9e999)")
    assert not passes(database, nothing)
    database.execute("INSERT INTO s VALUES (-9e999)")
    assert database.execute("SELECT sum(n) FROM s").get is None
    assert passes(database, both)
    database.execute("UPDATE s SET n = 1 WHERE n > 0")
    assert not passes(database, both)


@pytest.mark.parametrize("value", ["x", 0.5, b"", "0x1"])
def test_sums_of_other_values_than_integers(database: apsw.Connection, value: Any) -> None:
    """Even where it would be the same sum."""
    guard = sums(database, (1, 2))
    database.execute("INSERT INTO s VALUES (1), (0)")
    assert passes(database, guard)
    database.execute("UPDATE s SET n = ? WHERE n = 0", (value,))
    assert not passes(database, guard)


def test_tags() -> None:
    assert guards.conflict_number("bad JSON path: 'pyrqlite:conflict:12:'") == 12
    assert guards.conflict_number("pyrqlite:abort") is None
    assert guards.conflict_number(None) is None
    assert guards.is_abort("bad JSON path: 'pyrqlite:abort'")
    assert not guards.is_abort(None)


@pytest.mark.parametrize(
    ("start", "stop"), [(a, b) for a, b in product(range(4), range(4)) if a <= b]
)
def test_some_rows(start: int, stop: int) -> None:
    rows = ['["a]",["00"]]', "[9.0e+999,null]", '["\\"],[","\u2028"]']
    assert some_rows(f"[{','.join(rows)}]", start, stop) == f"[{','.join(rows[start:stop])}]"
