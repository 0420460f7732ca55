"""Connections to servers that the tests of this folder share; each test or example makes its own tables."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import pyrqlite
from pyrqlite import Connection
from tests.servers import Server, fresh

# PYRQLITE_EXAMPLES multiplies the number of examples of each property, and makes them random.
SCALE = int(os.environ.get("PYRQLITE_EXAMPLES", "1"))


def examples(count: int) -> settings:
    """So many examples in ordinary runs."""
    return settings(
        max_examples=count * SCALE,
        derandomize=SCALE == 1,
        deadline=None,
        database=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
    )


@pytest.fixture(params=["embedded", pytest.param("rqlited", marks=pytest.mark.rqlited)])
def url(request: pytest.FixtureRequest) -> str:
    """The address of each kind of server in turn; empty at the start."""
    fixture = {"embedded": "embedded_server", "rqlited": "rqlited_node"}[request.param]
    running: Server = request.getfixturevalue(fixture)
    fresh(running.url)
    return running.url


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with pyrqlite.connect(url, autocommit=True) as connection:
        yield connection
    connection.close()
