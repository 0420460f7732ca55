"""Engines on each kind of server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from sqlalchemy import Engine, create_engine

from tests.servers import RunningServer
from tests.sqlalchemy_suite.server import dialect_url


class MakeEngine(Protocol):
    """The type of the fixture `make_engine`."""

    def __call__(self, query: str = "", **options: Any) -> Engine: ...


@pytest.fixture
def url(server: RunningServer) -> str:
    """SQLAlchemy's URL of an empty server."""
    return dialect_url(server.url)


@pytest.fixture
def make_engine(url: str) -> Iterator[MakeEngine]:
    """Makes engines for that server, with a query for the URL and options of create_engine."""
    with ExitStack() as stack:

        def make(query: str = "", **options: Any) -> Engine:
            engine = create_engine(url + query, **options)
            stack.callback(engine.dispose)
            return engine

        yield make


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    """An engine as users make it."""
    return make_engine()
