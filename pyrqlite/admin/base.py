"""What the administrations of both worlds have in common: each operation, as a flow.

The public classes make methods of those with an underscore that need no files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyrqlite.admin import copies, operations
from pyrqlite.admin.copies import BackupForm
from pyrqlite.admin.files import FileDownload, FileUpload, Progress, Source
from pyrqlite.admin.info import NodeInfo, Readiness
from pyrqlite.admin.operations import At
from pyrqlite.base import BaseConnection
from pyrqlite.errors import ProgrammingError
from pyrqlite.flow.session import DEFAULT, Session
from pyrqlite.flow.steps import Flow, LocalFailure


class BaseAdmin:
    """Looks after the cluster of a connection."""

    def __init__(self, connection: BaseConnection[Any]) -> None:
        self._connection = connection

    def _nodes(self, *, wait: float = 5.0, timeout: float | None = DEFAULT) -> Flow[list[NodeInfo]]:
        """All nodes, voters or not."""
        return (yield from operations.nodes(self._session, wait, self._timeout(timeout)))

    def _leader(self, *, wait: float = 5.0, timeout: float | None = DEFAULT) -> Flow[NodeInfo]:
        """The leader."""
        return (yield from operations.leader(self._session, wait, self._timeout(timeout)))

    def _status(
        self, key: str | None = None, *, node: At = None, timeout: float | None = DEFAULT
    ) -> Flow[Any]:
        """What a node says of itself: a dictionary, or the part of it at a path such as `store.raft.state`, {}
        where there is none."""
        return (yield from operations.status(self._session, node, key, self._timeout(timeout)))

    def _ready(
        self,
        *,
        sync: bool = False,
        node: At = None,
        wait: float = 5.0,
        timeout: float | None = DEFAULT,
    ) -> Flow[Readiness]:
        """Whether a node serves requests; with `sync`: and has applied all that the leader had committed."""
        return (
            yield from operations.ready(self._session, node, sync, wait, self._timeout(timeout))
        )

    def _step_down(
        self, to: str | None = None, *, wait: bool = True, timeout: float | None = DEFAULT
    ) -> Flow[None]:
        """Have the leader hand over to the node of the id `to`, or to any; with `wait` return when it has.

        Raises:
            ProgrammingError: no node has this id, or it leads already.
            OutcomeUnknownError: the answer was lost; the leader may have handed over.
        """
        yield from operations.step_down(self._session, to, wait, self._timeout(timeout))

    def _remove_node(
        self, id: str, *, wait: float = 5.0, timeout: float | None = DEFAULT
    ) -> Flow[None]:
        """Take a node out of the cluster. It goes on running, and answers reads with what it has.

        Raises:
            ProgrammingError: no node has this id.
        """
        yield from operations.remove_node(self._session, id, wait, self._timeout(timeout))

    def _snapshot(
        self, *, trailing_logs: int = 0, node: At = None, timeout: float | None = DEFAULT
    ) -> Flow[bool]:
        """Have a node make a snapshot of its log, and keep so many entries; False where there was nothing new."""
        timeout = self._timeout(timeout)
        return (yield from operations.snapshot(self._session, node, trailing_logs, timeout))

    def _backup(
        self, download: FileDownload, form: BackupForm, node: At, timeout: Any
    ) -> Flow[int]:
        """Fill a file."""
        timeout = self._timeout(timeout)
        return (yield from copies.backup(self._session, form, download, node, timeout))

    def _load(self, source: Source, progress: Progress | None, timeout: Any) -> Flow[None]:
        """Send a file that was looked at."""
        upload = FileUpload(source, progress)
        yield from copies.load(self._session, source, upload, self._timeout(timeout))
        _finished(upload, progress)

    def _boot(
        self, source: Source, progress: Progress | None, node: At, timeout: Any
    ) -> Flow[None]:
        """Send a file that was looked at."""
        upload = FileUpload(source, progress)
        yield from copies.boot(self._session, source, upload, node, self._timeout(timeout))
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


@contextmanager
def plainly() -> Iterator[None]:
    """Raise what went wrong on this side as what it was."""
    try:
        yield
    except LocalFailure as failure:
        raise failure.__cause__ or failure from None


def _finished(upload: FileUpload, progress: Progress | None) -> None:
    if progress is not None:
        progress(upload.size, upload.size)
