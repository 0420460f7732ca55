"""Clients of a server under test, what they send, and a switch that takes their guards away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from pyrqlite import Connection
from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import Request, Response
from pyrqlite.transaction.log import Entry, Log, Step
from pyrqlite.transports import Transport
from tests.worlds import SYNC, World, replace_transport

Connect = Callable[..., Connection]


@dataclass
class Counting:
    """A transport that notes what it carries, and may do something before."""

    inner: Transport
    requests: list[Request] = field(default_factory=list)
    before: Callable[[Request], None] = lambda request: None

    def send(self, node: Node, request: Request) -> Response:
        self.requests.append(request)
        self.before(request)
        return self.inner.send(node, request)

    def close(self) -> None:
        self.inner.close()

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, without their options."""
        return [request.target.partition("?")[0] for request in self.requests]


def counting(connection: Connection) -> Counting:
    """From now on note what this connection sends."""
    made: list[Counting] = []

    def make(inner: Transport) -> Transport:
        made.append(Counting(inner))
        return made[0]

    replace_transport(connection, make)
    return made[0]


@contextmanager
def without_guards() -> Iterator[None]:
    """Commits that apply their writes and look at nothing again: what the guards are worth."""
    steps = Log.steps

    def only_writes(log: Log, guarding: bool = False) -> Iterator[Step]:
        return steps(log, guarding=False)

    def nothing(log: Log) -> Sequence[Entry]:
        return []

    def never(self: object, results: Any) -> bool:
        return True

    with (
        mock.patch.object(Log, "steps", only_writes),
        mock.patch.object(Log, "checked", nothing),
        mock.patch("pyrqlite.transaction.log.ReadEntry.holds", never),
        mock.patch("pyrqlite.transaction.log.Seen.same_as", never),
    ):
        yield


def query(connection: Connection, sql: str, *values: Any) -> list[Any]:
    """All rows."""
    rows: list[Any] = connection.execute(sql, values).fetchall()
    return rows


def connecting(url: str, opened: list[Connection], world: World = SYNC) -> Connect:
    """Opens connections to `url`, manual ones unless told otherwise, and keeps them in `opened`."""

    def connect(**options: Any) -> Connection:
        connection = world.connect(url, **{"autocommit": False, **options})
        opened.append(connection)
        return connection

    return connect
