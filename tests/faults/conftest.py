"""One cluster for all faults: each is over when the next begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.clients import SCHEMA, connecting
from tests.rqlited import RqlitedCluster, running_cluster


@pytest.fixture(scope="package")
def hurt_cluster(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RqlitedCluster]:
    with running_cluster(rqlited_binary, tmp_path_factory.mktemp("faults")) as cluster:
        yield cluster


@pytest.fixture
def cluster(hurt_cluster: RqlitedCluster) -> RqlitedCluster:
    """Three nodes that are well, with empty tables."""
    for node in hurt_cluster.nodes:
        if node.suspended:
            node.resume()
        if not node.running:
            node.restart()
    hurt_cluster.wait_ready()
    with closing(connecting(hosts_of(hurt_cluster), timeout=30.0)()) as connection:
        connection.executescript(";".join(SCHEMA))
    return hurt_cluster


def hosts_of(cluster: RqlitedCluster) -> list[str]:
    return [node.http_address for node in cluster.nodes]
