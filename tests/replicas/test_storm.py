"""The storm, on a cluster and on a single node. PYRQLITE_STORM_SECONDS makes it longer."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from pyrqlite.admin import verify
from tests.replicas.naive import switch_off_rules
from tests.replicas.nodes import contents, differing_tables, replay, rows, settle
from tests.replicas.storm import ACCOUNTS, PLAIN_TABLES, START, Storm
from tests.rqlited import (
    NodeOptions,
    RqlitedCluster,
    RqlitedNode,
    running_cluster,
    running_node,
)

SECONDS = float(os.environ.get("PYRQLITE_STORM_SECONDS", "10"))
SEED = int(os.environ.get("PYRQLITE_STORM_SEED", str(random.SystemRandom().randrange(10**6))))
OPTIMIZE = ("-auto-optimize-int", "1s", "-raft-snap", "40", "-raft-snap-int", "1s")
DONE = "SELECT id FROM done"
VACUUM = ("-auto-vacuum-int", "1s", "-raft-snap", "40", "-raft-snap-int", "1s")


def look(storm: Storm, cluster: RqlitedCluster) -> set[str]:
    """Every node holds what was acknowledged, nothing that was refused, and the same as the others: the ids."""
    tally = storm.tally
    assert not tally.errors, "\n".join(tally.errors)
    held = [{str(each) for (each,) in rows(node, DONE)} for node in cluster.nodes]
    for node, ids in zip(cluster.nodes, held, strict=True):
        applied = len(tally.unknown & ids)
        print(
            f"{node.url}: {len(ids)} transactions, {len(tally.acknowledged - ids)} acknowledged ones lost, "
            f"{len(tally.failed & ids)} refused ones applied, {applied} of {len(tally.unknown)} unknown ones"
        )
    for ids in held:
        assert tally.acknowledged <= ids
        assert not tally.failed & ids
        assert ids == held[0]
    for node in cluster.nodes:
        sums = rows(node, "SELECT count(*), sum(balance) FROM account")
        assert sums == [(ACCOUNTS, ACCOUNTS * START)]
        assert rows(node, "PRAGMA integrity_check") == [("ok",)]
    return held[0]


def tell(storm: Storm) -> None:
    print(f"seed {SEED}, {SECONDS:g} s: {dict(storm.tally.counts)}")


@pytest.mark.cluster
def test_cluster(rqlited_binary: Path, tmp_path: Path) -> None:
    """Three nodes, and later a fourth."""
    nodes = {1: OPTIMIZE, 2: VACUUM}
    with running_cluster(rqlited_binary, tmp_path, per_node=nodes) as cluster:
        storm = Storm(cluster, SEED)
        added = RqlitedNode(rqlited_binary, tmp_path / "added", cluster.nodes[0].options)
        added.join = tuple(node.raft_address for node in cluster.nodes)
        try:
            with storm.blowing(writers=5):
                storm.kill_nodes(SECONDS / 2)
                added.start()
                added.wait_ready()
                storm.kill_nodes(SECONDS / 2)
            everything = RqlitedCluster([*cluster.nodes, added])
            tell(storm)
            settle(everything)
            before = look(storm, everything)
            replay(everything)
            assert look(storm, everything) == before
            assert storm.tally.acknowledged
            assert storm.tally.counts["kills"]
            report = verify(everything.leader().url)
            print({table.name: table.differing for table in report.tables})
            assert len(report.compared) == 4
            assert not report.schema
            assert {table.name for table in report.tables if table.differing} == PLAIN_TABLES
            assert differing_tables(everything) == PLAIN_TABLES
        finally:
            if added.running:
                added.kill()


@pytest.mark.cluster
def test_cluster_loses_without_the_rules(
    rqlited_binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, even without a kill, with guards as one would write them without knowing better."""
    switch_off_rules(monkeypatch)
    with running_cluster(rqlited_binary, tmp_path, per_node={1: OPTIMIZE, 2: VACUUM}) as cluster:
        storm = Storm(cluster, SEED)
        with storm.blowing(writers=5):
            storm.wait_for_more(60, time.monotonic() + 60)
        tell(storm)
        settle(cluster)
        assert not storm.tally.errors, "\n".join(storm.tally.errors)
        lost = [
            len(storm.tally.acknowledged - {str(each) for (each,) in rows(node, DONE)})
            for node in cluster.nodes
        ]
        print(f"lost of {len(storm.tally.acknowledged)} on each node: {lost}")
        assert max(lost) > 0


def test_single_node(rqlited_binary: Path, tmp_path: Path) -> None:
    """One node that is killed and replays its log: what it held before it holds again."""
    options = NodeOptions(raft_timeout="500ms", extra=OPTIMIZE + VACUUM[:2])
    with running_node(rqlited_binary, tmp_path, options) as node:
        single = RqlitedCluster([node])
        storm = Storm(single, SEED)
        with storm.blowing(writers=3):
            storm.kill_nodes(SECONDS / 2)
        tell(storm)
        settle(single)
        look(storm, single)
        before = contents(node)
        replay(single)
        look(storm, single)
        after = contents(node)
        assert {name for name in before if before[name] != after[name]} <= PLAIN_TABLES
        assert before.keys() == after.keys()
