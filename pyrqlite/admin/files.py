"""Files on this side: those that backups are written to, and those that are loaded.

Nothing here knows the network. What is opened here goes into a request as its upload or download.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import sqlite3
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote

from pyrqlite.admin.scripts import check_script
from pyrqlite.admin.whole import Check, database_size, is_sqlite
from pyrqlite.errors import OperationalError, ProgrammingError
from pyrqlite.flow.steps import PIECE, LocalFailure

File = str | os.PathLike[str] | BinaryIO
Progress = Callable[[int, int | None], object]

_GZIP = b"\x1f\x8b"


class FileDownload:
    """Writes what comes into a file, looks whether it is whole, and tells of the progress."""

    def __init__(
        self, file: BinaryIO, check: Callable[[], Check], progress: Progress | None
    ) -> None:
        self.done = 0
        self.check = check()
        self._file = file
        self._make_check = check
        self._progress = progress
        self._length: int | None = None
        self._start: int | None = None

    def begin(self, length: int | None) -> None:
        with _local():
            if self._start is None:
                self._start = self._file.tell() if self._file.seekable() else 0
            elif self.done:
                self._go_back()
        self.done, self._length = 0, length
        self.check = self._make_check()

    def _go_back(self) -> None:
        if not self._file.seekable():
            raise OperationalError(
                f"the backup was cut after {self.done:,} bytes, and what was written cannot be taken back"
            )
        self._file.seek(self._start or 0)
        self._file.truncate()

    def write(self, piece: bytes) -> None:
        with _local():
            _write(self._file, piece)
            self.check.feed(piece)
            self.done += len(piece)
            if self._progress is not None:
                total = self._length if self._length is not None else self.check.total
                self._progress(self.done, total)


def _write(file: BinaryIO, piece: bytes) -> None:
    written = file.write(piece)
    while written is not None and written < len(piece):  # raw files may take less
        piece = piece[written:]
        written = file.write(piece)


class FileUpload:
    """Reads a file as it is sent. Progress is told before each piece leaves, so that an error of the
    callback ends the upload before it is whole."""

    def __init__(self, source: Source, progress: Progress | None) -> None:
        self.size = self.left = source.size
        self._source = source
        self._progress = progress
        self._state = source.state()

    def begin(self) -> None:
        with _local():
            self._source.file.seek(0)
        self.left = self.size

    def read(self, most: int = PIECE) -> bytes:
        if not self.left:
            return b""
        with _local():
            if self._progress is not None:
                self._progress(self.size - self.left, self.size)
            piece = self._source.file.read(min(most, self.left))
            if not piece or (len(piece) == self.left and self._source.state() != self._state):
                raise OperationalError(
                    f"{self._source.name} was changed while it was read: nothing was applied"
                )
        self.left -= len(piece)
        return piece


@contextmanager
def _local() -> Iterator[None]:
    """Let no error of this side pass for one of the network."""
    try:
        yield
    except Exception as error:
        raise LocalFailure(str(error)) from error


@dataclass(frozen=True)
class Source:
    """What is to be loaded. `is_one_transaction` is True for SQL that is applied whole or not at all."""

    file: BinaryIO
    name: str
    size: int
    is_database: bool
    is_one_transaction: bool = True

    def state(self) -> tuple[int, int]:
        """Changes when somebody writes to the file."""
        found = os.fstat(self.file.fileno())
        return found.st_size, found.st_mtime_ns


@contextmanager
def opened_source(file: File, *, check: bool = True) -> Iterator[Source]:
    """The file to load, unpacked if it is compressed; ProgrammingError where no node should be given it.

    What is no regular file is copied to a temporary one first, since its size has to be known.
    """
    if isinstance(file, (str, os.PathLike)):
        name = os.fspath(file)
        with open(name, "rb") as opened, _settled(opened, name) as settled:
            if settled is opened:
                _demand_no_journal(name)
            yield _source(settled, name, check=check)
        return
    _demand_binary(file, "read")
    name = str(getattr(file, "name", "the file"))
    with _copied(file) as copy, _settled(copy, name) as settled:
        yield _source(settled, name, check=check)


@contextmanager
def _settled(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Itself, or an unpacked copy of what is compressed or cannot be read twice."""
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        with _copied(file) as copy, _settled(copy, name) as settled:
            yield settled
        return
    start = file.read(len(_GZIP))
    file.seek(0)
    if start != _GZIP:
        yield file
        return
    try:
        with gzip.open(file) as packed, _copied(packed) as unpacked:  # type: ignore[arg-type]
            yield unpacked
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ProgrammingError(f"{name} cannot be decompressed: {error}") from None


@contextmanager
def _copied(file: BinaryIO) -> Iterator[BinaryIO]:
    with tempfile.NamedTemporaryFile(prefix="pyrqlite-") as copy:
        shutil.copyfileobj(file, copy, PIECE)
        copy.flush()
        copy.seek(0)
        yield copy  # type: ignore[misc]


def _source(file: BinaryIO, name: str, *, check: bool) -> Source:
    size = os.fstat(file.fileno()).st_size
    head = file.read(100)
    if not head:
        raise ProgrammingError(f"{name} is empty")
    if not is_sqlite(head):
        return Source(file, name, size, False, check_script(file, name))
    wanted = database_size(head)
    if wanted is None or wanted > size:
        raise ProgrammingError(
            f"{name} is no whole SQLite file: it has {size:,} bytes"
            + (f" of {wanted:,}" if wanted is not None else " and a header that is not SQLite's")
            + ". Nothing was sent."
        )
    if check:
        _demand_sound(file.name, name)
    return Source(file, name, size, True)


def _demand_no_journal(name: str) -> None:
    """What stands in a journal is part of the database, and is not in the file."""
    for suffix in ("-wal", "-journal"):
        journal = os.path.realpath(name) + suffix
        if os.path.exists(journal) and os.path.getsize(journal):
            raise ProgrammingError(
                f"{journal} holds changes that are not in the database file: close the programs that use it, or "
                f'make a copy of it by sqlite3 {name} ".backup copy.db", and load the copy'
            )


def _demand_sound(path: str, name: str) -> None:
    """A damaged file would close the database of every node, for good."""
    try:
        with closing(
            sqlite3.connect(f"file:{quote(os.path.abspath(path))}?mode=ro&immutable=1", uri=True)
        ) as database:
            problem = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        problem = str(error)
    if problem != "ok":
        raise ProgrammingError(
            f"{name} is a damaged SQLite file ({problem}): nothing was sent. `sqlite3 {name} .recover` may save "
            "what is left of it."
        )


@contextmanager
def opened_target(file: File) -> Iterator[BinaryIO]:
    """A file to write to. One that is named gets its name when all went well, and not before: until then it has
    another one beside it."""
    if not isinstance(file, (str, os.PathLike)):
        _demand_binary(file, "write")
        yield file
        file.flush()
        return
    path = os.path.realpath(file)
    if os.path.exists(path) and not os.path.isfile(path):
        raise ProgrammingError(
            f"{os.fspath(file)} is no regular file: give another name, or an open file"
        )
    folder, name = os.path.split(path)
    descriptor, part = tempfile.mkstemp(prefix=f".{name[:100]}.", suffix=".part", dir=folder)
    try:
        with open(descriptor, "wb") as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Have the new name survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _demand_binary(file: Any, method: str) -> None:
    if isinstance(file, io.TextIOBase) or not callable(getattr(file, method, None)):
        raise ProgrammingError(f"{file!r} is neither a path nor a file opened in binary mode")
