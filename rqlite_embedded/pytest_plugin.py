"""Fixtures for pytest: a running server with ``.url``, on a temporary database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .server import EmbeddedServer


@pytest.fixture
def rqlite_server() -> Iterator[EmbeddedServer]:
    """A server of this test alone, with an empty database."""
    yield from _serve()


@pytest.fixture(scope="session")
def rqlite_server_session() -> Iterator[EmbeddedServer]:
    """One server for all tests of the session."""
    yield from _serve()


def _serve() -> Iterator[EmbeddedServer]:
    # Every run of pytest loads this module; only those that use a fixture load the server.
    from .server import EmbeddedServer

    with EmbeddedServer() as server:
        yield server
