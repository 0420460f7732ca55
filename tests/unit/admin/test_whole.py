"""Whether a backup is whole can be told by its bytes, wherever it was cut."""

from __future__ import annotations

import gzip
import os
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pyrqlite.admin.whole import Binary, Check, Compressed, Dump, demand_whole
from pyrqlite.errors import OperationalError

MESSAGE = b"read tcp 127.0.0.1:4002: connection reset by peer\n"


@cache
def database(pages: int = 9, page_size: int = 4096) -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "x.db"
        connection = sqlite3.connect(file)
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute("CREATE TABLE t (a)")
        connection.execute(
            "INSERT INTO t VALUES (zeroblob(?))", ((pages - 2) * (page_size - 4) - 100,)
        )
        connection.commit()
        connection.close()
        return file.read_bytes()


DUMP = b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t (a);\nCOMMIT;\n"


def fed(check: Check, data: bytes, step: int = 1000) -> Check:
    for start in range(0, len(data), step):
        check.feed(data[start : start + step])
    return check


KINDS: dict[str, tuple[Callable[[], Check], Callable[[], bytes]]] = {
    "binary": (Binary, database),
    "large pages": (Binary, lambda: database(4, 65536)),
    "sql": (Dump, lambda: DUMP),
    "binary, compressed": (lambda: Compressed(Binary()), lambda: gzip.compress(database())),
    "sql, compressed": (lambda: Compressed(Dump()), lambda: gzip.compress(DUMP)),
}


@pytest.mark.parametrize("kind", KINDS)
class TestEachKind:
    @pytest.mark.parametrize("step", [1, 7, 4096, 1 << 20])
    def test_whole(self, kind: str, step: int) -> None:
        make, data = KINDS[kind]
        demand_whole(fed(make(), data()[: 1 << 20], step))

    def test_cut_anywhere(self, kind: str) -> None:
        make, data = KINDS[kind]
        whole = data()
        for end in {0, 1, 50, 99, 100, 4096, *range(len(whole) - 20, len(whole))} & {
            *range(len(whole))
        }:
            with pytest.raises(OperationalError, match="not whole"):
                demand_whole(fed(make(), whole[:end]))

    def test_cut_with_a_message_behind(self, kind: str) -> None:
        make, data = KINDS[kind]
        whole = data()
        for end in (0, len(whole) // 2, len(whole) - 10, len(whole)):
            with pytest.raises(OperationalError, match="not whole"):
                demand_whole(fed(make(), whole[:end] + MESSAGE))


def test_whole_gzip_of_half_a_database() -> None:
    half = gzip.compress(database()[:8192])
    with pytest.raises(OperationalError, match=r"it has 8,192 of"):
        demand_whole(fed(Compressed(Binary()), half))


def test_what_grows_beyond_one_step_when_it_is_unpacked() -> None:
    data = database(pages=3 * (1 << 20) // 4096 + 5)
    assert len(data) > 3 << 20
    for step in (100, 1 << 20):
        demand_whole(fed(Compressed(Binary()), gzip.compress(data), step))


def test_damaged_gzip() -> None:
    packed = bytearray(gzip.compress(os.urandom(5000)))
    packed[2000] ^= 0xFF
    with pytest.raises(OperationalError, match="cannot be decompressed"):
        demand_whole(fed(Compressed(Dump()), bytes(packed)))


def test_total_is_known_from_the_header() -> None:
    check = Binary()
    check.feed(database()[:99])
    assert check.total is None
    check.feed(database()[99:200])
    assert check.total == len(database())
