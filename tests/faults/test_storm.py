"""Faults of all kinds, one upon the other, chosen by chance."""

from __future__ import annotations

import os
import random
from contextlib import closing

import pytest

from tests.faults.clients import Clients, check, connecting, write
from tests.faults.conftest import Wired, hosts_of
from tests.rqlited import RqlitedCluster

pytestmark = pytest.mark.cluster
TRANSPORTS = ("urllib3", "curl", "asyncio")


class Storm:
    """Hurts one node at a time, so that a majority lives, and the wires to all."""

    def __init__(self, wired: Wired, seed: int) -> None:
        self._wired = wired
        self._chance = random.Random(seed)
        self.done: list[str] = []

    def blow(self, clients: Clients) -> None:
        """Do some harm, let the clients go on, mend it."""
        cluster, chance = self._wired.cluster, self._chance
        node = chance.choice(cluster.nodes) if chance.random() < 0.3 else cluster.leader()
        kind = chance.choice(("kill", "stop", "step down", "cut", "cut and kill"))
        self.done.append(kind)
        wire = self._wired.wire(node)
        if kind.startswith("cut"):
            wire.cut()
        if kind.endswith("kill"):
            node.kill()
        if kind == "stop":
            node.suspend()
        if kind == "step down":
            cluster.leader().send("POST", "/leader?wait")
        clients.wait(chance.randint(1, 3))
        wire.mend()
        cluster.revive()


def rounds(wired: Wired, seed: int, count: int) -> str:
    storm = Storm(wired, seed)
    transport = TRANSPORTS[seed % len(TRANSPORTS)]
    connect = wired.connecting(exactly_once=True, timeout=0.9, transport=transport)
    clients = Clients(connect, write, count=4)
    with clients.working():
        for _ in range(count):
            storm.blow(clients)
        clients.hurt(lambda: None, then=5)
    clients.tally.show_errors()
    check(connecting(hosts_of(wired.cluster), timeout=30.0), clients.tally)
    assert not clients.tally.ambiguous
    return clients.tally.figures(f"storm {seed}, {transport}: {', '.join(storm.done)}")


@pytest.mark.parametrize("seed", range(int(os.environ.get("STORMS", "1"))))
def test_storm(wired: Wired, seed: int) -> None:
    """STORMS=10 in the environment makes it ten, each of which takes some seconds."""
    print(rounds(wired, seed, 4))


def test_threads_with_one_connection(cluster: RqlitedCluster) -> None:
    """Eight threads on one connection, whose leader is killed."""
    with closing(connecting(hosts_of(cluster), exactly_once=True)()) as connection:

        class Lent:
            """The connection, which no thread may close."""

            autocommit = True
            execute = connection.execute

            def close(self) -> None:
                """Others use it."""

        clients = Clients(lambda: Lent(), write, count=8)  # type: ignore[arg-type,return-value]
        with clients.working():
            clients.wait(5)
            leader = cluster.leader()
            clients.hurt(leader.kill, then=5)
    check(connecting(hosts_of(cluster), timeout=30.0), clients.tally)
    assert not clients.tally.ambiguous
    print(clients.tally.figures("eight threads, one connection"))
