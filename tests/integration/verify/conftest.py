"""A cluster for the tests of `verify`, which leave its nodes equal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.verify.nodes import execute, rows
from tests.rqlited import RqlitedCluster, running_cluster


@pytest.fixture(scope="module")
def own_cluster(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RqlitedCluster]:
    """Three nodes that the tests of a module share, and hurt."""
    with running_cluster(rqlited_binary, tmp_path_factory.mktemp("verify")) as cluster:
        yield cluster


@pytest.fixture
def empty_cluster(own_cluster: RqlitedCluster) -> RqlitedCluster:
    """The module's cluster, without tables."""
    leader = own_cluster.leader()
    for kind in ("trigger", "view", "table"):
        names = rows(
            leader,
            f"SELECT name FROM sqlite_schema WHERE type = '{kind}' AND name NOT GLOB 'sqlite_*'"
            " AND (sql LIKE 'CREATE VIRTUAL%' OR name NOT GLOB 'f_*')",
        )
        for (name,) in names:
            execute(leader, f'DROP {kind} IF EXISTS "{name}"')
    return own_cluster
