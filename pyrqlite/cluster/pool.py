"""The nodes that are known, and which of them to ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from pyrqlite.cluster.forks import with_lock
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node
from pyrqlite.cluster.selectors import Nearest, NodeSelector, View

FIRST_REST, LONGEST_REST = 0.5, 30.0
FIRST_DETOUR, LONGEST_DETOUR = 10.0, 600.0
NEVER = float("inf")


class Member(NamedTuple):
    """A node as the leader lists it."""

    id: str
    voter: bool


class Rest(NamedTuple):
    """A node that failed so often in a row is left alone until then; `since` is when it began to fail, `silent`
    that it was waited for in vain."""

    times: int
    since: float
    until: float
    silent: bool


class Detour(NamedTuple):
    """The leader cannot be reached from here, and `by` passes requests on to it; until then nobody looks again."""

    by: Node
    leader: Node
    until: float
    seconds: float


class NodePool:
    """The user's nodes, which are never forgotten, those that were discovered, and the leader. Shared by threads.

    A node that fails rests, for twice as long each time, and is asked meanwhile only where no other is left.
    """

    _lock: Any

    def __init__(
        self,
        seeds: Sequence[Node],
        selector: NodeSelector | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seeds = tuple(seeds)
        self.leader: Node | None = None
        self.detour: Detour | None = None
        # Since when a leader is missed; NEVER: it is to be looked for. A single node is simply asked: it says where
        # to go.
        self.lost_at = NEVER if len(self.seeds) > 1 else None
        self._selector = selector or Nearest()
        self._clock = clock
        self._members: Mapping[Node, Member] = {}
        self._removed: Collection[Node] = ()
        self._rests: dict[Node, Rest] = {}
        self._latency: dict[Node, float] = {}
        self._views: dict[Kind, tuple[float, View]] = {}
        with_lock(self)

    def first(self, kind: Kind) -> Node:
        """The node to ask first."""
        if kind.led:
            return self.leader or self._ordered()[0]
        view = self._view(kind)
        return view.nodes[0] if len(view.nodes) == 1 else self._selector.select(view)

    def others(self, tried: Collection[Node]) -> list[Node]:
        """The nodes to ask when those that were tried did not help: healthy ones first."""
        return [node for node in self._ordered() if node not in tried]

    @property
    def known(self) -> list[Node]:
        """All nodes, removed ones too, in the order in which to ask them."""
        ordered = self._ordered()
        leaders = [self.leader, self.detour and self.detour.leader]
        return list(dict.fromkeys(node for node in (*leaders, *ordered, *self._removed) if node))

    def is_resting(self, node: Node) -> bool:
        """Whether the node failed lately."""
        rest = self._rests.get(node)
        return rest is not None and rest.until > self._clock()

    def is_silent(self, node: Node) -> bool:
        """Whether the node was waited for in vain when it was last asked."""
        rest = self._rests.get(node)
        return rest is not None and rest.silent

    def seconds_failing(self, node: Node) -> float:
        """For how long the node has not answered."""
        rest = self._rests.get(node)
        return self._clock() - rest.since if rest else 0.0

    def is_leader(self, node: Node) -> None:
        """Remember that `node` leads."""
        with self._lock:
            self.leader, self.lost_at = node, None
            self._views = {}

    def is_missed(self) -> None:
        """Remember that the first search has found no leader: one of which followers hear later is alive."""
        with self._lock:
            if self.lost_at == NEVER:
                self.lost_at = self._clock()

    def no_leader(self, node: Node) -> None:
        """Remember that `node`, which answers, does not lead."""
        with self._lock:
            if self.leader == node:
                self._lose_leader()

    def failed(self, node: Node, *, silent: bool = False) -> None:
        """Remember that `node` could not be reached, or did not answer; `silent`: it was waited for in vain."""
        with self._lock:
            now = self._clock()
            before = self._rests.get(node)
            if self.leader == node:
                self._lose_leader()
            if before is not None and before.until > now:
                self._rests[node] = before._replace(silent=silent)
                return
            times = before.times + 1 if before else 1
            seconds = min(FIRST_REST * 2 ** min(times - 1, 20), LONGEST_REST)
            since = before.since if before else now
            self._rests[node] = Rest(times, since, now + seconds, silent)
            self._latency.pop(node, None)
            self._views = {}

    def _lose_leader(self) -> None:
        self.leader, self.lost_at = None, self._clock()
        self._views = {}

    def answered(self, node: Node) -> None:
        """Forget the failures of `node`."""
        if node in self._rests:
            with self._lock:
                self._rests.pop(node, None)
                self._views = {}

    def measured(self, node: Node, seconds: float) -> None:
        """Note how long `node` took to answer; single outliers weigh little."""
        with self._lock:
            before = self._latency.get(node)
            self._latency[node] = (
                seconds if before is None else min(seconds, before * 0.7 + seconds * 0.3)
            )
            self._views = {}

    def learn(self, members: Mapping[Node, Member], removed: Collection[Node]) -> None:
        """Take the leader's list of nodes; `removed` are those of the user's nodes that are not in it."""
        with self._lock:
            self._members, self._removed = dict(members), tuple(removed)
            known = {*members, *self.seeds}
            for gone in [node for node in (*self._rests, *self._latency) if node not in known]:
                self._rests.pop(gone, None)
                self._latency.pop(gone, None)
            self._views = {}

    def members(self) -> Mapping[Node, Member]:
        """What was learnt."""
        return self._members

    def pass_on(self, by: Node, leader: Node) -> None:
        """Remember that `by` reaches the leader, which cannot be reached from here."""
        with self._lock:
            before = self.detour
            seconds = min(before.seconds * 2 if before else FIRST_DETOUR, LONGEST_DETOUR)
            self.detour = Detour(by, leader, self._clock() + seconds, seconds)

    def detour_is_over(self) -> bool:
        """Whether it is time to look for the leader again."""
        return self.detour is not None and self.detour.until <= self._clock()

    def end_detour(self, *, doubted: bool = False) -> None:
        """Go to the leader itself again; where it is `doubted` that there is one, look for it first."""
        with self._lock:
            self.detour = None
            if doubted:
                self._lose_leader()

    def _ordered(self) -> list[Node]:
        """The healthy nodes, then those that rest, the longest at rest first; removed ones only if all were."""
        nodes = dict.fromkeys((*self.seeds, *self._members))
        listed = [node for node in nodes if node not in self._removed] or list(nodes)
        if not self._rests:
            return listed
        rests = dict(self._rests)
        now = self._clock()
        resting = [node for node in listed if node in rests and rests[node].until > now]
        healthy = [node for node in listed if node not in resting]
        return [*healthy, *sorted(resting, key=lambda node: rests[node].until)]

    def _view(self, kind: Kind) -> View:
        """What the selector chooses from; made anew when something was learnt, or a rest is over."""
        # If something is learnt while a view is made, the pool's are others by then, and this one is forgotten.
        views = self._views
        made = views.get(kind)
        if made is None or made[0] <= self._clock():
            made = views[kind] = self._make_view(kind)
        return made[1]

    def _make_view(self, kind: Kind) -> tuple[float, View]:
        ordered = self._ordered()
        healthy = [node for node in ordered if not self.is_resting(node)] or ordered
        if kind is Kind.AUTO and self._members:
            replicas = [
                node for node in healthy if node in self._members and not self._members[node].voter
            ]
            healthy = replicas or ([self.leader] if self.leader else healthy)
        rests = [rest.until for rest in dict(self._rests).values()]
        until = min((end for end in rests if end > self._clock()), default=float("inf"))
        return until, View(tuple(healthy), self.leader, dict(self._latency))
