"""What the server says of its nodes, as Python objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyrqlite.errors import InternalError
from pyrqlite.flow.steps import Response
from pyrqlite.wire import json


@dataclass(frozen=True)
class NodeInfo:
    """One node of the cluster, as the node that was asked sees it.

    `address` is where the nodes talk to each other, `api_address` the URL for clients; None where the node
    could not be asked for it. `time` is how many seconds it took to answer, `error` why it did not.
    """

    id: str
    address: str
    api_address: str | None
    voter: bool
    leader: bool
    reachable: bool
    version: str | None = None
    time: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Readiness:
    """Whether a node serves requests; true or false as a condition. `checks` are its own words."""

    ready: bool
    checks: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.ready


def node_info(listed: Mapping[str, Any]) -> NodeInfo:
    """From one entry of /nodes, or the answer of /leader."""
    return NodeInfo(
        id=listed.get("id") or listed.get("addr") or "?",
        address=listed.get("addr") or "",
        api_address=listed.get("api_addr") or None,
        voter=bool(listed.get("voter", True)),
        leader=bool(listed.get("leader", False)),
        reachable=bool(listed.get("reachable", False)),
        version=listed.get("version") or None,
        time=listed.get("time"),
        error=listed.get("error") or None,
    )


def document(response: Response) -> Any:
    """The JSON of an answer; InternalError where it is none."""
    try:
        return json.loads(response.body)
    except ValueError:
        start = response.body[:200].decode(errors="replace")
        raise InternalError(f"{response.node}'s answer is not rqlite's: {start!r}") from None


def listed_nodes(response: Response) -> list[NodeInfo]:
    """The answer of /nodes?ver=2; InternalError where it is none."""
    try:
        return [node_info(listed) for listed in document(response)["nodes"]]
    except (KeyError, TypeError, AttributeError):
        raise InternalError("the node's list of nodes is not rqlite's") from None
