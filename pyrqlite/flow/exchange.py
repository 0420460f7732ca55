"""One request, one answer: which node, what to do with redirects and failures, again or not."""

from __future__ import annotations

import logging
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from pyrqlite.cluster.discovery import find_leader, is_worth_waiting, look_around
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.matrix import (
    MATRIX,
    Action,
    Failure,
    Trouble,
    said_of_the_call,
    transport_trouble,
    trouble,
)
from pyrqlite.cluster.node import Node
from pyrqlite.cluster.pool import NodePool
from pyrqlite.errors import (
    Attempt,
    DatabaseError,
    NoLeaderError,
    OperationalError,
    OutcomeUnknownError,
    UnreachableError,
)
from pyrqlite.flow.retries import Retries
from pyrqlite.flow.steps import (
    AnswerLost,
    Flow,
    GivenUp,
    OutOfTime,
    Request,
    Response,
    Send,
    TransportError,
    TurnedAway,
)
from pyrqlite.wire.failures import call_error, http_error

if TYPE_CHECKING:
    from pyrqlite.cluster.cluster import Cluster

logger = logging.getLogger("pyrqlite")

# Every request that is the leader's carries it: the only proof that a node did nothing is that it says so by a
# redirect, in place of forwarding.
REDIRECT = "&redirect"
_MOST_REDIRECTS = 10
# A leader that cannot be reached, and that is named again so much later, is alive: elections take 3 seconds.
_ELECTED_SECONDS = 4.0
_SHOWN = 12  # attempts in a message; all are in `attempts`


def exchange(cluster: Cluster, request: Request) -> Flow[Response]:
    """Send `request` until it is answered with success, as often as that is safe.

    Raises OutcomeUnknownError where a write may have been applied, OperationalError where none was.
    """
    nodes = cluster.nodes
    kind = request.purpose
    if cluster.is_time_to_look(kind):
        yield from look_around(cluster)
    if request.at is None and kind.led and (nodes.detour is not None or nodes.lost_at is not None):
        return (yield from _Call(cluster, request).begin())
    node = request.at or nodes.first(kind)
    try:
        watch = partial(is_worth_waiting, cluster, node, kind, node == nodes.leader)
        response: Response = yield Send(node, request, watch)
    except TransportError as error:
        found = transport_trouble(error)
    else:
        failed = trouble(response, kind, forwarded=False)
        if failed is None:
            succeeded(nodes, request, response)
            return response
        found = failed
    return (yield from _Call(cluster, request).begin_again(node, found))


class Moved(NoLeaderError):
    """The only node that a request was for is not the one to ask any more. Nothing was applied."""


class _Call:
    """A request whose first attempt failed, or that has to take a detour."""

    def __init__(self, cluster: Cluster, request: Request) -> None:
        self._cluster = cluster
        self._nodes = cluster.nodes
        self._request = request
        self._kind = request.purpose
        self._attempts: list[Attempt] = []
        self._tried: set[Node] = set()
        self._redirects = 0
        # Passes the request on to a leader that cannot be reached from here.
        self._by: Node | None = None
        # Have heard from a leader since it could not be reached from here.
        self._heard: set[Node] = set()
        self._silent: set[Node] = set()  # did not answer in time
        self._broken: Counter[Node] = Counter()  # how often connections to it failed
        # The last that was no success, and did not end the call.
        self._answer: Response | None = None
        self._may_wait = False
        self._retries: Retries | None = None
        self._rounds = 0
        self._blind = False  # the nodes say nothing about themselves
        # The round is over since the leader was lost, and not for want of nodes.
        self._searching = False
        self._searched: list[Attempt] = []  # what the last search has found in place of a leader

    def begin_again(self, node: Node, failed: Trouble) -> Flow[Response]:
        """The answer, after the first attempt, at `node`, has failed."""
        return (yield from self._run(self._after(node, failed)))

    def begin(self) -> Flow[Response]:
        """The answer, where the leader has to be looked for first, or cannot be reached from here."""
        detour = self._nodes.detour
        if detour is not None and self._nodes.detour_is_over():
            sight = yield from find_leader(self._cluster)
            if sight.leader is not None:
                self._nodes.end_detour()
                return (yield from self._run(sight.leader))
            self._nodes.pass_on(detour.by, detour.leader)
        self._by = detour and detour.by
        return (yield from self._run(self._by))

    def _run(self, node: Node | None) -> Flow[Response]:
        while True:
            if node is None:
                node = yield from self._next_round()
            outcome = yield from self._attempt(node)
            if isinstance(outcome, Response):
                return outcome
            node = self._after(node, outcome)

    def _attempt(self, node: Node) -> Flow[Response | Trouble]:
        request, forwarded = self._request, self._by is not None
        if forwarded:
            request = request._replace(target=request.target.replace(REDIRECT, ""))
        led = node == self._nodes.leader
        watch = partial(is_worth_waiting, self._cluster, node, self._kind, led)
        try:
            response: Response = yield Send(node, request, watch)
        except TransportError as error:
            return transport_trouble(error)
        found = trouble(response, self._kind, forwarded=forwarded)
        if found is not None:
            return found
        succeeded(self._nodes, request, response)
        return response

    def _after(self, node: Node, failed: Trouble) -> Node | None:
        """Which node comes next, None where none is left for now; raises what ends the call."""
        origin, failure = failed.origin, failed.failure
        logger.debug(
            "%s %s to %s failed: %s", self._request.method, self._request.target, node, failed.cause
        )
        self._tried.add(node)
        self._attempts.append(attempt_at(node, failed.cause))
        if isinstance(origin, OutOfTime):
            raise self._failure() from origin
        chosen = MATRIX[self._kind][failure]
        if isinstance(origin, TransportError):
            self._note(node, origin)
            if chosen is not Action.ELSEWHERE:
                raise self._with_attempts(unknown_outcome(node, failed.cause)) from origin
            return self._another(node, origin)
        self._nodes.answered(node)
        if failure in (Failure.LEADERLESS, Failure.TRANSFER, Failure.DISTURBED):
            self._nodes.no_leader(node)
            if self._by is not None:
                self._nodes.end_detour(doubted=True)
        if chosen is Action.FOLLOW:
            return self._redirected(node, origin)
        if chosen not in (Action.WAIT, Action.ELSEWHERE):
            raise self._with_attempts(_final(self._request, origin, failed, chosen))
        self._answer = origin
        self._may_wait |= chosen is Action.WAIT
        return self._another(node)

    def _note(self, node: Node, broken: TransportError) -> None:
        """Note what a broken exchange says of its node."""
        self._cluster.look_soon()
        if self._by is not None:
            self._nodes.end_detour()
            self._by = None
        if isinstance(broken, (GivenUp, TurnedAway)):
            # What was seen of the nodes meanwhile is noted already.
            if node == self._nodes.leader:
                self._tried.discard(node)  # by now it is the one to ask
            return
        silent = isinstance(broken, AnswerLost) and broken.timed_out
        self._nodes.failed(node, silent=silent)
        self._broken[node] += 1
        if silent:
            self._silent.add(node)

    def _another(self, node: Node, broken: TransportError | None = None) -> Node | None:
        """The next node of this round."""
        self._check_pinned(node)
        self._searching = self._has_to_search()
        if self._searching:
            return None
        leader = self._nodes.leader
        if leader is not None and self._kind.led and leader not in self._tried:
            return leader  # another thread, or the watch, has found it meanwhile
        left = self._nodes.others(self._tried)
        if left:
            return left[0]
        if isinstance(broken, AnswerLost) and not broken.timed_out:
            # That says little about the node: the connection may have been an old one.
            first_time = sum(attempt.node == str(node) for attempt in self._attempts) == 1
            return node if first_time else None
        return None

    def _check_pinned(self, node: Node) -> None:
        if self._request.at is not None:
            self._nodes.no_leader(node)
            raise self._with_attempts(Moved(f"{node} does not lead any more, nothing was applied"))

    def _has_to_search(self) -> bool:
        """Whether a node that is asked without being looked at first may be stopped, or wait for one that is."""
        nodes = self._nodes
        lost = self._kind.led and nodes.lost_at is not None and not self._blind
        return lost and any(node not in self._tried for node in nodes.known)

    def _next_round(self) -> Flow[Node]:
        """Wait until there is a node to ask, and return it."""
        nodes = self._nodes
        searching = self._searching or self._has_to_search()
        while True:
            if (self._rounds and self._may_wait) or (self._attempts and not searching):
                yield from self._wait()
            self._rounds += 1
            self._tried.clear()
            if not self._has_to_search():
                return self._first()
            sight = yield from find_leader(self._cluster)
            if sight.leader is not None:
                if sight.leader in self._silent:
                    self._may_wait = False
                    raise self._failure()  # it is well, and only this takes longer than it may
                if self._broken[sight.leader] > 1 and not self._may_wait:
                    raise self._failure()  # it is well, and this does it no good
                nodes.end_detour()
                self._by = None
                return sight.leader
            if sight.followers:
                self._heard.update(sight.followers)
                return sight.followers[0]
            if not sight.answered:
                self._blind = True
                return self._first()
            self._may_wait = True
            self._searched = [
                attempt_at(
                    node, "says that it does not lead" if node in sight.answered else "silence"
                )
                for node in nodes.known
            ]

    def _first(self) -> Node:
        return self._nodes.first(self._kind) if self._by is None else self._by

    def _wait(self) -> Flow[None]:
        error = self._failure()
        if not self._may_wait:
            raise error
        if self._retries is None:
            self._retries = Retries(self._cluster.retry)
        self._retries.failed(error)
        yield from self._retries.next()

    def _redirected(self, node: Node, response: Response) -> Node | None:
        """Where a redirect points to; None where it is better to wait."""
        self._check_pinned(node)
        self._redirects += 1
        self._may_wait = True  # whoever it is, the leader may be dying just now
        self._answer = response
        if self._by is not None:
            return None  # though it was not asked to
        allowed = self._cluster.max_redirects
        if allowed is not None and self._redirects > allowed:
            if self._kind is not Kind.READ:
                error = OperationalError(f"{node} redirected more than {allowed} times")
                raise self._with_attempts(error)
            return self._pass_on(node)
        location = response.headers.get("location", "") or ""
        try:
            leader = self._cluster.node_at(location)
        except ValueError as problem:
            text = f"{node} redirected to {location!r}, which cannot be followed: {problem}"
            raise self._with_attempts(OperationalError(text)) from problem
        if leader is None:
            return self._pass_on(node)
        if leader == node and self._rounds:
            # An address of several nodes, such as a load balancer's.
            self._nodes.pass_on(node, leader)
            return self._pass_on(node)
        if leader in self._tried or self._redirects % _MOST_REDIRECTS == 0:
            self._nodes.no_leader(leader)
            return None  # the nodes only point to one another
        if not self._nodes.is_resting(leader):
            self._nodes.is_leader(leader)
            return leader
        if node in self._heard or self._nodes.seconds_failing(leader) > _ELECTED_SECONDS:
            self._nodes.pass_on(node, leader)
            return self._pass_on(node)
        return None

    def _pass_on(self, by: Node) -> Node:
        self._by = by
        return by

    def _failure(self) -> DatabaseError:
        """The error where no node took the request."""
        attempts = (self._attempts or self._searched)[-_SHOWN:]
        causes = "; ".join(f"{attempt.node}: {attempt.cause}" for attempt in attempts)
        answer = self._answer
        error: DatabaseError
        if self._may_wait:
            error = NoLeaderError(
                f"the cluster has no leader that answers, nothing was applied: {causes}"
            )
            if answer is not None:
                error.http_status, error.body = answer.status, _text(answer)
                error.node = str(answer.node)
        elif answer is not None:
            error = _definite(self._request, answer)
        else:
            error = UnreachableError(f"no node could be reached, nothing was applied: {causes}")
            error.node = self._attempts[-1].node
        return self._with_attempts(error)

    def _with_attempts(self, error: DatabaseError) -> DatabaseError:
        error.attempts = tuple(self._attempts or self._searched)
        return error


def succeeded(nodes: NodePool, request: Request, response: Response) -> None:
    """Note that a node has done what it was asked."""
    nodes.answered(response.node)
    if nodes.leader is None and REDIRECT in request.target and request.purpose.led:
        nodes.is_leader(response.node)
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug(
            "%s %s on %s: %s, %d bytes",
            request.method,
            request.target,
            response.node,
            response.status,
            len(response.body),
        )


def _text(response: Response) -> str:
    return response.body.decode(errors="replace")


def _definite(request: Request, response: Response) -> DatabaseError:
    """The error for an answer that is no success, and has applied nothing."""
    if response.status == 200:
        return failed_call(response.node, said_of_the_call(response.body) or "")
    return http_error(response.status, _text(response), str(response.node), request.target)


def _final(request: Request, response: Response, failed: Trouble, chosen: Action) -> DatabaseError:
    """The error for an answer that ends the call."""
    error = _definite(request, response)
    if chosen is Action.FAIL or not isinstance(error, OperationalError):
        return error
    unknown = unknown_outcome(response.node, failed.cause)
    unknown.http_status, unknown.body = response.status, _text(response)
    return unknown


def unknown_outcome(node: Node, cause: str) -> OutcomeUnknownError:
    """The error for a write whose answer did not come, or says nothing."""
    error = OutcomeUnknownError(
        f"the answer of {node} to a write was lost ({cause}): it may have been applied, or may still be; "
        "it was not sent again. Look whether it took effect before you repeat it."
    )
    error.node, error.attempts = str(node), (attempt_at(node, cause),)
    return error


def failed_call(node: Node, said: str) -> DatabaseError:
    """The error for what a node said of a call as a whole, and applied nothing."""
    error = call_error(said, str(node))
    error.attempts = (attempt_at(node, f"200 {said}"),)
    return error


def attempt_at(node: Node, cause: str) -> Attempt:
    """An attempt that has failed just now."""
    return Attempt(str(node), cause, time.time())
