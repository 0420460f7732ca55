"""Reads while the leader dies, stops, or steps down: what each level promises, and that they go on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from pyrqlite import OperationalError
from pyrqlite.connection import Connection
from tests.faults.clients import Clients, Operation, connecting, write
from tests.faults.conftest import hosts_of
from tests.faults.test_leader import LONGEST_GAP, kill, step_down, stop
from tests.rqlited import RqlitedCluster, RqlitedNode

pytestmark = pytest.mark.cluster
LEVELS = ("none", "weak", "linearizable", "strong")


@dataclass
class Watch:
    """Counts, by level, reads that did not see what had been acknowledged before they began."""

    acknowledged: int = 0
    stale: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, connection: Connection, operation: Operation) -> None:
        """A write that is counted once it is acknowledged."""
        write(connection, operation)
        with self.lock:
            self.acknowledged += 1

    def read(self, level: str) -> Callable[[Connection, Operation], None]:
        def perform(connection: Connection, operation: Operation) -> None:
            before = self.acknowledged
            query = "SELECT count(*) FROM written"
            (seen,) = connection.execute(query, level=level).fetchone()
            self.stale[level] += seen < before

        return perform


@pytest.mark.parametrize("fault", [kill, stop, step_down])
def test_levels(
    cluster: RqlitedCluster, fault: Callable[[RqlitedCluster, RqlitedNode], object]
) -> None:
    connect = connecting(hosts_of(cluster), timeout=None)
    watch = Watch()
    writers = Clients(connect, watch.write, count=2)
    readers = {level: Clients(connect, watch.read(level), count=1) for level in LEVELS}
    leader = cluster.leader()
    everybody = [writers, *readers.values()]

    def hurt(rest: list[Clients]) -> None:
        """All work at once, and go on behind the fault."""
        if not rest:
            for clients in everybody:
                clients.wait(5)
            fault(cluster, leader)
            for clients in everybody:
                clients.hurt(lambda: None, then=15)
            return
        with rest[0].working():
            hurt(rest[1:])

    hurt(everybody)
    if leader.suspended:
        leader.resume()
    if not leader.running:
        leader.restart()
    cluster.wait_ready()
    for level, clients in readers.items():
        print(
            clients.tally.figures(f"{fault.__name__}, reads at {level}"),
            f"{watch.stale[level]} stale",
        )
        clients.tally.show_errors()
        assert not clients.tally.ambiguous
        assert not clients.tally.failed, "a majority lived all the time"
        assert clients.tally.gap < LONGEST_GAP
    assert watch.stale["strong"] == 0


def test_reads_at_none_need_no_leader(cluster: RqlitedCluster) -> None:
    """One node of three is left."""
    _, *others = cluster.nodes
    with closing(connecting(hosts_of(cluster), timeout=0.9, deadline=2.0)()) as connection:
        connection.execute("INSERT INTO written VALUES (1, 1, 0)")
        connection.execute("SELECT count(*) FROM written", level="none").fetchone()
        for node in others:
            node.kill()
        for _ in range(10):
            connection.execute("SELECT count(*) FROM written", level="none").fetchone()
        with pytest.raises(OperationalError) as caught:
            connection.execute("SELECT 1", level="strong", timeout=0.5)
        assert caught.value.attempts


def test_stale_reads_are_asked_of_the_next_node(cluster: RqlitedCluster) -> None:
    """With freshness, a node that has lost the others refuses; the leader never does."""
    follower = cluster.followers()[0]
    hosts = [follower.http_address, cluster.leader().http_address]
    with closing(connecting(hosts)()) as connection:
        read = connection.cursor(level="none", freshness=1e-9).execute
        for _ in range(5):
            assert read("SELECT 1").fetchone() == (1,)
