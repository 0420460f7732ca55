"""Writes: what is sent, in which form, and what is made of the results."""

from __future__ import annotations

import contextlib
import json
import math
from collections import UserList
from collections.abc import Iterator
from typing import Any

import pytest

from pyrqlite import (
    DataError,
    IntegrityError,
    InternalError,
    NotSupportedError,
    OutcomeUnknownError,
    ProgrammingError,
)
from pyrqlite.flow.executing import execute, execute_many, execute_script
from pyrqlite.flow.run import run
from pyrqlite.flow.session import Outcome, Session
from pyrqlite.flow.steps import AnswerLost
from tests.unit.local_node import LocalNode
from tests.unit.nodes import Answering, Nodes, Reply, options_of, results, session

SCHEMA = LocalNode(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)",
    "CREATE TABLE w (k PRIMARY KEY, a) WITHOUT ROWID",
    "CREATE VIEW v AS SELECT a FROM t",
    "CREATE TRIGGER g INSTEAD OF INSERT ON v BEGIN INSERT INTO t(a) VALUES (new.a); END",
).schema()
DONE = results({"last_insert_id": 5, "rows_affected": 1})


def started(**options: Any) -> Session:
    return session(SCHEMA, **options)


def wrote(
    sql: str, values: Any = None, *replies: Answering, made: Session | None = None, **options: Any
) -> tuple[Outcome, Nodes]:
    """The outcome of one statement, and what was sent for it."""
    made = made or started()
    nodes = Nodes(*(replies or (DONE,)))
    return nodes.play(execute(made, sql, values, options_of(made, **options))), nodes


def wrote_many(
    sql: str, rows: Any, *replies: Answering, made: Session | None = None, **options: Any
) -> tuple[Outcome, Nodes]:
    made = made or started()
    nodes = Nodes(*(replies or (DONE,)))
    return nodes.play(execute_many(made, sql, rows, options_of(made, **options))), nodes


class TestOneStatement:
    def test_is_sent_with_its_values_and_never_forwarded(self) -> None:
        sql = "INSERT INTO t(a, b) VALUES (?, ?);  -- comment"
        _, nodes = wrote(sql, (1, "x"), timeout=7.5)
        (sent,) = nodes.sent
        assert sent.statements == [["INSERT INTO t(a, b) VALUES (?, ?)", 1, "x"]]
        assert sent.request.method == "POST"
        assert sent.request.target.startswith("/db/execute?")
        flags = sent.request.target.partition("?")[2].split("&")
        assert {"redirect", "norwrandom", "norwtime"} <= set(flags)
        assert not {"retries", "timeout", "db_timeout", "queue", "wait"} & set(flags)
        assert not sent.request.repeatable
        assert sent.request.timeout == 7.5

    def test_values_in_the_order_of_their_numbers(self) -> None:
        _, nodes = wrote("INSERT INTO t(a, b) VALUES (:b, :a)", {"a": 1, "b": 2})
        assert nodes.sent[0].statements[0][1:] == [2, 1]

    @pytest.mark.parametrize(
        ("sql", "result", "expected"),
        [
            ("INSERT INTO t(a) VALUES (1)", {"last_insert_id": 7, "rows_affected": 1}, (1, 7)),
            ("INSERT INTO t(id) VALUES (0)", {"rows_affected": 1}, (1, 0)),
            ("INSERT INTO t(id) VALUES (-1)", {"last_insert_id": -1, "rows_affected": 1}, (1, -1)),
            ("REPLACE INTO t(a) VALUES (1)", {"last_insert_id": 8, "rows_affected": 1}, (1, 8)),
            ("INSERT OR IGNORE INTO t(id) VALUES (1)", {"last_insert_id": 7}, (0, None)),
            ("UPDATE t SET a = 1", {"last_insert_id": 7, "rows_affected": 3}, (3, None)),
            ("UPDATE t SET a = 1", {}, (0, None)),
            ("DELETE FROM t", {"last_insert_id": 7, "rows_affected": 3}, (3, None)),
            ("INSERT INTO w VALUES (1, 2)", {"last_insert_id": 7, "rows_affected": 1}, (1, None)),
            ("INSERT INTO v VALUES (1)", {"last_insert_id": 7}, (0, None)),
            ("WITH x AS (SELECT 1) DELETE FROM t", {"rows_affected": 2}, (2, None)),
            ("CREATE TABLE x (a)", {"last_insert_id": 7, "rows_affected": 3}, (-1, None)),
            ("DROP TABLE t", {"last_insert_id": 7, "rows_affected": 3}, (-1, None)),
            ("PRAGMA user_version = 3", {"last_insert_id": 7, "rows_affected": 3}, (-1, None)),
            ("ANALYZE", {"last_insert_id": 7, "rows_affected": 3}, (-1, None)),
        ],
    )
    def test_counts(
        self, sql: str, result: dict[str, int], expected: tuple[int, int | None]
    ) -> None:
        outcome, _ = wrote(sql, None, results(result))
        assert (outcome.rowcount, outcome.lastrowid) == expected
        assert outcome.columns is None

    def test_upsert_that_may_have_updated_shows_no_old_rowid(self) -> None:
        sql = "INSERT INTO t(id) VALUES (1) ON CONFLICT(id) DO UPDATE SET a = 2"
        outcome, _ = wrote(sql, None, results({"last_insert_id": 99, "rows_affected": 1}))
        assert outcome.lastrowid != 99
        assert outcome.rowcount == 1

    def test_error_of_the_statement(self) -> None:
        with pytest.raises(IntegrityError) as caught:
            wrote(
                "INSERT INTO t(id) VALUES (1)",
                None,
                results({"error": "UNIQUE constraint failed: t.id"}),
            )
        assert caught.value.sqlite_errorname == "SQLITE_CONSTRAINT_UNIQUE"
        assert caught.value.sqlite_errorcode == 2067

    @pytest.mark.parametrize("count", [0, 2])
    def test_other_numbers_of_results(self, count: int) -> None:
        with pytest.raises(InternalError):
            wrote("INSERT INTO t(a) VALUES (1)", None, results(*[{}] * count))

    def test_lost_answer(self) -> None:
        with pytest.raises(OutcomeUnknownError):
            wrote("INSERT INTO t(a) VALUES (1)", None, AnswerLost("gone"))


class TestValues:
    @pytest.mark.parametrize(
        ("value", "sent"),
        [
            (None, None),
            (True, 1),
            (5, 5),
            (2**63 - 1, 2**63 - 1),
            (-(2**63), -(2**63)),
            (1.0, 1.0),
            (0.1, 0.1),
            (5e-324, 5e-324),
            ("text", "text"),
            ("a\0b", "a\0b"),
            ("x'6'", "x'6'"),
            (b"\x00\xff", "x'00ff'"),
            (bytearray(b"a"), "x'61'"),
            (memoryview(b"a"), "x'61'"),
            (b"", "x''"),
        ],
    )
    def test_as_they_are(self, value: object, sent: object) -> None:
        _, nodes = wrote("INSERT INTO t(a) VALUES (?)", (value,))
        ((sql, found),) = nodes.sent[0].statements
        assert sql == "INSERT INTO t(a) VALUES (?)"
        assert (found, type(found)) == (sent, type(sent))

    def test_whole_reals_keep_their_point(self) -> None:
        """An integer in the JSON would be stored as one."""
        for value in (1.0, -2.0, 1e15, 1e22, 0.0, -0.0, 2.0**63):
            _, nodes = wrote("INSERT INTO t(a) VALUES (?)", (value,))
            text = (nodes.sent[0].request.body or b"").decode()
            number = text.rpartition(",")[2].rstrip("]")
            assert not number.lstrip("-").isdigit(), text
            assert float(number) == value

    @pytest.mark.parametrize("text", ["x'6869'", "X''", " x'00' ", "\u2003x'ab'\n", "x'00'\u00a0"])
    def test_texts_that_the_server_takes_for_blobs(self, text: str) -> None:
        _, nodes = wrote("INSERT INTO t(a, b) VALUES (?, ?)", (text, "plain"))
        ((sql, first, second),) = nodes.sent[0].statements
        assert "CAST(? AS TEXT)" in sql
        assert sql.count("?") == 2
        assert first == f"x'{text.encode().hex()}'"
        assert second == "plain"

    @pytest.mark.parametrize(("value", "factor"), [(math.inf, 1), (-math.inf, -1)])
    def test_infinities(self, value: float, factor: int) -> None:
        _, nodes = wrote("INSERT INTO t(a) VALUES (?)", (value,))
        ((sql, found),) = nodes.sent[0].statements
        assert "9e999" in sql
        assert found == factor

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            (math.nan, DataError),
            (2**63, OverflowError),
            (-(2**63) - 1, OverflowError),
            ("\udc00", UnicodeEncodeError),
            (object(), ProgrammingError),
            ((1,), ProgrammingError),
        ],
    )
    def test_that_cannot_be_sent(self, value: object, kind: type[Exception]) -> None:
        nodes = Nodes()
        made = started()
        with pytest.raises(kind):
            nodes.play(execute(made, "INSERT INTO t(a) VALUES (?)", (value,), options_of(made)))
        flow = execute_many(made, "INSERT INTO t(a) VALUES (?)", [(1,), (value,)], options_of(made))
        with pytest.raises(kind):
            nodes.play(flow)
        assert nodes.sent == []


class TestReturning:
    ROWS = results({"columns": ["id"], "types": ["integer"], "values": [[1]]})

    def test_is_refused_where_the_rows_would_be_lost(self) -> None:
        refused = results({"original": "x", "rewritten": "", "error": "1:9: expected"})
        made = started()
        nodes = Nodes(refused)
        for _ in range(2):  # the second time from memory
            with pytest.raises(NotSupportedError, match="1:9: expected"):
                run(
                    execute(
                        made,
                        "DELETE FROM t RETURNING id IS DISTINCT FROM 1",
                        None,
                        options_of(made),
                    ),
                    nodes.send,
                )
        assert len(nodes.sent) == 1
        assert nodes.sent[0].request.repeatable

    def test_is_not_where_the_server_only_fails_to_write_the_statement_out(self) -> None:
        panic = b"panic during SQL analysis: sql.BinaryExpr.String(): invalid op ESCAPE\n"
        made = started()
        nodes = Nodes(Reply(500, panic), self.ROWS)
        sql = "DELETE FROM w WHERE a LIKE 'x' ESCAPE '/' RETURNING k"
        with contextlib.suppress(InternalError, TypeError, ValueError):
            run(execute(made, sql, None, options_of(made)), nodes.send)
        assert [sent.request.target.partition("?")[0] for sent in nodes.sent] == [
            "/db/sql",
            "/db/execute",
        ]

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"results":[1]}'])
    def test_is_not_sent_where_the_question_has_no_answer(self, body: bytes) -> None:
        made = started()
        nodes = Nodes(Reply(200, body))
        with pytest.raises(InternalError, match="not rqlite's"):
            run(execute(made, "DELETE FROM u RETURNING a || 1", None, options_of(made)), nodes.send)
        assert len(nodes.sent) == 1

    def test_has_a_blank_behind_it(self) -> None:
        for text in ("RETURNING\nid", "RETURNING(id)", "returning\t id", "RETURNING/**/id"):
            made = started()
            nodes = Nodes(results({"original": "x", "rewritten": "x"}), self.ROWS)
            # The canned rows may not fit the form that was asked for.
            with contextlib.suppress(InternalError, TypeError, ValueError):
                run(execute(made, f"DELETE FROM t {text}", None, options_of(made)), nodes.send)
            sent = nodes.sent[-1].statements[0]
            sql = sent if isinstance(sent, str) else sent[0]
            assert "returning " in sql.lower()
            assert "noparse" not in nodes.sent[-1].request.target


class TestManyRows:
    SQL = "INSERT INTO t(a, b) VALUES (?, ?)"

    def test_of_an_insert_are_one_parameter(self) -> None:
        outcome, nodes = wrote_many(
            self.SQL, [(1, "x"), (2.5, None)], results({"rows_affected": 2})
        )
        ((sql, text),) = nodes.sent[0].statements
        assert json.loads(text) == [[1, "x"], [2.5, None]]
        assert sql.startswith("INSERT INTO t(a, b) SELECT ")
        assert "json_each(?)" in sql
        assert "&transaction" in nodes.sent[0].request.target
        assert outcome.rowcount == 2

    def test_of_other_statements_are_a_list(self) -> None:
        outcome, nodes = wrote_many(
            "UPDATE t SET a = ? WHERE id = ?", [(1, 2), (3, 4)], results({"rows_affected": 1}, {})
        )
        assert nodes.sent[0].statements == [
            ["UPDATE t SET a = ? WHERE id = ?", 1, 2],
            ["UPDATE t SET a = ? WHERE id = ?", 3, 4],
        ]
        assert "&transaction" in nodes.sent[0].request.target
        assert "&redirect" in nodes.sent[0].request.target
        assert outcome.rowcount == 1

    @pytest.mark.parametrize("sql", [SQL, "UPDATE t SET a = ?, b = ?"])
    def test_none_at_all(self, sql: str) -> None:
        made = started()
        nodes = Nodes()
        outcome = nodes.play(execute_many(made, sql, [], options_of(made)))
        assert (outcome.rowcount, nodes.sent) == (0, [])

    def test_any_iterable_of_any_sequences(self) -> None:
        def rows() -> Iterator[Any]:
            yield (1, "a")
            yield [2, "b"]
            yield range(3, 5)
            yield UserList((5, "e"))

        _, nodes = wrote_many(self.SQL, rows(), results({"rows_affected": 4}))
        assert json.loads(nodes.sent[0].statements[0][1]) == [[1, "a"], [2, "b"], [3, 4], [5, "e"]]

    def test_names(self) -> None:
        rows = [{"b": 1, "a": 2, "more": 3}, {"a": 4, "b": 5}]
        _, nodes = wrote_many(
            "INSERT INTO t(a, b) VALUES (:a, :b)", rows, results({"rows_affected": 2})
        )
        assert json.loads(nodes.sent[0].statements[0][1]) == [[2, 1], [4, 5]]

    @pytest.mark.parametrize(
        "rows",
        [
            [(1,)],
            [(1, 2), (3,)],
            [(1, 2, 3)],
            [()],
            [5],
            [None],
            ["ab"],
            [{"a": 1, "b": 2}],
            [{1, 2}],
            [(1, 2), "xy"],
        ],
    )
    def test_rows_that_do_not_fit(self, rows: Any) -> None:
        made = started()
        nodes = Nodes()
        with pytest.raises(ProgrammingError):
            nodes.play(execute_many(made, self.SQL, rows, options_of(made)))
        assert nodes.sent == []

    def test_that_raise_while_they_are_made(self) -> None:
        def rows() -> Iterator[tuple[int, int]]:
            yield (1, 2)
            raise KeyError("made")

        made = started()
        nodes = Nodes()
        for sql in (self.SQL, "UPDATE t SET a = ?, b = ?"):
            with pytest.raises(KeyError):
                nodes.play(execute_many(made, sql, rows(), options_of(made)))
        assert nodes.sent == []

    def test_blobs_go_as_hex(self) -> None:
        rows = [(b"\x00\xff", "x"), (b"", b"y")]
        _, nodes = wrote_many(self.SQL, rows, results({"rows_affected": 2}))
        ((sql, text),) = nodes.sent[0].statements
        assert "unhex(" in sql
        assert json.loads(text) == [["00ff", "x"], ["", ["79"]]]

    def test_blobs_without_unhex_are_a_list(self) -> None:
        made = started()
        made.cluster.has_unhex = False
        _, nodes = wrote_many(self.SQL, [(b"a", 1), (2, 3)], results({}, {}), made=made)
        assert [statement[1:] for statement in nodes.sent[0].statements] == [["x'61'", 1], [2, 3]]

    def test_whether_the_server_has_unhex_is_asked_once(self) -> None:
        made = started()
        made.cluster.has_unhex = None
        asked = results({"columns": ["n"], "types": ["integer"], "values": [[1]]})
        wrote_many(self.SQL, [(b"a", 1)], asked, DONE, made=made)
        wrote_many(self.SQL, [(b"a", 1)], DONE, made=made)
        assert made.cluster.has_unhex is True

    def test_infinities_are_a_list(self) -> None:
        _, nodes = wrote_many(self.SQL, iter([(math.inf, 1), (2, 3)]), results({}, {}))
        assert len(nodes.sent[0].statements) == 2

    def test_too_large_for_one_request(self) -> None:
        made = started(max_request_bytes=1000)
        nodes = Nodes()
        for sql in (self.SQL, "UPDATE t SET a = ?, b = ?"):
            with pytest.raises(DataError, match="1000"):
                nodes.play(execute_many(made, sql, [("x" * 300, 1)] * 4, options_of(made)))
        assert nodes.sent == []

    def test_one_that_fails(self) -> None:
        failed = results({"rows_affected": 1}, {"error": "NOT NULL constraint failed: t.a"})
        with pytest.raises(IntegrityError, match=r"t\.a"):
            wrote_many("UPDATE t SET a = ?", [(1,), (2,), (3,)], failed)

    def test_fewer_results_than_statements(self) -> None:
        with pytest.raises(InternalError):
            wrote_many("UPDATE t SET a = ?", [(1,), (2,)], results({}))

    def test_only_of_statements_that_change_rows(self) -> None:
        made = started()
        for sql in (
            "SELECT ?",
            "CREATE TABLE x (a)",
            "PRAGMA user_version",
            "",
            "BEGIN",
            "VALUES (?)",
        ):
            with pytest.raises(ProgrammingError):
                Nodes().play(execute_many(made, sql, [(1,)], options_of(made)))

    def test_more_than_a_chunk(self) -> None:
        rows = [(number, "x") for number in range(10_000)]
        made = started()
        nodes = Nodes(
            lambda node, request: results(
                *[{"rows_affected": 1}] * len(json.loads(request.body or b""))
            )
        )
        outcome = nodes.play(execute_many(made, self.SQL, rows, options_of(made)))
        sent = nodes.sent[0].statements
        assert outcome.rowcount == len(sent) == 10
        assert [row for _, text in sent for row in json.loads(text)] == [list(row) for row in rows]


class TestQueue:
    def test_flags(self) -> None:
        outcome, nodes = wrote(
            "INSERT INTO t(a) VALUES (1)", None, results(sequence_number=5), queue=True
        )
        assert "&queue" in nodes.sent[0].request.target
        assert "&wait" not in nodes.sent[0].request.target
        assert outcome == Outcome()
        _, nodes = wrote("DELETE FROM t", None, results(sequence_number=5), queue=True, wait=True)
        assert "&queue" in nodes.sent[0].request.target
        assert "&wait" in nodes.sent[0].request.target

    def test_many_rows(self) -> None:
        rows = [(1, 2), (3, 4)]
        outcome, nodes = wrote_many(TestManyRows.SQL, rows, results(sequence_number=5), queue=True)
        assert nodes.sent[0].statements == [[TestManyRows.SQL, 1, 2], [TestManyRows.SQL, 3, 4]]
        assert "&queue" in nodes.sent[0].request.target
        assert outcome == Outcome()

    @pytest.mark.parametrize(
        "sql", ["CREATE TABLE x (a)", "SELECT 1", "PRAGMA user_version = 1", "ANALYZE"]
    )
    def test_only_changes_of_rows(self, sql: str) -> None:
        made = started()
        with pytest.raises(ProgrammingError, match="queued"):
            Nodes().play(execute(made, sql, None, options_of(made, queue=True)))


SCRIPT = """
-- a script; with comments
BEGIN;
CREATE TABLE n (a, b);
INSERT INTO t(a) VALUES ('x;y'); /* ; */
CREATE TRIGGER h AFTER INSERT ON t BEGIN SELECT 1; DELETE FROM t WHERE 0; END;
COMMIT;
"""


class TestScripts:
    def test_are_one_transaction_of_their_statements(self) -> None:
        made = started()
        nodes = Nodes(results({}, {}, {}))
        nodes.play(execute_script(made, SCRIPT, options_of(made)))
        (sent,) = nodes.sent
        assert [text.partition(" ")[0] for text in sent.statements] == [
            "CREATE",
            "INSERT",
            "CREATE",
        ]
        assert sent.statements[2].endswith("END")
        assert "&transaction" in sent.request.target
        assert not sent.request.repeatable

    def test_nothing_to_do(self) -> None:
        made = started()
        nodes = Nodes()
        for script in ("", ";;", "-- x", "BEGIN; COMMIT"):
            nodes.play(execute_script(made, script, options_of(made)))
        assert nodes.sent == []

    @pytest.mark.parametrize(
        "script",
        [
            "INSERT INTO t(a) VALUES (?)",
            "INSERT INTO t(a) VALUES (:a)",
            "ROLLBACK",
            "INSERT INTO t(a) VALUES (1); ROLLBACK",
            "SAVEPOINT a",
            "VACUUM",
            "ATTACH 'x' AS y",
            "PRAGMA foreign_keys = ON",
        ],
    )
    def test_what_cannot_be_part_of_one(self, script: str) -> None:
        made = started()
        nodes = Nodes()
        with pytest.raises((ProgrammingError, NotSupportedError)):
            nodes.play(execute_script(made, script, options_of(made)))
        assert nodes.sent == []

    def test_failure(self) -> None:
        made = started()
        with pytest.raises(ProgrammingError, match="nope"):
            Nodes(results({}, {"error": "no such table: nope"})).play(
                execute_script(made, "DELETE FROM t; DELETE FROM nope", options_of(made))
            )


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH 'file' AS x",
        "DETACH x",
        "PRAGMA synchronous = OFF",
        "PRAGMA main.locking_mode(exclusive)",
        "PRAGMA recursive_triggers = ON",
        "PRAGMA wal_checkpoint",
        "PRAGMA case_sensitive_like = 1",
        "PRAGMA query_only = 0",
        "CREATE TEMP TABLE x (a)",
        "CREATE TEMPORARY VIEW x AS SELECT 1",
    ],
)
def test_what_must_never_reach_the_server(sql: str) -> None:
    made = started()
    nodes = Nodes()
    with pytest.raises(NotSupportedError):
        nodes.play(execute(made, sql, None, options_of(made)))
    assert nodes.sent == []


@pytest.mark.parametrize(
    ("sql", "setting", "now", "passes"),
    [
        ("PRAGMA foreign_keys = ON", "foreign_keys", 1, True),
        ("PRAGMA foreign_keys(1)", "foreign_keys", 0, False),
        ("PRAGMA main.journal_mode = DELETE", "journal_mode", "wal", False),
        ("PRAGMA journal_mode = 'WAL'", "journal_mode", "wal", True),
    ],
)
def test_settings_are_looked_at_and_never_made(
    sql: str, setting: str, now: object, passes: bool
) -> None:
    made = started()
    reloaded = {"columns": ["1"], "types": [""]}
    nodes = Nodes(results(reloaded, {"columns": [setting], "types": [""], "values": [[now]]}))
    with contextlib.nullcontext() if passes else pytest.raises(NotSupportedError):
        nodes.play(execute(made, sql, None, options_of(made)))
    assert [sent.statements[1:] for sent in nodes.sent] == [[f"PRAGMA {setting}"]]


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t(a) VALUES (1); DELETE FROM t",
        "SELECT 1; COMMIT",
        "DELETE FROM t;;DROP TABLE t",
    ],
)
def test_one_statement_at_a_time(sql: str) -> None:
    made = started()
    with pytest.raises(ProgrammingError, match="one statement"):
        Nodes().play(execute(made, sql, None, options_of(made)))


def test_pragma_of_a_transaction_needs_one() -> None:
    made = started()
    nodes = Nodes()
    with pytest.raises(ProgrammingError, match="begin one first"):
        nodes.play(execute(made, "PRAGMA defer_foreign_keys = ON", None, options_of(made)))
    assert nodes.sent == []
