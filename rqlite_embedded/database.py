"""A database as the API sees it: one writer, many readers, a log index, and the files."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from typing import Literal

import apsw

from .extensions import add_functions
from .functions import hide_functions
from .plans import Plan, is_explain
from .session import PrepareError, Session
from .writer import Writer

Fsync = Literal["full", "normal", "off"]
FSYNC_MODES: tuple[Fsync, ...] = ("full", "normal", "off")

_SYNTAX = re.compile(r"syntax error|incomplete input|unrecognized token")
_IDLE_READERS = 16
_INDEX_STEP = 10_000
_FIRST_INDEX = 2


class DatabaseInUse(RuntimeError):
    """Another server or handler has this database open."""


class Database:
    """Opens ``path``, an SQLite file, or a temporary one when it is None."""

    def __init__(
        self,
        path: str | None,
        *,
        fk: bool = False,
        fsync: Fsync = "full",
        extensions: bool = False,
    ) -> None:
        self.fk = fk
        self.extensions = extensions
        self.fsync = fsync if path is not None else "off"
        self._remove_files: Callable[[], object] = lambda: None
        if path is None:
            folder = tempfile.mkdtemp(prefix="rqlite-")
            # Also at the end of the process, for those who never close.
            self._remove_files = weakref.finalize(self, _remove, folder, os.getpid())
            path = os.path.join(folder, "db.sqlite")
        self.path = os.path.abspath(path)
        self._state = StateFile(self.path + "-lock")
        self._lock = threading.Lock()
        self._idle: list[Session] = []
        self._epoch = 0
        self._checkpointed = 0
        self._generation = 0
        self._reader_plans: dict[str, Plan] = {}
        self._closed = False
        try:
            self.writer = Writer(self._open_writer, self._state.next_index, self.schema_changed)
            self._keep_in_wal_mode()
        except BaseException:
            self._state.close()
            self._remove_files()
            raise

    @property
    def index(self) -> int:
        """The index of the last entry in the log."""
        return self._state.index

    def next_index(self) -> int:
        """Add an entry to the log that changes nothing."""
        return self._state.next_index()

    def take_reader(self) -> Session:
        """A read-only session for this thread alone, until it is put back."""
        with self._lock:
            session = self._idle.pop() if self._idle else None
        if session is None:
            epoch = self._epoch
            session = self._open_reader()
            session.epoch = epoch
        generation = self._generation
        if session.generation != generation:
            # SQLite notices a new schema at the first step, after names and types were asked for.
            _look_at_schema(session.connection)
            session.generation = generation
        return session

    def put_back(self, session: Session) -> None:
        """Return what take_reader gave."""
        session.limit()
        # A BEGIN that its client never ends would show old data to all who come after.
        session.roll_back()
        with self._lock:
            wanted = session.epoch == self._epoch and not self._closed
            if wanted and len(self._idle) < _IDLE_READERS:
                self._idle.append(session)
                return
        session.close()

    def reopen(self) -> None:
        """Start again with fresh connections: whatever clients have set in the old ones is gone."""
        with self._lock:
            self._epoch += 1
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()
        self.writer.reopen()
        self._keep_in_wal_mode()

    def is_read(self, sql: str, *, explains: bool) -> bool:
        """Whether readers can run the text; ``explains``: EXPLAIN of a write counts as a read."""
        if explains and is_explain(sql):
            return True
        plan = self._reader_plans.get(sql)
        if plan is None:
            session = self.take_reader()
            try:
                plan = session.plan(sql)
            except PrepareError:
                return False
            finally:
                self.put_back(session)
        return plan.readonly

    def syntax_error(self, sql: str) -> str:
        """What is wrong with the text, apart from names that the schema lacks; empty: nothing."""
        session = self.take_reader()
        try:
            session.plan(sql)
        except PrepareError as exc:
            return str(exc) if _SYNTAX.search(str(exc)) else ""
        finally:
            self.put_back(session)
        return ""

    def schema_changed(self) -> None:
        """Readers look at the schema again before they prepare anything."""
        self._generation += 1
        self._reader_plans.clear()

    def checkpoint(self) -> bool:
        """Move the write-ahead log into the database file; whether anything came since the last."""
        with self._lock:
            found_new = self.index != self._checkpointed
            self._checkpointed = self.index
        self.writer.exclusively(
            lambda session: session.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        )
        return found_new

    def close(self) -> None:
        """Finish the writes that wait and close everything."""
        if self._closed:
            return
        self._closed = True
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()
        self.writer.close()
        self._state.close()
        self._remove_files()

    def _keep_in_wal_mode(self) -> None:
        # While a reader has the database open, no PRAGMA can take it out of WAL mode.
        self.put_back(self.take_reader())

    def _open_writer(self) -> Session:
        connection = apsw.Connection(self.path, statementcachesize=0)
        connection.set_busy_timeout(5_000)
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        connection.execute(f"PRAGMA synchronous={self.fsync}")
        _configure(connection, self.fk, self.extensions)
        return Session(connection, {})

    def _open_reader(self) -> Session:
        connection = apsw.Connection(
            self.path, flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=0
        )
        connection.set_busy_timeout(5_000)
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA synchronous=OFF")  # what clients expect to see
        _configure(connection, self.fk, self.extensions)
        return Session(connection, self._reader_plans)


def _remove(folder: str, owner: int) -> None:
    """Remove a folder, but not in a process that was forked from its owner."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


class StateFile:
    """A locked file beside the database: it keeps others out and the log index growing.

    The index is written ahead in steps, so that it never falls back, not even after a crash.
    """

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise DatabaseInUse(
                f"{path} is locked: another process has this database open"
            ) from None
        text = os.pread(self._file, 32, 0).strip()
        self.index = self._reserved = int(text) if text.isdigit() else _FIRST_INDEX

    def next_index(self) -> int:
        """Count one more entry."""
        self.index += 1
        if self.index > self._reserved:
            self._reserve(self.index + _INDEX_STEP)
        return self.index

    def close(self) -> None:
        """Write the exact index and let go of the lock."""
        self._reserve(self.index)
        # Whoever comes too late must not write into another file that gets the same number.
        file, self._file = self._file, -1
        os.close(file)

    def _reserve(self, index: int) -> None:
        self._reserved = index
        os.pwrite(self._file, b"%-31d\n" % index, 0)
        os.fsync(self._file)


def _configure(connection: apsw.Connection, fk: bool, extensions: bool) -> None:
    connection.execute(f"PRAGMA foreign_keys={'ON' if fk else 'OFF'}")
    _look_at_schema(connection)
    if extensions:
        add_functions(connection)
    else:
        hide_functions(connection)
    # As in the server's build, a word in double quotes may be a string.
    for option in (apsw.SQLITE_DBCONFIG_DQS_DML, apsw.SQLITE_DBCONFIG_DQS_DDL):
        connection.config(option, 1)


def _look_at_schema(connection: apsw.Connection) -> None:
    """Read what there is now; this also takes part in the write-ahead log from here on."""
    connection.execute("SELECT 1 FROM sqlite_schema LIMIT 0")
