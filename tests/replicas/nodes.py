"""What tests of replication do to nodes, and how they look at what each of them holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tests.rqlited import RqlitedCluster, RqlitedError, RqlitedNode, wait_until

OPTIMIZER, VACUUMER = 1, 2  # what the nodes of these numbers do at each of their snapshots
PER_NODE = {
    OPTIMIZER: ("-auto-optimize-int", "1ms"),
    VACUUMER: ("-auto-vacuum-int", "1ms"),
}


def post(node: RqlitedNode, target: str, statements: Iterable[Any]) -> list[dict[str, Any]]:
    """The results of statements sent to one node by plain HTTP; RqlitedError where one failed."""
    response = node.send("POST", target, json.dumps(list(statements)).encode())
    answer: dict[str, Any] = response.json if response.status == 200 else {"error": response.text}
    failures = [result["error"] for result in answer.get("results", []) if "error" in result]
    if "error" in answer or failures:
        raise RqlitedError(f"{node}: {answer.get('error') or failures}")
    results: list[dict[str, Any]] = answer["results"]
    return results


def execute(cluster: RqlitedCluster, *statements: Any) -> None:
    """What a client does that knows nothing of this driver."""
    # The server's rewriter would put one moment in the place of clocks, in the defaults of a table too.
    post(cluster.leader(), "/db/execute?norwrandom&norwtime", statements)


def rows(node: RqlitedNode, sql: str) -> list[tuple[Any, ...]]:
    """The rows that this node itself holds."""
    result = post(node, "/db/query?level=none", [sql])[0]
    return [tuple(row) for row in result.get("values", [])]


def settle(cluster: RqlitedCluster) -> None:
    """Wait until every node has applied all that was committed so far."""
    leader = cluster.leader()
    post(leader, "/db/query?level=strong", ["SELECT 1"])
    index = leader.status("store.fsm_index")
    for node in cluster.nodes:
        wait_until(partial(_has_applied, node, index), what=f"{node} has applied {index}")


def _has_applied(node: RqlitedNode, index: int) -> bool:
    return bool(node.status("store.fsm_index") >= index)


def replay(cluster: RqlitedCluster, nodes: Sequence[RqlitedNode] | None = None) -> None:
    """End nodes (default: all) as `kill -9` does; started again they execute their logs again."""
    chosen = cluster.nodes if nodes is None else nodes
    for node in chosen:
        node.kill()
    with ThreadPoolExecutor(len(chosen)) as pool:
        list(pool.map(lambda node: node.restart(), chosen))
    cluster.wait_ready()
    settle(cluster)


def snapshot(node: RqlitedNode) -> None:
    """Have a node make a snapshot; what is in it is not executed again."""
    response = node.send("POST", "/snapshot")
    if response.status != 200 and "nothing new" not in response.text:
        raise RqlitedError(f"{node} made no snapshot: {response}")


def let_differ(cluster: RqlitedCluster) -> None:
    """Have one node analyze its tables, and another number its rows anew, as nodes do by themselves."""
    settle(cluster)
    optimizer = cluster.nodes[OPTIMIZER]
    snapshot(optimizer)
    if not _is_analyzed(optimizer):  # all tables are looked at once in the life of a process
        replay(cluster, [optimizer])
        execute(cluster, "CREATE TABLE _anew(a)", "DROP TABLE _anew")
        settle(cluster)
        snapshot(optimizer)
    assert _is_analyzed(optimizer)
    snapshot(cluster.nodes[VACUUMER])


def lead_without_statistics(cluster: RqlitedCluster) -> None:
    """See to it that the node that has analyzed its tables does not lead."""
    while cluster.leader() is cluster.nodes[OPTIMIZER]:
        replay(cluster, [cluster.leader()])


def _is_analyzed(node: RqlitedNode) -> bool:
    """Whether there are statistics of every table that has rows and indexes."""
    if not rows(node, "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'"):
        return False
    found = rows(node, "SELECT DISTINCT tbl FROM sqlite_stat1")
    indexed = rows(node, "SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'index'")
    missing = set(indexed) - set(found)
    return not any(rows(node, f'SELECT 1 FROM "{table}" LIMIT 1') for (table,) in missing)


def contents(node: RqlitedNode) -> dict[str, list[str]]:
    """The rows of each table as this node holds them, as sorted texts."""
    names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return {
        name: sorted(json.dumps(row) for row in rows(node, f'SELECT * FROM "{name}"'))
        for (name,) in rows(node, names)
    }


def differing_tables(cluster: RqlitedCluster) -> set[str]:
    """The names of the tables that do not hold the same on all nodes."""
    first, *others = map(contents, cluster.nodes)
    return {
        name
        for other in others
        for name in first.keys() | other.keys()
        if first.get(name) != other.get(name)
    }
