"""One cluster for all faults: each is over when the next begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.clients import SCHEMA, connecting
from tests.faults.wires import Wire
from tests.replicas.nodes import settle
from tests.rqlited import RqlitedCluster, RqlitedNode, running_cluster


@pytest.fixture(scope="package")
def hurt_cluster(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RqlitedCluster]:
    with running_cluster(rqlited_binary, tmp_path_factory.mktemp("faults")) as cluster:
        yield cluster


@pytest.fixture
def cluster(hurt_cluster: RqlitedCluster) -> RqlitedCluster:
    """Three nodes that are well, with empty tables."""
    heal(hurt_cluster)
    return hurt_cluster


def heal(cluster: RqlitedCluster) -> None:
    """Have all nodes well, with empty tables."""
    cluster.revive()
    with closing(connecting(hosts_of(cluster), timeout=30.0)()) as connection:
        connection.executescript(";".join(SCHEMA))
    settle(cluster)


def hosts_of(cluster: RqlitedCluster) -> list[str]:
    return [node.http_address for node in cluster.nodes]


@dataclass
class Wired:
    """A cluster, each node of which the clients reach by a wire of its own."""

    cluster: RqlitedCluster
    wires: dict[str, Wire]

    def wire(self, node: RqlitedNode) -> Wire:
        return self.wires[node.http_address]

    def translate(self, address: str) -> str:
        return f"http://{self.wires[address.removeprefix('http://')].address}"

    def connecting(self, **options: Any) -> Any:
        hosts = [wire.address for wire in self.wires.values()]
        return connecting(hosts, translate_address=self.translate, **options)


@contextmanager
def wired_to(cluster: RqlitedCluster) -> Iterator[Wired]:
    """A wire to each node."""
    with ExitStack() as stack:
        wires = {
            node.http_address: stack.enter_context(Wire(node.http_port)) for node in cluster.nodes
        }
        yield Wired(cluster, wires)


@pytest.fixture
def wired(cluster: RqlitedCluster) -> Iterator[Wired]:
    with wired_to(cluster) as wired:
        yield wired
