"""Random concurrent transactions have the results of some serial order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from pyrqlite import Connection
from pyrqlite.retrying import run_transaction
from tests.rqlited import RqlitedCluster
from tests.transactions import workload
from tests.transactions.clients import Connect, connecting, query, without_guards
from tests.transactions.histories import Anomaly, Transaction, check
from tests.transactions.workload import CHECKED, GUARDED, clients, history_of, interleave

SEEDS = [1, 2, 3]


def made(
    number: int, appends: list[tuple[int, int]], reads: list[tuple[int, tuple[int, ...]]]
) -> Transaction:
    transaction = Transaction(number, 0.0, 1.0, True)
    for key, seen in reads:
        transaction.read(key, seen)
    transaction.appends += appends
    return transaction


class TestChecker:
    """The checker itself finds what it is there for."""

    def test_serial_history(self) -> None:
        history = [made(1, [(0, 10)], []), made(2, [(0, 20)], [(0, (10,))])]
        assert check(history, {0: (10, 20)}) == 1

    @pytest.mark.parametrize(
        ("history", "final"),
        [
            ([made(1, [(0, 1)], [(0, ())]), made(2, [(0, 2)], [(0, ())])], {0: (1, 2)}),
            ([made(1, [(0, 1)], [(1, ())]), made(2, [(1, 2)], [(0, ())])], {0: (1,), 1: (2,)}),
            ([made(1, [(0, 1)], [])], {0: ()}),
            ([made(1, [], [(0, (7,))])], {0: ()}),
            ([made(1, [(0, 1), (1, 2)], []), made(2, [], [(0, (1,)), (1, ())])], {0: (1,), 1: (2,)}),
        ],
        ids=["lost update", "write skew", "lost append", "aborted read", "read skew"],
    )  # fmt: skip
    def test_anomalies(self, history: list[Transaction], final: dict[int, tuple[int, ...]]) -> None:
        with pytest.raises(Anomaly):
            check(history, final)

    def test_time_counts(self) -> None:
        stale = made(2, [], [(0, ())])
        stale.start, stale.end = 2.0, 3.0
        with pytest.raises(Anomaly):
            check([made(1, [(0, 1)], []), stale], {0: (1,)})


class TestInterleaved:
    """Statement by statement in one thread: the same every time."""

    @pytest.mark.parametrize("seed", SEEDS)
    def test_is_serializable(self, seed: int, connect: Connect, other: Connection) -> None:
        workload.create(other)
        running = clients([connect() for _ in range(4)], seed, GUARDED + CHECKED, 15)
        interleave(running, seed)
        history = history_of(running)
        committed = sum(transaction.committed for transaction in history)
        assert check(history, workload.final(other)) > committed
        assert committed >= 15
        assert sum(client.conflicts for client in running) >= 5

    @pytest.mark.parametrize("seed", SEEDS)
    def test_is_not_without_guards(self, seed: int, connect: Connect, other: Connection) -> None:
        workload.create(other)
        running = clients([connect() for _ in range(4)], seed, GUARDED + CHECKED, 15)
        with without_guards():
            interleave(running, seed)
        assert sum(client.conflicts for client in running) == 0
        with pytest.raises(Anomaly):
            check(history_of(running), workload.final(other))


def in_threads(jobs: Sequence[Callable[[], None]]) -> None:
    """Run all at once; raises the first error."""
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], None]) -> None:
        start.wait(10)
        job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        for future in [pool.submit(run, job) for job in jobs]:
            future.result(60)


def check_threads(connections: Sequence[Connection], seed: int, transactions: int) -> None:
    """Clients that run freely; checked facts, which leave a moment open, are no part of this."""
    running = clients(connections, seed, GUARDED, transactions)
    in_threads([lambda client=client: list(client.steps) and None for client in running])  # type: ignore[misc]
    history = history_of(running)
    assert sum(transaction.committed for transaction in history) >= len(connections)
    check(history, workload.final(connections[0]))


ACCOUNTS = 8


def transfers(connection: Connection, seed: int, count: int) -> Callable[[], None]:
    """Read two accounts, write both, again and again."""
    random = Random(seed)

    def transfer(within: Connection) -> None:
        giver, taker = random.sample(range(ACCOUNTS), 2)
        balances = dict(query(within, "SELECT id, n FROM bank WHERE id IN (?, ?)", giver, taker))
        amount = random.randint(1, 10)
        sql = "UPDATE bank SET n = ? WHERE id = ?"
        within.execute(sql, (balances[giver] - amount, giver))
        within.execute(sql, (balances[taker] + amount, taker))

    def run() -> None:
        for _ in range(count):
            run_transaction(connection, transfer)

    return run


def check_bank(connections: Sequence[Connection], count: int) -> None:
    """The sum stays what it was, for whoever looks, and at the end."""
    bank = connections[0]
    with bank.transaction():
        bank.execute("DROP TABLE IF EXISTS bank")
        bank.execute("CREATE TABLE bank (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)")
        bank.executemany("INSERT INTO bank VALUES (?, 100)", [(n,) for n in range(ACCOUNTS)])
    *writers, reader = connections
    sums: list[int] = []

    def total(connection: Connection) -> int:
        return sum(n for (n,) in query(connection, "SELECT n FROM bank"))

    def look() -> None:
        sums.extend(run_transaction(reader, total) for _ in range(5))

    in_threads([*(transfers(writer, n, count) for n, writer in enumerate(writers)), look])
    assert sums == [100 * ACCOUNTS] * 5
    assert query(bank, "SELECT sum(n), count(*) FROM bank") == [(100 * ACCOUNTS, ACCOUNTS)]


class TestThreads:
    def test_is_serializable(self, connect: Connect, other: Connection) -> None:
        workload.create(other)
        check_threads([connect() for _ in range(4)], 1, 8)

    def test_bank_keeps_its_sum(self, connect: Connect) -> None:
        check_bank([connect() for _ in range(7)], 3)


class TestCluster:
    """The same over three nodes, each client at its own."""

    @pytest.fixture
    def connections(self, rqlited_cluster: RqlitedCluster) -> Iterator[list[Connection]]:
        opened: list[Connection] = []
        for number in range(7):
            connecting(rqlited_cluster.urls[number % 3], opened)()
        yield opened
        for connection in opened:
            connection.rollback()
            connection.close()

    def test_is_serializable(self, connections: list[Connection]) -> None:
        connections[0].autocommit = True
        workload.create(connections[0])
        connections[0].autocommit = False
        check_threads(connections[:6], 1, 8)

    def test_bank_keeps_its_sum(self, connections: list[Connection]) -> None:
        check_bank(connections, 4)
