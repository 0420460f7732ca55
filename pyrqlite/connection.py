"""The synchronous connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from pyrqlite.base import BaseConnection
from pyrqlite.cursor import Cursor
from pyrqlite.errors import ProgrammingError
from pyrqlite.flow.controlling import (
    begin,
    commit_open,
    open_log,
    release,
    rollback,
    rollback_to,
    savepoint,
)
from pyrqlite.flow.run import run
from pyrqlite.flow.session import DEFAULT, CallOptions
from pyrqlite.flow.steps import Flow
from pyrqlite.sql.parameters import Parameters

if TYPE_CHECKING:
    from typing_extensions import Self

    from pyrqlite.admin.front import Admin

T = TypeVar("T")


class Connection(BaseConnection):
    """A connection to a cluster: cheap, since all connections to one cluster share their sockets.

    As a context manager it does what `sqlite3`'s does: it commits, or rolls back where an error passes
    through, and stays open.
    """

    def run(self, flow: Flow[T]) -> T:
        """Run one of the driver's flows."""
        return run(flow, self.session.cluster.transport.send)

    @property
    def defaults(self) -> CallOptions:
        """How statements are sent unless a cursor or a call says otherwise."""
        return self._defaults

    @property
    def admin(self) -> Admin:
        """Administration of the cluster: nodes, backups, loading."""
        from pyrqlite.admin.front import Admin

        return Admin(self)

    def cursor(
        self,
        factory: Callable[[Connection], Any] | None = None,
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
        return Cursor(self, options)

    def execute(
        self, operation: str, parameters: Parameters | None = None, **options: Any
    ) -> Cursor:
        """Make a cursor and run one statement on it."""
        return Cursor(self).execute(operation, parameters, **options)

    def executemany(
        self, operation: str, seq_of_parameters: Iterable[Parameters], **options: Any
    ) -> Cursor:
        """Make a cursor and run one statement for each set of parameters on it."""
        return Cursor(self).executemany(operation, seq_of_parameters, **options)

    def executescript(self, sql_script: str) -> Cursor:
        """Make a cursor and run a script on it."""
        return Cursor(self).executescript(sql_script)

    @property
    def autocommit(self) -> bool:
        """Whether each statement is applied at once. Setting it to True commits what is open."""
        return self._work.autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        if value and not self._work.autocommit:
            self.commit()
        self._work.autocommit = value

    def commit(self) -> None:
        """Apply the open transaction as if it ran alone, now.

        Raises SerializationError where another client has changed what it saw: nothing is applied then, and
        it has to run again; OutcomeUnknownError where the answer was lost.
        """
        self.run(commit_open(self.session))

    def rollback(self) -> None:
        """Forget the open transaction."""
        rollback(self.session)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A block that is committed at its end, or rolled back where an error passes through; inside of
        another transaction it is a savepoint."""
        session = self.session
        nested = self.in_transaction
        name = f"_pyrqlite_{len(session.work.log.marks) if session.work.log else 0}"
        if nested:
            savepoint(session, name)
        else:
            begin(session)
        try:
            yield
        except BaseException:
            if not nested:
                self.rollback()
            elif session.work.log is not None and session.work.log.has_mark(name):
                rollback_to(session, name)
                session.work.log.release(name)
            raise
        if nested:
            self.run(release(session, name))
        else:
            self.commit()

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """A block in which writes are only noted: nothing is sent, there are no results, and errors come at the
        commit."""
        work = self.session.work
        if open_log(self.session) is None:
            raise ProgrammingError("a pipeline is a part of a transaction: begin one first")
        work.pipelines += 1
        try:
            yield
        finally:
            work.pipelines -= 1

    def ping(self, reconnect: bool = True) -> None:
        """Ask the cluster whether it answers; OperationalError where it does not.

        `reconnect` is of no use, and there for callers of the 2.x releases: sockets come and go by themselves.
        """
        self.execute("SELECT 1").fetchone()

    def close(self) -> None:
        """Let go of the cluster. Doing it twice is harmless."""
        self._release()

    def __enter__(self) -> Self:
        self.session  # noqa: B018  (raises on a closed connection)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.closed:
            return
        if exc_type is None:
            self.commit()
        else:
            self.rollback()
