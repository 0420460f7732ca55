"""What connections and cursors are, apart from how they wait: state, results, fetching. No I/O here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from pyrqlite import errors
from pyrqlite.cluster import cluster
from pyrqlite.errors import InterfaceError, ProgrammingError
from pyrqlite.flow.session import (
    DEFAULT,
    CallOptions,
    ConnectionState,
    Outcome,
    Session,
    Work,
    call_options,
)
from pyrqlite.options import Options, resolve
from pyrqlite.transaction.log import Fact, Isolation, Log
from pyrqlite.types import Converter, column_name, convert, converter_for
from pyrqlite.warning import warn


class UncommittedWarning(UserWarning):
    """Writes were lost because they were never committed."""


Description = tuple[tuple[str, str | None, None, None, None, None, None], ...]
RowFactory = Callable[[Any, tuple[Any, ...]], Any]


class BaseConnection:
    """The state of a connection."""

    # PEP 249's optional extension: the errors as attributes.
    Warning = errors.Warning
    Error = errors.Error
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.DatabaseError
    DataError = errors.DataError
    OperationalError = errors.OperationalError
    IntegrityError = errors.IntegrityError
    InternalError = errors.InternalError
    ProgrammingError = errors.ProgrammingError
    NotSupportedError = errors.NotSupportedError

    def __init__(self, options: Options) -> None:
        self.options = resolve(options)
        self.messages: list[tuple[type[BaseException], BaseException]] = []
        self.row_factory: RowFactory | None = None
        self._defaults = call_options(self.options)
        self._state = ConnectionState()
        self._work = _work(self.options)
        self._cluster: cluster.Cluster | None = cluster.acquire(self.options)

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._cluster is None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open: begun, or with statements that wait for a commit."""
        log = self._work.log
        return log is not None and bool(log.explicit or log.entries or log.marks)

    @property
    def isolation_level(self) -> str:
        """SERIALIZABLE, READ COMMITTED or AUTOCOMMIT (as in `sqlite3`, None is that too); can be set between
        transactions."""
        return "AUTOCOMMIT" if self._work.autocommit else self._work.isolation.value

    @isolation_level.setter
    def isolation_level(self, name: str | None) -> None:
        if self.in_transaction:
            raise ProgrammingError("commit or roll back before another isolation level is set")
        level = "AUTOCOMMIT" if name is None else name
        work = _work(dataclasses.replace(self.options, isolation_level=level, autocommit=False))
        self._work.autocommit, self._work.isolation = work.autocommit, work.isolation
        self._work.log = None

    def facts(self) -> list[Fact]:
        """What the open transaction has seen: guarded facts are checked by every node at the commit, checked
        ones by the driver just before."""
        return [] if self._work.log is None else self._work.log.facts()

    @property
    def session(self) -> Session:
        """The cluster and the options, for flows; ProgrammingError once the connection is closed."""
        if self._cluster is None:
            raise ProgrammingError("Cannot operate on a closed database.")
        return Session(self._cluster, self.options, self._state, self._work)

    def _release(self) -> None:
        shared, self._cluster = self._cluster, None
        if shared is not None and self._work.log is not None:
            self._warn_of_loss(self._work.log)
        self._work.log = None
        if shared is not None:
            cluster.release(self.options, shared)

    def _warn_of_loss(self, log: Log) -> None:
        if log.writes and not self._work.ended:
            warn(
                f"a connection is closed with {len(log.writes)} writes that were never committed, and are lost: "
                "call commit(), or connect with autocommit=True",
                UncommittedWarning,
            )

    def __getstate__(self) -> None:
        raise InterfaceError("a connection cannot be pickled: open one in each process")


class BaseCursor:
    """The state of a cursor, and fetching, which needs no I/O: a result arrives whole."""

    arraysize = 1

    def __init__(self, options: CallOptions) -> None:
        self._defaults = options
        self._closed = False
        self._rows: Sequence[Any] | None = None
        self._position = 0
        self._description: Description | None = None
        self._names: tuple[str, ...] = ()
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.messages: list[tuple[type[BaseException], BaseException]] = []
        self.row_factory: RowFactory | None = None

    @property
    def description(self) -> Description | None:
        """For each column its name and declared type (in lower case, None for expressions), then five None.

        None where the last statement returned no rows.
        """
        return self._description

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns of the result."""
        return self._names

    @property
    def rownumber(self) -> int | None:
        """The index of the next row, from 0; None where there is no result."""
        return None if self._rows is None else self._position

    def fetchone(self) -> Any:
        """The next row, or None behind the last."""
        rows = self._result()
        if self._position >= len(rows):
            return None
        self._position += 1
        return self._made(rows[self._position - 1])

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """The next `size` rows (default: `arraysize`), or those that are left."""
        rows = self._result()
        wanted = self.arraysize if size is None else size
        if wanted < 0:
            raise ProgrammingError(f"fetchmany cannot fetch {wanted} rows")
        found = list(rows[self._position : self._position + wanted])
        self._position += len(found)
        return self._all_made(found)

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        rows = self._result()
        found = list(rows[self._position :])
        self._position = len(rows)
        return self._all_made(found)

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Move to another row, by an offset or (`absolute`) by its index; IndexError outside the result."""
        rows = self._result()
        if mode not in ("relative", "absolute"):
            raise ProgrammingError(f"scroll mode {mode!r} is neither 'relative' nor 'absolute'")
        target = value + (self._position if mode == "relative" else 0)
        if not 0 <= target < max(len(rows), 1):
            raise IndexError(f"row {target} is outside of the {len(rows)} rows of the result")
        self._position = target

    def setinputsizes(self, sizes: Any, /) -> None:
        """Nothing: values are sent as they are, whatever their size."""

    def setoutputsize(self, size: Any, column: Any = None, /) -> None:
        """Nothing: columns are read whole."""

    def nextset(self) -> None:
        """None: a statement has one result."""
        self._result()

    def _check_open(self) -> None:
        if self._closed:
            raise ProgrammingError("Cannot operate on a closed cursor.")

    def _result(self) -> Sequence[Any]:
        self._check_open()
        if self._rows is None:
            raise ProgrammingError("there is no result: the last statement returned no rows")
        return self._rows

    def _forget(self) -> None:
        self._rows, self._position, self._description, self.rowcount = None, 0, None, -1
        self.lastrowid = None
        del self.messages[:]

    def _take(self, outcome: Outcome, detect_types: int) -> None:
        """Show the outcome of a statement."""
        self.rowcount = outcome.rowcount
        self.lastrowid = outcome.lastrowid
        if outcome.columns is None:
            return
        self._description = tuple(
            (column_name(name, detect_types), declared or None, None, None, None, None, None)
            for name, declared in outcome.columns
        )
        self._names = tuple(column[0] for column in self._description)
        self._rows = _converted(outcome, detect_types) if detect_types else outcome.rows

    def _made(self, row: tuple[Any, ...]) -> Any:
        return row if self.row_factory is None else self.row_factory(self, row)

    def _all_made(self, rows: list[Any]) -> list[Any]:
        factory = self.row_factory
        return rows if factory is None else [factory(self, row) for row in rows]

    def _call_options(self, **changes: Any) -> CallOptions:
        self._check_open()
        return self._defaults.but(**changes)

    def _at_end(self) -> bool:
        return self._position >= len(self._result())


def _converted(outcome: Outcome, detect_types: int) -> Sequence[tuple[Any, ...]]:
    found: list[Converter | None] = [
        converter_for(name, declared, detect_types) for name, declared in outcome.columns or ()
    ]
    if not any(found):
        return outcome.rows
    return [
        tuple(
            value if converter is None else convert(value, converter)
            for value, converter in zip(row, found, strict=True)
        )
        for row in outcome.rows
    ]


def level_of(level: Any, consistency: Any) -> Any:
    """The read level of a call; `consistency` is the name that the 2.x releases gave it."""
    return consistency if level is DEFAULT and consistency is not None else level


def _work(options: Options) -> Work:
    name = options.isolation_level.upper().replace("_", " ")
    if name == "AUTOCOMMIT":
        return Work(True, Isolation.SERIALIZABLE)
    try:
        return Work(options.autocommit, Isolation(name))
    except ValueError:
        raise InterfaceError(
            f"isolation_level {options.isolation_level!r} is none of SERIALIZABLE, READ COMMITTED, AUTOCOMMIT"
        ) from None
