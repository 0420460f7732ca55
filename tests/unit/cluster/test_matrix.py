"""Every cell of the table of retries, played through the flows, and held against the table in words."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pyrqlite import OperationalError, OutcomeUnknownError
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.matrix import MATRIX, Action, Failure
from pyrqlite.errors import DatabaseError, NoLeaderError, UnreachableError
from pyrqlite.flow.applying import MARKERS, apply
from pyrqlite.flow.exchange import REDIRECT
from pyrqlite.flow.session import ask
from pyrqlite.flow.steps import AnswerLost, NotSent
from pyrqlite.wire.request import EXECUTE
from tests.unit.nodes import (
    Answering,
    Nodes,
    Reply,
    attempts,
    failed_call,
    no_leader,
    redirect,
    results,
    session,
)

# For each failure, answers that are of its kind.
FAILURES: dict[Failure, list[Answering]] = {
    Failure.NOT_SENT: [NotSent("refused")],
    Failure.LOST: [AnswerLost("reset"), AnswerLost("silent", timed_out=True)],
    Failure.REDIRECTED: [redirect("http://leader:4001/")],
    Failure.LEADERLESS: [no_leader(503), no_leader(500)],
    Failure.TRANSFER: [failed_call("leadership transfer in progress")],
    Failure.STARTING: [failed_call("store not open"), failed_call("store not ready")],
    Failure.STALE: [failed_call("stale read")],
    Failure.DISTURBED: [
        failed_call("not leader"),
        failed_call("leader not found"),
        failed_call("leadership lost while committing log"),
        failed_call("raft is already shutdown"),
        failed_call("dial tcp 127.0.0.1:4002: connect: connection refused"),
        failed_call("read protobuf length: read tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout"),
        failed_call("write length: write tcp 127.0.0.1:1: broken pipe"),
    ],
    Failure.UNSURE: [
        failed_call("index 12: timeout waiting for fsm"),
        failed_call("context canceled"),
        # Neither begins with a known text nor is one: not decided by a part of it.
        failed_call("no leadership transfer in progress, store not open"),
    ],
    Failure.GATEWAY: [
        Reply(502),
        Reply(504, b"upstream"),
        Reply(503, b"reset before headers"),
        Reply(524, b"the origin took too long"),
    ],
    Failure.BROKEN: [
        Reply(500, b"no leader not found here"),
        Reply(500),
        Reply(408),
        Reply(202, b"in a queue"),
    ],
    Failure.REFUSED: [
        Reply(401),
        Reply(404),
        Reply(429),
        Reply(503, b"not single-node", {"x-rqlite-version": "v10"}),
        failed_call("timed out enqueuing operation"),
    ],
}
# What each kind of request does, in the words of the documentation.
F, W, E, X, U, S = (
    Action.FOLLOW,
    Action.WAIT,
    Action.ELSEWHERE,
    Action.FAIL,
    Action.UNKNOWN,
    Action.SAME_ID,
)
COLUMNS = (
    (Kind.READ, Kind.SPECULATION, Kind.ADMIN),
    (Kind.LOCAL, Kind.AUTO),
    (Kind.WRITE,),
    (Kind.ONCE,),
)
EXPECTED = {
    Failure.NOT_SENT: (E, E, E, E),
    Failure.LOST: (E, E, U, S),
    Failure.REDIRECTED: (F, F, F, F),
    Failure.LEADERLESS: (W, W, W, W),
    Failure.TRANSFER: (W, W, W, W),
    Failure.STARTING: (W, W, W, W),
    Failure.STALE: (W, E, X, X),
    Failure.DISTURBED: (W, W, U, S),
    Failure.UNSURE: (X, X, U, S),
    Failure.GATEWAY: (E, E, U, S),
    Failure.BROKEN: (X, X, U, S),
    Failure.REFUSED: (X, X, X, X),
}
OK = results({"rows_affected": 1})


def test_table_is_complete() -> None:
    assert set(MATRIX) == set(Kind) == {kind for column in COLUMNS for kind in column}
    for kind in Kind:
        [column] = [number for number, kinds in enumerate(COLUMNS) if kind in kinds]
        assert {failure: MATRIX[kind][failure] for failure in Failure} == {
            failure: row[column] for failure, row in EXPECTED.items()
        }


CELLS = [
    pytest.param(kind, failure, answer, id=f"{kind.name}-{failure.name}-{number}")
    for kind, failure in itertools.product(Kind, Failure)
    for number, answer in enumerate(FAILURES[failure])
]


@dataclass
class Told:
    """What the caller heard, and what was sent."""

    answered: bool
    error: DatabaseError | None
    nodes: Nodes


def told(kind: Kind, *answers: Answering, host: str = "a,b") -> Told:
    """A request of this kind, by the flow that sends such, whose answers are these, and success behind them."""
    nodes = Nodes(*answers, *[OK] * 8)
    made = session(host=host, retry=attempts(3), exactly_once=True, retry_once=attempts(3))
    made.cluster.has_markers = True
    made.cluster.trimmed_at = 1e12
    flow: Any
    if kind is Kind.ONCE:
        nodes = Nodes(*answers, *[results({}, {"rows_affected": 1}, {})] * 8)
        flow = apply(made, ["INSERT INTO t VALUES (1)"], f"{EXECUTE}{REDIRECT}", 3.0)
    else:
        flow = ask(made, f"/db/x?{REDIRECT}", ["SELECT"], 3.0, kind)
    try:
        nodes.run(flow)
    except DatabaseError as error:
        return Told(False, error, nodes)
    return Told(True, None, nodes)


def follows(kind: Kind, answer: Answering) -> None:
    seen = told(kind, answer)
    assert seen.answered
    assert seen.nodes.hosts == ["a", "leader"]


def waits(kind: Kind, answer: Answering) -> None:
    seen = told(kind, answer, answer)
    assert seen.answered
    assert (seen.nodes.hosts[:2], len(seen.nodes.sent), len(seen.nodes.slept)) == (["a", "b"], 3, 1)
    exhausted = told(kind, *[answer] * 9)
    assert type(exhausted.error) is NoLeaderError
    assert len(exhausted.nodes.sent) == 6


def asks_elsewhere(kind: Kind, answer: Answering) -> None:
    seen = told(kind, answer)
    assert seen.answered
    assert (seen.nodes.hosts, seen.nodes.slept) == (["a", "b"], [])
    exhausted = told(kind, *[answer] * 4)
    assert type(exhausted.error) in (OperationalError, UnreachableError)
    assert exhausted.nodes.slept == []
    assert 2 <= len(exhausted.nodes.sent) <= 4


def fails(kind: Kind, answer: Answering) -> None:
    seen = told(kind, answer)
    assert seen.error is not None
    assert not isinstance(seen.error, (OutcomeUnknownError, NoLeaderError))
    assert len(seen.nodes.sent) == 1


def is_unknown(kind: Kind, answer: Answering) -> None:
    seen = told(kind, answer)
    assert type(seen.error) is OutcomeUnknownError
    assert len(seen.nodes.sent) == 1


def is_sent_again_with_its_id(kind: Kind, answer: Answering) -> None:
    seen = told(kind, answer)
    assert seen.answered
    first, second = (sent.statements for sent in seen.nodes.sent)
    assert first == second
    assert MARKERS in first[0][0]
    exhausted = told(kind, *[answer] * 3)
    assert type(exhausted.error) is OutcomeUnknownError
    assert len(exhausted.nodes.sent) == len(exhausted.error.attempts) == 3


PLAYS: dict[Action, Callable[[Kind, Answering], None]] = {
    Action.FOLLOW: follows,
    Action.WAIT: waits,
    Action.ELSEWHERE: asks_elsewhere,
    Action.FAIL: fails,
    Action.UNKNOWN: is_unknown,
    Action.SAME_ID: is_sent_again_with_its_id,
}


@pytest.mark.parametrize(("kind", "failure", "answer"), CELLS)
def test_cell(kind: Kind, failure: Failure, answer: Answering) -> None:
    PLAYS[MATRIX[kind][failure]](kind, answer)


@pytest.mark.parametrize(("kind", "failure", "answer"), CELLS)
def test_error_has_its_attempts(kind: Kind, failure: Failure, answer: Answering) -> None:
    error = told(kind, *[answer] * 50, host="a").error
    assert error is not None
    assert error.attempts
    assert {attempt.node for attempt in error.attempts} <= {"http://a:4001", "http://leader:4001"}
    assert all(attempt.cause and attempt.time > 1e9 for attempt in error.attempts)
    assert sorted(attempt.time for attempt in error.attempts) == [
        attempt.time for attempt in error.attempts
    ]


UNREACHABLE = [redirect("http://leader:4001/"), NotSent("no route")]


class TestForwarded:
    """Where the leader cannot be reached, a node passes the request on: what it says then proves nothing."""

    def told(self, kind: Kind, *answers: Answering) -> Told:
        nodes = Nodes(*answers, *[OK] * 3)
        made = session(retry=attempts(3), translate_address=lambda url: None)
        try:
            nodes.run(ask(made, f"/db/x?{REDIRECT}", ["INSERT"], 3.0, kind))
        except DatabaseError as error:
            return Told(False, error, nodes)
        return Told(True, None, nodes)

    def test_without_redirect(self) -> None:
        seen = self.told(Kind.WRITE, redirect("http://leader:4001/"))
        assert seen.answered
        assert seen.nodes.hosts == ["a", "a"]
        assert [REDIRECT in sent.request.target for sent in seen.nodes.sent] == [True, False]

    @pytest.mark.parametrize(
        "failure", [Failure.STARTING, Failure.STALE, Failure.DISTURBED, Failure.UNSURE]
    )
    def test_texts_prove_nothing(self, failure: Failure) -> None:
        for answer in FAILURES[failure]:
            seen = self.told(Kind.WRITE, redirect("http://leader:4001/"), answer)
            assert type(seen.error) is OutcomeUnknownError
            assert len(seen.nodes.sent) == 2

    def test_but_for_one(self) -> None:
        [answer] = FAILURES[Failure.TRANSFER]
        assert self.told(Kind.WRITE, redirect("http://leader:4001/"), answer).answered

    def test_statuses_do(self) -> None:
        assert self.told(Kind.WRITE, redirect("http://leader:4001/"), no_leader()).answered

    def test_sqlites_word_is_its_word(self) -> None:
        answer = failed_call("FOREIGN KEY constraint failed")
        seen = self.told(Kind.WRITE, redirect("http://leader:4001/"), answer)
        assert type(seen.error).__name__ == "IntegrityError"

    @pytest.mark.parametrize("failure", [Failure.STARTING, Failure.DISTURBED])
    def test_reads_are_asked_again(self, failure: Failure) -> None:
        for answer in FAILURES[failure]:
            assert self.told(Kind.READ, redirect("http://leader:4001/"), answer).answered


@pytest.mark.parametrize("kind", [Kind.READ, Kind.WRITE])
@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, b"<html>"),
        failed_call("FOREIGN KEY constraint failed"),
        failed_call("odd " * 200),
    ],
    ids=["no JSON", "SQLite's word", "long"],
)
def test_answers_that_only_their_reader_understands(kind: Kind, answer: Answering) -> None:
    error = told(kind, answer).error
    assert error is not None
    unknown = kind is Kind.WRITE and "FOREIGN" not in str(error)
    assert isinstance(error, OutcomeUnknownError) is unknown
    assert [attempt.node for attempt in error.attempts] == ["http://a:4001"]
