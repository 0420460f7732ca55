"""A database behind each of the two ways in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rqlite_embedded import EmbeddedServer, open_database
from tests.embedded.asking import Ask, in_process, over_http
from tests.plain_http import PlainClient


@pytest.fixture
def local() -> Iterator[Ask]:
    """An empty database in this process."""
    with open_database() as handler:
        yield in_process(handler)


@pytest.fixture
def served() -> Iterator[EmbeddedServer]:
    """A running server with an empty database."""
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def remote(served: EmbeddedServer) -> Iterator[Ask]:
    """An empty database over HTTP."""
    with PlainClient(served.url) as client:
        yield over_http(client)


@pytest.fixture(params=["local", "remote"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """An empty database, each way in in turn."""
    fixture: Ask = request.getfixturevalue(request.param)
    return fixture
