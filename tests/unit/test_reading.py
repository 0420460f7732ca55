"""Reads: what is learnt of a query, and how answers that are not exact are asked for again."""

from __future__ import annotations

from typing import Any

import pytest

from pyrqlite import DataError, OperationalError, ProgrammingError
from pyrqlite.flow.executing import execute
from pyrqlite.flow.session import Outcome, Session
from pyrqlite.wire import packing
from tests.unit.local_node import LocalNode
from tests.unit.nodes import Nodes, options_of, results, session


class Asker:
    """Asks one local node, always by the same session."""

    def __init__(self, local: LocalNode, packs: bool | None = True) -> None:
        self.local = local
        self.session: Session = session(local.schema())
        self.session.cluster.packs = packs
        self.targets: list[str] = []

    def outcome(self, sql: str, values: Any = (), **options: Any) -> Outcome:
        nodes = Nodes(*[self.local] * 9)
        flow = execute(self.session, sql, values, options_of(self.session, **options))
        del self.local.requests[:]
        try:
            from pyrqlite.flow.run import run

            return run(flow, nodes.send, nodes.slept.append)
        finally:
            self.targets = [sent.request.target for sent in nodes.sent]

    def rows(self, sql: str, values: Any = (), **options: Any) -> list[Any]:
        return list(self.outcome(sql, values, **options).rows)

    @property
    def statements(self) -> list[int]:
        """How many statements each request of the last question had."""
        return [len(request) for request in self.local.requests]


ODD: list[Any] = [None, 1, 1.0, "x", b"\x00\xff", 2, "2024-01-01", "[1]", "\ufffd", 1e300, b""]


def test_every_execution_gives_the_same() -> None:
    declared = ["", "TEXT", "DATE", "BOOLEAN", "REAL", "BLOB", "INTEGER"]
    for kind in declared:
        asker = Asker(LocalNode(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {kind})"))
        for number, value in enumerate(ODD):
            asker.local.database.execute("INSERT INTO t(v) VALUES (?)", (value,))
            stored = asker.local.database.execute("SELECT v FROM t WHERE id = ?", (number + 1,)).get
            for sql in ("SELECT v FROM t WHERE id = ?", "SELECT * FROM t WHERE id = ?"):
                for _ in range(3):
                    found = asker.rows(sql, (number + 1,))[0][-1]
                    assert (found, type(found)) == (stored, type(stored))


def test_names_and_types_are_the_same_in_every_form() -> None:
    asker = Asker(LocalNode("CREATE TABLE t (a, b TEXT, c)", "INSERT INTO t VALUES (1, 'x', 2.5)"))
    for sql, expected in (
        ("SELECT a, b, c FROM t", [("a", ""), ("b", "text"), ("c", "")]),
        ("SELECT a AS x, b 'y' FROM t", [("x", ""), ("y", "text")]),
        ("SELECT 1, a + 1, 'x' FROM t", [("1", ""), ("a + 1", ""), ("'x'", "")]),
        ("SELECT max(c) FROM t", [("max(c)", "")]),
    ):
        assert [asker.outcome(sql).columns for _ in range(3)] == [expected] * 3


def test_operators_behind_a_column_are_no_aliases() -> None:
    asker = Asker(LocalNode("CREATE TABLE t (a)", "INSERT INTO t VALUES (NULL)"))
    for sql, expected in (
        ("SELECT a ISNULL FROM t", 1),
        ("SELECT a NOTNULL FROM t", 0),
        ("SELECT a NOT NULL FROM t", 0),
        ("SELECT a IS NULL FROM t", 1),
        ("SELECT a COLLATE NOCASE FROM t", None),
    ):
        for _ in range(3):
            assert asker.rows(sql) == [(expected,)], sql


def test_small_reads_become_one_statement() -> None:
    asker = Asker(LocalNode("CREATE TABLE t (a INTEGER, b TEXT)", "INSERT INTO t VALUES (1, 'x')"))
    asker.rows("SELECT a, b FROM t")
    assert asker.statements == [3]
    assert asker.rows("SELECT a, b FROM t") == [(1, "x")]
    assert asker.statements == [1]


def test_what_has_grown_is_packed_again() -> None:
    asker = Asker(LocalNode("CREATE TABLE t (a INTEGER)"))
    sql = "SELECT a FROM t"
    for _ in range(2):
        asker.rows(sql)
    asker.local.database.executemany(
        "INSERT INTO t VALUES (?)", [(number,) for number in range(500)]
    )
    assert len(asker.rows(sql)) == 500
    assert len(asker.rows(sql)) == 500
    assert asker.statements == [3]


def test_width_of_a_star_is_learnt_and_forgotten() -> None:
    asker = Asker(LocalNode("CREATE TABLE t (a, b)", "INSERT INTO t VALUES (1, 2)"))
    sql = "SELECT * FROM t, t AS u"
    assert asker.rows(sql) == [(1, 2, 1, 2)]
    assert asker.rows(sql) == [(1, 2, 1, 2)]
    assert len(asker.statements) == 1
    asker.local.database.execute("ALTER TABLE t ADD COLUMN c DEFAULT 3")
    assert asker.rows(sql) == [(1, 2, 3, 1, 2, 3)]
    asker.local.database.execute("ALTER TABLE t DROP COLUMN a")
    assert asker.rows(sql) == [(2, 3, 2, 3)]
    assert asker.rows(sql) == [(2, 3, 2, 3)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT window, a FROM w", (1, 2)),
        ("SELECT a, window FROM w", (2, 1)),
        ("SELECT a IS DISTINCT FROM 2, a FROM w", (0, 2)),
        ('SELECT a AS [from], a AS "group" FROM w', (2, 2)),
        ("SELECT count(*), count(*) FILTER (WHERE a > 5) FROM w", (1, 0)),
        ("SELECT DISTINCT a, window FROM w", (2, 1)),
        ("SELECT ALL a, window FROM w", (2, 1)),
        ("SELECT (SELECT 1, 2) = (1, 2), a FROM w", (1, 2)),
        ("SELECT w.*, a FROM w", (1, 2, 2)),
        ("SELECT 2*3, a*a FROM w", (6, 4)),
        ("VALUES (1, 'a,b', (2))", (1, "a,b", 2)),
        ("WITH x(a, b) AS (VALUES (1, 2)) SELECT * FROM x", (1, 2)),
        ("WITH x AS (SELECT 1), y AS (SELECT 2) SELECT * FROM x, y", (1, 2)),
        ("SELECT 1 LIMIT 1", (1,)),
        ("SELECT a FROM w ORDER BY a LIMIT ? OFFSET ?", (2,)),
        ("SELECT 1 UNION ALL SELECT 2 ORDER BY 1 LIMIT 1", (1,)),
    ],
)
def test_lists_of_all_kinds(sql: str, expected: tuple[Any, ...]) -> None:
    asker = Asker(LocalNode("CREATE TABLE w (window, a)", "INSERT INTO w VALUES (1, 2)"))
    values = (1, 0) if "?" in sql else ()
    for _ in range(3):
        assert asker.rows(sql, values) == [expected]


class TestTexts:
    def test_replacement_characters_are_told_from_replaced_bytes(self) -> None:
        asker = Asker(
            LocalNode("CREATE TABLE t (a)", "INSERT INTO t VALUES ('\ufffd'), (x'efbfbd')")
        )
        for _ in range(3):
            assert asker.rows("SELECT a FROM t") == [("\ufffd",), (b"\xef\xbf\xbd",)]

    def test_what_is_no_utf8(self) -> None:
        asker = Asker(
            LocalNode("CREATE TABLE t (a, b)", "INSERT INTO t VALUES (1, CAST(x'41ff' AS TEXT))")
        )
        for sql in ("SELECT a, b FROM t", "SELECT a, b||'' AS b FROM t", "SELECT * FROM t"):
            for _ in range(3):
                with pytest.raises(OperationalError, match=r"UTF-8.*'b'"):
                    asker.rows(sql)
        assert asker.rows("SELECT a, CAST(b AS BLOB) FROM t") == [(1, b"A\xff")]

    def test_json_stays_text(self) -> None:
        asker = Asker(LocalNode())
        for sql in (
            "SELECT json('[1]')",
            "SELECT json_array('a')",
            "SELECT json_object('a', 1) AS j",
        ):
            for _ in range(3):
                assert isinstance(asker.rows(sql)[0][0], str)

    def test_what_looks_like_a_marked_blob(self) -> None:
        asker = Asker(LocalNode("CREATE TABLE t (a)"))
        texts = [
            '["41"]',
            '[["41"]]',
            '","',
            '["',
            '[["',
            "[",
            '"',
            ',["41"],',
            "\\",
            '\\"',
            '",["41"],"',
        ]
        texts += [b"\x41".hex(), "41"]
        asker.local.database.executemany("INSERT INTO t VALUES (?)", [(text,) for text in texts])
        for _ in range(3):
            assert asker.rows("SELECT a FROM t") == [(text,) for text in texts]
        asker.local.database.execute("INSERT INTO t VALUES (x'41')")
        assert asker.rows("SELECT a FROM t") == [*[(text,) for text in texts], (b"A",)]

    @pytest.mark.parametrize(
        "blob", [b"\x00", b"\x01", b"\x02", b"\x0b", b"\x131", b"\x17A", b"\x0c", b"", b"\x5b"]
    )
    def test_blobs_that_are_sqlites_binary_json(self, blob: bytes) -> None:
        asker = Asker(LocalNode("CREATE TABLE t (a)"))
        asker.local.database.execute("INSERT INTO t VALUES (?), ('text')", (blob,))
        for sql in ("SELECT a FROM t", "SELECT * FROM t", "SELECT a FROM t ORDER BY rowid"):
            for _ in range(3):
                assert asker.rows(sql) == [(blob,), ("text",)]


class TestServersThatCannotPack:
    def tampered(self, sql: str, result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "values": [["[0.3,Inf,-Inf]"]]} if sql == packing.PROBE else result

    def test_are_asked_plainly(self) -> None:
        local = LocalNode(
            "CREATE TABLE t (a)", "INSERT INTO t VALUES ('x'), (2)", tamper=self.tampered
        )
        asker = Asker(local, packs=None)
        assert asker.rows("SELECT a, 1 FROM t") == [("x", 1), (2, 1)]
        assert asker.session.cluster.packs is False
        assert asker.rows("SELECT a, 1 FROM t") == [("x", 1), (2, 1)]
        assert asker.statements == [2]

    def test_probe_is_sent_once(self) -> None:
        asker = Asker(LocalNode("CREATE TABLE t (a)"), packs=None)
        asker.rows("SELECT a FROM t")
        assert packing.PROBE in asker.local.requests[0]
        asker.rows("SELECT a, a FROM t")
        assert packing.PROBE not in asker.local.requests[0]
        assert asker.session.cluster.packs is True

    def test_probe_that_fails(self) -> None:
        def refuse(sql: str, result: dict[str, Any]) -> dict[str, Any]:
            return {"error": "no such function: json_array"} if "json_" in sql else result

        asker = Asker(
            LocalNode("CREATE TABLE t (a)", "INSERT INTO t VALUES (7)", tamper=refuse), packs=None
        )
        assert asker.rows("SELECT a FROM t") == [(7,)]
        assert asker.session.cluster.packs is False


class TestErrors:
    def test_of_the_query(self) -> None:
        asker = Asker(LocalNode("CREATE TABLE t (a)"))
        for _ in range(2):
            with pytest.raises(ProgrammingError, match="no such table: nope"):
                asker.rows("SELECT a FROM nope")
            with pytest.raises(ProgrammingError, match="no such column: b"):
                asker.rows("SELECT b FROM t")
            with pytest.raises(OperationalError, match="malformed JSON"):
                asker.rows("SELECT json('{')")

    def test_of_json_functions_over_blobs_are_the_users(self) -> None:
        asker = Asker(LocalNode("CREATE TABLE t (a)", "INSERT INTO t VALUES (x'ff')"))
        for _ in range(3):
            with pytest.raises(OperationalError, match="JSON cannot hold BLOB values"):
                asker.rows("SELECT json_group_array(a) FROM t")

    def test_width_in_the_users_own_query(self) -> None:
        asker = Asker(LocalNode())
        with pytest.raises(ProgrammingError, match="2 values for 1 columns"):
            asker.rows("WITH x(a) AS (SELECT 1, 2) SELECT a FROM x")

    def test_results_too_large_for_one_text(self) -> None:
        def refuse(sql: str, result: dict[str, Any]) -> dict[str, Any]:
            return {"error": "string or blob too big"} if "json_" in sql else result

        asker = Asker(LocalNode("CREATE TABLE t (a)", tamper=refuse))
        with pytest.raises(DataError, match="LIMIT"):
            asker.rows("SELECT a FROM t")

    def test_fewer_results_than_statements(self) -> None:
        made = session()
        nodes = Nodes(results({"columns": ["1"], "types": [""]}))
        with pytest.raises(Exception, match="1 results for 3 statements"):
            nodes.play(execute(made, "SELECT 1", None, options_of(made)))

    def test_schema_that_changes_with_every_look(self) -> None:
        counter = iter(range(100))

        def tamper(sql: str, result: dict[str, Any]) -> dict[str, Any]:
            if "_pyrqlite_q" in sql:
                return {"error": "table _pyrqlite_q has 9 values for 1 columns"}
            width = next(counter) + 1
            return {"columns": ["a"] * width, "types": [""] * width}

        asker = Asker(LocalNode("CREATE TABLE t (a)", tamper=tamper))
        with pytest.raises(Exception, match="changed"):
            asker.rows("SELECT * FROM t")


class TestOptions:
    @pytest.mark.parametrize(
        "sql", ["SELECT a FROM t", "PRAGMA table_info(t)", "EXPLAIN SELECT 1", "SELECT 1"]
    )
    def test_level_and_freshness_go_with_every_request(self, sql: str) -> None:
        asker = Asker(LocalNode("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)"))
        for _ in range(2):
            asker.outcome(sql, (), level="none", freshness="2s", freshness_strict=True)
            assert asker.targets
            for target in asker.targets:
                assert target.startswith("/db/query?")
                assert "&level=none&freshness=2s&freshness_strict" in target

    def test_reads_are_repeatable_and_have_their_time(self) -> None:
        asker = Asker(LocalNode("CREATE TABLE t (a)"))
        nodes = Nodes(*[asker.local] * 2)
        flow = execute(asker.session, "SELECT 1", None, options_of(asker.session, timeout=1.25))
        from pyrqlite.flow.run import run

        run(flow, nodes.send)
        assert all(sent.request.repeatable for sent in nodes.sent)
        assert {sent.request.timeout for sent in nodes.sent} == {1.25}

    def test_only_writes_can_be_queued(self) -> None:
        asker = Asker(LocalNode())
        with pytest.raises(ProgrammingError, match="queued"):
            asker.outcome("SELECT 1", (), queue=True)


def test_nothing_is_sent_for_nothing() -> None:
    asker = Asker(LocalNode())
    for sql in ("", "  ", "-- comment", ";", "/* */;"):
        assert asker.outcome(sql) == Outcome()
        assert asker.targets == []


def test_names_in_a_long_query() -> None:
    """A query with more columns than SQLite's functions take arguments."""
    width = 250
    columns = ", ".join(
        f"c{number} {'BLOB' if number % 7 == 0 else 'TEXT'}" for number in range(width)
    )
    asker = Asker(LocalNode(f"CREATE TABLE t ({columns})"))
    values = [bytes([number]) if number % 7 == 0 else str(number) for number in range(width)]
    asker.local.database.execute(f"INSERT INTO t VALUES ({','.join('?' * width)})", values)
    for _ in range(3):
        assert asker.rows("SELECT * FROM t") == [tuple(values)]


def test_names_show_the_statement_as_written() -> None:
    """Some values need another form of their placeholder, which nobody wants to see."""
    asker = Asker(LocalNode("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)"))
    for value in ("x'6869'", float("inf"), "plain", 5):
        for sql, names in (
            ("SELECT typeof(?)", ["typeof(?)"]),
            ("SELECT length(?)", ["length(?)"]),
            ("SELECT nullif(?, ?)", ["nullif(?, ?)"]),
            ("SELECT ? AS x, ?", ["x", "?"]),
            ("SELECT a, ? FROM t", ["a", "?"]),
        ):
            for _ in range(3):
                columns = asker.outcome(sql, (value,) * sql.count("?")).columns or []
                assert [name for name, _ in columns] == names
