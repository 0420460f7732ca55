"""A commit with facts that are looked at just before it: both are the same node's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyrqlite.cluster.node import Node
from pyrqlite.errors import NoLeaderError
from pyrqlite.flow.controlling import begin, commit_open
from pyrqlite.flow.executing import execute
from pyrqlite.flow.session import Session
from pyrqlite.flow.steps import AnswerLost, NotSent, Request
from tests.unit.local_node import LocalNode
from tests.unit.nodes import (
    Answering,
    Nodes,
    Reply,
    attempts,
    no_leader,
    options_of,
    redirect,
    results,
    session,
)

LOCAL = LocalNode("CREATE TABLE t (id INTEGER PRIMARY KEY, a)", "INSERT INTO t VALUES (1, 'x')")
WROTE = {"last_insert_id": 2, "rows_affected": 1}
PASSED = {"columns": ["x"], "types": [""], "values": [[None]]}
SPECULATED = results(WROTE, {"error": "bad JSON path: 'pyrqlite:abort'"})
COMMITTED = results(PASSED, PASSED, WROTE, PASSED)


@pytest.fixture
def made() -> Session:
    """An open transaction that has read what no guard can check, and has written."""
    found = session(LOCAL.schema(), host="a,b", retry=attempts(3), retry_once=attempts(3))
    begin(found)
    reading = execute(found, "SELECT upper(a) FROM t", None, options_of(found))
    assert Nodes(*[LOCAL] * 4).run(reading).rows == [("X",)]
    writing = execute(found, "INSERT INTO t VALUES (2, 'y')", None, options_of(found))
    Nodes(SPECULATED).play(writing)
    assert found.work.log is not None
    assert found.work.log.checked()
    return found


def committed(made: Session, *replies: Answering) -> list[str]:
    """What the commit sends, and to whom."""
    nodes = Nodes(*replies)
    nodes.play(commit_open(made))
    return [f"{sent.host} {sent.request.target.partition('?')[0]}" for sent in nodes.sent]


def test_same_node(made: Session) -> None:
    assert committed(made, LOCAL, COMMITTED) == ["a /db/query", "a /db/execute"]


@pytest.mark.parametrize(
    "refusal",
    [redirect("http://b:4001/"), no_leader(), NotSent("refused")],
    ids=["redirected", "leaderless", "not sent"],
)
def test_another_node_looks_for_itself(made: Session, refusal: Answering) -> None:
    def leads(
        host: str, answer: Callable[[Node, Request], Reply]
    ) -> Callable[[Node, Request], Reply]:
        def reply(node: Node, request: Request) -> Reply:
            return answer(node, request) if node.host == host else redirect(f"http://{host}:4001/")

        return reply

    nodes = Nodes(
        LOCAL,
        refusal,
        *[leads("b", lambda n, r: LOCAL(n, r) if "query" in r.target else COMMITTED)] * 6,
    )
    nodes.run(commit_open(made))
    sent = [f"{sent.host} {sent.request.target.partition('?')[0]}" for sent in nodes.sent]
    assert sent[:2] == ["a /db/query", "a /db/execute"]
    assert sent[-2:] == ["b /db/query", "b /db/execute"]
    assert sent.count("b /db/execute") == 1


def test_leader_that_changes_all_the_time(made: Session) -> None:
    def moving(node: Node, request: Request) -> Reply:
        return LOCAL(node, request) if "query" in request.target else no_leader()

    nodes = Nodes(*[moving] * 100)
    with pytest.raises(NoLeaderError, match="nothing was applied"):
        nodes.run(commit_open(made))
    assert len(nodes.sent) < 50


def test_once_the_answer_was_lost_the_id_alone_matters(made: Session) -> None:
    made = made._replace(options=made.options.__class__(host="a,b", exactly_once=True))
    made.cluster.has_markers = True
    made.cluster.trimmed_at = 1e12
    once = results({}, PASSED, PASSED, WROTE, PASSED)
    sent = committed(made, LOCAL, AnswerLost("gone"), once)
    assert sent == ["a /db/query", "a /db/execute", "b /db/execute"]
