"""Servers for all tests: the embedded one, and a real rqlited where there is one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tests.rqlited import (
    NodeOptions,
    RqlitedCluster,
    RqlitedNode,
    find_rqlited,
    running_cluster,
    running_node,
)
from tests.servers import ClusterFactory, NodeFactory, RunningServer, Server, fresh
from tests.worlds import ASYNCIO, SYNC, World, give_transports_back

NOT_FOUND = "rqlited not found"
NEEDS = {
    "rqlited": {"rqlited_binary", "rqlited_node", "rqlited_factory"},
    "cluster": {"rqlited_cluster", "cluster_factory"},
}

settings.register_profile("tests", derandomize=True, deadline=None, database=None)
settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """End at once where RQLITED_PATH is wrong, rather than skip what it should have tested."""
    if sys.version_info < (3, 11):
        # It takes what aiohttp has aborted for open.
        config.addinivalue_line(
            "filterwarnings",
            "ignore:Exception ignored in. <function _SSLProtocolTransport:pytest.PytestUnraisableExceptionWarning",
        )
    try:
        find_rqlited()
    except FileNotFoundError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a real server, and skip it where there is none."""
    missing = find_rqlited() is None
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        for marker, names in NEEDS.items():
            if fixtures & names:
                item.add_marker(marker)
        if missing and any(item.get_closest_marker(marker) for marker in NEEDS):
            item.add_marker(pytest.mark.skip(reason=NOT_FOUND))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was not tested for want of a real server."""
    skipped = [
        report
        for report in terminalreporter.getreports("skipped")
        if isinstance(report.longrepr, tuple) and NOT_FOUND in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.write_sep("=", "real server", yellow=True)
        terminalreporter.write_line(
            f"{NOT_FOUND}: {len(skipped)} integration tests skipped; "
            "install it or set RQLITED_PATH",
            yellow=True,
        )


@pytest.fixture(autouse=True)
def own_transports() -> Iterator[None]:
    """What a test has put in the place of a transport is gone with it."""
    yield
    give_transports_back()


@pytest.fixture(scope="session")
def rqlited_binary() -> Path:
    """The rqlited program."""
    binary = find_rqlited()
    if binary is None:
        pytest.skip(NOT_FOUND)
    return binary


@pytest.fixture(scope="session")
def rqlited_node(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RqlitedNode]:
    """A single node that all tests of a worker share: leave it running, and use `fresh`."""
    with running_node(rqlited_binary, tmp_path_factory.mktemp("rqlited")) as node:
        yield node


@pytest.fixture
def rqlited_factory(rqlited_binary: Path, tmp_path: Path) -> Iterator[NodeFactory]:
    """Starts single nodes that this test alone uses, and may hurt."""
    with ExitStack() as stack:
        started = 0

        def start(options: NodeOptions | None = None) -> RqlitedNode:
            nonlocal started
            started += 1
            directory = tmp_path / f"rqlited-{started}"
            return stack.enter_context(running_node(rqlited_binary, directory, options))

        yield start


@pytest.fixture(scope="session")
def rqlited_cluster(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RqlitedCluster]:
    """Three nodes that all tests of a worker share: hurt none of them."""
    with running_cluster(rqlited_binary, tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def cluster_factory(rqlited_binary: Path, tmp_path: Path) -> Iterator[ClusterFactory]:
    """Starts clusters that this test alone uses, and may hurt."""
    with ExitStack() as stack:
        started = 0

        def start(
            size: int = 3, options: NodeOptions | None = None, *, bootstrap_expect: bool = False
        ) -> RqlitedCluster:
            nonlocal started
            started += 1
            directory = tmp_path / f"cluster-{started}"
            return stack.enter_context(
                running_cluster(
                    rqlited_binary, directory, size, options, bootstrap_expect=bootstrap_expect
                )
            )

        yield start


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[Server]:
    """An embedded server that all tests of a worker share: use `fresh`."""
    from rqlite_embedded import EmbeddedServer

    with EmbeddedServer(None) as server:
        yield server


@pytest.fixture(params=[SYNC, ASYNCIO], ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    """The blocking driver, then the one of asyncio."""
    chosen: World = request.param
    return chosen


@pytest.fixture(params=["embedded", pytest.param("rqlited", marks=pytest.mark.rqlited)])
def server(request: pytest.FixtureRequest) -> RunningServer:
    """Each kind of server in turn, with an empty database."""
    fixture = {"embedded": "embedded_server", "rqlited": "rqlited_node"}[request.param]
    running: Server = request.getfixturevalue(fixture)
    fresh(running.url)
    return RunningServer(request.param, running.url)
