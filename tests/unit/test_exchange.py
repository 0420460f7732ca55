"""One exchange: which node is asked, what is sent again and what never is."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from pyrqlite import (
    AccessDeniedError,
    DatabaseError,
    DataError,
    OperationalError,
    OutcomeUnknownError,
    ProgrammingError,
)
from pyrqlite.cluster.kinds import Kind
from pyrqlite.errors import Error, NoLeaderError, UnreachableError
from pyrqlite.flow.exchange import exchange
from pyrqlite.flow.session import ask
from pyrqlite.flow.steps import AnswerLost, NotSent, Request, Response
from tests.unit.nodes import (
    Answering,
    Nodes,
    Reply,
    attempts,
    cluster,
    failed_call,
    no_leader,
    redirect,
    results,
    session,
)

WRITE = Request("POST", "/db/execute?redirect", b'["INSERT"]', repeatable=False, timeout=3.0)
READ = Request("POST", "/db/query?level=none", b'["SELECT"]', repeatable=True, timeout=3.0)
OK = results()


def exchanged(nodes: Nodes, request: Request = WRITE, **options: object) -> Response:
    return nodes.play(exchange(cluster(**options), request))


def failure_of(nodes: Nodes, request: Request = WRITE, **options: object) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught:
        nodes.run(exchange(cluster(**options), request))
    nodes.expect_all_used()
    return caught.value


def test_first_answer_is_the_answer() -> None:
    nodes = Nodes(OK)
    assert exchanged(nodes).body == OK.body
    assert [(sent.host, sent.request) for sent in nodes.sent] == [("a", WRITE)]


class TestRedirects:
    def test_are_followed_with_the_same_request(self) -> None:
        nodes = Nodes(redirect("http://b:4009/db/execute?redirect"), OK)
        assert exchanged(nodes).node.netloc == "b:4009"
        assert [sent.request for sent in nodes.sent] == [WRITE, WRITE]

    def test_leader_is_remembered(self) -> None:
        made = cluster(host="a,b,c")
        nodes = Nodes(redirect("http://c:4001/x"), OK, OK)
        for _ in range(2):
            nodes.run(exchange(made, WRITE))
        assert nodes.hosts == ["a", "c", "c"]

    @pytest.mark.parametrize("allowed", [0, 1, 3])
    def test_no_more_than_max_redirects(self, allowed: int) -> None:
        hops = [redirect(f"http://n{number}:4001/") for number in range(allowed + 1)]
        error = failure_of(Nodes(*hops), max_redirects=allowed)
        assert type(error) is OperationalError
        assert str(allowed) in str(error)

    def test_as_many_as_max_redirects(self) -> None:
        nodes = Nodes(redirect("http://b:1/"), redirect("http://c:1/"), OK)
        exchanged(nodes, max_redirects=2)
        assert nodes.hosts == ["a", "b", "c"]

    def test_circles_end(self) -> None:
        def turn(node: object, request: object) -> Reply:
            return redirect("http://b:4001/" if nodes.hosts[-1] == "a" else "http://a:4001/")

        nodes = Nodes(*[turn] * 200)
        with pytest.raises(OperationalError):
            nodes.run(exchange(cluster(), WRITE))
        assert len(nodes.sent) < 100

    @pytest.mark.parametrize(
        "location", ["", "nonsense", "http://", "http://host:99999/", "http://host:x/", "ftp://b/"]
    )
    def test_bad_locations_are_the_nodes_fault(self, location: str) -> None:
        error = failure_of(Nodes(redirect(location)))
        assert "a:4001" in str(error)

    @pytest.mark.parametrize("location", ["http://a:4001/", "HTTP://b:4001/x"])
    @pytest.mark.parametrize("request_", [WRITE, READ], ids=["write", "read"])
    def test_nothing_goes_from_tls_to_where_there_is_none(
        self, location: str, request_: Request
    ) -> None:
        nodes = Nodes(redirect("https://b:4001/"), redirect(location))
        made = cluster(host="a", scheme="https")
        with pytest.raises(OperationalError, match="not https"):
            nodes.play(exchange(made, request_))
        assert nodes.hosts == ["a", "b"]

    def test_missing_location_is_the_nodes_fault(self) -> None:
        assert "a:4001" in str(failure_of(Nodes(Reply(301))))

    def test_leader_that_has_just_died_is_waited_for(self) -> None:
        nodes = Nodes(
            redirect("http://b:4001/"), NotSent("refused"), redirect("http://c:4001/"), OK
        )
        exchanged(nodes, retry=attempts(3))
        assert nodes.hosts == ["a", "b", "a", "c"]


class TestNoLeader:
    @pytest.mark.parametrize("request_", [WRITE, READ], ids=["write", "read"])
    @pytest.mark.parametrize("status", [503, 500])
    def test_is_retried(self, status: int, request_: Request) -> None:
        nodes = Nodes(no_leader(status), no_leader(status), OK)
        exchanged(nodes, request_, retry=attempts(5))
        assert nodes.hosts == ["a"] * 3

    def test_policy_says_how_long_to_wait(self) -> None:
        policy = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(4), wait=tenacity.wait_incrementing(0.5, 0.25)
        )
        nodes = Nodes(*[no_leader()] * 3, OK)
        exchanged(nodes, retry=policy)
        assert nodes.slept == [0.5, 0.75, 1.0]

    def test_policy_says_when_to_give_up(self) -> None:
        error = failure_of(Nodes(*[no_leader()] * 4), retry=attempts(4))
        assert type(error) is NoLeaderError
        assert (error.http_status, error.body, error.node) == (
            503,
            "leader not found\n",
            "http://a:4001",
        )

    def test_policy_is_not_used_up(self) -> None:
        made = cluster(retry=attempts(2))
        for _ in range(3):
            nodes = Nodes(no_leader(), OK)
            nodes.play(exchange(made, WRITE))

    def test_policy_may_ask_for_the_public_error(self) -> None:
        policy = attempts(3).copy(retry=tenacity.retry_if_exception_type(OperationalError))
        exchanged(Nodes(no_leader(), no_leader(), OK), retry=policy)

    def test_policy_that_refuses_raises_the_public_error(self) -> None:
        policy = attempts(3).copy(retry=tenacity.retry_if_exception_type(KeyError))
        assert type(failure_of(Nodes(no_leader()), retry=policy)) is NoLeaderError

    def test_policy_with_an_error_callback_ends(self) -> None:
        policy = attempts(3).copy(retry_error_callback=lambda state: None)
        assert type(failure_of(Nodes(*[no_leader()] * 3), retry=policy)) is NoLeaderError

    def test_policy_that_reraises(self) -> None:
        policy = attempts(2).copy(reraise=True)
        assert type(failure_of(Nodes(*[no_leader()] * 2), retry=policy)) is NoLeaderError

    def test_policys_callbacks_are_called(self) -> None:
        seen: list[int] = []
        policy = attempts(3).copy(before_sleep=lambda state: seen.append(state.attempt_number))
        exchanged(Nodes(no_leader(), no_leader(), OK), retry=policy)
        assert seen == [1, 2]

    def test_default_policy_waits_and_ends(self) -> None:
        nodes = Nodes(*[no_leader()] * 6, OK)
        exchanged(nodes, retry=None)
        assert len(nodes.slept) == 6
        assert all(0 <= seconds <= 1 for seconds in nodes.slept)

    def test_other_nodes_are_asked(self) -> None:
        nodes = Nodes(no_leader(), OK)
        exchanged(nodes, host="a,b,c")
        assert nodes.hosts == ["a", "b"]
        assert nodes.slept == []

    def test_of_all_nodes(self) -> None:
        nodes = Nodes(*[no_leader()] * 6)
        failure_of(nodes, host="a,b,c", retry=attempts(2))
        assert nodes.hosts == ["a", "b", "c", "a", "b", "c"]


class TestLostAnswers:
    def test_of_a_write_are_not_sent_again(self) -> None:
        lost = AnswerLost("reset by peer")
        nodes = Nodes(lost)
        error = failure_of(nodes, host="a,b")
        assert type(error) is OutcomeUnknownError
        assert error.__cause__ is lost
        assert error.node == "http://a:4001"
        assert "reset by peer" in str(error)
        assert nodes.hosts == ["a"]

    def test_of_a_write_behind_a_redirect(self) -> None:
        nodes = Nodes(redirect("http://b:1/"), AnswerLost("gone"))
        assert type(failure_of(nodes, host="a,c")) is OutcomeUnknownError

    def test_of_a_write_behind_an_election(self) -> None:
        nodes = Nodes(no_leader(), AnswerLost("gone"))
        assert type(failure_of(nodes, retry=attempts(9))) is OutcomeUnknownError

    def test_of_a_write_behind_a_node_that_could_not_be_reached(self) -> None:
        nodes = Nodes(NotSent("refused"), AnswerLost("gone"))
        assert type(failure_of(nodes, host="a,b,c")) is OutcomeUnknownError

    def test_of_a_read_are_asked_of_the_next_node(self) -> None:
        nodes = Nodes(AnswerLost("gone"), OK)
        exchanged(nodes, READ, host="a,b")
        assert nodes.hosts == ["a", "b"]

    def test_of_a_read_on_an_old_connection(self) -> None:
        nodes = Nodes(AnswerLost("gone"), OK)
        exchanged(nodes, READ)
        assert nodes.hosts == ["a", "a"]

    def test_of_a_read_on_a_new_connection_too(self) -> None:
        error = failure_of(Nodes(AnswerLost("gone"), AnswerLost("gone again")), READ)
        assert [attempt.cause for attempt in error.attempts] == ["gone", "gone again"]

    def test_of_a_read_by_all_nodes(self) -> None:
        slow = AnswerLost("slow", timed_out=True)
        error = failure_of(Nodes(AnswerLost("gone"), slow), READ, host="a,b")
        assert type(error) is UnreachableError
        assert all(word in str(error) for word in ("a:4001", "gone", "b:4001", "slow"))


class TestNodesThatCannotBeReached:
    def test_are_passed_over(self) -> None:
        nodes = Nodes(NotSent("refused"), NotSent("refused"), OK)
        assert exchanged(nodes, host="a,b,c").node.host == "c"

    def test_all_of_them(self) -> None:
        error = failure_of(Nodes(NotSent("refused"), NotSent("no such name")), host="a,b")
        assert type(error) is UnreachableError
        assert all(word in str(error) for word in ("a:4001", "refused", "b:4001", "no such name"))
        assert error.node == "http://b:4001"

    def test_are_asked_last_until_they_answer(self) -> None:
        made = cluster(host="a,b")
        nodes = Nodes(NotSent("refused"), OK, OK, NotSent("refused"), OK, OK)
        for _ in range(4):
            nodes.run(exchange(made, READ))
        assert nodes.hosts == ["a", "b", "b", "b", "a", "a"]

    def test_dead_leader_is_forgotten(self) -> None:
        made = cluster(host="a,b")
        nodes = Nodes(redirect("http://c:4001/"), OK, NotSent("refused"), OK, OK)
        for _ in range(3):
            nodes.run(exchange(made, WRITE))
        assert nodes.hosts == ["a", "c", "c", "a", "a"]

    def test_same_node_named_twice(self) -> None:
        error = failure_of(Nodes(NotSent("refused")), host="a,a")
        assert str(error).count("refused") == 1


STATUSES = [
    (400, ProgrammingError),
    (401, AccessDeniedError),
    (403, OperationalError),
    (404, OperationalError),
    (405, OperationalError),
    (413, OperationalError),
    (429, OperationalError),
    (431, OperationalError),
]


class TestStatuses:
    @pytest.mark.parametrize("request_", [WRITE, READ], ids=["write", "read"])
    @pytest.mark.parametrize(("status", "kind"), STATUSES)
    def test_refusals(self, status: int, kind: type[Error], request_: Request) -> None:
        error = failure_of(Nodes(Reply(status, b"no way\n")), request_)
        assert type(error) is kind
        assert (error.http_status, error.body) == (status, "no way\n")
        assert error.node == "http://a:4001"
        assert "no way" in str(error)

    @pytest.mark.parametrize("status", [408, 502, 503, 504])
    def test_gateways_do_not_know_what_became_of_a_write(self, status: int) -> None:
        error = failure_of(Nodes(Reply(status, b"")))
        assert type(error) is OutcomeUnknownError
        assert error.http_status == status

    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_gateways_and_reads(self, status: int) -> None:
        assert type(failure_of(Nodes(Reply(status, b"")), READ)) is OperationalError

    def test_infinity_in_the_answer_to_a_write(self) -> None:
        body = b"json: error calling MarshalJSON for type: json: unsupported value: +Inf"
        error = failure_of(Nodes(Reply(500, body)))
        assert type(error) is DataError
        assert "applied" in str(error)

    def test_body_that_is_no_text(self) -> None:
        assert failure_of(Nodes(Reply(418, b"\xff\xfe"))).http_status == 418


def asked(text: str, *, repeatable: bool, then: Answering | None = None, **options: Any) -> str:
    """The name of the class that a 200 with this error raises, or "answered"."""
    nodes = Nodes(failed_call(text), *([then] * 9 if then else []))
    flow = ask(
        session(**options), "/db/x?", ["SELECT"], 3.0, Kind.READ if repeatable else Kind.WRITE
    )
    try:
        nodes.run(flow)
    except Error as error:
        return type(error).__name__
    return "answered"


AMBIGUOUS = [
    "leadership lost while committing log",
    "not leader",
    "raft is already shutdown",
    "read protobuf length: read tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout",
    "dial tcp 127.0.0.1:4002: connect: connection refused",
    "write length: write tcp 127.0.0.1:1: broken pipe",
    "index 12: timeout waiting for fsm",
    "context canceled",
]


class TestFailedCalls:
    """A 200 whose JSON says that the call failed."""

    @pytest.mark.parametrize("text", AMBIGUOUS)
    def test_ambiguous_for_a_write(self, text: str) -> None:
        assert asked(text, repeatable=False) == "OutcomeUnknownError"

    @pytest.mark.parametrize("text", AMBIGUOUS[:-2])
    def test_a_read_is_asked_again_where_nodes_failed_one_another(self, text: str) -> None:
        assert asked(text, repeatable=True, then=results({})) == "answered"

    @pytest.mark.parametrize("text", AMBIGUOUS[-2:])
    def test_other_failures_of_a_read(self, text: str) -> None:
        assert asked(text, repeatable=True) == "OperationalError"

    @pytest.mark.parametrize("repeatable", [False, True])
    def test_step_down_is_waited_out(self, repeatable: bool) -> None:
        text = "leadership transfer in progress"
        assert asked(text, repeatable=repeatable, then=results({})) == "answered"

    @pytest.mark.parametrize("repeatable", [False, True])
    def test_node_that_starts_is_waited_for(self, repeatable: bool) -> None:
        assert asked("store not open", repeatable=repeatable, then=results({})) == "answered"

    @pytest.mark.parametrize("repeatable", [False, True])
    def test_database_errors_keep_their_class(self, repeatable: bool) -> None:
        assert asked("FOREIGN KEY constraint failed", repeatable=repeatable) == "IntegrityError"
        assert asked("disallowed pragma", repeatable=repeatable) == "NotSupportedError"


NOT_RQLITES = [b"", b"<html>", b"[]", b"null", b'{"results":null}', b'{"results":[1]}', b'"x"']


@pytest.mark.parametrize("body", NOT_RQLITES)
def test_answers_that_are_not_rqlites(body: bytes) -> None:
    nodes = Nodes(Reply(200, body))
    with pytest.raises(Error, match="not rqlite's"):
        nodes.play(ask(session(), "/db/x?", ["SELECT"], 3.0, Kind.READ))


@pytest.mark.parametrize("body", NOT_RQLITES)
def test_answers_to_a_write_that_are_not_rqlites(body: bytes) -> None:
    nodes = Nodes(Reply(200, body))
    with pytest.raises(OutcomeUnknownError):
        nodes.play(ask(session(), "/db/x?", ["INSERT"], 3.0, Kind.WRITE))


def test_log_tells_no_values_unless_asked(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "pyrqlite")
    Nodes(OK).play(ask(session(), "/db/x?", [["SELECT ?", "tell-tale"]], 3.0, Kind.READ))
    assert "/db/x?" in caplog.text
    assert "tell-tale" not in caplog.text
    logging_session = session(log_values=True)
    Nodes(OK).play(ask(logging_session, "/db/x?", [["SELECT ?", "tell-tale"]], 3.0, Kind.READ))
    assert "tell-tale" in caplog.text


HARMLESS: list[Answering] = [
    NotSent("refused"),
    no_leader(),
    no_leader(500),
    redirect("http://b:1/"),
]
FATAL: list[Answering] = [
    AnswerLost("gone"),
    Reply(502),
    Reply(504),
    Reply(408),
    Reply(401),
    Reply(400, b"bad"),
    OK,
]


@given(st.lists(st.sampled_from(HARMLESS), max_size=40), st.sampled_from(FATAL), st.integers(1, 4))
def test_a_write_is_never_sent_behind_one_that_may_have_arrived(
    before: list[Answering], last: Answering, seeds: int
) -> None:
    nodes = Nodes(*before, last)
    hosts = ",".join("abcd"[:seeds])
    try:
        nodes.run(exchange(cluster(host=hosts, retry=attempts(4)), WRITE))
    except OutcomeUnknownError:
        # Only what happened last can have left it open.
        assert len(nodes.sent) == len(before) + 1
        assert last in FATAL[:4]
    except DatabaseError:
        assert len(nodes.sent) <= len(before) + 1
    else:
        assert last is OK
