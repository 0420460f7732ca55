"""What connections and cursors are, apart from how they wait: state, results, fetching. No I/O here.

What talks to the server is a flow, in a method with an underscore; the public classes make methods of these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pyrqlite import errors
from pyrqlite.cluster import cluster
from pyrqlite.errors import InterfaceError, ProgrammingError
from pyrqlite.flow.applying import once_settled
from pyrqlite.flow.controlling import commit_open, pipelining, rollback
from pyrqlite.flow.deadline import within
from pyrqlite.flow.executing import execute, execute_many, execute_script
from pyrqlite.flow.session import (
    DEFAULT,
    CallOptions,
    ConnectionState,
    Outcome,
    Session,
    Work,
    call_options,
)
from pyrqlite.flow.steps import Flow
from pyrqlite.options import Options, resolve
from pyrqlite.sql.parameters import Parameters
from pyrqlite.transaction.log import Fact, Isolation, Log
from pyrqlite.types import Converter, column_name, convert, converter_for
from pyrqlite.warning import warn

if TYPE_CHECKING:
    from typing_extensions import Self

C = TypeVar("C", bound="BaseCursor")
T = TypeVar("T")


class UncommittedWarning(UserWarning):
    """Writes were lost because they were never committed."""


Description = tuple[tuple[str, str | None, None, None, None, None, None], ...]
RowFactory = Callable[[Any, tuple[Any, ...]], Any]


class BaseConnection(Generic[C]):
    """The state of a connection that makes cursors of the class C."""

    _cursor_class: ClassVar[Any]

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
        self._work = _work(self.options)
        self._session: Session | None = Session(
            self._acquire(), self.options, ConnectionState(), self._work
        )

    def _acquire(self) -> cluster.Cluster:
        """The cluster, with a way to it."""
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._session is None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open: begun, or with statements that wait for a commit."""
        return self._work.log is not None and self._work.log.is_open

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
        self._work.drop()

    @property
    def defaults(self) -> CallOptions:
        """How statements are sent unless a cursor or a call says otherwise."""
        return self._defaults

    def cursor(
        self,
        factory: Callable[[Self], Any] | None = None,
        *,
        level: str | None = DEFAULT,
        freshness: str | float | None = DEFAULT,
        freshness_strict: bool = DEFAULT,
        timeout: float | None = DEFAULT,
    ) -> Any:
        """A new cursor, with its own level, freshness and timeout where they are given.

        `factory` is called with the connection and makes cursors of another class.
        """
        self.session  # noqa: B018  (raises on a closed connection)
        if factory is not None:
            return factory(self)
        options = self._defaults.but(
            level=level, freshness=freshness, freshness_strict=freshness_strict, timeout=timeout
        )
        return self._cursor_class(self, options)

    def _execute(
        self, /, operation: str, parameters: Parameters | None = None, **options: Any
    ) -> Flow[C]:
        """Make a cursor and run one statement on it."""
        return (yield from self._new_cursor()._execute(operation, parameters, **options))

    def _executemany(
        self, /, operation: str, seq_of_parameters: Iterable[Parameters], **options: Any
    ) -> Flow[C]:
        """Make a cursor and run one statement for each set of parameters on it."""
        return (yield from self._new_cursor()._executemany(operation, seq_of_parameters, **options))

    def _executescript(self, sql_script: str) -> Flow[C]:
        """Make a cursor and run a script on it."""
        return (yield from self._new_cursor()._executescript(sql_script))

    def _new_cursor(self) -> C:
        made: C = self._cursor_class(self)
        return made

    def _commit(self) -> Flow[None]:
        """Apply the open transaction as if it ran alone, now.

        Raises SerializationError where another client has changed what it saw: nothing is applied then, and
        it has to run again; OutcomeUnknownError where the answer was lost.
        """
        yield from commit_open(self.session)

    def _ping(self, reconnect: bool = True) -> Flow[None]:
        """Ask the cluster whether it answers; OperationalError where it does not.

        `reconnect` is of no use, and there for callers of the 2.x releases: sockets come and go by themselves.
        """
        yield from self._execute("SELECT 1")

    def _pipeline(self) -> AbstractContextManager[None]:
        """A block in which writes are only noted: nothing is sent, there are no results, and errors come at the
        commit."""
        return pipelining(self.session)

    def _rollback(self) -> None:
        """Forget the open transaction."""
        rollback(self.session)

    def _whole(self, flow: Flow[T]) -> Flow[T]:
        """The flow as it is to be run: where a write was interrupted before, it finds out about that first; and
        it ends with the deadline."""
        session = self.session
        if session.work.unsettled:
            flow = once_settled(session, flow)
        deadline = session.options.deadline
        return flow if deadline is None else within(flow, deadline)

    def facts(self) -> list[Fact]:
        """What the open transaction has seen: guarded facts are checked by every node at the commit, checked
        ones by the driver just before."""
        return [] if self._work.log is None else self._work.log.facts()

    @property
    def session(self) -> Session:
        """The cluster and the options, for flows; ProgrammingError once the connection is closed."""
        if self._session is None:
            raise ProgrammingError("Cannot operate on a closed database.")
        return self._session

    def _let_go(self) -> cluster.Cluster | None:
        """Close, and hand out what has to be given back to the cluster's other users."""
        session, self._session = self._session, None
        if session is None:
            return None
        if self._work.log is not None:
            self._warn_of_loss(self._work.log)
        self._work.drop()
        return session.cluster

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

    _connection: BaseConnection[Any]

    def __init__(self, connection: BaseConnection[Any], options: CallOptions | None = None) -> None:
        self._connection = connection
        self._defaults = options or connection.defaults
        self._closed = False
        self._rows: Sequence[Any] | None = None
        self._position = 0
        self._columns: list[tuple[str, str]] | None = None
        self._description: Description | None = None
        self._names: tuple[str, ...] | None = None
        self._detect_types = 0
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.messages: list[tuple[type[BaseException], BaseException]] = []
        self.row_factory: RowFactory | None = connection.row_factory

    def _execute(
        self,
        operation: str,
        parameters: Parameters | None = None,
        queue: bool = DEFAULT,
        wait: bool = DEFAULT,
        consistency: str | None = None,
        *,
        level: str | None = DEFAULT,
        freshness: str | float | None = DEFAULT,
        freshness_strict: bool = DEFAULT,
        timeout: float | None = DEFAULT,
        freeze: bool = DEFAULT,
    ) -> Flow[Self]:
        """Run one statement and return this cursor.

        `parameters`: a sequence for `?`, `?1` and `:1`, a mapping for `:name`, `@name` and `$name`.
        `queue` hands a write to the node's queue: no result, and no promise that it is durable; `wait`
        returns only once it was applied. `level`, `freshness`, `freshness_strict` and `timeout` (seconds)
        replace the connection's for this call; `consistency` is an older name of `level`. `freeze=False`
        leaves clocks and random numbers in a write to the server's rewriter.

        Raises ProgrammingError for more than one statement or for parameters that do not fit, before
        anything is sent; IntegrityError, OperationalError and the rest of PEP 249's tree as fits.
        """
        options = self._call_options(
            level=_level_of(level, consistency),
            freshness=freshness,
            freshness_strict=freshness_strict,
            timeout=timeout,
            queue=queue,
            wait=wait,
            freeze=freeze,
        )
        self._forget()
        session = self._connection.session
        self._take((yield from execute(session, _text(operation), parameters, options)))
        return self

    def _executemany(
        self,
        operation: str,
        seq_of_parameters: Iterable[Parameters],
        queue: bool = DEFAULT,
        wait: bool = DEFAULT,
        *,
        timeout: float | None = DEFAULT,
    ) -> Flow[Self]:
        """Run one INSERT, UPDATE or DELETE for each set of parameters, as one request: all or nothing.

        `rowcount` is the sum of all.
        """
        options = self._call_options(timeout=timeout, queue=queue, wait=wait)
        self._forget()
        session = self._connection.session
        self._take((yield from execute_many(session, _text(operation), seq_of_parameters, options)))
        return self

    def _executescript(self, sql_script: str) -> Flow[Self]:
        """Run the statements of a script as one request: all or nothing."""
        self._check_open()
        self._forget()
        yield from execute_script(self._connection.session, _text(sql_script), self._defaults)
        return self

    def close(self) -> None:
        """Forget the rows. The cursor cannot be used afterwards; its counts can be read as in `sqlite3`."""
        self._rows, self._closed = None, True

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._at_end():
            raise StopIteration
        return self.fetchone()

    def next(self) -> Any:
        """The next row; StopIteration behind the last."""
        return next(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def description(self) -> Description | None:
        """For each column its name and declared type (in lower case, None for expressions), then five None.

        None where the last statement returned no rows.
        """
        if self._description is None and self._columns is not None:
            self._description = tuple(
                (
                    column_name(name, self._detect_types),
                    declared or None,
                    None,
                    None,
                    None,
                    None,
                    None,
                )
                for name, declared in self._columns
            )
        return self._description

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns of the result."""
        if self._names is None:
            self._names = tuple(column[0] for column in self.description or ())
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
        self._rows, self._position, self.rowcount, self.lastrowid = None, 0, -1, None
        self._columns = self._description = self._names = None
        del self.messages[:]

    def _take(self, outcome: Outcome) -> None:
        """Show the outcome of a statement."""
        self.rowcount = outcome.rowcount
        self.lastrowid = outcome.lastrowid
        if outcome.columns is None:
            return
        detect_types = self._connection.options.detect_types
        self._columns, self._detect_types = outcome.columns, detect_types
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


def _text(operation: object) -> str:
    if not isinstance(operation, str):
        raise TypeError(f"a statement is a str, not {type(operation).__name__}")
    return operation


def _level_of(level: Any, consistency: Any) -> Any:
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
