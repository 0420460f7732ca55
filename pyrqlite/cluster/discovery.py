"""Who leads, and which nodes there are: asked of several nodes at once, each with a short deadline.

`/status` is what every node answers at once, whatever has become of the others; `/nodes` is asked of a leader that
has just answered. Nodes that say nothing about themselves, for want of a permission, are asked by redirects alone.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node
from pyrqlite.cluster.pool import Member
from pyrqlite.flow.steps import Arrival, Flow, Request, Response, Send, Together

if TYPE_CHECKING:
    from pyrqlite.cluster.cluster import Cluster

SECONDS = 0.9  # for all answers together; curl keeps only less than a second exactly
MOST_ASKED = 16
MOST_KNOWN = 64
_STATUS = Request("GET", "/status?key=store", None, True, SECONDS, Kind.ADMIN)
_NODES = Request("GET", "/nodes?ver=2&nonvoters&timeout=500ms", None, True, SECONDS, Kind.ADMIN)
# What reading an answer raises that is not rqlite's.
_NONSENSE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([\d.]+)(ns|us|µs|ms|h|m|s)")


class Sighting(NamedTuple):
    """What a node says of itself. `heard_at` is when it last heard from a leader, by this machine's clock;
    `members` are the ids of the nodes that it counts to the cluster."""

    node: Node
    id: str
    leads: bool
    term: int
    heard_at: float
    members: frozenset[str]


class Sight(NamedTuple):
    """What a search has found: the leader, or followers that have heard from one since it was lost here.

    `answered` are the nodes that said something of themselves; none where nobody may, or can.
    """

    leader: Node | None
    followers: Sequence[Node]
    answered: Sequence[Node]


class View(NamedTuple):
    """What was seen while a node kept silent: who leads, and who answers at all."""

    leader: Node | None
    alive: Collection[Node]


class _Lookout:
    """Takes arrivals in, and decides when there are enough of them."""

    def __init__(self, asked: Sequence[Node], awaited: Collection[Node], lost_at: float) -> None:
        self._asked = len(asked)
        self._missing = set(awaited)
        self._lost_at = lost_at
        self.sightings: dict[Node, Sighting] = {}
        self.alive: set[Node] = set()

    def whole(self, arrivals: Sequence[Arrival]) -> bool:
        """Everybody that is waited for has answered."""
        self._take(arrivals[-1])
        return not self._missing

    def led(self, arrivals: Sequence[Arrival]) -> bool:
        """A leader has answered, and none of a majority knows of a later term, or is of another cluster; or as
        `whole`, and nobody has heard from a leader, which would still be missing."""
        whole = self.whole(arrivals)
        if self.leader is not None:
            clear = len(self._cluster) * 2 > len(self.sightings)
            return whole or (clear and len(arrivals) * 2 > self._asked)
        return whole and not self.followers

    @property
    def followers(self) -> list[Node]:
        """Those that have heard from a leader since one was lost here."""
        return [seen.node for seen in self._cluster if seen.heard_at > self._lost_at]

    @property
    def leader(self) -> Node | None:
        """The node that leads in the latest term that anyone knows of."""
        cluster = self._cluster
        return next(
            (seen.node for seen in cluster if seen.leads and seen.term == _latest(cluster)), None
        )

    @property
    def _cluster(self) -> list[Sighting]:
        """What the nodes say that count each other to their cluster, as most do.

        A node that has lost its data leads itself, and an address may lead to another cluster by now.
        """
        said = self.sightings.values()
        groups = [[other for other in said if _are_together(seen, other)] for seen in said]
        return max(groups, key=_weight, default=[])

    def _take(self, arrival: Arrival) -> None:
        self._missing.discard(arrival.node)
        if not isinstance(arrival.outcome, Response):
            return
        self.alive.add(arrival.node)
        if arrival.outcome.status == 200:
            with suppress(*_NONSENSE):
                # What it says is at most as old as the question.
                asked_at = time.monotonic() - arrival.seconds
                self.sightings[arrival.node] = _sighting(
                    arrival.node, arrival.outcome.body, asked_at
                )


def _are_together(one: Sighting, other: Sighting) -> bool:
    return one is other or (one.id in other.members and other.id in one.members)


def _latest(cluster: Sequence[Sighting]) -> int:
    return max((seen.term for seen in cluster), default=0)


def _weight(cluster: Sequence[Sighting]) -> tuple[int, int, bool]:
    return len(cluster), _latest(cluster), any(seen.leads for seen in cluster)


def _sighting(node: Node, body: bytes, asked_at: float) -> Sighting:
    store = json.loads(body)
    raft = store["raft"]
    leads = raft["state"] == "Leader"
    return Sighting(
        node,
        str(store["node_id"]),
        leads,
        int(raft["term"]),
        asked_at - _seconds(raft.get("last_contact", "0" if leads else "never")),
        frozenset(str(each["id"]) for each in store["nodes"]),
    )


def _seconds(duration: object) -> float:
    """A duration of Go's, such as `1m2.5s`; infinite for `never`."""
    parts = _PART.findall(str(duration))
    if not parts:
        return 0.0 if str(duration) == "0" else float("inf")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def find_leader(cluster: Cluster) -> Flow[Sight]:
    """Look for the leader among the nodes that are known; threads share one search."""
    sight = yield from cluster.search.run(lambda: _find_leader(cluster))
    return sight or Sight(None, (), ())


def _find_leader(cluster: Cluster) -> Flow[Sight]:
    nodes = cluster.nodes
    lookout = yield from _look(cluster, nodes.known[:MOST_ASKED], whole=False)
    leader, followers = lookout.leader, lookout.followers
    if leader is not None:
        nodes.is_leader(leader)
    else:
        nodes.is_missed()
    return Sight(leader, followers, list(lookout.sightings))


def is_worth_waiting(cluster: Cluster, node: Node, kind: Kind, led: bool) -> Flow[bool]:
    """Whether `node`, which keeps silent behind a request of this kind, may still be the one to answer it; `led`
    says that it was known as the leader when the request was sent.

    One that says nothing at all is not, once others do its work. One that is well may be at a write that takes
    its time. All else is asked of the leader that there is now: a follower of a leader that is stopped says nothing
    for a minute, even if it is the next one.
    """
    if len(cluster.nodes.known) == 1:
        return True
    view = yield from cluster.watching.run(lambda: _watch(cluster))
    if view is None:
        return True
    if not kind.led:
        return node in view.alive or not view.alive
    if view.leader is None or (node in view.alive and not kind.repeatable):
        return True
    return led and view.leader == node


def _watch(cluster: Cluster) -> Flow[View]:
    lookout = yield from _look(cluster, cluster.nodes.known[:MOST_ASKED], whole=True)
    if lookout.leader is not None:
        cluster.nodes.is_leader(lookout.leader)
    return View(lookout.leader, lookout.alive)


def _look(cluster: Cluster, asked: Sequence[Node], *, whole: bool) -> Flow[_Lookout]:
    """Ask these nodes about themselves, and note which of them answer, and how fast."""
    nodes = cluster.nodes
    awaited = [node for node in asked if not nodes.is_silent(node)] or asked
    lookout = _Lookout(asked, awaited, nodes.lost_at or 0.0)
    enough = lookout.whole if whole else lookout.led
    sends = [Send(node, _STATUS) for node in asked]
    arrivals: list[Arrival] = yield Together(sends, SECONDS, enough)
    for node, outcome, seconds in arrivals:
        if isinstance(outcome, Response):
            nodes.answered(node)
            nodes.measured(node, seconds)
        else:
            nodes.failed(node)
    # The time was over for some; for all of them it may have been too short.
    if arrivals and not enough(arrivals):
        for node in set(asked) - {arrival.node for arrival in arrivals}:
            nodes.failed(node, silent=True)
    return lookout


def look_around(cluster: Cluster) -> Flow[None]:
    """Measure the nodes that are known, and learn from the leader which others there are, and which are gone.

    Nobody waits for this but the thread that does it.
    """
    if not cluster.looking.is_on:
        yield from cluster.looking.run(lambda: _look_around(cluster))


def _look_around(cluster: Cluster) -> Flow[None]:
    nodes = cluster.nodes
    lookout = yield from _look(cluster, nodes.known[:MOST_ASKED], whole=True)
    leader = lookout.leader
    if leader is None:
        return
    nodes.is_leader(leader)
    nodes.end_detour()
    if not cluster.discovery:
        return
    arrivals: list[Arrival] = yield Together([Send(leader, _NODES)], SECONDS, bool)
    listed = _listed(arrivals)
    if listed is None:
        return
    ids = {seen.id: node for node, seen in lookout.sightings.items() if node in nodes.seeds}
    found = {node: each for node, each in _usable(cluster, listed) if each.id not in ids}
    new = [node for node in found if node not in lookout.sightings][:MOST_ASKED]
    seen = dict(lookout.sightings)
    if new:
        seen.update((yield from _look(cluster, new, whole=True)).sightings)
    # An address that leads elsewhere from here, or nowhere, is not the node's.
    members = {node: each for node, each in found.items() if _is_at(seen.get(node), each)}
    members.update((ids[each.id], each.member) for each in listed if each.id in ids)
    there = {each.id for each in members.values()}
    counted = lookout.sightings[leader].members | {each.id for each in listed}
    down = counted - there
    members.update((node, each) for node, each in nodes.members().items() if each.id in down)
    nodes.learn(members, [node for identity, node in ids.items() if identity not in counted])


def _is_at(sighting: Sighting | None, member: Member) -> bool:
    return sighting is not None and sighting.id == member.id


class _Listed(NamedTuple):
    """A line of a list of nodes."""

    id: str
    voter: bool
    address: object

    @property
    def member(self) -> Member:
        """Who it is, wherever it is."""
        return Member(self.id, self.voter)


def _listed(arrivals: Sequence[Arrival]) -> list[_Listed] | None:
    """The nodes of an answer to /nodes; None where it is none."""
    for _, outcome, _ in arrivals:
        if isinstance(outcome, Response) and outcome.status == 200:
            with suppress(*_NONSENSE):
                every = json.loads(outcome.body)["nodes"]
                return [
                    _Listed(str(each["id"]), each.get("voter") is not False, each.get("api_addr"))
                    for each in every
                ]
    return None


def _usable(cluster: Cluster, listed: Sequence[_Listed]) -> list[tuple[Node, Member]]:
    """The listed nodes whose addresses can be used, at most so many."""
    usable: list[tuple[Node, Member]] = []
    for each in listed:
        with suppress(ValueError):
            if len(usable) < MOST_KNOWN and isinstance(each.address, str):
                node = cluster.node_at(each.address)
                usable += [(node, each.member)] if node is not None else []
    return usable
