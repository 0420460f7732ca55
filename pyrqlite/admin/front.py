"""Administration by those that wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from pyrqlite.admin.base import BaseAdmin, plainly
from pyrqlite.admin.copies import BackupForm
from pyrqlite.admin.files import File, FileDownload, Progress, opened_source, opened_target
from pyrqlite.admin.operations import At
from pyrqlite.flow.run import blocking
from pyrqlite.flow.session import DEFAULT
from pyrqlite.flow.steps import Flow

if TYPE_CHECKING:
    from pyrqlite.connection import Connection

T = TypeVar("T")


class Admin(BaseAdmin):
    """What `connection.admin` is.

    Each call is one of its own: transactions have no part in it. `timeout` is the client's, as in `connect`;
    `wait` is how many seconds a node gives another to answer. `node` is a URL or a NodeInfo: ask that node.

    Raises:
        AccessDeniedError: the user lacks a permission; the message and `permission` say which.
        NoLeaderError: there is no leader, and it needs one.
        OperationalError: no node answered.
    """

    _connection: Connection

    nodes = blocking(BaseAdmin._nodes)
    leader = blocking(BaseAdmin._leader)
    status = blocking(BaseAdmin._status)
    ready = blocking(BaseAdmin._ready)
    step_down = blocking(BaseAdmin._step_down)
    remove_node = blocking(BaseAdmin._remove_node)
    snapshot = blocking(BaseAdmin._snapshot)

    def run(self, flow: Flow[T]) -> T:
        """Run a flow on the connection."""
        with plainly():
            return self._connection.run(flow)

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
            return self.run(self._backup(download, form, node, timeout))

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
            self.run(self._load(source, progress, timeout))

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
            self.run(self._boot(source, progress, node, timeout))
