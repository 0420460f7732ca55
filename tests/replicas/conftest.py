"""Clusters whose nodes do what makes nodes differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replicas.nodes import PER_NODE, settle
from tests.rqlited import RqlitedCluster, running_cluster
from tests.servers import fresh


@pytest.fixture(scope="session")
def uneven_nodes(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RqlitedCluster]:
    """Three nodes; at its snapshots one optimizes and another vacuums its database."""
    directory = tmp_path_factory.mktemp("uneven")
    with running_cluster(rqlited_binary, directory, per_node=PER_NODE) as cluster:
        yield cluster


@pytest.fixture
def uneven(uneven_nodes: RqlitedCluster) -> RqlitedCluster:
    """The uneven nodes, all running, with empty databases."""
    for node in uneven_nodes.nodes:
        if not node.running:
            node.restart()
    uneven_nodes.wait_ready()
    fresh(uneven_nodes.leader().url)
    settle(uneven_nodes)
    return uneven_nodes
