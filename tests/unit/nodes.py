"""Nodes that answer what a test tells them to; they stand behind a flow in place of a transport."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import tenacity

import pyrqlite
from pyrqlite.cluster.cluster import Cluster
from pyrqlite.cluster.node import Node
from pyrqlite.flow.run import Sender, run
from pyrqlite.flow.session import CallOptions, Session, call_options
from pyrqlite.flow.steps import Arrival, Flow, Request, Response, Together, TransportError
from pyrqlite.options import Options, resolve
from pyrqlite.sql.schema import Schema

T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """What a node answers to one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Looking = Callable[[Together], list[Arrival]]
Answering = Reply | TransportError | Callable[[Node, Request], Reply]


def results(*items: Mapping[str, Any], **top: Any) -> Reply:
    """A 200 with these results, and whatever stands beside them."""
    return Reply(200, json.dumps({"results": items, **top}).encode())


def failed_call(text: str) -> Reply:
    """A 200 that says that the whole call failed."""
    return results(error=text)


def no_leader(status: int = 503) -> Reply:
    return Reply(status, b"leader not found\n")


def redirect(url: str) -> Reply:
    return Reply(301, b"", {"location": url})


@dataclass(frozen=True)
class Sent:
    """One request that a node was asked to answer."""

    node: Node
    request: Request

    @property
    def host(self) -> str:
        return self.node.host

    @property
    def statements(self) -> list[Any]:
        """The request's statements: texts, or lists of a text and its values."""
        found: list[Any] = json.loads(self.request.body or b"[]")
        return found


class Nodes:
    """Runs flows against replies, which are given in their order, and notes what was asked and slept.

    `together` answers the requests that are sent at once; unless it is given nothing comes of them.
    """

    def __init__(self, *replies: Answering, together: Looking | None = None) -> None:
        self._replies = list(replies)
        self._together = together or (lambda step: [])
        self.looks: list[Together] = []
        self.sent: list[Sent] = []
        self.slept: list[float] = []

    def play(self, flow: Flow[T]) -> T:
        """The flow's result; all replies must have been asked for by then."""
        outcome = self.run(flow)
        self.expect_all_used()
        return outcome

    def run(self, flow: Flow[T]) -> T:
        """The flow's result."""
        return run(flow, self.send, self.slept.append, self.look)

    def look(self, step: Together, send: Sender) -> list[Arrival]:
        """What comes of requests that are sent at once."""
        self.looks.append(step)
        return self._together(step)

    def send(self, node: Node, request: Request) -> Response:
        # Each step has a watch of its own: what is sent is the same all the same.
        self.sent.append(Sent(node, request._replace(watch=None)))
        assert self._replies, f"nobody expected a request number {len(self.sent)}: {request}"
        reply = self._replies.pop(0)
        if callable(reply):
            reply = reply(node, request)
        if isinstance(reply, TransportError):
            raise reply
        return Response(reply.status, reply.headers, reply.body, node)

    def expect_all_used(self) -> None:
        assert self._replies == [], "replies that nobody asked for"

    @property
    def hosts(self) -> list[str]:
        """The hosts that were asked, in their order."""
        return [sent.host for sent in self.sent]


def attempts(count: int) -> tenacity.Retrying:
    """A policy of so many attempts without waiting."""
    return tenacity.Retrying(stop=tenacity.stop_after_attempt(count), wait=tenacity.wait_none())


def cluster(**given: Any) -> Cluster:
    """A cluster of those options; two attempts where no leader is found, unless they say otherwise."""
    options: dict[str, Any] = {
        "host": "a",
        "retry": attempts(2),
        "transport": "urllib3",
        "discovery": False,
    }
    options.update(given)
    return Cluster(resolve(Options(**options)))


def session(schema: Schema | None = None, **given: Any) -> Session:
    """A session of an autocommit connection, whose server packs exactly and has this schema."""
    options: dict[str, Any] = {
        "host": "a",
        "retry": attempts(2),
        "transport": "urllib3",
        "discovery": False,
    }
    options.update(given)
    made = pyrqlite.connect(autocommit=True, **options).session
    made.cluster.packs = True
    made.cluster.has_unhex = True
    made.cluster.schema.put(schema)
    return made


def options_of(session: Session, **changes: Any) -> CallOptions:
    """How a statement is sent on this session."""
    return call_options(session.options).but(**changes)
