"""The synchronous connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from pyrqlite.base import BaseConnection
from pyrqlite.cluster import cluster
from pyrqlite.cluster.forks import with_lock
from pyrqlite.cursor import Cursor
from pyrqlite.flow.controlling import abandon_block, close_block, open_block
from pyrqlite.flow.run import blocking, run
from pyrqlite.flow.steps import Flow
from pyrqlite.options import Options

if TYPE_CHECKING:
    from typing_extensions import Self

    from pyrqlite.admin.front import Admin

T = TypeVar("T")


class Connection(BaseConnection[Cursor]):
    """A connection to a cluster: cheap, since all connections to one cluster share their sockets.

    As a context manager it does what `sqlite3`'s does: it commits, or rolls back where an error passes
    through, and stays open.

    Threads may share it: in autocommit mode their statements run side by side, and in a transaction, which is
    then theirs together, one after the other.
    """

    _lock: Any
    _cursor_class = Cursor

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        with_lock(self)

    def _acquire(self) -> cluster.Cluster:
        return cluster.acquire(self.options)

    def run(self, flow: Flow[T]) -> T:
        """Run one of the driver's flows."""
        session = self.session
        flow = self._whole(flow)
        if session.work.autocommit and session.work.log is None:
            return run(flow, session.cluster.transport.send)
        with self._lock:
            return run(flow, session.cluster.transport.send)

    execute = blocking(BaseConnection._execute)
    executemany = blocking(BaseConnection._executemany)
    executescript = blocking(BaseConnection._executescript)
    commit = blocking(BaseConnection._commit)
    ping = blocking(BaseConnection._ping)
    pipeline = BaseConnection._pipeline

    @property
    def admin(self) -> Admin:
        """Administration of the cluster: nodes, backups, loading."""
        from pyrqlite.admin.front import Admin

        return Admin(self)

    @property
    def autocommit(self) -> bool:
        """Whether each statement is applied at once. Setting it to True commits what is open."""
        return self._work.autocommit

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        with self._lock:
            if value and not self._work.autocommit:
                self.commit()
            self._work.autocommit = value

    def rollback(self) -> None:
        """Forget the open transaction."""
        with self._lock:
            self._rollback()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A block that is committed at its end, or rolled back where an error passes through; inside of
        another transaction it is a savepoint."""
        session = self.session
        with self._lock:
            block = open_block(session)
        try:
            yield
        except BaseException:
            with self._lock:
                abandon_block(session, block)
            raise
        self.run(close_block(session, block))

    def close(self) -> None:
        """Let go of the cluster. Doing it twice is harmless."""
        shared = self._let_go()
        if shared is not None:
            cluster.release(self.options, shared)

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
