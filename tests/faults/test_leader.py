"""The leader is killed or stopped under writes, transactions and reads."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import pytest

from pyrqlite.connection import Connection
from tests.faults.clients import Clients, Operation, Perform, check, connecting, transact, write
from tests.faults.conftest import hosts_of
from tests.rqlited import RqlitedCluster, RqlitedNode

pytestmark = pytest.mark.cluster
Fault = Callable[[RqlitedCluster, RqlitedNode], object]


def kill(cluster: RqlitedCluster, leader: RqlitedNode) -> None:
    leader.kill()


def stop(cluster: RqlitedCluster, leader: RqlitedNode) -> None:
    leader.suspend()


def step_down(cluster: RqlitedCluster, leader: RqlitedNode) -> None:
    leader.send("POST", "/leader?wait")


def restart_all(cluster: RqlitedCluster, leader: RqlitedNode) -> None:
    for node in cluster.nodes:
        node.kill()
    for node in cluster.nodes:
        node.restart()


@dataclass(frozen=True)
class Work:
    name: str
    perform: Perform
    autocommit: bool
    parts: int


WRITES = Work("writes", write, True, 1)
TRANSACTIONS = Work("transactions", transact, False, 2)
# Elections of this cluster take about a second, and the driver finds the new leader within another; the clients
# wait two seconds for a stopped node, and this machine is busy.
LONGEST_GAP = 10.0


def suffer(
    cluster: RqlitedCluster, fault: Fault, work: Work, *, exactly_once: bool, transport: str
) -> str:
    """Run clients, hurt the cluster meanwhile, mend it; the figures."""
    connect = connecting(
        hosts_of(cluster),
        autocommit=work.autocommit,
        exactly_once=exactly_once,
        transport=transport,
        timeout=None,  # a leader that is stopped is noticed all the same
    )
    clients = Clients(connect, work.perform)
    leader = cluster.leader()
    with clients.working():
        clients.wait(5)
        clients.hurt(lambda: fault(cluster, leader), then=15)
    if leader.suspended:
        leader.resume()
    if not leader.running:
        leader.restart()
    cluster.wait_ready()
    clients.tally.show_errors()
    check(connecting(hosts_of(cluster), timeout=30.0), clients.tally, work.parts)
    if exactly_once:
        assert not clients.tally.ambiguous
    assert clients.tally.gap < LONGEST_GAP
    once = ", exactly once" if exactly_once else ""
    return clients.tally.figures(f"{fault.__name__}, {work.name}{once}")


# All that can kill or stop the leader; of the milder faults one of each.
CASES = [
    *itertools.product([kill, stop], [WRITES, TRANSACTIONS], [False, True]),
    (step_down, WRITES, False),
    (step_down, TRANSACTIONS, True),
    (restart_all, WRITES, True),
    (restart_all, TRANSACTIONS, False),
]


@pytest.mark.parametrize(
    ("fault", "work", "exactly_once"),
    [
        pytest.param(*case, id=f"{case[0].__name__}-{case[1].name}{'-once' * case[2]}")
        for case in CASES
    ],
)
def test_nothing_is_lost_or_doubled(
    cluster: RqlitedCluster, fault: Fault, work: Work, exactly_once: bool
) -> None:
    print(suffer(cluster, fault, work, exactly_once=exactly_once, transport="urllib3"))


@pytest.mark.parametrize(
    ("fault", "transport"), [(stop, "curl"), (kill, "aiohttp"), (stop, "asyncio")]
)
def test_by_each_transport(cluster: RqlitedCluster, fault: Fault, transport: str) -> None:
    print(transport, suffer(cluster, fault, WRITES, exactly_once=True, transport=transport))


def read(connection: Connection, operation: Operation) -> None:
    connection.execute("SELECT count(*) FROM written").fetchone()


@pytest.mark.parametrize("perform", [write, read])
def test_first_request_while_the_leader_is_stopped(
    cluster: RqlitedCluster, perform: Perform
) -> None:
    """Followers would point to the old leader, a minute later."""
    leader = cluster.leader()
    hosts = [node.http_address for node in (*cluster.followers(), leader)]
    leader.suspend()
    with closing(connecting(hosts, timeout=None, deadline=30.0)()) as connection:
        perform(connection, (1, 1))
