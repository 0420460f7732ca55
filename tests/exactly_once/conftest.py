"""A database behind a proxy, and connections of each transport through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any

import pytest

import pyrqlite
from pyrqlite.connection import Connection
from tests import worlds
from tests.exactly_once.proxy import Act, Proxy
from tests.servers import RunningServer

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 1000))"


@pytest.fixture(params=["urllib3", "curl", "asyncio"])
def transport(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


class Bank:
    """A table `t` with one counter of the key 1; asked without a proxy, changed through one."""

    def __init__(self, url: str, transport: str, stack: ExitStack) -> None:
        self._url, self._transport, self._stack = url, transport, stack
        self._direct = stack.enter_context(closing(pyrqlite.connect(url, autocommit=True)))
        self._direct.executescript(f"{TABLE}; INSERT INTO t VALUES (1, 0)")

    def proxy(self, acts: Mapping[str, Sequence[Act]]) -> Proxy:
        return self._stack.enter_context(Proxy(self._url, acts))

    def connect(self, proxy: Proxy, **options: Any) -> Connection:
        options = {"timeout": 30.0, "autocommit": True, "exactly_once": True, **options}
        return self._stack.enter_context(
            closing(
                worlds.connect(proxy.url, **options)
                if self._transport == "asyncio"
                else pyrqlite.connect(proxy.url, transport=self._transport, **options)
            )
        )

    def rows(self) -> list[tuple[int, int]]:
        """What the table holds."""
        return self._direct.execute("SELECT id, n FROM t ORDER BY id", level="strong").fetchall()

    def execute(self, sql: str) -> Callable[[], object]:
        """Something that another client does when it is called."""
        return lambda: self._direct.execute(sql)


@pytest.fixture
def bank(server: RunningServer, transport: str) -> Iterator[Bank]:
    with ExitStack() as stack:
        yield Bank(server.url, transport, stack)
