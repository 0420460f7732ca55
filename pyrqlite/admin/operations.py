"""Looking after the nodes: each operation as a flow, to be run by whichever executor."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from pyrqlite.admin.info import NodeInfo, Readiness, document, listed_nodes, node_info
from pyrqlite.cluster.node import Node, node_from_url
from pyrqlite.errors import (
    AccessDeniedError,
    InterfaceError,
    InternalError,
    OperationalError,
    OutcomeUnknownError,
    ProgrammingError,
    UnreachableError,
)
from pyrqlite.flow.exchange import exchange, unknown_outcome
from pyrqlite.flow.session import Session
from pyrqlite.flow.steps import Flow, Request, Response, Send, TransportError
from pyrqlite.options import duration
from pyrqlite.wire.failures import http_error

At = str | NodeInfo | None

_REMOVE = "/remove?timeout=30s&redirect"


def nodes(session: Session, wait: float, timeout: float | None) -> Flow[list[NodeInfo]]:
    """All nodes, voters or not; each has `wait` seconds to answer the one that is asked."""
    target = f"/nodes?ver=2&nonvoters&timeout={duration(wait)}"
    return listed_nodes((yield from exchange(session.cluster, _get(target, timeout))))


def leader(session: Session, wait: float, timeout: float | None) -> Flow[NodeInfo]:
    """The leader, as the node that is asked knows it; NoLeaderError."""
    target = f"/leader?timeout={duration(wait)}"
    found = document((yield from exchange(session.cluster, _get(target, timeout))))
    if not isinstance(found, dict):
        raise InternalError(f"the leader is not described as rqlite does: {found!r}")
    return node_info(found)


def status(session: Session, at: At, key: str | None, timeout: float | None) -> Flow[Any]:
    """What a node says of itself, or the part of it at the dotted path `key`."""
    target = "/status" if key is None else f"/status?key={quote(key)}"
    return document((yield from ask(session, at, _get(target, timeout))))


def ready(
    session: Session, at: At, sync: bool, wait: float, timeout: float | None
) -> Flow[Readiness]:
    """Whether a node serves requests, and with `sync` has caught up with the log."""
    target = f"/readyz?timeout={duration(wait)}" + ("&sync" if sync else "")
    try:
        response = yield from ask(session, at, _get(target, timeout))
    except OperationalError as error:
        if error.http_status != 503 or error.body is None:
            raise
        return Readiness(False, tuple(error.body.splitlines()))
    return Readiness(True, tuple(response.body.decode(errors="replace").splitlines()))


def step_down(session: Session, to: str | None, wait: bool, timeout: float | None) -> Flow[None]:
    """Have the leader hand over, to the node of the id `to` or to any."""
    body = None if to is None else json.dumps({"id": to}).encode()
    target = "/leader?timeout=30s&redirect" + ("&wait" if wait else "")
    try:
        yield from exchange(session.cluster, Request("POST", target, body, False, timeout))
    except OutcomeUnknownError as error:
        raise _step_down_refused(error, to) from error


def _step_down_refused(error: OutcomeUnknownError, to: str | None) -> Exception:
    said = (error.body or "").strip()
    if "node not found" in said:
        return _about(error, ProgrammingError(f"the cluster has no node with the id {to!r}"))
    if "cannot step down to the current Leader" in said:
        return _about(error, ProgrammingError(f"{to!r} is the leader already"))
    if "cannot find peer" in said:
        text = "the leader cannot step down: there is no other voter to lead"
        return _about(error, OperationalError(text))
    error.args = (
        f"the answer to the step-down was lost or says little ({said or error}): another node may lead by now, "
        "or soon. Ask leader() before you repeat it.",
    )
    return error


def _about(error: OperationalError, clearer: Exception) -> Exception:
    for name in ("http_status", "body", "node"):
        setattr(clearer, name, getattr(error, name))
    return clearer


def remove_node(session: Session, id: str, wait: float, timeout: float | None) -> Flow[None]:
    """Take a node out of the cluster; ProgrammingError where none has this id.

    The server takes unknown ids in silence, so the nodes are listed first, if that is permitted.
    """
    try:
        known = [node.id for node in (yield from nodes(session, wait, timeout))]
    except AccessDeniedError:
        known = [id]
    if id not in known:
        raise ProgrammingError(
            f"the cluster has no node with the id {id!r}: there are {', '.join(sorted(known))}"
        )
    body = json.dumps({"id": id}).encode()
    yield from exchange(session.cluster, Request("DELETE", _REMOVE, body, True, timeout))


def snapshot(session: Session, at: At, trailing_logs: int, timeout: float | None) -> Flow[bool]:
    """Have a node make a snapshot of its log; False where there was nothing new."""
    if trailing_logs < 0:
        raise InterfaceError(f"trailing_logs={trailing_logs} is no number of log entries")
    target = f"/snapshot?trailing_logs={trailing_logs}"
    try:
        yield from ask(session, at, Request("POST", target, None, True, timeout))
    except OperationalError as error:
        if error.http_status != 204:
            raise
        return False
    return True


def ask(session: Session, at: At, request: Request) -> Flow[Response]:
    """The answer of that node, or of whichever comes first."""
    if at is None:
        return (yield from exchange(session.cluster, request))
    return (yield from ask_one(_node(session, at), request))


def ask_one(node: Node, request: Request) -> Flow[Response]:
    """The answer of this node; no other is asked."""
    try:
        response: Response = yield Send(node, request)
    except TransportError as failure:
        if failure.sent and not request.repeatable:
            raise unknown_outcome(node, str(failure)) from failure
        error = UnreachableError(f"{node} cannot be reached: {failure}")
        error.node = str(node)
        raise error from failure
    if response.status != 200:
        text = response.body.decode(errors="replace")
        raise http_error(response.status, text, str(node), request.target)
    return response


def _node(session: Session, at: str | NodeInfo) -> Node:
    """The node of that URL or description; InterfaceError where credentials should not go."""
    if session.options.is_embedded:
        raise InterfaceError("the embedded server is one node: leave out `node`")
    url = at if isinstance(at, str) else at.api_address
    try:
        node = node_from_url(url or "")
    except ValueError:
        raise InterfaceError(f"{at!r} names no node: write http://host:4001") from None
    if node.scheme == "http" and session.options.is_secure:
        raise InterfaceError(f"{node} has no TLS, unlike the cluster: nothing is sent there")
    return node


def _get(target: str, timeout: float | None) -> Request:
    return Request("GET", target, None, True, timeout)
