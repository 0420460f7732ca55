"""Copies of the whole database, out and in."""

from __future__ import annotations

import gzip
import os
import tempfile
from typing import Any

import apsw

from .database import Database
from .session import Session

HEADER_SIZE = 32
_MAGIC = b"SQLite format"
_WAL, _DELETE = b"\x02\x02", b"\x01\x01"
_MODE = slice(18, 20)


class InvalidDatabase(ValueError):
    """The bytes are not a sound SQLite database."""


def looks_like_sqlite(data: bytes) -> bool:
    """Whether the bytes begin as an SQLite file does."""
    return len(data) > len(_MAGIC) and data.startswith(_MAGIC)


def compress(data: bytes) -> bytes:
    """``data`` in gzip's format."""
    return gzip.compress(data, compresslevel=1)


def make(database: Database, form: str, *, vacuum: bool, tables: list[str]) -> bytes:
    """A consistent copy: ``form`` is binary (in WAL mode), delete (not in WAL mode) or sql."""
    session = database.take_reader()
    try:
        if form == "sql":
            return dump(session, tables).encode("utf-8")
        data = _vacuumed(session) if vacuum else session.connection.serialize("main")
    finally:
        database.put_back(session)
    return _with_mode(data, _DELETE if vacuum or form == "delete" else _WAL)


def replace(database: Database, data: bytes) -> None:
    """Put the database in ``data`` in the place of the present one. Raises InvalidDatabase."""
    with tempfile.TemporaryDirectory(prefix="rqlite-") as folder:
        path = os.path.join(folder, "loaded.sqlite")
        with open(path, "wb") as file:
            file.write(_with_mode(data, _DELETE))
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


def dump(session: Session, tables: list[str]) -> str:
    """The database as SQL text; ``tables`` limits the tables, not indexes, triggers and views."""
    connection = session.connection
    lines = ["PRAGMA foreign_keys=OFF", "BEGIN TRANSACTION"]
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
            lines.append('DELETE FROM "sqlite_sequence";')
        elif name == "sqlite_stat1":
            lines.append('ANALYZE "sqlite_master";')
        elif name.startswith("sqlite_"):
            continue
        else:
            lines.append(sql)
        lines.extend(_inserts(connection, name))
    lines.extend(sql for _, kind, sql in schema if kind != "table")
    lines.append("COMMIT")
    return "".join(f"{line};\n" for line in lines)


def _fetch(connection: apsw.Connection, sql: str) -> Any:
    return connection.execute(sql).fetchall()


def _inserts(connection: apsw.Connection, table: str) -> list[str]:
    name = '"' + table.replace('"', '""') + '"'
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
    values = "||','||".join('quote("' + column.replace('"', '""') + '")' for column in columns)
    rows = connection.execute(f"SELECT {values} FROM {name}")
    return [f"INSERT INTO {name} VALUES({row[0]})" for row in rows]


def _vacuumed(session: Session) -> bytes:
    with tempfile.TemporaryDirectory(prefix="rqlite-") as folder:
        path = os.path.join(folder, "vacuumed.sqlite")
        session.connection.execute("PRAGMA query_only=OFF")
        try:
            session.connection.execute("VACUUM INTO ?", (path,))
        finally:
            session.connection.execute("PRAGMA query_only=ON")
        with open(path, "rb") as file:
            return file.read()


def _with_mode(data: bytes, mode: bytes) -> bytes:
    changed = bytearray(data)
    if len(changed) >= _MODE.stop:
        changed[_MODE] = mode
    return bytes(changed)


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
