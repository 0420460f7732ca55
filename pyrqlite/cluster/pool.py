"""The nodes that are known, and which of them to ask."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from pyrqlite.cluster.node import Node


class NodePool:
    """The nodes that the user named, and the leader where it is known. Shared by threads."""

    def __init__(self, seeds: Sequence[Node]) -> None:
        self._seeds = tuple(seeds)
        self._lock = threading.Lock()
        self._leader: Node | None = None
        self._failed: dict[Node, None] = {}

    def candidates(self, to_leader: bool) -> Iterator[Node]:
        """Each node once: the leader first where it is wanted and known, those that failed last."""
        with self._lock:
            leader = self._leader if to_leader else None
            healthy = [node for node in self._seeds if node not in self._failed]
            failed = [node for node in self._seeds if node in self._failed]
        if leader is not None:
            yield leader
        yield from (node for node in (*healthy, *failed) if node != leader)

    @property
    def first(self) -> Node:
        """The first of the user's nodes."""
        return self._seeds[0]

    def is_leader(self, node: Node) -> None:
        """Remember that `node` leads."""
        with self._lock:
            self._leader = node
            self._failed.pop(node, None)

    def failed(self, node: Node) -> None:
        """Remember that `node` could not be reached: it is asked last, until it answers again."""
        with self._lock:
            self._failed[node] = None
            if self._leader == node:
                self._leader = None

    def answered(self, node: Node) -> None:
        """Forget the failures of `node`."""
        if self._failed:
            with self._lock:
                self._failed.pop(node, None)
