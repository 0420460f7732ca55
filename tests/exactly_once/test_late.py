"""A first attempt that arrives behind its retry: the application was told the truth, and it stays true."""

from __future__ import annotations

import time

import pytest

from pyrqlite import IntegrityError, OutcomeUnknownError, SerializationError
from pyrqlite.connection import Connection
from tests.exactly_once.conftest import Bank
from tests.exactly_once.proxy import (
    APPLY,
    SETTLE,
    Act,
    around,
    drop_answer,
    drop_request,
    forward,
    hold,
)

SECONDS = 0.9  # curl keeps only less than a second exactly
INSERT = "INSERT INTO t VALUES (2, 20)"


def nothing() -> None:
    """What a step does that does nothing."""


def insert(connection: Connection) -> None:
    connection.execute(INSERT)


def transfer(connection: Connection) -> None:
    (n,) = connection.execute("SELECT n FROM t WHERE id = 1").fetchone()
    connection.execute("UPDATE t SET n = ? WHERE id = 1", (n + 1,))
    connection.commit()


def test_retry_succeeded(bank: Bank) -> None:
    proxy = bank.proxy({APPLY: [hold]})
    connection = bank.connect(proxy, timeout=SECONDS)
    cursor = connection.execute("UPDATE t SET n = n + 1")
    assert cursor.rowcount == 1
    proxy.release_held()
    assert bank.rows() == [(1, 1)]


@pytest.mark.parametrize("settling", [[], [drop_answer], [drop_request, drop_answer]])
def test_retry_failed_for_a_reason_of_its_own(bank: Bank, settling: list[Act]) -> None:
    retry = around(bank.execute(INSERT), forward, bank.execute("DELETE FROM t WHERE id = 2"))
    proxy = bank.proxy({APPLY: [hold, retry], SETTLE: settling})
    connection = bank.connect(proxy, timeout=SECONDS)
    with pytest.raises(IntegrityError):
        insert(connection)
    proxy.release_held()  # nothing would be in its way now
    assert bank.rows() == [(1, 0)]
    assert proxy.unused() == []


@pytest.mark.parametrize("settling", [[], [drop_answer], [drop_request, drop_answer]])
def test_retry_met_a_conflict(bank: Bank, settling: list[Act]) -> None:
    other = bank.execute("UPDATE t SET n = 50")
    retry = around(other, forward, bank.execute("UPDATE t SET n = 0"))
    proxy = bank.proxy({APPLY: [hold, retry], SETTLE: settling})
    connection = bank.connect(proxy, timeout=SECONDS, autocommit=False)
    with pytest.raises(SerializationError):
        transfer(connection)
    proxy.release_held()
    assert bank.rows() == [(1, 0)]
    transfer(connection)
    assert bank.rows() == [(1, 1)]


def test_arrived_between_the_retry_and_the_burning(bank: Bank) -> None:
    retry = around(bank.execute(INSERT), forward, bank.execute("DELETE FROM t WHERE id = 2"))
    proxy = bank.proxy({APPLY: [hold, retry]})
    proxy.script(SETTLE, around(proxy.release_held, forward, nothing))
    connection = bank.connect(proxy, timeout=SECONDS)
    cursor = connection.execute(INSERT)
    assert (cursor.rowcount, cursor.lastrowid) == (1, 2)
    assert bank.rows() == [(1, 0), (2, 20)]


def test_without_it_the_driver_says_that_it_may_come_late(bank: Bank) -> None:
    proxy = bank.proxy({APPLY: [hold]})
    connection = bank.connect(proxy, timeout=SECONDS, exactly_once=False)
    with pytest.raises(OutcomeUnknownError, match="may still be"):
        insert(connection)
    assert bank.rows() == [(1, 0)]
    proxy.release_held()
    assert bank.rows() == [(1, 0), (2, 20)]


@pytest.mark.parametrize("days", [-30, 30], ids=["slow", "fast"])
def test_a_clock_that_is_wrong_by_a_month(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Another client trims the ids of old writes, by its own clock, while an answer is lost."""
    other = bank.connect(bank.proxy({}))
    other.execute("UPDATE t SET n = 0")
    now = time.time()

    def trim() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: max(now, now + days * 86400))
            other.session.cluster.trimmed_at = None
            other.execute("UPDATE t SET n = n + 100")

    proxy = bank.proxy({APPLY: [around(nothing, drop_answer, trim)]})
    connection = bank.connect(proxy)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: min(now, now + days * 86400))
        connection.execute("UPDATE t SET n = n + 1")
    assert bank.rows() == [(1, 101)]
