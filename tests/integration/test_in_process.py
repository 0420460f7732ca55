"""The server inside of the process, by the driver."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import pyrqlite
from pyrqlite.transports.embedded import EmbeddedTransport
from tests.integration.conftest import Connect


def test_memory_is_ones_own(connect: Connect) -> None:
    one, other = connect(":memory:"), connect(":memory:")
    one.execute("CREATE TABLE t (a)")
    one.executemany("INSERT INTO t VALUES (?)", [(1,), (b"\xff",), (None,), (1.0,), ("x'00'",)])
    assert one.execute("SELECT a FROM t").fetchall() == [
        (1,),
        (b"\xff",),
        (None,),
        (1.0,),
        ("x'00'",),
    ]
    with pytest.raises(pyrqlite.ProgrammingError, match="no such table"):
        other.execute("SELECT a FROM t")


def test_memory_with_a_name_is_shared(connect: Connect) -> None:
    one, other = connect(":memory:a"), connect(":memory:a")
    one.execute("CREATE TABLE t (a)")
    assert other.execute("SELECT * FROM t").fetchall() == []
    one.close()
    assert other.execute("SELECT * FROM t").fetchall() == []
    other.close()
    for name in ("a", "b"):
        with pytest.raises(pyrqlite.ProgrammingError, match="no such table"):
            connect(f":memory:{name}").execute("SELECT * FROM t")


def test_file_keeps_its_data(connect: Connect, tmp_path: Path) -> None:
    target = f"file:{tmp_path / 'kept'}"
    connection = pyrqlite.connect(target, autocommit=True)
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (5)")
    connection.close()
    assert connect(target).execute("SELECT a FROM t").fetchall() == [(5,)]


def test_file_is_shared_by_the_connections_of_a_process(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = connect("file:kept")
    first.execute("CREATE TABLE t (a)")
    for other in (
        connect("file:kept"),
        connect("file:./kept"),
        connect(f"file:{tmp_path}/kept"),
        connect("file:kept", log_values=True, timeout=5, max_redirects=3, level="strong"),
    ):
        other.execute("INSERT INTO t VALUES (1)")
    assert first.execute("SELECT count(*) FROM t").fetchone() == (4,)


def test_file_is_opened_while_another_thread_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = f"file:{tmp_path / 'kept'}"
    last = pyrqlite.connect(target)
    is_opening = threading.Event()
    failed: list[Exception] = []

    def open_again() -> None:
        is_opening.set()
        try:
            pyrqlite.connect(target).close()
        except pyrqlite.Error as error:
            failed.append(error)

    thread = threading.Thread(target=open_again)
    close = EmbeddedTransport.close

    def close_slowly(transport: EmbeddedTransport) -> None:
        if not is_opening.is_set():
            thread.start()
            is_opening.wait(20)
        close(transport)

    monkeypatch.setattr(EmbeddedTransport, "close", close_slowly)
    last.close()
    thread.join()
    assert failed == []


def test_file_of_another_process(connect: Connect, tmp_path: Path) -> None:
    target = f"file:{tmp_path / 'kept'}"
    connect(target).execute("CREATE TABLE t (a)")
    script = (
        "import sys, pyrqlite\n"
        "try:\n    pyrqlite.connect(sys.argv[1]).execute('SELECT 1')\n"
        "except pyrqlite.OperationalError as error:\n    print(error)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script, target],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    assert "kept" in finished.stdout


def test_threads(connect: Connect, tmp_path: Path) -> None:
    target = f"file:{tmp_path / 'kept'}"
    connect(target).execute("CREATE TABLE t (a)")
    failures: list[BaseException] = []

    def work(who: int) -> None:
        try:
            connection = pyrqlite.connect(target, autocommit=True)
            for number in range(20):
                connection.execute("INSERT INTO t VALUES (?)", (who,))
                assert connection.execute("SELECT ?", (number,)).fetchone() == (number,)
            connection.close()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(who,)) for who in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert connect(target).execute("SELECT count(*) FROM t").fetchone() == (120,)


def test_errors_are_the_same_as_over_http(connect: Connect) -> None:
    connection = connect(":memory:")
    connection.execute("CREATE TABLE t (a UNIQUE)")
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(pyrqlite.IntegrityError):
        connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT nope")
    with pytest.raises(pyrqlite.NotSupportedError):
        connection.execute("PRAGMA foreign_keys = ON")


def test_closing_twice_and_using_afterwards(connect: Connect) -> None:
    connection = connect(":memory:")
    connection.close()
    connection.close()
    with pytest.raises(pyrqlite.ProgrammingError):
        connection.execute("SELECT 1")
