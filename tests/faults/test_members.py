"""Nodes come, go, and are found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pyrqlite.cluster.discovery import look_around
from pyrqlite.connection import Connection
from pyrqlite.flow.run import run
from tests.faults.clients import SCHEMA, Clients, check, connecting, write
from tests.rqlited import NodeOptions, RqlitedCluster, RqlitedNode, free_port, wait_until
from tests.servers import ClusterFactory

pytestmark = pytest.mark.cluster


@pytest.fixture
def spare(rqlited_binary: Path, tmp_path: Path) -> Iterator[RqlitedNode]:
    """A node that has not started yet."""
    node = RqlitedNode(rqlited_binary, tmp_path / "spare")
    yield node
    if node.running:
        node.kill()


def add(spare: RqlitedNode, cluster: RqlitedCluster) -> RqlitedCluster:
    spare.options = cluster.nodes[0].options
    spare.join = tuple(node.raft_address for node in cluster.nodes)
    spare.start()
    spare.wait_ready()
    return RqlitedCluster([*cluster.nodes, spare])


def remove(node: RqlitedNode, by: RqlitedNode) -> None:
    answer = by.send("DELETE", "/remove", json.dumps({"id": node.raft_address}).encode())
    assert answer.status == 200


def look(connection: Connection) -> set[str]:
    """What a connection knows once it has looked around."""
    shared = connection.session.cluster
    run(look_around(shared), shared.transport.send)
    return {node.netloc for node in shared.nodes.others(())}


def test_all_nodes_are_replaced_in_turn(
    cluster_factory: ClusterFactory, spare: RqlitedNode
) -> None:
    """The user's only node is the first to go."""
    cluster = cluster_factory(3)
    leader = cluster.leader()
    with closing(connecting([leader.http_address], timeout=30.0)()) as connection:
        connection.executescript(";".join(SCHEMA))
        assert look(connection) == {node.http_address for node in cluster.nodes}
        clients = Clients(connecting([leader.http_address]), write, count=2)
        with clients.working():
            clients.wait(5)
            grown = add(spare, cluster)
            assert look(connection) == {node.http_address for node in grown.nodes}
            left = RqlitedCluster([node for node in grown.nodes if node is not leader])
            leader.send("POST", "/leader?wait")
            wait_until(lambda: grown.leader() is not leader, what="another leader")
            remove(leader, grown.leader())
            leader.kill()
            clients.hurt(lambda: None, then=10)
        assert look(connection) >= {node.http_address for node in left.nodes}
    clients.tally.show_errors()
    check(connecting([left.leader().http_address], timeout=30.0), clients.tally)
    print(clients.tally.figures("a node is replaced"))


def test_a_removed_node_is_not_read_from(cluster_factory: ClusterFactory) -> None:
    """It goes on answering at the level none, with data that grows old."""
    cluster = cluster_factory(3)
    leader, (gone, _) = cluster.leader(), cluster.followers()
    hosts = [gone.http_address, leader.http_address]
    with closing(connecting(hosts)()) as connection:
        connection.execute("CREATE TABLE t (a)")
        look(connection)
        remove(gone, leader)
        connection.execute("INSERT INTO t VALUES (1)")
        assert (
            gone.send("POST", "/db/query?level=none", b'["SELECT count(*) FROM t"]').status == 200
        )
        assert gone.http_address not in look(connection)
        read = connection.cursor(level="none").execute
        wait_until(
            lambda: read("SELECT count(*) FROM t").fetchone() == (1,),
            what="the other follower has it",
        )
        # The user's node all the same: it comes back when it is a member again.
        assert gone.http_address in {node.netloc for node in connection.session.cluster.nodes.known}


def test_an_address_that_is_of_another_cluster_by_now(cluster_factory: ClusterFactory) -> None:
    """One of a single node, which leads itself, and has been elected more often than the leader of the others."""
    cluster = cluster_factory(3)
    hosts = [node.http_address for node in cluster.nodes]
    stray = cluster.leader()
    with closing(connecting(hosts)()) as connection:
        connection.execute("CREATE TABLE t (a)")
        stray.kill()
        connection.execute("INSERT INTO t VALUES (1)")
        shutil.rmtree(stray.directory / "data")
        stray.join, stray.raft_port = (), free_port()
        stray.options = NodeOptions()
        left = RqlitedCluster([node for node in cluster.nodes if node is not stray])
        term = left.leader().status("store.raft.term")
        for _ in range(term):
            stray.restart()
            stray.wait_ready()
            stray.kill()
        stray.restart()
        stray.wait_ready()
        assert stray.status("store.raft.term") > term
        look(connection)
        connection.execute("INSERT INTO t VALUES (2)")
        with closing(connecting(hosts)()) as other:
            other.execute("INSERT INTO t VALUES (3)")
        rows = connection.execute("SELECT a FROM t ORDER BY a", level="strong").fetchall()
        assert rows == [(1,), (2,), (3,)]


def test_the_only_named_node_dies(cluster_factory: ClusterFactory) -> None:
    cluster = cluster_factory(3)
    leader = cluster.leader()
    with closing(connecting([leader.http_address])()) as connection:
        connection.execute("CREATE TABLE t (a)")
        look(connection)
        leader.kill()
        connection.execute("INSERT INTO t VALUES (1)")
        for level in ("strong", "weak", "linearizable"):
            assert connection.execute("SELECT count(*) FROM t", level=level).fetchone() == (1,)
        assert connection.execute("SELECT 1", level="none").fetchone() == (1,)


def test_read_replicas_answer_auto(cluster_factory: ClusterFactory, spare: RqlitedNode) -> None:
    cluster = cluster_factory(3)
    spare.options = cluster.nodes[0].options
    spare.options = type(spare.options)(
        raft_timeout=spare.options.raft_timeout, extra=("-raft-non-voter",)
    )
    spare.join = tuple(node.raft_address for node in cluster.nodes)
    spare.start()
    spare.wait_ready()
    with closing(connecting([cluster.leader().http_address])()) as connection:
        connection.execute("CREATE TABLE t (a)")
        assert spare.http_address in look(connection)
        read = connection.cursor(level="auto").execute
        wait_until(
            lambda: read("SELECT count(*) FROM t").fetchone() == (0,), what="the replica has it"
        )
        served = spare.send("GET", "/debug/vars?key=http").json
        count = served["http"]["queries"]
        read("SELECT count(*) FROM t").fetchone()
        assert spare.send("GET", "/debug/vars?key=http").json["http"]["queries"] > count
