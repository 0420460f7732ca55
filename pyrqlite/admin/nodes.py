"""The nodes of a cluster, and how far each has come in the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from pyrqlite.admin.info import NodeInfo, document, listed_nodes
from pyrqlite.cluster.cluster import Cluster
from pyrqlite.cluster.node import Node, node_from_url
from pyrqlite.errors import InternalError, OperationalError
from pyrqlite.flow.exchange import exchange
from pyrqlite.flow.steps import AnswerLost, Flow, Request, Response, Send, Sleep, TransportError
from pyrqlite.options import Options
from pyrqlite.wire.failures import http_error

T = TypeVar("T")

_NODES = "/nodes?ver=2&nonvoters&timeout=5s"
_STORE = "/status?key=store"
_APPLIED = "/status?key=store.fsm_index"
# Waiting does not change these answers: credentials, addresses, versions.
_FINAL = frozenset({400, 401, 403, 404, 405})
_LOST_ANSWERS = 3
# A process that restarts takes no connections for so long at most, on machines that work.
_REFUSED_SECONDS = 5.0


class Access(NamedTuple):
    """The way to a cluster."""

    cluster: Cluster
    options: Options


@dataclass
class Member:
    """One node of the cluster. `node` is None where nobody knows its address; `problem` says why it
    cannot be asked, or could not be any more."""

    id: str
    node: Node | None
    voter: bool = True
    leader: bool = False
    problem: str | None = None

    def __str__(self) -> str:
        return self.id if self.node is None else f"{self.id} at {self.node}"


class Lost(Exception):
    """A node does not answer as it must, for longer than patience lasts."""

    def __init__(self, member: Member, reason: str) -> None:
        super().__init__(f"{member}: {reason}")
        self.member = member
        self.reason = reason


class NotYet(Exception):
    """What a node said is no answer yet: it may help to ask again."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a node, in seconds, and how long for each of its answers (None: for ever)."""

    seconds: float = 30.0
    timeout: float | None = 60.0

    def pauses(self) -> Iterator[float]:
        """The pauses between attempts, in seconds: growing, and together as long as patience lasts."""
        total, pause = 0.0, 0.02
        while total < self.seconds:
            yield min(pause, self.seconds - total)
            total += pause
            pause = min(pause * 1.5, 1.0)


def ask(
    member: Member,
    request: Request,
    patience: Patience,
    read: Callable[[Response], T],
    success: Sequence[int] = (200,),
) -> Flow[T]:
    """What `read` makes of this node's answer; asks again where there is none, or `read` raises NotYet.

    For requests that may be repeated. Raises Lost.
    """
    assert member.node is not None
    pauses = patience.pauses()
    lost_answers, refused = 0, 0.0
    while True:
        pause = next(pauses, 0.0)
        try:
            response = yield Send(member.node, request)
            if response is None:
                raise InternalError("the executor gave no response to an exchange")
            return read(_checked(member, request, response, success))
        except AnswerLost as failure:
            reason = f"cannot be reached: {failure}"
            lost_answers += 1
        except TransportError as failure:
            reason = f"cannot be reached: {failure}"
            refused += pause
        except NotYet as error:
            reason = str(error)
        if not pause or lost_answers >= _LOST_ANSWERS or refused > _REFUSED_SECONDS:
            raise Lost(member, reason)
        yield Sleep(pause)


def _checked(
    member: Member, request: Request, response: Response, success: Sequence[int]
) -> Response:
    if response.status in success:
        return response
    text = response.body.decode(errors="replace")
    error = http_error(response.status, text, str(member.node), request.target)
    if response.status in _FINAL:
        raise Lost(member, str(error))
    raise NotYet(str(error))


def _get(target: str, patience: Patience) -> Request:
    return Request("GET", target, None, True, patience.timeout)


def applied(member: Member, patience: Patience) -> Flow[int]:
    """The index of the last log entry that the node has applied to its database; Lost."""
    return (yield from ask(member, _get(_APPLIED, patience), patience, _index))


def _index(response: Response) -> int:
    index = _document(response)
    if not isinstance(index, int):
        raise NotYet("it is not open yet, or does not say how far it has come")
    return index


def _document(response: Response) -> Any:
    try:
        return document(response)
    except InternalError as error:
        raise NotYet(str(error)) from None


def wait_applied(member: Member, index: int, patience: Patience) -> Flow[None]:
    """Wait until the node has applied the log up to `index`; Lost if it comes no further for too long."""
    best = -1
    pauses = patience.pauses()
    while True:
        reached = yield from applied(member, patience)
        if reached >= index:
            return
        if reached > best:
            best, pauses = reached, patience.pauses()
        pause = next(pauses, None)
        if pause is None:
            raise Lost(member, f"is behind: it has applied the log up to {best}, not to {index}")
        yield Sleep(pause)


def find_members(access: Access, patience: Patience, *, discover: bool) -> Flow[list[Member]]:
    """All nodes of the cluster, as it lists them itself, or only those that the user named.

    Those that are up are asked for their ids. One that does not answer has a `problem`.
    """
    if access.options.is_embedded:
        return [Member("embedded", access.options.nodes()[0], leader=True)]
    if discover:
        members = yield from _listed(access, patience)
    else:
        members = [Member(str(node), node) for node in access.options.nodes()]
    yield from _leaders(members, patience)
    found = _without_doubles(members)
    yield from find_leader(found, patience)
    return found


def _listed(access: Access, patience: Patience) -> Flow[list[Member]]:
    try:
        listed = listed_nodes((yield from exchange(access.cluster, _get(_NODES, patience))))
    except OperationalError as error:
        if error.http_status not in (401, 403, 404):
            raise
        raise OperationalError(
            f"the list of nodes cannot be read ({error}): name all nodes yourself, and switch discovery off"
        ) from error
    return [_member(each, access.options) for each in listed]


def _member(listed: NodeInfo, options: Options) -> Member:
    if listed.api_address is None:
        reason = listed.error
        problem = (
            f"cannot be reached by the other nodes: {reason}" if reason else "has no API address"
        )
        return Member(listed.id, None, listed.voter, problem=problem)
    node = node_from_url(listed.api_address)
    if node.scheme == "http" and options.is_secure:
        return Member(listed.id, None, listed.voter, problem=f"{node} has no TLS")
    return Member(listed.id, node, listed.voter)


def _store(response: Response) -> dict[str, Any]:
    store = _document(response)
    if not isinstance(store, dict) or "node_id" not in store:
        raise NotYet("it is not open yet")
    return store


def _without_doubles(members: list[Member]) -> list[Member]:
    """Each node once, under whichever of its addresses comes first."""
    found: dict[str, Member] = {}
    for member in members:
        found.setdefault(member.id, member)
    return list(found.values())


def find_leader(members: list[Member], patience: Patience, gone: str = "") -> Flow[None]:
    """Mark the node that all these nodes follow, and that is not the one that is `gone`.

    Where they do not agree for too long, one that follows another than most do has a problem: it is cut
    off, or in another cluster.
    """
    leaders: dict[str, str] = {}
    for pause in patience.pauses():
        leaders = yield from _leaders(members, patience)
        named = set(leaders.values())
        if len(named) == 1 and not named & {"", gone}:
            break
        yield Sleep(pause)
    named_ones = [leader for leader in leaders.values() if leader]
    leader = max(named_ones, key=named_ones.count, default="")
    for member in members:
        member.leader = member.id == leader
        follows = leaders.get(member.id, leader)
        if member.problem is None and follows != leader:
            member.problem = (
                f"follows another leader ({follows or 'none'}) than the others ({leader})"
            )


def _leaders(members: list[Member], patience: Patience) -> Flow[dict[str, str]]:
    """By the ids of those that answer, the ids of the nodes that they follow."""
    leaders: dict[str, str] = {}
    for member in members:
        if member.problem is not None:
            continue
        try:
            store = yield from ask(member, _get(_STORE, patience), patience, _store)
        except Lost as lost:
            member.problem = lost.reason
            continue
        member.id = store["node_id"]
        leaders[member.id] = str((store.get("leader") or {}).get("node_id", ""))
    return leaders
