"""One request, one answer: which node, what to do with redirects and failures, again or not."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from pyrqlite.cluster.node import Node, node_from_url
from pyrqlite.errors import InternalError, NoLeaderError, OperationalError, OutcomeUnknownError
from pyrqlite.flow.retries import Retries
from pyrqlite.flow.steps import Flow, Request, Response, Send, TransportError
from pyrqlite.wire.failures import http_error

if TYPE_CHECKING:
    from pyrqlite.cluster.cluster import Cluster

logger = logging.getLogger("pyrqlite")


# What a node says, by a 200, when it has done nothing for want of a leader or because it is only starting.
_NOT_NOW = ("leadership transfer in progress", "store not open", "store not ready")
# What it says when it could not reach the leader, or was the leader until just now.
_BETWEEN_NODES = re.compile(
    "^(not leader|leader not found|leadership lost|dial tcp|(read|write) |raft is already shutdown)"
)
_SHORT = 500  # such an answer has nothing else in it
# Answers that do not tell whether a write was applied: from something between here and the node, or from a
# node that failed behind its commit.
_AMBIGUOUS_STATUSES = frozenset({408, 500, 502, 504})
_MOST_REDIRECTS = 10


def exchange(cluster: Cluster, request: Request) -> Flow[Response]:
    """Send `request` until it is answered with success, as often as that is safe.

    Raises OutcomeUnknownError where a write may have been applied, OperationalError where none was.
    """
    try:
        return (yield from _attempt(cluster, request))
    except NoLeaderError as error:
        failure = error
    retries = Retries(cluster.retry)
    retries.failed(failure)
    while (yield from retries.next()):
        try:
            return (yield from _attempt(cluster, request))
        except NoLeaderError as error:
            retries.failed(error)
    raise failure


def _attempt(cluster: Cluster, request: Request) -> Flow[Response]:
    """Ask the nodes in turn, follow redirects; the first answer of a node that took the request counts."""
    failures: list[tuple[Node, str]] = []
    leaderless: Response | None = None
    redirects = 0
    asked: set[Node] = set()
    candidates: Iterator[Node] = cluster.nodes.candidates(to_leader=True)
    node = next(candidates, None)
    while node is not None:
        asked.add(node)
        try:
            response = yield Send(node, request)
        except TransportError as failure:
            logger.debug("%s %s to %s failed: %s", request.method, request.target, node, failure)
            cluster.nodes.failed(node)
            failures.append((node, str(failure)))
            if failure.sent and not request.repeatable:
                raise unknown_outcome(node, str(failure)) from failure
            node = next((other for other in candidates if other not in asked), None)
            continue
        if response is None:
            raise InternalError("the executor gave no response to an exchange")
        cluster.nodes.answered(node)
        if response.status == 301:
            # Whoever it is, the leader may be dying just now: then this is worth another try.
            leaderless = response
            redirects += 1
            node = _leader(cluster, response, redirects, failures)
            continue
        refusal = _not_now(response, request.repeatable)
        if refusal is None:
            return _checked(response, request)
        leaderless = response
        failures.append((node, refusal))
        node = next((other for other in candidates if other not in asked), None)
    raise _not_answered(failures, leaderless)


def _leader(
    cluster: Cluster, response: Response, redirects: int, failures: list[tuple[Node, str]]
) -> Node | None:
    """Where a redirect points to; None where the nodes only point to one another."""
    if cluster.max_redirects is not None and redirects > cluster.max_redirects:
        raise OperationalError(
            f"{response.node} redirected more than {cluster.max_redirects} times"
        )
    if redirects > _MOST_REDIRECTS:
        failures.append((response.node, "the nodes redirect to one another"))
        return None
    location = response.headers.get("location", "") or ""
    try:
        leader = node_from_url(location)
    except ValueError as error:
        raise OperationalError(
            f"{response.node} redirected to {location!r}, which is no address of a node"
        ) from error
    if response.node.scheme == "https" != leader.scheme:
        raise OperationalError(
            f"{response.node} redirected to {leader}, which has no TLS: nothing was sent there. Give the leader a "
            "certificate (-http-cert, -http-key)"
        )
    cluster.nodes.is_leader(leader)
    return leader


def _not_now(response: Response, repeatable: bool) -> str | None:
    """Why the node has done nothing and another, or the same one later, may; None where that is not so.

    Of a request that may be repeated it does not matter whether it was done.
    """
    if response.status != 200:
        leaderless = response.status in (500, 503) and b"leader not found" in response.body
        return f"{response.status} {_text(response).strip()}" if leaderless else None
    if len(response.body) > _SHORT or b'"error"' not in response.body:
        return None
    with suppress(ValueError, AttributeError, TypeError):
        said = json.loads(response.body).get("error", "")
        if said in _NOT_NOW or (repeatable and _BETWEEN_NODES.search(said)):
            return f"200 {said}"
    return None


def _text(response: Response) -> str:
    return response.body.decode(errors="replace")


def _checked(response: Response, request: Request) -> Response:
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug(
            "%s %s on %s: %s, %d bytes",
            request.method,
            request.target,
            response.node,
            response.status,
            len(response.body),
        )
    if response.status == 200:
        return response
    text = _text(response)
    error = http_error(response.status, text, str(response.node), request.target)
    if (
        response.status in _AMBIGUOUS_STATUSES
        and not request.repeatable
        and isinstance(error, OperationalError)
    ):
        unknown = unknown_outcome(response.node, f"{response.status} {text.strip()}")
        unknown.http_status, unknown.body = response.status, text
        raise unknown
    raise error


def unknown_outcome(node: Node, cause: str) -> OutcomeUnknownError:
    """The error for a write whose answer did not come, or says nothing."""
    error = OutcomeUnknownError(
        f"the answer of {node} to a write was lost ({cause}): it may have been applied, or may still be; "
        "it was not sent again. Look whether it took effect before you repeat it."
    )
    error.node = str(node)
    return error


def _not_answered(
    failures: list[tuple[Node, str]], leaderless: Response | None
) -> OperationalError:
    causes = "; ".join(f"{node}: {cause}" for node, cause in failures)
    if leaderless is not None:
        error: OperationalError = NoLeaderError(
            f"the cluster has no leader that answers, nothing was applied: {causes}"
        )
        error.http_status, error.node = leaderless.status, str(leaderless.node)
        error.body = _text(leaderless)
        return error
    error = OperationalError(f"no node could be reached, nothing was applied: {causes}")
    error.node = str(failures[-1][0])
    return error
