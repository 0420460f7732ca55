"""A cluster of nodes of which each says of itself what a test tells it to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyrqlite.cluster.cluster import Cluster
from pyrqlite.cluster.discovery import (
    Sight,
    find_leader,
)
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node
from pyrqlite.flow.exchange import REDIRECT
from pyrqlite.flow.steps import (
    Arrival,
    Flow,
    NotSent,
    Request,
    Response,
    Together,
)
from tests.unit.nodes import Answering, Nodes, attempts, cluster, results

WRITE = Request("POST", f"/db/execute?{REDIRECT}", b"[]", False, 3.0, Kind.WRITE)
READ = Request("POST", f"/db/query?{REDIRECT}", b"[]", True, 3.0, Kind.READ)
LOCAL = Request("POST", "/db/query?level=none", b"[]", True, 3.0, Kind.LOCAL)
OK = results({"rows_affected": 1})


@dataclass
class Told:
    """What a node says of itself. `silent`: nothing at all; `mute`: that it may not."""

    id: str = ""
    leads: bool = False
    term: int = 2
    contact: object = "10ms"
    members: tuple[str, ...] = ("a", "b", "c")
    silent: bool = False
    mute: bool = False
    nodes: object = None
    seconds: float = 0.001


@dataclass
class World:
    """Nodes by their hosts; those that are not there refuse connections."""

    told: dict[str, Told] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, node: Node, target: str) -> Arrival | None:
        self.asked.append(f"{node.host} {target.partition('?')[0]}")
        told = self.told.get(node.host)
        if told is None:
            return Arrival(node, NotSent("refused"), 0.001)
        if told.silent:
            return None
        if told.mute:
            return Arrival(node, Response(401, {}, b"", node), told.seconds)
        said: Any = told.nodes if target.startswith("/nodes") else self._store(node.host, told)
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return Arrival(node, Response(200, {}, body, node), told.seconds)

    def _store(self, host: str, told: Told) -> Mapping[str, object]:
        return {
            "node_id": told.id or host,
            "raft": {
                "state": "Leader" if told.leads else "Follower",
                "term": told.term,
                "last_contact": 0 if told.leads else told.contact,
            },
            "nodes": [{"id": each} for each in told.members],
        }

    def together(self, step: Together) -> list[Arrival]:
        found: list[Arrival] = []
        answers = [self.answer(send.node, send.request.target) for send in step.sends]
        for arrival in sorted((a for a in answers if a), key=lambda arrival: arrival.seconds):
            found.append(arrival)
            if step.enough(found):
                break
        return found


def listed(*hosts: str, **more: Any) -> dict[str, Any]:
    return {
        "nodes": [{"id": h, "api_addr": f"http://{h}:4001", "voter": True, **more} for h in hosts]
    }


def play(world: World, flow: Flow[Any], *replies: Answering) -> tuple[Any, Nodes]:
    nodes = Nodes(*replies, together=world.together)
    return nodes.play(flow), nodes


def made(host: str = "a,b,c", **options: Any) -> Cluster:
    return cluster(host=host, **{"discovery": True, "retry": attempts(4), **options})


def search(world: World, known: Cluster) -> Sight:
    sight: Sight = play(world, find_leader(known))[0]
    return sight
