"""What connections share, and its end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pyrqlite
from pyrqlite.cluster.sharing import Shared

SECONDS = 10.0


def test_the_last_one_closes_it() -> None:
    shared, closed = Shared[object](), list[object]()
    thing = shared.acquire("key", object)
    assert shared.acquire("key", object) is thing
    assert not shared.release("key", thing, closed.append)
    assert closed == []
    assert shared.release("key", thing, closed.append)
    assert closed == [thing]
    assert shared.acquire("key", object) is not thing


def test_the_next_is_made_when_the_last_is_closed() -> None:
    """Not while it is: both might want the same file."""
    shared, closing, close = Shared[object](), threading.Event(), threading.Event()
    order: list[str] = []
    thing = shared.acquire("key", object)

    def slowly(thing: object) -> None:
        closing.set()
        assert close.wait(SECONDS)
        order.append("closed")

    def make() -> object:
        order.append("made")
        return object()

    with ThreadPoolExecutor(2) as pool:
        releasing = pool.submit(shared.release, "key", thing, slowly)
        assert closing.wait(SECONDS)
        acquiring = pool.submit(shared.acquire, "key", make)
        assert shared.acquire("another", object)
        close.set()
        assert releasing.result(SECONDS)
        assert acquiring.result(SECONDS) is not thing
    assert order == ["closed", "made"]


def test_what_cannot_be_closed_does_not_stand_in_the_way() -> None:
    shared = Shared[object]()
    thing = shared.acquire("key", object)
    with pytest.raises(ZeroDivisionError):
        shared.release("key", thing, lambda thing: 1 // 0)
    assert shared.acquire("key", object) is not thing


def test_threads_open_and_close_the_same_file(tmp_path: Path) -> None:
    """None of them is told that another process had it open."""

    def work(_: int) -> None:
        for _ in range(15):
            connection = pyrqlite.connect(f"file:{tmp_path / 'db'}", autocommit=True)
            connection.execute("SELECT 1")
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
