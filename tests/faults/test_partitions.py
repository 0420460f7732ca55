"""The network between the nodes is cut; clients reach all of them, or only those on their side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
import tenacity

from tests.faults.clients import Clients, check, connecting, write
from tests.faults.conftest import heal, hosts_of, wired_to
from tests.faults.partitions import CAN_TELL_NODES_APART, Network
from tests.faults.test_leader import LONGEST_GAP, TRANSACTIONS, WRITES, Work
from tests.faults.test_reads import LEVELS, Watch
from tests.rqlited import RqlitedCluster, RqlitedNode, running_cluster, wait_until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(
        not CAN_TELL_NODES_APART, reason="there is no /proc that says which node has a connection"
    ),
]


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    with Network() as network:
        yield network


@pytest.fixture(scope="module")
def networked(
    net: Network, rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RqlitedCluster]:
    directory = tmp_path_factory.mktemp("partitions")
    with running_cluster(rqlited_binary, directory, advertise=net.add) as cluster:
        yield cluster


@pytest.fixture
def cluster(net: Network, networked: RqlitedCluster) -> RqlitedCluster:
    """Three nodes that hear each other, with empty tables."""
    net.mend()
    heal(networked)
    return networked


Fault = Callable[[Network, RqlitedNode, Sequence[RqlitedNode]], None]


def isolated_leader(net: Network, leader: RqlitedNode, others: Sequence[RqlitedNode]) -> None:
    net.isolate(leader)


def deaf_leader(net: Network, leader: RqlitedNode, others: Sequence[RqlitedNode]) -> None:
    """It goes on telling the others that it leads, and they what it cannot hear."""
    net.cut(*((other, leader) for other in others))


def mute_leader(net: Network, leader: RqlitedNode, others: Sequence[RqlitedNode]) -> None:
    net.cut(*((leader, other) for other in others))


def bridge(net: Network, leader: RqlitedNode, others: Sequence[RqlitedNode]) -> None:
    """The leader and one of its followers hear each other only by way of the third, which passes nothing on."""
    net.part(leader, others[0])


def isolated_follower(net: Network, leader: RqlitedNode, others: Sequence[RqlitedNode]) -> None:
    net.isolate(others[0])


# They cost the leader its majority.
LONELY_LEADERS = (isolated_leader, deaf_leader, mute_leader)


def suffer(
    cluster: RqlitedCluster,
    net: Network,
    fault: Fault,
    work: Work,
    *,
    exactly_once: bool,
    transport: str = "urllib3",
) -> str:
    """Cut the network under clients that reach all nodes, and mend it under them; the figures."""
    connect = connecting(
        hosts_of(cluster),
        autocommit=work.autocommit,
        exactly_once=exactly_once,
        transport=transport,
        timeout=None,
    )
    clients = Clients(connect, work.perform)
    leader, others = cluster.leader(), cluster.followers()
    with clients.working():
        clients.wait(5)
        fault(net, leader, others)
        if fault in LONELY_LEADERS:
            wait_until(lambda: not claims(leader), what="the leader notices")
        clients.wait(10 // work.parts**2)
        clients.hurt(net.mend, then=5)
    cluster.wait_ready()
    clients.tally.show_errors()
    check(connecting(hosts_of(cluster), timeout=30.0), clients.tally, work.parts)
    if exactly_once:
        assert not clients.tally.ambiguous
    assert clients.tally.gap < LONGEST_GAP
    once = ", exactly once" if exactly_once else ""
    return clients.tally.figures(f"{fault.__name__}, {transport}, {work.name}{once}")


def claims(node: RqlitedNode) -> bool:
    return bool(node.status("store.raft.state") == "Leader")


IMPATIENT = tenacity.Retrying(stop=tenacity.stop_after_delay(0.3), wait=tenacity.wait_fixed(0.05))
CASES = [
    *itertools.product([isolated_leader], [WRITES, TRANSACTIONS], [False, True]),
    (deaf_leader, WRITES, True),
    (deaf_leader, TRANSACTIONS, False),
    (mute_leader, WRITES, False),
    (mute_leader, TRANSACTIONS, True),
    (bridge, WRITES, False),
    (bridge, TRANSACTIONS, True),
    (isolated_follower, WRITES, True),
    (isolated_follower, TRANSACTIONS, False),
]


@pytest.mark.parametrize(
    ("fault", "work", "exactly_once"),
    [
        pytest.param(*case, id=f"{case[0].__name__}-{case[1].name}{'-once' * case[2]}")
        for case in CASES
    ],
)
def test_nothing_is_lost_or_doubled(
    cluster: RqlitedCluster, net: Network, fault: Fault, work: Work, exactly_once: bool
) -> None:
    print(suffer(cluster, net, fault, work, exactly_once=exactly_once))


@pytest.mark.parametrize("transport", ["curl", "asyncio"])
def test_by_each_transport(cluster: RqlitedCluster, net: Network, transport: str) -> None:
    print(suffer(cluster, net, isolated_leader, WRITES, exactly_once=True, transport=transport))


@pytest.mark.parametrize("exactly_once", [False, True], ids=["plain", "once"])
def test_half_of_the_clients_are_with_the_isolated_leader(
    cluster: RqlitedCluster, net: Network, exactly_once: bool
) -> None:
    """Each half reaches only the nodes on its side."""
    leader, others = cluster.leader(), cluster.followers()
    with wired_to(cluster) as few, wired_to(cluster) as most:
        lonely, lively = (
            Clients(
                wired.connecting(exactly_once=exactly_once, timeout=0.9, retry=IMPATIENT),
                write,
                count=2,
                first=first,
            )
            for first, wired in ((0, few), (2, most))
        )
        with lonely.working(), lively.working():
            for clients in (lonely, lively):
                clients.wait(5)
            net.isolate(leader)
            most.wire(leader).cut()
            for node in others:
                few.wire(node).cut()
            lively.wait(15)
            if not exactly_once:
                wait_until(lambda: lonely.tally.failed, what="the few are told that nobody leads")
            net.mend()
            for wire in (*few.wires.values(), *most.wires.values()):
                wire.mend()
            for clients in (lonely, lively):
                clients.hurt(lambda: None, then=5)
    cluster.wait_ready()
    tally = lonely.tally | lively.tally
    tally.show_errors()
    check(connecting(hosts_of(cluster), timeout=30.0), tally)
    if exactly_once:
        assert not tally.ambiguous
    print(lonely.tally.figures("with the isolated leader"))
    print(lively.tally.figures("with the others"))


@contextmanager
def all_working(everybody: Sequence[Clients]) -> Iterator[None]:
    """Work while the block runs, and a little longer."""
    with ExitStack() as stack:
        for clients in everybody:
            stack.enter_context(clients.working())
        for clients in everybody:
            clients.wait(5)
        yield
        for clients in everybody:
            clients.hurt(lambda: None, then=3)


@pytest.mark.parametrize("fault", [*LONELY_LEADERS, bridge])
def test_levels(cluster: RqlitedCluster, net: Network, fault: Fault) -> None:
    """Reads by clients that reach all nodes go on."""
    connect = connecting(hosts_of(cluster), timeout=None)
    watch = Watch()
    writers = Clients(connect, watch.write, count=2)
    readers = {level: Clients(connect, watch.read(level), count=1) for level in LEVELS}
    everybody = [writers, *readers.values()]
    with all_working(everybody):
        fault(net, cluster.leader(), cluster.followers())
        for clients in everybody:
            clients.wait(10)
        net.mend()
    for level, clients in readers.items():
        figures = clients.tally.figures(f"{fault.__name__}, reads at {level}")
        print(figures, f"{watch.stale[level]} stale")
        clients.tally.show_errors()
        assert not clients.tally.failed, "a majority lived all the time"
        assert clients.tally.gap < LONGEST_GAP
    assert watch.stale["strong"] == 0


def was_refused(clients: Clients) -> bool:
    return bool(clients.tally.failed)


@pytest.mark.parametrize("fault", LONELY_LEADERS)
def test_what_a_leader_says_that_has_no_majority(
    cluster: RqlitedCluster, net: Network, fault: Fault
) -> None:
    """Clients reach it alone: they are told the truth, or nothing, but at the level none."""
    leader = cluster.leader()
    others = cluster.followers()
    watch = Watch()
    writers = Clients(connecting(hosts_of(cluster)), watch.write, count=2)
    alone = connecting([leader.http_address], discovery=False, max_redirects=0, retry=IMPATIENT)
    levels = (*LEVELS, "auto")
    readers = {level: Clients(alone, watch.read(level), count=1) for level in levels}
    everybody = [writers, *readers.values()]
    with all_working(everybody):
        fault(net, leader, others)
        wait_until(lambda: not claims(leader), what="the leader notices")
        writers.wait(10)
        readers["none"].wait(5)
        for level, clients in readers.items():
            if level != "none":
                wait_until(partial(was_refused, clients), what=f"{level} is refused")
        net.mend()
    for level, clients in readers.items():
        figures = clients.tally.figures(f"{fault.__name__}, its answers at {level}")
        print(figures, f"{watch.stale[level]} stale")
    assert watch.stale["none"]
    assert watch.stale["strong"] == 0
