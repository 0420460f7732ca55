"""What `connection.admin` is: each operation in two lines, since the flows decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pyrqlite.admin import copies, operations
from pyrqlite.admin.copies import BackupForm
from pyrqlite.admin.files import (
    File,
    FileDownload,
    FileUpload,
    Progress,
    opened_source,
    opened_target,
)
from pyrqlite.admin.info import NodeInfo, Readiness
from pyrqlite.admin.operations import At
from pyrqlite.errors import ProgrammingError
from pyrqlite.flow.session import DEFAULT, Session
from pyrqlite.flow.steps import Flow, LocalFailure

if TYPE_CHECKING:
    from pyrqlite.connection import Connection

T = TypeVar("T")


class Admin:
    """Administration of the cluster that a connection leads to.

    Each call is one of its own: transactions have no part in it. `timeout` is the client's, as in `connect`;
    `wait` is how many seconds a node gives another to answer. `node` is a URL or a NodeInfo: ask that node.

    Raises:
        AccessDeniedError: the user lacks a permission; the message and `permission` say which.
        NoLeaderError: there is no leader, and it needs one.
        OperationalError: no node answered.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def nodes(self, *, wait: float = 5.0, timeout: float | None = DEFAULT) -> list[NodeInfo]:
        """All nodes, voters or not."""
        return self._run(operations.nodes(self._session, wait, self._timeout(timeout)))

    def leader(self, *, wait: float = 5.0, timeout: float | None = DEFAULT) -> NodeInfo:
        """The leader."""
        return self._run(operations.leader(self._session, wait, self._timeout(timeout)))

    def status(
        self, key: str | None = None, *, node: At = None, timeout: float | None = DEFAULT
    ) -> Any:
        """What a node says of itself: a dictionary, or the part of it at a path such as `store.raft.state`, {}
        where there is none."""
        return self._run(operations.status(self._session, node, key, self._timeout(timeout)))

    def ready(
        self,
        *,
        sync: bool = False,
        node: At = None,
        wait: float = 5.0,
        timeout: float | None = DEFAULT,
    ) -> Readiness:
        """Whether a node serves requests; with `sync`: and has applied all that the leader had committed."""
        return self._run(operations.ready(self._session, node, sync, wait, self._timeout(timeout)))

    def step_down(
        self, to: str | None = None, *, wait: bool = True, timeout: float | None = DEFAULT
    ) -> None:
        """Have the leader hand over to the node of the id `to`, or to any; with `wait` return when it has.

        Raises:
            ProgrammingError: no node has this id, or it leads already.
            OutcomeUnknownError: the answer was lost; the leader may have handed over.
        """
        self._run(operations.step_down(self._session, to, wait, self._timeout(timeout)))

    def remove_node(self, id: str, *, wait: float = 5.0, timeout: float | None = DEFAULT) -> None:
        """Take a node out of the cluster. It goes on running, and answers reads with what it has.

        Raises:
            ProgrammingError: no node has this id.
        """
        self._run(operations.remove_node(self._session, id, wait, self._timeout(timeout)))

    def snapshot(
        self, *, trailing_logs: int = 0, node: At = None, timeout: float | None = DEFAULT
    ) -> bool:
        """Have a node make a snapshot of its log, and keep so many entries; False where there was nothing new."""
        timeout = self._timeout(timeout)
        return self._run(operations.snapshot(self._session, node, trailing_logs, timeout))

    def backup(
        self,
        file: File,
        *,
        fmt: str = "binary",
        vacuum: bool = False,
        compress: bool = False,
        tables: Sequence[str] = (),
        progress: Progress | None = None,
        node: At = None,
        timeout: float | None = DEFAULT,
    ) -> int:
        """Copy the database to a file, and return the number of bytes.

        Args:
            file: a path, which names a whole copy or what it named before; or a binary file.
            fmt: binary (a SQLite file), delete (one that is not in WAL mode) or sql.
            vacuum: for binary: without free pages, and not in WAL mode.
            compress: in gzip's format.
            tables: for sql: these only.
            progress: called with the bytes done, and the bytes in all or None.
            node: copy what this node has, which may be behind; else the leader's.

        Raises:
            OperationalError: the copy did not arrive whole.
        """
        form = BackupForm(fmt, vacuum, compress, tables)
        with opened_target(file) as target:
            download = FileDownload(target, form.check, progress)
            return self._run(
                copies.backup(self._session, form, download, node, self._timeout(timeout))
            )

    def load(
        self,
        file: File,
        *,
        check: bool = True,
        progress: Progress | None = None,
        timeout: float | None = DEFAULT,
    ) -> None:
        """Replace the whole database by a SQLite file, or run a file of SQL.

        Args:
            file: a path or a binary file; it may be compressed by gzip.
            check: look first whether a SQLite file is sound: a damaged one closes the database of every node.
            progress: called with the bytes done, and the bytes in all.

        Raises:
            ProgrammingError: the file is neither, or not whole; nothing was sent.
            OutcomeUnknownError: the answer was lost; it says what may have happened.
        """
        self._demand_no_transaction()
        with opened_source(file, check=check) as source:
            upload = FileUpload(source, progress)
            self._run(copies.load(self._session, source, upload, self._timeout(timeout)))
            _finished(upload, progress)

    def boot(
        self,
        file: File,
        *,
        check: bool = True,
        progress: Progress | None = None,
        node: At = None,
        timeout: float | None = DEFAULT,
    ) -> None:
        """Give a single node its database, as a file of any size; nodes that join later get it from that node.

        The arguments and errors are those of `load`.
        """
        self._demand_no_transaction()
        with opened_source(file, check=check) as source:
            upload = FileUpload(source, progress)
            self._run(copies.boot(self._session, source, upload, node, self._timeout(timeout)))
            _finished(upload, progress)

    @property
    def _session(self) -> Session:
        return self._connection.session

    def _timeout(self, timeout: float | None) -> float | None:
        return self._connection.defaults.but(timeout=timeout).timeout

    def _demand_no_transaction(self) -> None:
        if self._connection.in_transaction:
            raise ProgrammingError(
                "the connection is in a transaction: commit or roll back before the database is replaced"
            )

    def _run(self, flow: Flow[T]) -> T:
        try:
            return self._connection.run(flow)
        except LocalFailure as failure:
            raise failure.__cause__ or failure from None


def _finished(upload: FileUpload, progress: Progress | None) -> None:
    if progress is not None:
        progress(upload.size, upload.size)
