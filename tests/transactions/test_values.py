"""Facts about values, names and shapes that change easily on their way: they must not conflict by themselves."""

from __future__ import annotations

import math
from typing import Any

import pytest

import pyrqlite.types
from pyrqlite import Connection, SerializationError
from pyrqlite.sql.reads import FactKind
from tests.transactions.clients import Connect, counting, query
from tests.worlds import one_world

world = one_world  # nothing here depends on how requests are carried


VALUES: list[Any] = [
    None, 0, -1, 2**63 - 1, -(2**63), 0.1, -0.0, 1.0, 1e300, 5e-324, math.inf, -math.inf, "", "x'41'",
    "X'00ff'", "it's", '["41"]', "[1,2]", "null", "\x00", "a\x00b", "\n\t\r", "é☃\U0001f600", "1", "1.0",
    b"", b"\x00", b"x'41'", bytes(range(256)), "2026-11-23", "%", "\\u0041", '"', "\x1f", "\x7f", "\u2028",
]  # fmt: skip
NAMES = [
    't"x',
    "select",
    "x'41'",
    "a b",
    "é",
    "T-1",
    "[x]",
    "1",
    "a.b",
    "_pyrqlite",
    "%s",
    "--",
    ";",
]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def kinds(connection: Connection) -> set[FactKind]:
    return {fact.kind for fact in connection.facts()}


class TestValues:
    def test_in_guarded_reads(self, one: Connection, other: Connection) -> None:
        other.executemany("INSERT INTO plain VALUES (?, ?)", list(enumerate(VALUES)))
        for number, value in enumerate(VALUES):
            assert query(one, "SELECT y FROM plain WHERE x = ?", number) == [(value,)]
        assert kinds(one) == {FactKind.GUARDED}
        assert query(one, "SELECT * FROM plain") == list(enumerate(VALUES))
        one.execute("INSERT INTO t(id) VALUES (1)")
        assert query(one, "SELECT y FROM plain") == [(value,) for value in VALUES]
        one.commit()
        assert query(other, "SELECT id FROM t") == [(1,)]

    def test_in_conditions(self, one: Connection, other: Connection) -> None:
        other.executemany("INSERT INTO plain VALUES (?, ?)", list(enumerate(VALUES)))
        one.execute("INSERT INTO t(id) VALUES (1)")
        for number, value in enumerate(VALUES):
            assert (number,) in query(one, "SELECT x FROM plain WHERE y IS ?", value)
            assert one.execute("UPDATE plain SET x = x WHERE y IS ?", (value,)).rowcount >= 1
        one.commit()
        assert query(other, "SELECT id FROM t") == [(1,)]

    @pytest.mark.parametrize("collation", ["BINARY", "NOCASE", "RTRIM"])
    def test_in_an_order_and_at_its_ends(
        self, collation: str, one: Connection, other: Connection
    ) -> None:
        other.execute(f"CREATE TABLE c (x INTEGER PRIMARY KEY, y COLLATE {collation})")
        values = [*VALUES, "A\0B", "a\0c", "a\0cd", "a", "A", "a ", "\x00 "]
        other.executemany("INSERT INTO c VALUES (?, ?)", list(enumerate(values)))
        found = set()
        for direction in ("", "DESC", "NULLS LAST", "DESC NULLS FIRST"):
            order = f"SELECT y FROM c ORDER BY y {direction}"
            rows = query(one, order)
            for count in range(len(values) + 1):
                # Which of equal texts comes first is open.
                assert len(query(one, f"{order} LIMIT ?", count)) == count
                found.add(one.facts()[-1].reason)
            assert query(one, f"{order} LIMIT ?", len(values) + 1) == rows
        for number, value in enumerate(values):
            sql = "SELECT max(y), min(y), count(y) FROM c WHERE x = ?"
            assert query(one, sql, number) == [(value, value, int(value is not None))]
            assert one.facts()[-1].kind is FactKind.GUARDED
        query(one, "SELECT max(y), min(y), count(*) FROM c")
        assert found == {"", "LIMIT cuts rows, and ORDER BY leaves open which"}
        one.execute("INSERT INTO t(id) VALUES (1)")
        one.commit()
        assert query(other, "SELECT id FROM t") == [(1,)]

    def test_in_sums(self, one: Connection, other: Connection) -> None:
        other.execute("CREATE TABLE n (id INTEGER PRIMARY KEY, v INTEGER)")
        numbers = [5, -1, -(2**63), 2**63 - 1, None]  # sorted, they overflow on the way
        other.executemany("INSERT INTO n VALUES (?, ?)", list(enumerate(numbers)))
        for highest, total in enumerate([5, 4, 4 - 2**63, 3, 3]):
            sql = "SELECT sum(v), count(v), count(*) FROM n WHERE id <= ?"
            rows = query(one, sql, highest)
            assert rows == [(total, highest + (highest < 4), highest + 1)]
        assert kinds(one) == {FactKind.GUARDED}
        one.execute("INSERT INTO t(id) VALUES (1)")
        one.commit()
        assert query(other, "SELECT id FROM t") == [(1,)]

    def test_that_an_adapter_would_change(
        self, one: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other.execute("INSERT INTO t VALUES (1, 2, 'ab'), (2, 3, 'b')")
        other.execute("INSERT INTO k VALUES ('ab', 1)")
        monkeypatch.setattr("pyrqlite.types.adapters", {})
        monkeypatch.setattr("pyrqlite.sql.parameters.AS_THEY_ARE", {int, bytes, float, type(None)})
        pyrqlite.types.adapters[str] = str.upper
        assert query(one, "SELECT max(b) FROM t") == [("b",)]
        assert query(one, "SELECT b FROM t ORDER BY b LIMIT 1") == [("ab",)]
        assert query(one, "UPDATE k SET value = 2 RETURNING *") == [("ab", 2)]
        assert kinds(one) == {FactKind.GUARDED}
        one.commit()
        assert query(other, "SELECT value FROM k") == [(2,)]

    @pytest.mark.parametrize("value", VALUES, ids=repr)
    def test_as_keys_in_returning(self, value: Any, one: Connection, other: Connection) -> None:
        if value is None:
            value = "NULL is no key"
        sql = "INSERT INTO k VALUES (?, ?) RETURNING key, value"
        shown = query(one, sql, value, value)
        updated = query(one, "UPDATE k SET value = value RETURNING key, value")
        assert updated == shown
        assert query(one, "DELETE FROM k RETURNING value, key") == [shown[0][::-1]]
        again = query(one, sql, value, value)
        assert kinds(one) == {FactKind.GUARDED} or isinstance(value, str)
        one.commit()
        assert query(other, "SELECT * FROM k") == again == shown

    def test_that_are_no_text_are_checked(self, one: Connection, other: Connection) -> None:
        other.execute("INSERT INTO plain VALUES (1, '\ufffd'), (2, 'good')")
        assert query(one, "SELECT y FROM plain WHERE x = 1") == [("\ufffd",)]
        assert query(one, "SELECT y FROM plain WHERE y = '\ufffd'") == [("\ufffd",)]
        assert kinds(one) == {FactKind.CHECKED}
        one.execute("INSERT INTO t(id) VALUES (1)")
        one.commit()
        assert query(one, "SELECT y FROM plain WHERE x = 1") == [("\ufffd",)]
        one.execute("INSERT INTO t(id) VALUES (2)")
        other.execute("UPDATE plain SET y = 'q' WHERE x = 1")
        with pytest.raises(SerializationError):
            one.commit()

    @pytest.mark.parametrize("sql", ["ORDER BY x", "ORDER BY y", "WHERE x < 2"])
    def test_that_are_no_text_do_not_bring_more_rows_than_a_limit(
        self, sql: str, one: Connection, other: Connection
    ) -> None:
        other.execute("INSERT INTO plain VALUES (2, 'good'), (1, '\ufffd'), (3, '\ufffd')")
        other.execute("INSERT INTO plain VALUES (4, CAST(x'ff' AS TEXT))")
        for count in (0, 1):
            assert len(query(one, f"SELECT y FROM plain {sql} LIMIT ?", count)) == count
            assert len(query(one, f"SELECT y, x FROM plain {sql} LIMIT {count}")) == count
        one.execute("INSERT INTO t(id) VALUES (1)")
        one.commit()
        assert query(other, "SELECT id FROM t") == [(1,)]

    def test_clocks_are_left_out(self, one: Connection, other: Connection) -> None:
        other.execute(
            "CREATE TABLE c (id INTEGER PRIMARY KEY, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, v)"
        )
        returned = query(one, "INSERT INTO c(v) VALUES (1) RETURNING *")
        assert query(one, "SELECT * FROM c") == returned
        assert query(one, "SELECT v, at, id FROM c") == [
            (row[2], row[1], row[0]) for row in returned
        ]
        assert kinds(one) == {FactKind.GUARDED}
        query(one, "SELECT v FROM c WHERE at > '2000-01-01'")
        assert one.facts()[-1].kind is FactKind.CHECKED
        one.commit()
        assert query(other, "SELECT * FROM c") == returned
        seen = query(one, "SELECT at, v FROM c")
        one.execute("INSERT INTO t(id) VALUES (1)")
        other.execute("UPDATE c SET at = '1999-01-01 00:00:00'")
        one.commit()
        assert seen == [(returned[0][1], 1)]


class TestShapes:
    def test_many_columns(self, one: Connection, other: Connection) -> None:
        names = [f"c{number}" for number in range(150)]
        declared = ", ".join(f"{name} {'TIMESTAMP' if name == 'c77' else ''}" for name in names)
        other.execute(f"CREATE TABLE wide (id INTEGER PRIMARY KEY, {declared})")
        row = tuple(range(151))
        marks = ",".join("?" * 151)
        one.execute(f"INSERT INTO wide VALUES ({marks})", row)
        assert query(one, "SELECT * FROM wide") == [row]
        some = ", ".join(names[:70] + names[80:99])
        assert query(one, f"UPDATE wide SET c1 = c1 RETURNING {some}") == [
            (*row[1:71], *row[81:100])
        ]
        one.execute(f"INSERT INTO wide VALUES ({marks})", (1, *row[1:]))
        assert sorted(query(one, "SELECT * FROM wide")) == [row, (1, *row[1:])]
        one.commit()
        assert len(query(other, "SELECT * FROM wide")) == 2

    def test_large_reads_are_checked(self, connect: Connect, other: Connection) -> None:
        other.execute("INSERT INTO plain VALUES (1, ?)", ("x" * 1_200_000,))
        one = connect()
        query(one, "SELECT y FROM plain WHERE x = 1")
        assert [(fact.kind, "too large" in fact.reason) for fact in one.facts()] == [
            (FactKind.CHECKED, True)
        ]
        one.execute("INSERT INTO t(id) VALUES (1)")
        carried = counting(one)
        one.commit()
        assert carried.paths == ["/db/query", "/db/execute"]
        query(one, "SELECT y FROM plain WHERE x = 1")
        one.execute("INSERT INTO t(id) VALUES (2)")
        other.execute("UPDATE plain SET y = 1")
        with pytest.raises(SerializationError):
            one.commit()

    def test_size_of_guards_is_an_option(self, connect: Connect, other: Connection) -> None:
        one = connect(max_guard_bytes=10)
        other.execute("INSERT INTO plain VALUES (1, 'a'), (2, 'longer than that')")
        query(one, "SELECT y FROM plain WHERE x = 1")
        query(one, "SELECT y FROM plain WHERE x = 2")
        assert [fact.kind for fact in one.facts()] == [FactKind.GUARDED, FactKind.CHECKED]

    def test_json_each_of_the_users(self, one: Connection, other: Connection) -> None:
        other.execute("CREATE TABLE json_each (id INTEGER PRIMARY KEY, value)")
        other.execute("INSERT INTO json_each VALUES (1, 'a'), (2, 'b')")
        assert len(query(one, "SELECT * FROM json_each")) == 2
        assert len(query(one, "UPDATE json_each SET value = 'c' RETURNING id")) == 2
        assert len(query(one, "INSERT INTO t(a) VALUES (1), (2) RETURNING id")) == 2
        one.commit()
        assert query(other, "SELECT value FROM json_each") == [("c",), ("c",)]

    @pytest.mark.parametrize("name", NAMES)
    def test_odd_names(self, name: str, one: Connection, other: Connection) -> None:
        table, column = quoted(name), quoted(f"{name} c")
        other.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, {column})")
        assert query(one, f"INSERT INTO {table}({column}) VALUES (1) RETURNING id, {column}") == [
            (1, 1)
        ]
        assert query(one, f"INSERT INTO {table}({column}) VALUES (2), (3) RETURNING *") != []
        assert len(query(one, f"UPDATE {table} SET {column} = 5 RETURNING {column}")) == 3
        assert query(one, f"SELECT x.{column} FROM {table} AS x WHERE x.id = 1") == [(5,)]
        assert query(one, f"DELETE FROM {table} AS x WHERE x.id = 2 RETURNING id") == [(2,)]
        assert kinds(one) == {FactKind.GUARDED}
        one.commit()
        assert query(other, f"SELECT count(*) FROM {table}") == [(2,)]

    @pytest.mark.parametrize(
        ("sql", "values"),
        [
            ("SELECT b FROM t WHERE id = :id AND a = :a", {"id": 1, "a": 10}),
            ("SELECT b FROM t WHERE id = @id AND a = $a", {"id": 1, "a": 10}),
            ("SELECT b FROM t WHERE id = ?2 AND a = ?1", (10, 1)),
            ("SELECT b FROM t WHERE id = ?3 AND a = ?3 - ?1 + ?2", (1, 10, 1)),
            ("SELECT b FROM t WHERE a = ?2 AND id = ?1 LIMIT ?3", (1, 10, 5)),
            ("SELECT b FROM t WHERE a = :a AND id = :one LIMIT :one", {"a": 10, "one": 1}),
            ("SELECT b FROM t WHERE a = ? AND id = ? ORDER BY id LIMIT ? OFFSET ?", (10, 1, 1, 0)),
            ("UPDATE t SET b = :b WHERE id = :id AND a = :a RETURNING b", {"b": "x", "a": 10, "id": 1}),
            ("UPDATE t SET b = ?, a = ? WHERE id = ? RETURNING b", ("x", 10, 1)),
            ("UPDATE t SET b = ?3 WHERE id = ?2 AND a = ?1 RETURNING b", (10, 1, "x")),
            ("UPDATE t AS v SET b = 'x' WHERE v.id = ? RETURNING b", (1,)),
            ("UPDATE main.t SET b = ? WHERE id = ? RETURNING b", ("x", 1)),
            ("DELETE FROM t WHERE a = :a AND id = :id RETURNING b", {"id": 1, "a": 10}),
            ("DELETE FROM main.t WHERE id IN (?, ?) RETURNING b", (1, 5)),
        ],
    )  # fmt: skip
    def test_parameters(self, sql: str, values: Any, one: Connection, other: Connection) -> None:
        other.execute("INSERT INTO t VALUES (1, 10, 'x'), (2, 10, 'y')")
        assert one.execute(sql, values).fetchall() == [("x",)]
        one.execute("INSERT INTO plain VALUES (1, 1)")
        one.commit()
        assert query(other, "SELECT * FROM plain") == [(1, 1)]

    def test_rows_that_replace_each_other(self, one: Connection, other: Connection) -> None:
        sql = "REPLACE INTO k VALUES ('a', 1), ('a', 2), ('b', 3) RETURNING key, value"
        assert query(one, sql) == [("a", 1), ("a", 2), ("b", 3)]
        one.commit()
        assert query(other, "SELECT * FROM k") == [("a", 2), ("b", 3)]

    def test_rowid_whose_names_are_columns(self, one: Connection, other: Connection) -> None:
        other.execute("CREATE TABLE hidden (rowid TEXT UNIQUE, _rowid_, oid)")
        for connection, name in ((one, "a"), (other, "b")):
            sql = "INSERT INTO hidden VALUES (?, 1, 2) RETURNING rowid, oid"
            assert query(connection, sql, name) == [(name, 2)]
        assert query(one, "SELECT rowid FROM hidden ORDER BY rowid") == [("a",), ("b",)]
        one.commit()
        assert query(other, "SELECT count(*) FROM hidden") == [(2,)]

    @pytest.mark.parametrize("limit", [0, 1, 2, 3, 4, 100, 2**63 - 2, 2**63 - 1, -1])
    @pytest.mark.parametrize("order", ["", "ORDER BY id", "ORDER BY a", "ORDER BY name"])
    def test_limits(self, limit: int, order: str, one: Connection, other: Connection) -> None:
        other.execute("INSERT INTO u VALUES (1, 'a', 1), (2, 'b', 1), (3, 'c', 1)")
        order = order.replace("a", "n") if order == "ORDER BY a" else order
        wanted = [(1,), (2,), (3,)][: limit if limit >= 0 else None]
        for sql, values in ((f"LIMIT {limit}", ()), ("LIMIT ?", (limit,))):
            cursor = one.execute(f"SELECT id FROM u {order} {sql}", values)
            assert cursor.fetchall() == wanted
        cuts = 0 < limit < 3
        ordered = order == "ORDER BY id"
        guarded = 0 <= limit <= 2**63 - 2 and (ordered or not cuts)
        assert (kinds(one) == {FactKind.GUARDED}) is guarded, one.facts()
        one.execute("INSERT INTO plain VALUES (1, 1)")
        one.commit()
        assert query(other, "SELECT * FROM plain") == [(1, 1)]

    @pytest.mark.parametrize("limit", [1, 2, 3])
    @pytest.mark.parametrize("place", [1, 2, 3])
    def test_limits_of_rows_that_are_read_again(
        self, limit: int, place: int, one: Connection, other: Connection
    ) -> None:
        rows = [(n, "\ufffd" if n == place else "good") for n in (1, 2, 3)]
        other.executemany("INSERT INTO plain VALUES (?, ?)", rows)
        assert query(one, "SELECT x, y FROM plain LIMIT ?", limit) == rows[:limit]
        one.execute("INSERT INTO plain VALUES (4, 4)")
        one.commit()

    def test_row_behind_the_limit_is_nobodys_fact(self, one: Connection, other: Connection) -> None:
        other.execute("INSERT INTO u VALUES (1, 'a', 1), (2, 'b', 1), (3, 'c', 1)")
        for limit in (0, 1, 2):
            assert len(query(one, "SELECT * FROM u ORDER BY id LIMIT ?", limit)) == limit
        assert kinds(one) == {FactKind.GUARDED}
        one.execute("INSERT INTO plain VALUES (1, 1)")
        other.execute("UPDATE u SET n = 5 WHERE id = 3")
        one.commit()
        assert query(other, "SELECT * FROM plain") == [(1, 1)]
