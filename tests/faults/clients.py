"""Clients that go on while a cluster suffers, and a count of what they were told against what is there."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pyrqlite
from pyrqlite import OperationalError, OutcomeUnknownError, SerializationError
from pyrqlite.connection import Connection
from tests import worlds
from tests.rqlited import wait_until

SCHEMA = (
    "DROP TABLE IF EXISTS written",
    "DROP TABLE IF EXISTS total",
    "CREATE TABLE written (client INTEGER, number INTEGER, part INTEGER)",
    "CREATE TABLE total (n INTEGER NOT NULL)",
    "INSERT INTO total VALUES (0)",
)
SECONDS = 90.0
Operation = tuple[int, int]
Perform = Callable[[Connection, Operation], object]


@dataclass
class Tally:
    """What became of the operations, by what the clients were told, and when those that succeeded did."""

    acknowledged: set[Operation] = field(default_factory=set)
    failed: set[Operation] = field(default_factory=set)
    ambiguous: set[Operation] = field(default_factory=set)
    at: list[float] = field(default_factory=list)
    errors: list[OperationalError] = field(default_factory=list)

    @property
    def gap(self) -> float:
        """The longest time, in seconds, in which nothing succeeded."""
        return max((later - before for before, later in pairwise(sorted(self.at))), default=0.0)

    def __or__(self, other: Tally) -> Tally:
        """Those of both."""
        return Tally(
            self.acknowledged | other.acknowledged,
            self.failed | other.failed,
            self.ambiguous | other.ambiguous,
            self.at + other.at,
            self.errors + other.errors,
        )

    def show_errors(self) -> None:
        """Print what the clients were told, each text once."""
        for text in sorted({str(error) for error in self.errors}):
            print(text)

    def figures(self, what: str) -> str:
        return (
            f"{what}: {len(self.acknowledged)} acknowledged, {len(self.failed)} failed, "
            f"{len(self.ambiguous)} ambiguous, longest gap {self.gap:.2f} s"
        )


class Clients:
    """Some threads, each with a connection, that perform operations until each has so many acknowledged since
    `hurt` was called. `first` is the number of the first of them, in what they write."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        perform: Perform,
        count: int = 3,
        first: int = 0,
    ) -> None:
        self._first = first
        self._connect = connect
        self._perform = perform
        self._count = count
        self._lock = threading.Lock()
        self._done = [0] * count
        self._goals = [float("inf")] * count
        self._numbers = [itertools.count() for _ in range(count)]
        self._futures: list[Future[None]] = []
        self.tally = Tally()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work while the block runs, and behind it until each client has reached its goal."""
        self._goals = [float("inf")] * self._count
        with ThreadPoolExecutor(self._count) as pool:
            self._futures = [pool.submit(self._work, client) for client in range(self._count)]
            try:
                yield
                for future in self._futures:
                    future.result(SECONDS)
            finally:
                self._goals = [0.0] * self._count

    def hurt(self, fault: Callable[[], object], then: int) -> None:
        """Do harm while they work; then they go on until each has `then` more operations acknowledged."""
        fault()
        self._goals = [done + then for done in self._done]

    def wait(self, more: int) -> None:
        """Wait until each client has so many more operations acknowledged."""
        goals = [done + more for done in self._done]

        def reached() -> bool:
            for future in self._futures:
                if future.done():
                    future.result()
            return all(done >= goal for done, goal in zip(self._done, goals, strict=True))

        wait_until(reached, what=f"{more} operations of each client", seconds=SECONDS)

    def _work(self, client: int) -> None:
        with closing(self._connect()) as connection:
            for number in self._numbers[client]:
                if self._done[client] >= self._goals[client]:
                    return
                self._done[client] += self._try(connection, (self._first + client, number))

    def _try(self, connection: Connection, operation: Operation) -> bool:
        """Whether it was acknowledged."""
        tally = self.tally
        try:
            self._perform(connection, operation)
        except OperationalError as error:
            kind = tally.ambiguous if isinstance(error, OutcomeUnknownError) else tally.failed
            with self._lock:
                kind.add(operation)
                tally.errors.append(error)
            if not connection.autocommit:
                connection.rollback()
            return False
        with self._lock:
            tally.acknowledged.add(operation)
            tally.at.append(time.monotonic())
        return True


def write(connection: Connection, operation: Operation) -> None:
    """One autocommit write."""
    connection.execute("INSERT INTO written VALUES (?, ?, 0)", operation)


def transact(connection: Connection, operation: Operation) -> None:
    """A transaction of a read and three writes, run again where others interfere."""
    while True:
        try:
            (n,) = connection.execute("SELECT n FROM total").fetchone()
            for part in (0, 1):
                connection.execute("INSERT INTO written VALUES (?, ?, ?)", (*operation, part))
            connection.execute("UPDATE total SET n = ?", (n + 1,))
            connection.commit()
        except SerializationError:
            connection.rollback()
            continue
        return


def connecting(hosts: Sequence[str], **options: Any) -> Callable[[], Connection]:
    """A way to make connections to these nodes; the transports aiohttp and asyncio (its own) in an event loop."""
    options = {"autocommit": True, "timeout": 2.0, "connect_timeout": 1.0, **options}
    connect = pyrqlite.connect
    if options.get("transport") in ("aiohttp", "asyncio"):
        connect = worlds.connect
        options["transport"] = {"aiohttp": "aiohttp", "asyncio": "auto"}[options["transport"]]
    return lambda: connect(f"http://{','.join(hosts)}", **options)


def check(connect: Callable[[], Connection], tally: Tally, parts: int = 1) -> None:
    """Nothing acknowledged is lost, nothing is there twice or in part, nothing that failed is there."""
    with closing(connect()) as connection:
        query = "SELECT client, number, part FROM written ORDER BY client, number, part"
        rows = connection.execute(query, level="strong").fetchall()
        (total,) = connection.execute("SELECT n FROM total", level="strong").fetchone()
    there = {(client, number) for client, number, _ in rows}
    assert len(rows) == len(set(rows)) == len(there) * parts, "applied twice, or in part"
    assert tally.acknowledged <= there, "an acknowledged write is lost"
    assert not tally.failed & there, "what was told to have failed is there"
    assert there <= tally.acknowledged | tally.ambiguous
    if parts > 1:
        assert total == len(there)
