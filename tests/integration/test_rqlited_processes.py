"""The helpers that start, stop and hurt real rqlited processes do what they say."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import trustme

from tests.plain_http import send_once
from tests.rqlited import NodeOptions, RqlitedCluster, RqlitedNode, TLSFiles, User
from tests.servers import ClusterFactory, NodeFactory, RunningServer, fresh


def execute(node: RqlitedNode, sql: str) -> object:
    return node.send("POST", "/db/execute", f'["{sql}"]'.encode()).json["results"][0]


def count(node: RqlitedNode, level: str = "strong") -> object:
    target = f"/db/query?level={level}&q=SELECT%20count(*)%20FROM%20t"
    return node.send("GET", target).json["results"][0].get("values")


def test_shared_node_is_emptied(rqlited_node: RqlitedNode) -> None:
    execute(rqlited_node, "CREATE TABLE t (a)")
    execute(rqlited_node, "BEGIN")
    fresh(rqlited_node.url)
    assert "error" not in str(execute(rqlited_node, "CREATE TABLE t (a)"))
    fresh(rqlited_node.url)


def test_each_kind_of_server_starts_empty(server: RunningServer) -> None:
    target = "/db/query?q=SELECT%20count(*)%20FROM%20sqlite_schema"
    answer = send_once(server.url, "GET", target).json
    assert answer["results"][0]["values"] == [[0]]


def test_restart_keeps_address_and_data(rqlited_factory: NodeFactory) -> None:
    node = rqlited_factory()
    execute(node, "CREATE TABLE t (a)")
    url = node.url
    node.kill()
    assert not node.running
    node.restart()
    node.wait_ready()
    assert (node.url, count(node)) == (url, [[0]])
    node.terminate()
    assert not node.running


def test_authentication(rqlited_factory: NodeFactory) -> None:
    users = (User("boss", "secret", ("all",)), User("reader", "r", ("query",)))
    node = rqlited_factory(NodeOptions(users=users))
    assert node.send("GET", "/db/query?q=SELECT%201").status == 200
    assert send_once(node.url, "GET", "/db/query?q=SELECT%201").status == 401
    reader = {"Authorization": users[1].authorization}
    assert send_once(node.url, "GET", "/db/query?q=SELECT%201", headers=reader).status == 200


@pytest.mark.parametrize("verify_client", [False, True])
def test_tls(rqlited_factory: NodeFactory, tmp_path: Path, verify_client: bool) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    tls = TLSFiles(tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem", verify_client)
    node = rqlited_factory(NodeOptions(tls=tls))
    assert node.url.startswith("https://")
    assert node.send("GET", "/db/query?q=SELECT%201").status == 200


def test_foreign_keys(rqlited_factory: NodeFactory) -> None:
    node = rqlited_factory(NodeOptions(foreign_keys=True))
    assert "foreign_keys" in str(node.status("store.sqlite3.pragmas.rw"))
    assert node.status("store.sqlite3.pragmas.rw.foreign_keys") == "1"


def test_shared_cluster(rqlited_cluster: RqlitedCluster) -> None:
    leader = rqlited_cluster.leader()
    followers = rqlited_cluster.followers()
    assert len(followers) == 2
    assert leader not in followers
    nodes = leader.send("GET", "/nodes?ver=2").json["nodes"]
    assert {node["addr"] for node in nodes} == {n.raft_address for n in rqlited_cluster.nodes}
    fresh(leader.url)
    execute(leader, "CREATE TABLE t (a)")
    assert [count(node) for node in rqlited_cluster.nodes] == [[[0]]] * 3


@pytest.mark.slow
@pytest.mark.parametrize("bootstrap_expect", [False, True])
def test_cluster_outlives_its_leader(
    cluster_factory: ClusterFactory, bootstrap_expect: bool
) -> None:
    cluster = cluster_factory(3, bootstrap_expect=bootstrap_expect)
    first = cluster.leader()
    execute(first, "CREATE TABLE t (a)")
    first.kill()
    second = cluster.leader()
    assert second is not first
    execute(second, "INSERT INTO t VALUES (1)")
    first.restart()
    first.wait_ready()
    assert count(first) == [[1]]


@pytest.mark.slow
def test_suspended_leader_is_replaced(cluster_factory: ClusterFactory) -> None:
    cluster = cluster_factory(3)
    first = cluster.leader()
    first.suspend()
    begin = time.monotonic()
    second = cluster.leader()
    assert second is not first
    assert time.monotonic() - begin < 20
    first.resume()
    cluster.wait_ready()
    assert len(cluster.followers()) == 2
