"""Copies of the whole database, out and in."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import apsw

from .database import Database
from .exchange import Pieces
from .session import Session

HEADER_SIZE = 32
_MAGIC = b"SQLite format"
_WAL, _DELETE = b"\x02\x02", b"\x01\x01"
_MODE = slice(18, 20)
_PIECE = 1 << 16


class InvalidDatabase(ValueError):
    """The bytes are not a sound SQLite database."""


def looks_like_sqlite(data: bytes) -> bool:
    """Whether the bytes begin as an SQLite file does."""
    return len(data) > len(_MAGIC) and data.startswith(_MAGIC)


def compress(pieces: Pieces) -> Pieces:
    """``pieces`` in gzip's format."""
    packer = zlib.compressobj(1, wbits=31)
    with closing(pieces):
        yield from filter(None, map(packer.compress, pieces))
    yield packer.flush()


def make(database: Database, form: str, *, vacuum: bool, tables: list[str]) -> Pieces:
    """A consistent copy: ``form`` is binary (in WAL mode), delete (not in WAL mode) or sql."""
    session = database.take_reader()
    try:
        if form == "sql":
            yield from _gathered(dump(session, tables))
            return
        with tempfile.TemporaryDirectory(prefix="rqlite-") as folder:
            path = os.path.join(folder, "copy.sqlite")
            if vacuum:
                _vacuum(session, path)
            else:
                _copy_out(session, path)
            mode = _DELETE if vacuum or form == "delete" else _WAL
            yield from _with_mode(_pieces(path), mode)
    finally:
        database.put_back(session)


def _gathered(lines: Iterable[str]) -> Iterator[bytes]:
    """Lines as pieces of some size."""
    piece = bytearray()
    for line in lines:
        piece += line.encode("utf-8")
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def replace(database: Database, data: Iterable[bytes]) -> None:
    """Put the database in ``data`` in the place of the present one. Raises InvalidDatabase."""
    with tempfile.TemporaryDirectory(prefix="rqlite-") as folder:
        path = os.path.join(folder, "loaded.sqlite")
        with open(path, "wb") as file:
            file.writelines(_with_mode(data, _DELETE))
        try:
            source = apsw.Connection(path)
            try:
                _demand_soundness(source)
                database.writer.exclusively(lambda session: _copy(source, session))
            finally:
                source.close()
        except apsw.Error as exc:
            raise InvalidDatabase(f"invalid SQLite data: {exc}") from None
    database.reopen()
    database.next_index()


def dump(session: Session, tables: list[str]) -> Iterator[str]:
    """The database as SQL text, by lines; ``tables`` limits the tables, not indexes, triggers and views."""
    connection = session.connection
    yield "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n"
    connection.execute("BEGIN")
    schema: list[tuple[str, str, str]] = _fetch(
        connection, "SELECT name, type, sql FROM sqlite_schema WHERE sql NOT NULL"
    )
    # SQLite's own tables appear only with those that they describe.
    for name, kind, sql in sorted(
        schema, key=lambda entry: (entry[0].startswith("sqlite_"), entry)
    ):
        if kind != "table" or (tables and name not in tables):
            continue
        if name == "sqlite_sequence":
            yield 'DELETE FROM "sqlite_sequence";;\n'
        elif name == "sqlite_stat1":
            yield 'ANALYZE "sqlite_master";;\n'
        elif name.startswith("sqlite_"):
            continue
        else:
            yield f"{sql};\n"
        yield from _inserts(connection, name)
    yield from (f"{sql};\n" for _, kind, sql in schema if kind != "table")
    yield "COMMIT;\n"


def _fetch(connection: apsw.Connection, sql: str) -> Any:
    return connection.execute(sql).fetchall()


def _inserts(connection: apsw.Connection, table: str) -> Iterator[str]:
    name = '"' + table.replace('"', '""') + '"'
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
    values = "||','||".join('quote("' + column.replace('"', '""') + '")' for column in columns)
    rows = connection.execute(f"SELECT {values} FROM {name}")
    return (f"INSERT INTO {name} VALUES({row[0]});\n" for row in rows)


def _vacuum(session: Session, path: str) -> None:
    session.connection.execute("PRAGMA query_only=OFF")
    try:
        session.connection.execute("VACUUM INTO ?", (path,))
    finally:
        session.connection.execute("PRAGMA query_only=ON")


def _copy_out(session: Session, path: str) -> None:
    target = apsw.Connection(path)
    try:
        target.execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF").fetchall()
        with target.backup("main", session.connection, "main") as copy:
            copy.step(-1)
    finally:
        target.close()


def _pieces(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        yield from iter(lambda: file.read(_PIECE), b"")


def _with_mode(pieces: Iterable[bytes], mode: bytes) -> Iterator[bytes]:
    """The file in ``pieces``, the first of which holds its header, in another journal mode."""
    changed = False
    for piece in pieces:
        if changed or len(piece) < _MODE.stop:
            yield piece
        else:
            yield piece[: _MODE.start] + mode + piece[_MODE.stop :]
        changed = True


def _demand_soundness(source: apsw.Connection) -> None:
    problem = _fetch(source, "PRAGMA quick_check(1)")[0][0]
    if problem != "ok":
        raise InvalidDatabase(f"invalid SQLite data: {problem}")


def _copy(source: apsw.Connection, session: Session) -> None:
    target = session.connection
    session.roll_back()
    size = target.pragma("page_size")
    if source.pragma("page_size") != size:
        # A database in WAL mode keeps its page size for ever: the copy has to take it on.
        source.execute(f"PRAGMA page_size={size}")
        source.execute("VACUUM")
    with target.backup("main", source, "main") as copy:
        while not copy.done:
            copy.step(-1)
    target.execute("PRAGMA journal_mode=WAL").fetchall()
