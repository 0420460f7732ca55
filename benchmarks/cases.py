"""The table of cases: what each subject does against the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks import data
from benchmarks.clients import Client

THREADS = 16


class Session:
    """A subject's clients: one for the main thread, and one for each thread of the pool."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self.client = connect()
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(
            THREADS, initializer=lambda: setattr(self._local, "client", connect())
        )

    def spread(
        self, work: Callable[[Client, Sequence[Any]], list[Any]], parts: Sequence[Any]
    ) -> list[Any]:
        """Share `parts` out like cards, and put together what the threads give, one after another."""
        results = self._pool.map(
            lambda share: work(self._local.client, share),
            [parts[number::THREADS] for number in range(THREADS)],
        )
        return [row for rows in results for row in rows]


@dataclass(frozen=True)
class Case:
    """Something to time.

    `operations`: how many make one timing. `turns`: how often it is timed in a round. `given`: what `run`
    gets, made before the clock starts. `expected`: the rows that must then be read, or stand in `sale`.
    """

    name: str
    operation: str
    operations: int
    turns: int
    given: Callable[[int], Sequence[Any]]
    run: Callable[[Session, Sequence[Any]], list[Any] | None]
    expected: Callable[[Sequence[Any]], list[data.Row]]
    writes: bool = False


def _read_each(client: Client, keys: Sequence[int]) -> list[Any]:
    query = client.query
    return [query(data.READ_ONE, (key,))[0] for key in keys]


def _write_each(session: Session, rows: Sequence[data.Row]) -> None:
    execute = session.client.execute
    for row in rows:
        execute(data.WRITE, row)


def _write_all(session: Session, rows: Sequence[data.Row]) -> None:
    session.client.executemany(data.WRITE, rows)


def _point_read(session: Session, keys: Sequence[int]) -> list[Any]:
    return _read_each(session.client, keys)


def _scan(session: Session, rows: Sequence[data.Row]) -> list[Any]:
    return session.client.query(data.READ_ALL)


def _threads(session: Session, keys: Sequence[int]) -> list[Any]:
    return session.spread(_read_each, keys)


def _spread_rows(keys: Sequence[int]) -> list[data.Row]:
    return [row for number in range(THREADS) for row in data.rows_of(keys[number::THREADS])]


def _stored(count: int) -> Sequence[data.Row]:
    return data.stored_rows()


CASES = {
    case.name: case
    for case in (
        Case("point_read", "read", 100, 5, data.keys, _point_read, data.rows_of),
        Case("single_write", "write", 20, 3, data.new_rows, _write_each, list, writes=True),
        Case("bulk_insert", "row", 10_000, 1, data.new_rows, _write_all, list, writes=True),
        Case("scan", "row", data.STORED, 1, _stored, _scan, list),
        Case("threads", "read", THREADS * 25, 2, data.keys, _threads, _spread_rows),
    )
}
