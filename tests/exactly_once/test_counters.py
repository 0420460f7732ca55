"""Many clients, a proxy that fails at random: every counter is what its clients were told."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from pyrqlite import OperationalError, OutcomeUnknownError, run_transaction
from pyrqlite.connection import Connection
from tests.exactly_once.conftest import Bank
from tests.exactly_once.proxy import (
    APPLY,
    SETTLE,
    SPECULATION,
    TABLE,
    Act,
    Message,
    Proxy,
    Reply,
    bad_gateway,
    cut_answer,
    drop_answer,
    drop_request,
    duplicate,
    forward,
    reset,
)

CLIENTS, WRITES = 4, 12
FAULTS = (drop_request, drop_answer, reset, cut_answer, bad_gateway, duplicate)
STEPS = (TABLE, SPECULATION, APPLY, SETTLE)


def sometimes(dice: random.Random, faults: Sequence[Act]) -> Act:
    def act(proxy: Proxy, message: Message) -> Reply:
        chosen = dice.choice(faults) if dice.random() < 0.4 else forward
        return chosen(proxy, message)

    return act


def increment(connection: Connection) -> None:
    (n,) = connection.execute("SELECT n FROM t WHERE id = 1").fetchone()
    connection.execute("UPDATE t SET n = ? WHERE id = 1", (n + 1,))


@pytest.mark.parametrize("transactions", [False, True])
def test_counter_is_what_the_clients_were_told(bank: Bank, transactions: bool) -> None:
    faulty = sometimes(random.Random(1), FAULTS)
    proxy = bank.proxy({step: [faulty] * 10_000 for step in STEPS})

    def work(number: int) -> int:
        connection = bank.connect(proxy, autocommit=not transactions)
        done = 0
        for _ in range(WRITES):
            try:
                if transactions:
                    run_transaction(connection, increment)
                else:
                    connection.execute("UPDATE t SET n = n + 1 WHERE id = 1")
            except OutcomeUnknownError:
                raise
            except OperationalError:  # a speculation was lost: nothing was applied
                continue
            done += 1
        return done

    with ThreadPoolExecutor(CLIENTS) as pool:
        told = sum(pool.map(work, range(CLIENTS)))
    assert bank.rows() == [(1, told)]
    assert told == CLIENTS * WRITES or transactions
    assert proxy.count(SETTLE) > 0
