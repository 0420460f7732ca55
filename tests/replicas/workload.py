"""Transactions whose fate can be looked up on each node: each leaves its number in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyrqlite
from pyrqlite import Connection, SerializationError
from tests.replicas.nodes import replay, rows, settle
from tests.rqlited import RqlitedCluster

Body = Callable[[Connection], Any]
DONE = "CREATE TABLE done(id INTEGER PRIMARY KEY)"


@contextmanager
def connected(cluster: RqlitedCluster, **options: Any) -> Iterator[Connection]:
    """A connection to all nodes, without autocommit unless the options say so."""
    hosts = ",".join(node.http_address for node in cluster.nodes)
    connection = pyrqlite.connect(host=hosts, **{"autocommit": False, **options})
    try:
        yield connection
    finally:
        connection.rollback()
        connection.close()


@dataclass
class Fate:
    """The numbers of the transactions that were acknowledged, and of those that were refused; and those that
    each node holds, before and after it has replayed its log."""

    acknowledged: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    before: list[set[int]] = field(default_factory=list)
    after: list[set[int]] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether every node holds just what was acknowledged, before and after."""
        return all(held == self.acknowledged for held in (*self.before, *self.after))

    @property
    def lost(self) -> int:
        """How many acknowledged transactions the node that has fewest of them lacks at the end."""
        return max(len(self.acknowledged - held) for held in self.after)


def run(cluster: RqlitedCluster, body: Body, count: int = 5, **options: Any) -> Fate:
    """Run `body` as several transactions, each with its number inserted behind it; replay all nodes' logs."""
    fate = Fate()
    with connected(cluster, **options) as connection:
        for number in range(count):
            body(connection)
            connection.execute("INSERT INTO done VALUES (?)", (number,))
            try:
                connection.commit()
            except SerializationError:
                fate.refused.add(number)
            else:
                fate.acknowledged.add(number)
    settle(cluster)
    fate.before = held(cluster)
    replay(cluster)
    fate.after = held(cluster)
    return fate


def held(cluster: RqlitedCluster) -> list[set[int]]:
    """The numbers of the transactions that each node holds."""
    return [{number for (number,) in rows(node, "SELECT id FROM done")} for node in cluster.nodes]
