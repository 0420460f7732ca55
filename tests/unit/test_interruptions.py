"""Flows that are given up in the middle of a step, as by Ctrl-C."""

from __future__ import annotations

from typing import Any

import pytest

import pyrqlite
from pyrqlite import OutcomeUnknownError
from pyrqlite.cluster.node import Node
from pyrqlite.flow.run import run
from pyrqlite.flow.steps import (
    Flow,
    Interrupted,
    NotSent,
    Request,
    Response,
    Send,
    Sleep,
    interrupt,
)
from tests.unit.nodes import Reply, attempts, results

SEND = Send(Node("http", "a", 1), Request("POST", "/", b"", False, None))


def flow(step: Send | Sleep, noted: list[bool]) -> Flow[None]:
    try:
        yield step
    except Interrupted as interrupted:
        noted.append(interrupted.sent)
        raise


def stopped(error: BaseException) -> Any:
    def stop(*arguments: object) -> Any:
        raise error

    return stop


@pytest.mark.parametrize(("step", "sent"), [(SEND, True), (Sleep(1.0), False)])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), RuntimeError("a bug")])
def test_flow_is_told_whether_something_may_have_left(
    step: Send | Sleep, sent: bool, error: BaseException
) -> None:
    noted: list[bool] = []
    with pytest.raises(type(error)) as caught:
        run(flow(step, noted), stopped(error), stopped(error))
    assert (caught.value, noted) == (error, [sent])


def test_what_provably_did_not_leave() -> None:
    noted: list[bool] = []
    error = KeyboardInterrupt()
    error.__cause__ = NotSent("not yet")
    with pytest.raises(KeyboardInterrupt):
        run(flow(SEND, noted), stopped(error))
    assert noted == [False]


def test_flow_that_goes_on_is_a_bug() -> None:
    def stubborn() -> Flow[None]:
        try:
            yield SEND
        except Interrupted:
            yield SEND

    started = stubborn()
    step = next(started)
    with pytest.raises(RuntimeError, match="went on"):
        interrupt(started, step, KeyboardInterrupt())


class Stopping:
    """A transport in which Ctrl-C is pressed behind a request of this path; nobody may read the schema."""

    def __init__(self, path: str) -> None:
        self.path = path

    def send(self, node: Node, request: Request) -> Response:
        if request.target.startswith(self.path):
            raise KeyboardInterrupt
        reading = request.target.startswith("/db/query")
        reply = Reply(401) if reading else results({"rows_affected": 1})
        return Response(reply.status, reply.headers, reply.body, node)

    def close(self) -> None:
        """Nothing is open."""


def connection(transport: Stopping) -> pyrqlite.Connection:
    made = pyrqlite.connect(host="h", autocommit=True, retry=attempts(1))
    made.session.cluster.transport = transport
    return made


def test_interrupted_write_is_told_of_once() -> None:
    made = connection(Stopping("/db/execute"))
    with pytest.raises(KeyboardInterrupt):
        made.execute("DELETE FROM t")
    made.session.cluster.transport = Stopping("/nowhere")
    made.rollback()
    with pytest.raises(OutcomeUnknownError, match="was interrupted") as caught:
        made.execute("DELETE FROM t")
    assert not caught.value.applied
    assert made.execute("DELETE FROM t").rowcount == 1
    made.close()


def test_interrupted_read_is_nothing_to_tell() -> None:
    made = connection(Stopping("/db/query"))
    with pytest.raises(KeyboardInterrupt):
        made.execute("SELECT 1")
    made.session.cluster.transport = Stopping("/nowhere")
    assert made.execute("DELETE FROM t").rowcount == 1
    made.close()
