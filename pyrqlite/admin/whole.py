"""Is a backup whole? Neither the end of a stream nor its status says so.

A node that fails in the middle of a copy has sent the status already: it ends the stream in good order, with
a message behind what came so far. So the bytes have to tell.
"""

from __future__ import annotations

import zlib
from typing import Protocol

from pyrqlite.errors import OperationalError

_MAGIC = b"SQLite format 3\x00"
_HEADER = 100
_DUMP_END = b"COMMIT;\n"
_STEP = 1 << 20


class Check(Protocol):
    """Looks at a copy as it comes."""

    total: int | None

    def feed(self, piece: bytes) -> None:
        """The next bytes."""

    def problem(self) -> str | None:
        """What is missing at the end; None where all is there."""


class Binary:
    """A SQLite file: as long as its header says. `total` is known once that was seen."""

    def __init__(self) -> None:
        self.total: int | None = None
        self._head = b""
        self._length = 0

    def feed(self, piece: bytes) -> None:
        self._length += len(piece)
        if len(self._head) < _HEADER:
            self._head += piece[: _HEADER - len(self._head)]
            self.total = database_size(self._head)

    def problem(self) -> str | None:
        if self.total is None:
            return "it is no SQLite file"
        if self._length < self.total:
            return f"it has {self._length:,} of {self.total:,} bytes"
        if self._length % page_size(self._head):
            return "something else stands behind its end"
        return None


class Dump:
    """SQL text: it ends with COMMIT."""

    total: int | None = None

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, piece: bytes) -> None:
        self._tail = (self._tail + piece)[-len(_DUMP_END) :]

    def problem(self) -> str | None:
        return None if self._tail == _DUMP_END else "its last line is not COMMIT"


class Compressed:
    """Another kind of copy, in gzip's format."""

    total: int | None = None

    def __init__(self, inner: Check) -> None:
        self._inner = inner
        self._unpacker = zlib.decompressobj(wbits=31)
        self._damage: str | None = None

    def feed(self, piece: bytes) -> None:
        if self._damage is not None:
            return
        if self._unpacker.eof:
            self._damage = "something else stands behind its end"
            return
        try:
            unpacked = piece
            while (piece or len(unpacked) == _STEP) and not self._unpacker.eof:
                unpacked = self._unpacker.decompress(piece, _STEP)
                self._inner.feed(unpacked)
                piece = self._unpacker.unconsumed_tail
        except zlib.error as error:
            self._damage = f"it cannot be decompressed ({error})"
        if self._unpacker.unused_data:
            self._damage = "something else stands behind its end"

    def problem(self) -> str | None:
        if self._damage is None and not self._unpacker.eof:
            return "the end of the compressed stream is missing"
        return self._damage or self._inner.problem()


def page_size(header: bytes) -> int:
    """The size of a SQLite file's pages, in bytes."""
    size = int.from_bytes(header[16:18], "big")
    return 65536 if size == 1 else size


def database_size(header: bytes) -> int | None:
    """The size of a SQLite file by its first 100 bytes; None where they are not the start of one.

    Source: https://www.sqlite.org/fileformat.html#the_database_header
    """
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        return None
    size = page_size(header)
    if size < 512 or size & (size - 1):
        return None
    return size * int.from_bytes(header[28:32], "big")


def is_sqlite(header: bytes) -> bool:
    """Whether these are the first bytes of what a node takes for a SQLite file."""
    return header.startswith(_MAGIC[:13])


def demand_whole(check: Check) -> None:
    """Raise OperationalError where the copy is not all there."""
    problem = check.problem()
    if problem is not None:
        raise OperationalError(
            f"the backup is not whole, the node or the way to it failed in the middle: {problem}; back up again"
        )
