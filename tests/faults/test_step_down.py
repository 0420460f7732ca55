"""The leader steps down without a word to the driver, and its successor dies or stops."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.faults.clients import Clients, check, connecting, write
from tests.faults.conftest import hosts_of
from tests.rqlited import RqlitedCluster

pytestmark = pytest.mark.cluster
TRIALS = 2


@pytest.mark.parametrize("end", ["kill", "suspend"])
def test_successor_is_gone(cluster: RqlitedCluster, end: str) -> None:
    connect = connecting(hosts_of(cluster), timeout=0.9)
    clients = Clients(connect, write, count=2)
    for _ in range(TRIALS):
        with closing(connect()) as connection:
            connection.execute(
                "DELETE FROM written WHERE client > 100"
            )  # now the driver knows the leader
            known = connection.session.cluster.nodes.leader
            before = cluster.leader()
            assert known is not None
            assert known.netloc == before.http_address
            before.send("POST", "/leader?wait")
            successor = cluster.leader()
            assert successor is not before
            assert connection.session.cluster.nodes.leader == known
            getattr(successor, end)()
            with clients.working():
                clients.hurt(lambda: None, then=6)
        if successor.suspended:
            successor.resume()
        else:
            successor.restart()
        cluster.wait_ready()
    clients.tally.show_errors()
    check(connecting(hosts_of(cluster), timeout=30.0), clients.tally)
    print(clients.tally.figures(f"step-down, then {end} of the new leader"))
