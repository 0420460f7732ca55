"""Each transport in turn, and connections that are closed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest

import pyrqlite
from pyrqlite import Connection


class Connect(Protocol):
    """The type of the fixture `connect`."""

    def __call__(self, target: str | None = None, **options: Any) -> Connection: ...


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens connections that apply each statement at once."""
    with ExitStack() as stack:

        def open_one(target: str | None = None, **options: Any) -> Connection:
            connection = pyrqlite.connect(target, **{"autocommit": True, **options})
            stack.callback(connection.close)
            return connection

        yield open_one


@pytest.fixture(params=["urllib3", "curl", "requests"])
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name
