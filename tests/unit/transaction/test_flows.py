"""Transactions against canned replies: what is sent, and what is made of answers that no healthy server gives."""

from __future__ import annotations

from typing import Any

import pytest

from pyrqlite.errors import (
    DatabaseError,
    Error,
    IntegrityError,
    InternalError,
    OperationalError,
    OutcomeUnknownError,
    SerializationError,
)
from pyrqlite.flow.controlling import begin, commit_open
from pyrqlite.flow.executing import execute
from pyrqlite.flow.run import run
from pyrqlite.flow.session import Session
from pyrqlite.flow.steps import AnswerLost
from tests.unit.local_node import LocalNode
from tests.unit.nodes import Answering, Nodes, failed_call, options_of, results, session

SCHEMA = LocalNode("CREATE TABLE t (id INTEGER PRIMARY KEY, a)").schema()
ABORT = {"error": "bad JSON path: 'pyrqlite:abort'"}
WROTE = {"last_insert_id": 1, "rows_affected": 1}
UPDATE = "UPDATE t SET a = 1 WHERE id = 1"
PASSED = {"columns": ["x"], "types": [""], "values": [[None]]}


@pytest.fixture
def made() -> Session:
    """A session with an open transaction."""
    found = session(SCHEMA)
    begin(found)
    return found


def do(made: Session, sql: str, *replies: Answering) -> Nodes:
    nodes = Nodes(*replies)
    nodes.play(execute(made, sql, None, options_of(made)))
    return nodes


def failure(made: Session, sql: str, *replies: Answering) -> Error:
    nodes = Nodes(*replies)
    with pytest.raises(Error) as caught:
        run(execute(made, sql, None, options_of(made)), nodes.send, nodes.slept.append)
    nodes.expect_all_used()
    return caught.value


def commit_failure(made: Session, *replies: Answering) -> Error:
    nodes = Nodes(*replies)
    with pytest.raises(Error) as caught:
        run(commit_open(made), nodes.send, nodes.slept.append)
    nodes.expect_all_used()
    assert made.work.log is None
    return caught.value


class TestSpeculation:
    def test_holds_the_writes_so_far_and_ends_with_an_abort(self, made: Session) -> None:
        do(made, UPDATE, results(WROTE, ABORT))
        nodes = do(made, "DELETE FROM t", results(WROTE, WROTE, ABORT))
        (sent,) = nodes.sent
        assert sent.statements[:2] == [UPDATE, "DELETE FROM t"]
        assert "json_extract" in sent.statements[2][0]
        assert sent.request.target.startswith("/db/request?")
        assert {"transaction", "redirect", "norwrandom", "norwtime"} <= set(
            sent.request.target.partition("?")[2].split("&")
        )
        assert sent.request.repeatable

    def test_may_be_repeated(self) -> None:
        made = session(SCHEMA, host="a,b")
        begin(made)
        nodes = do(made, UPDATE, AnswerLost("reset"), results(WROTE, ABORT))
        assert nodes.hosts == ["a", "b"]

    @pytest.mark.parametrize(
        "answer",
        [(), (WROTE,), (WROTE, WROTE), (WROTE, {"error": "something else"}), (WROTE, ABORT, ABORT)],
    )
    def test_that_does_not_end_so_is_an_alarm(
        self, answer: tuple[dict[str, Any], ...], made: Session
    ) -> None:
        assert isinstance(failure(made, UPDATE, results(*answer)), InternalError)

    def test_statement_that_fails_is_not_logged(self, made: Session) -> None:
        error = failure(made, UPDATE, results({"error": "UNIQUE constraint failed: t.a"}))
        assert isinstance(error, IntegrityError)
        assert made.work.log is not None
        assert made.work.log.entries == []

    def test_statement_that_cannot_be_prepared_is_not_logged(self, made: Session) -> None:
        error = failure(made, UPDATE, results({"error": "no such table: t"}, ABORT))
        assert "no such table" in str(error)
        assert made.work.log is not None
        assert made.work.log.entries == []

    @pytest.mark.parametrize(
        "earlier", [{"rows_affected": 2}, {"error": "UNIQUE constraint failed: t.a"}]
    )
    def test_other_results_of_earlier_writes_are_a_conflict(
        self, earlier: dict[str, Any], made: Session
    ) -> None:
        do(made, UPDATE, results(WROTE, ABORT))
        answer = [earlier, WROTE, ABORT] if "error" not in earlier else [earlier]
        error = failure(made, "DELETE FROM t", results(*answer))
        assert isinstance(error, SerializationError)
        assert UPDATE in str(error)
        assert "rolled back" in str(failure(made, "DELETE FROM t"))
        assert commit_failure(made) is error


class TestCommit:
    @pytest.fixture(autouse=True)
    def written(self, made: Session) -> None:
        do(made, UPDATE, results(WROTE, ABORT))

    def test_is_one_request_that_is_never_repeated(self, made: Session) -> None:
        nodes = Nodes(results(PASSED, PASSED, WROTE, PASSED))
        nodes.play(commit_open(made))
        (sent,) = nodes.sent
        assert sent.request.target.startswith("/db/execute?")
        assert "&transaction" in sent.request.target
        assert "&redirect" in sent.request.target
        assert not sent.request.repeatable
        assert sent.statements[2] == UPDATE
        assert made.work.log is None

    @pytest.mark.parametrize(
        ("answer", "text"),
        [
            ((PASSED, PASSED, WROTE, {"error": "bad JSON path: 'pyrqlite:conflict:2:'"}), UPDATE),
            (({"error": "bad JSON path: 'pyrqlite:conflict:0:'"},), "schema has changed"),
            ((PASSED, {"error": "bad JSON path: 'pyrqlite:conflict:1:'"}), "schema has changed"),
            ((PASSED, PASSED, {"error": "UNIQUE constraint failed: t.a"}), "UNIQUE constraint"),
            ((PASSED, PASSED, {"error": "no such table: t"}), "no such table"),
        ],
    )
    def test_conflicts(self, answer: tuple[dict[str, Any], ...], text: str, made: Session) -> None:
        error = commit_failure(made, results(*answer))
        assert isinstance(error, SerializationError)
        assert text in str(error)
        assert made.work.conflicted

    @pytest.mark.parametrize("place", [0, 1])
    @pytest.mark.parametrize(
        "text", ["database or disk is full", "disk I/O error", "interrupted", "database is locked"]
    )
    def test_trouble_of_the_node_is_no_conflict(self, text: str, place: int, made: Session) -> None:
        answers: list[dict[str, Any]] = [PASSED, WROTE]
        error = commit_failure(made, results(*answers[:place], {"error": text}))
        assert type(error) is OperationalError
        assert text in str(error)
        assert not made.work.conflicted

    def test_deferred_constraint(self, made: Session) -> None:
        error = commit_failure(made, failed_call("FOREIGN KEY constraint failed"))
        assert isinstance(error, IntegrityError)

    def test_lost_answer(self, made: Session) -> None:
        assert isinstance(commit_failure(made, AnswerLost("reset")), OutcomeUnknownError)
        assert not made.work.conflicted

    def test_too_few_results(self, made: Session) -> None:
        assert isinstance(commit_failure(made, results(PASSED, WROTE)), DatabaseError)


def test_nothing_is_sent_for_nothing(made: Session) -> None:
    nodes = Nodes()
    nodes.play(commit_open(made))
    assert (nodes.sent, made.work.log) == ([], None)
