"""Every branch of applying a write exactly once, against replies that a test gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import tenacity

from pyrqlite import (
    IntegrityError,
    OperationalError,
    OutcomeUnknownError,
    ProgrammingError,
    SerializationError,
)
from pyrqlite.cluster.cluster import Cluster
from pyrqlite.flow.applying import MARKERS, apply
from pyrqlite.flow.controlling import commit_open
from pyrqlite.flow.executing import execute
from pyrqlite.flow.session import Session, call_options
from pyrqlite.flow.steps import AnswerLost, NotSent
from pyrqlite.wire.request import EXECUTE
from pyrqlite.wire.response import Answer
from tests.unit.nodes import Answering, Nodes, Reply, failed_call, no_leader, results, session

WRITE = "UPDATE t SET n = n + 1"
TARGET = f"{EXECUTE}&redirect"
CHANGED = {"rows_affected": 1, "last_insert_id": 9}
TAKEN = results({"error": f"UNIQUE constraint failed: {MARKERS}.id"})
REFUSED = results({"rows_affected": 1}, {"error": "CHECK constraint failed: n < 5"})
LOST = AnswerLost("the connection was reset")
CREATED = results({})


def applied(*items: dict[str, Any]) -> Reply:
    """The answer of an attempt that was applied: the id, the statements, and the counts of a single one."""
    return results({"rows_affected": 1}, *items, *([{"rows_affected": 1}] * (len(items) == 1)))


def settled(counts: str | None) -> Reply:
    """The answer to burning and looking."""
    return results(
        {"rows_affected": 0}, {"columns": ["counts"], "types": ["text"], "values": [[counts]]}
    )


def prepared(tries: int = 3, **options: Any) -> Session:
    """A session whose cluster has the table already, and has just trimmed it."""
    made = session(exactly_once=True, **options)
    made.cluster.has_markers = True
    made.cluster.trimmed_at = float("inf")
    made.cluster.once = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(tries),
        wait=tenacity.wait_fixed(7),
        retry=tenacity.retry_if_exception_type(OutcomeUnknownError),
    )
    return made


def play(
    nodes: Nodes, items: Sequence[Any] = (WRITE,), made: Session | None = None, **more: Any
) -> Answer:
    flow = apply(made or prepared(), list(items), TARGET, 3.0, **more)
    try:
        return nodes.run(flow)
    finally:
        nodes.expect_all_used()


def counts_of(answer: Answer) -> list[tuple[int, int | None]]:
    return [(result.rows_affected, result.last_insert_id) for result in answer.results]


def sent_ids(nodes: Nodes) -> set[str]:
    """The ids that stood in requests."""
    return {
        statement[1]
        for sent in nodes.sent
        for statement in sent.statements
        if isinstance(statement, list) and MARKERS in statement[0]
    }


def paths(nodes: Nodes) -> list[str]:
    return [sent.request.target.partition("?")[0] for sent in nodes.sent]


class TestSending:
    def test_without_the_option_nothing_is_added(self) -> None:
        nodes = Nodes(results(CHANGED))
        answer = play(nodes, made=session())
        assert counts_of(answer) == [(1, 9)]
        assert [(s.request.target, s.statements) for s in nodes.sent] == [(TARGET, [WRITE])]

    def test_queued_writes_carry_no_id(self) -> None:
        nodes = Nodes(results(CHANGED))
        nodes.run(apply(prepared(), [WRITE], f"{TARGET}&queue", 3.0))
        assert nodes.sent[0].statements == [WRITE]

    def test_the_id_goes_first_and_the_counts_last(self) -> None:
        nodes = Nodes(applied(CHANGED))
        assert counts_of(play(nodes)) == [(1, 9)]
        (sent,) = nodes.sent
        mark, write, count = sent.statements
        assert mark[0].startswith(f"INSERT INTO {MARKERS}")
        assert write == WRITE
        assert count[0].startswith(f"UPDATE {MARKERS}")
        assert mark[1:] == count[1:]
        assert "&transaction" in sent.request.target
        assert sent.request.timeout == 3.0
        assert not sent.request.repeatable

    def test_several_statements_have_no_counts(self) -> None:
        nodes = Nodes(applied(CHANGED, CHANGED))
        assert counts_of(play(nodes, [WRITE, WRITE])) == [(1, 9), (1, 9)]
        assert nodes.sent[0].statements[1:] == [WRITE, WRITE]

    @pytest.mark.parametrize("makes_rowid", [False, True])
    def test_rowid_is_stored_only_where_the_statement_makes_it(self, makes_rowid: bool) -> None:
        nodes = Nodes(applied(CHANGED))
        play(nodes, makes_rowid=makes_rowid)
        assert ("last_insert_rowid" in nodes.sent[0].statements[2][0]) is makes_rowid

    def test_each_write_has_an_id_of_its_own(self) -> None:
        nodes = Nodes(applied(CHANGED), applied(CHANGED))
        made = prepared()
        for _ in range(2):
            nodes.run(apply(made, [WRITE], TARGET, None))
        assert len(sent_ids(nodes)) == 2

    def test_own_failure_is_the_answer(self) -> None:
        answer = play(Nodes(REFUSED))
        assert [result.error for result in answer.results] == ["CHECK constraint failed: n < 5"]

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (NotSent("refused"), OperationalError),
            (failed_call("FOREIGN KEY constraint failed"), IntegrityError),
            (Reply(400, b"bad"), ProgrammingError),
        ],
    )
    def test_definite_failure_of_the_first_attempt(
        self, reply: Answering, error: type[Exception]
    ) -> None:
        nodes = Nodes(reply)
        with pytest.raises(error) as caught:
            play(nodes)
        assert not isinstance(caught.value, OutcomeUnknownError)

    def test_no_leader_is_waited_for_and_then_definite(self) -> None:
        with pytest.raises(OperationalError) as caught:
            play(Nodes(no_leader(), no_leader()))
        assert not isinstance(caught.value, OutcomeUnknownError)


class TestTable:
    def fresh(self) -> Session:
        made = prepared()
        made.cluster.has_markers = False
        return made

    def test_is_made_once_for_each_cluster(self) -> None:
        nodes = Nodes(CREATED, applied(CHANGED), applied(CHANGED))
        made = self.fresh()
        for _ in range(2):
            nodes.run(apply(made, [WRITE], TARGET, None))
        assert [sent.statements[0][:12] for sent in nodes.sent[:1]] == ["CREATE TABLE"]
        assert "redirect" in nodes.sent[0].request.target

    def test_lost_answer_is_asked_for_again(self) -> None:
        nodes = Nodes(LOST, CREATED, applied(CHANGED))
        assert counts_of(play(nodes, made=self.fresh())) == [(1, 9)]
        assert nodes.sent[0].statements == nodes.sent[1].statements

    def test_a_write_that_was_never_sent_has_failed(self) -> None:
        with pytest.raises(OperationalError, match="not sent") as caught:
            play(Nodes(LOST, LOST, LOST), made=self.fresh())
        assert not isinstance(caught.value, OutcomeUnknownError)

    def test_error_of_the_statement(self) -> None:
        with pytest.raises(OperationalError, match="disk"):
            play(Nodes(results({"error": "database or disk is full"})), made=self.fresh())

    def test_dropped_table_is_made_again(self) -> None:
        made = prepared()
        gone = results({"error": f"no such table: {MARKERS}"})
        assert counts_of(play(Nodes(gone, CREATED, applied(CHANGED)), made=made)) == [(1, 9)]
        with pytest.raises(ProgrammingError, match=MARKERS):
            play(Nodes(gone, CREATED, gone), made=made)

    def test_table_that_another_thread_has_made_again(self) -> None:
        class Remade(Cluster):
            """Whenever it is noted that the table is gone another thread makes it."""

            has_markers = property(lambda self: True, lambda self, value: None)

        made = prepared()
        made.cluster.__class__ = Remade
        gone = results({"error": f"no such table: {MARKERS}"})
        assert counts_of(play(Nodes(gone, CREATED, applied(CHANGED)), made=made)) == [(1, 9)]

    def test_failed_count_is_no_success(self) -> None:
        reply = results({}, CHANGED, {"error": "database or disk is full"})
        with pytest.raises(OperationalError, match="disk"):
            play(Nodes(reply))

    def test_old_ids_are_trimmed_now_and_then(self) -> None:
        made = prepared()
        made.cluster.trimmed_at = None
        nodes = Nodes(results({}, {}, CHANGED, {}), applied(CHANGED))
        for _ in range(2):
            answer = nodes.run(apply(made, [WRITE], TARGET, None))
            assert counts_of(answer) == [(1, 9)]
        first, second = (sent.statements for sent in nodes.sent)
        mark, trim, *_ = first
        assert trim[0].startswith(f"DELETE FROM {MARKERS}")
        assert int(mark[1].partition("-")[0]) - int(trim[1]) >= 24 * 3600
        assert len(second) == 3

    def test_clock_of_the_user_does_not_trim(self) -> None:
        made = prepared(clock=lambda: 9e9)
        made.cluster.trimmed_at = None
        nodes = Nodes(results({}, {}, CHANGED, {}))
        play(nodes, made=made)
        assert int(nodes.sent[0].statements[1][1]) < 5e9


class TestLostAnswers:
    def test_retry_is_the_same_request(self) -> None:
        nodes = Nodes(LOST, applied(CHANGED))
        assert counts_of(play(nodes)) == [(1, 9)]
        assert nodes.sent[0].request == nodes.sent[1].request
        assert nodes.slept == [7]

    @pytest.mark.parametrize(
        ("stored", "counts"),
        [
            ("[3,null]", (3, None)),
            ("[1,12]", (1, 12)),
            ("[0,null]", (0, None)),
            *((nonsense, (-1, None)) for nonsense in ("", "x", "3", "[1]", "{}", '["a","b"]')),
        ],
    )
    def test_applied_by_the_first(self, stored: str, counts: tuple[int, int | None]) -> None:
        nodes = Nodes(LOST, TAKEN, settled(stored))
        assert counts_of(play(nodes, makes_rowid=True)) == [counts]
        assert len(sent_ids(nodes)) == 1
        assert paths(nodes) == ["/db/execute", "/db/execute", "/db/request"]

    def test_several_statements_applied_by_the_first_are_not_counted(self) -> None:
        answer = play(Nodes(LOST, TAKEN, settled("[-1,null]")), [WRITE, WRITE, WRITE])
        assert sum(result.rows_affected for result in answer.results) == -1
        assert [result.error for result in answer.results] == [None] * 3

    @pytest.mark.parametrize("settling", [results({"error": "no such table"}), settled(None)])
    def test_table_that_was_dropped_meanwhile(self, settling: Reply) -> None:
        """Even if another client has made it again: the id of what the first attempt has done is gone."""
        gone = results({"error": f"no such table: {MARKERS}"})
        with pytest.raises(OutcomeUnknownError, match="no such table"):
            play(Nodes(LOST, gone, settling))

    def test_duplicated_on_the_way(self) -> None:
        assert counts_of(play(Nodes(TAKEN, settled("[1,4]")))) == [(1, 4)]

    def test_taken_but_trimmed_meanwhile(self) -> None:
        assert counts_of(play(Nodes(LOST, TAKEN, settled(None)))) == [(-1, None)]

    def test_same_text_of_a_later_statement_is_its_own_error(self) -> None:
        reply = results({}, {"error": f"UNIQUE constraint failed: {MARKERS}.id"})
        assert play(Nodes(reply)).results[0].error is not None

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(502, b"bad gateway"),
            Reply(504, b""),
            Reply(200, b"<html>"),
            failed_call("leadership lost while committing log"),
        ],
    )
    def test_every_ambiguous_answer_is_retried(self, reply: Reply) -> None:
        assert counts_of(play(Nodes(reply, applied(CHANGED)))) == [(1, 9)]

    @pytest.mark.parametrize(
        "reply", [NotSent("refused"), Reply(401, b""), failed_call("stale read")]
    )
    def test_unreachable_cluster_is_waited_for_once_an_answer_was_lost(
        self, reply: Answering
    ) -> None:
        assert counts_of(play(Nodes(LOST, reply, applied(CHANGED)))) == [(1, 9)]

    @pytest.mark.parametrize("last", [LOST, NotSent("refused"), Reply(401, b"")])
    def test_used_up_policy_leaves_it_unknown(self, last: Answering) -> None:
        nodes = Nodes(LOST, LOST, last)
        with pytest.raises(OutcomeUnknownError, match="cannot be found out") as caught:
            play(nodes)
        assert "not sent again" not in str(caught.value)
        assert nodes.slept == [7, 7]


class TestBurning:
    def test_failure_behind_a_lost_answer_is_told_when_the_id_is_burnt(self) -> None:
        nodes = Nodes(LOST, REFUSED, settled(None))
        answer = play(nodes)
        assert [result.error for result in answer.results] == ["CHECK constraint failed: n < 5"]
        burn, look = nodes.sent[-1].statements
        assert burn[0].startswith("INSERT OR IGNORE")
        assert look[0].startswith("SELECT")
        assert len(sent_ids(nodes)) == 1
        assert "&transaction&redirect" in nodes.sent[-1].request.target

    def test_failure_of_the_whole_call(self) -> None:
        nodes = Nodes(LOST, failed_call("FOREIGN KEY constraint failed"), settled(None))
        with pytest.raises(IntegrityError):
            play(nodes)

    def test_first_attempt_was_applied_between_retry_and_burning(self) -> None:
        assert counts_of(play(Nodes(LOST, REFUSED, settled("[2,null]")))) == [(2, None)]

    def test_the_same_behind_a_failure_of_the_whole_call(self) -> None:
        nodes = Nodes(LOST, failed_call("FOREIGN KEY constraint failed"), settled("[2,null]"))
        assert counts_of(play(nodes)) == [(2, None)]

    @pytest.mark.parametrize("fault", [LOST, NotSent("refused"), Reply(502, b""), Reply(200, b"")])
    @pytest.mark.parametrize("stored", [None, "[2,null]"])
    def test_burning_is_repeated_until_it_is_answered(
        self, fault: Answering, stored: str | None
    ) -> None:
        nodes = Nodes(LOST, REFUSED, fault, fault, settled(stored))
        answer = play(nodes)
        assert (answer.results[0].error is None) is (stored is not None)
        assert len({sent.request for sent in nodes.sent[2:]}) == 1

    @pytest.mark.parametrize("before", [REFUSED, TAKEN])
    def test_burning_that_is_never_answered(self, before: Reply) -> None:
        with pytest.raises(OutcomeUnknownError):
            play(Nodes(LOST, before, LOST, LOST, LOST))

    @pytest.mark.parametrize(
        ("broken", "said"),
        [
            (results({"error": f"no such table: {MARKERS}"}), "no such table"),
            (Reply(400, b"not today"), "not today"),
            (failed_call("FOREIGN KEY constraint failed"), "FOREIGN KEY"),
        ],
    )
    @pytest.mark.parametrize("before", [REFUSED, Reply(400, b""), TAKEN])
    def test_burning_that_fails_tells_nothing(
        self, before: Reply, broken: Reply, said: str
    ) -> None:
        with pytest.raises(OutcomeUnknownError, match=said):
            play(Nodes(LOST, before, broken))

    def test_definite_failures_without_a_lost_answer_burn_nothing(self) -> None:
        nodes = Nodes(REFUSED)
        play(nodes)
        assert paths(nodes) == ["/db/execute"]


class TestCommits:
    """The same through a connection's transaction."""

    def written(self, *replies: Answering) -> None:
        nodes = Nodes(*replies)
        made = prepared()
        made.work.autocommit = False
        made.work.pipelines = 1
        nodes.run(execute(made, "CREATE TABLE u (a)", None, call_options(made.options)))
        made.work.pipelines = 0
        nodes.play(commit_open(made))

    def test_lost_and_found(self) -> None:
        self.written(LOST, TAKEN, settled("[-1,null]"))

    def test_failure_of_the_drivers_own_statement_is_no_conflict(self) -> None:
        with pytest.raises(OperationalError, match="disk") as caught:
            self.written(results({"error": "database or disk is full"}))
        assert not isinstance(caught.value, SerializationError)
