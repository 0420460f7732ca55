"""Which node answers the next read that need not go to the leader."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from pyrqlite.cluster.node import Node
from pyrqlite.errors import InterfaceError


class View(NamedTuple):
    """The nodes that may answer (one at least, none of which failed lately, where there are such), the leader
    where it is known, and how many seconds each that was measured takes to answer."""

    nodes: Sequence[Node]
    leader: Node | None
    latency: Mapping[Node, float]


class NodeSelector(Protocol):
    """Chooses a node. Called for each read, by many threads."""

    def select(self, view: View) -> Node:
        """One of `view.nodes`, or the leader."""


class Leader:
    """The leader, where it is known."""

    def select(self, view: View) -> Node:
        return view.leader or view.nodes[0]


class Nearest:
    """The node that answers fastest. Another takes its place only when it is faster by a third and by more than
    half a millisecond, so that small differences do not move the reads to and fro."""

    def __init__(self) -> None:
        self._chosen: Node | None = None

    def select(self, view: View) -> Node:
        chosen, latency = self._chosen, view.latency
        if len(view.nodes) == 1:
            return view.nodes[0]
        best = min(view.nodes, key=lambda node: latency.get(node, float("inf")))
        if chosen is not None and chosen in latency and chosen in view.nodes:
            needed = min(latency[chosen] * 2 / 3, latency[chosen] - 0.0005)
            if latency.get(best, needed) >= needed:
                return chosen
        self._chosen = best
        return best


class RoundRobin:
    """One after the other."""

    def __init__(self) -> None:
        self._turns = itertools.count()

    def select(self, view: View) -> Node:
        return view.nodes[next(self._turns) % len(view.nodes)]


class Random:
    """Any."""

    def select(self, view: View) -> Node:
        return random.choice(view.nodes)


SELECTORS: Mapping[str, Callable[[], NodeSelector]] = {
    "leader": Leader,
    "nearest": Nearest,
    "round_robin": RoundRobin,
    "random": Random,
}


def make_selector(chosen: str | NodeSelector) -> NodeSelector:
    """The selector of that name, or the user's own."""
    if not isinstance(chosen, str):
        return chosen
    try:
        return SELECTORS[chosen]()
    except KeyError:
        raise InterfaceError(
            f"read_from={chosen!r} is none of {', '.join(SELECTORS)}, nor an object with a method select"
        ) from None
