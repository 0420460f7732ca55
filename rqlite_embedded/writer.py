"""The one connection that writes, and the queue before it.

Calls that wait at the same time share one transaction, and so one sync of the disk; each
stays atomic by a savepoint of its own, and none is answered before the common commit. Where
sharing could be noticed (PRAGMAs, transaction control, a deferred foreign key, a rollback that
a trigger asks for), the common transaction is undone and each call runs alone.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar

import apsw

from .execution import ALONE, NESTED, Bracket, Call, CallError, Runner
from .results import Result
from .session import Session, StatementError

_MOST_TOGETHER = 128
_T = TypeVar("_T")

logger = logging.getLogger(__name__)


class Job:
    """One call on its way through the writer. ``done`` is called when the outcome is there."""

    __slots__ = ("_run", "call", "done", "error", "finished", "index", "results", "shareable")

    def __init__(self, call: Call, run: Runner, *, shareable: bool) -> None:
        self.call = call
        self.shareable = shareable
        self.finished = False
        self.results: list[Result] = []
        self.error = ""
        self.index = 0
        self.done: Callable[[], None] | None = None
        self._run = run

    def run(self, session: Session, bracket: Bracket) -> None:
        """Fill in the outcome."""
        self.error = ""
        try:
            self.results = self._run(session, self.call, bracket)
        except CallError as exc:
            self.results = []
            self.error = str(exc)


class _NotTogether(Exception):
    """These calls must run one by one."""


class Writer:
    """Runs jobs in the order of their arrival. Thread safe."""

    def __init__(
        self,
        open_session: Callable[[], Session],
        next_index: Callable[[], int],
        schema_changed: Callable[[], None],
    ) -> None:
        self._open_session = open_session
        self._session = open_session()
        self._next_index = next_index
        self._schema_changed = schema_changed
        self._turn = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._wakeup = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._closed = False

    # Ways in

    def run(self, job: Job) -> None:
        """Run ``job`` in this thread, unless another one takes it along; return when it is done."""
        self._waiting.append(job)
        while not job.finished:
            with self._turn:
                if not job.finished:
                    self._run_waiting()

    def start(self, job: Job) -> None:
        """Leave ``job`` to the writer's own thread."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="rqlite-writer", daemon=True)
            self._thread.start()
        self._waiting.append(job)
        self._wakeup.release()

    @property
    def waiting(self) -> int:
        """How many jobs nobody has taken yet."""
        return len(self._waiting)

    def inspect(self, action: Callable[[Session], _T], default: _T) -> _T:
        """What ``action`` finds on the connection; ``default`` while that is at work."""
        if not self._turn.acquire(blocking=False):
            return default
        try:
            return action(self._session)
        finally:
            self._turn.release()

    def exclusively(self, action: Callable[[Session], object]) -> None:
        """Run ``action`` on the connection while nothing else does."""
        with self._turn:
            action(self._session)
            self._schema_changed()

    def reopen(self) -> None:
        """Start again with a fresh connection: whatever clients have set in the old one is gone."""
        with self._turn:
            self._session.close()
            self._session = self._open_session()
            self._schema_changed()

    def close(self) -> None:
        """Finish what waits, then close the connection."""
        self._closed = True
        if self._thread is not None:
            self._wakeup.release()
            self._thread.join()
        with self._turn:
            self._session.close()

    # The work

    def _serve(self) -> None:
        while not (self._closed and not self._waiting):
            self._wakeup.acquire()
            with self._turn:
                self._run_waiting()

    def _run_waiting(self) -> None:
        jobs: list[Job] = []
        while self._waiting and len(jobs) < _MOST_TOGETHER:
            jobs.append(self._waiting.popleft())
        try:
            for group in _groups(jobs):
                self._run_group(group)
        except BaseException:
            # An interrupt of the thread that happens to work for the others, too.
            self._session.roll_back()
            for job in jobs:
                if not job.finished:
                    job.results, job.error = [], "interrupted"
                    self._finish(job)
            raise

    def _run_group(self, jobs: list[Job]) -> None:
        if len(jobs) > 1 and not self._session.in_transaction and self._run_together(jobs):
            for job in jobs:
                self._finish(job)
        else:
            for job in jobs:
                self._run_alone(job)
                self._finish(job)

    def _finish(self, job: Job) -> None:
        job.index = self._next_index()
        job.finished = True
        if job.done is not None:
            job.done()

    def _run_alone(self, job: Job) -> None:
        try:
            job.run(self._session, ALONE)
        except Exception:
            logger.exception("write failed")
            self._session.roll_back()
            job.results, job.error = [], "internal error"
        if not job.shareable:
            self._schema_changed()

    def _run_together(self, jobs: list[Job]) -> bool:
        session = self._session
        try:
            session.control("BEGIN IMMEDIATE")
            for job in jobs:
                job.run(session, NESTED)
                if not session.in_transaction or _owes_parents(session):
                    raise _NotTogether
            session.control("COMMIT")
        except Exception as exc:
            if not isinstance(exc, (_NotTogether, StatementError)):
                logger.exception("writes failed")
            session.roll_back()
            return False
        return True


def _groups(jobs: list[Job]) -> Iterator[list[Job]]:
    """The jobs in their order, those that may share a transaction together."""
    group: list[Job] = []
    for job in jobs:
        if group and not (job.shareable and group[-1].shareable):
            yield group
            group = []
        group.append(job)
    if group:
        yield group


def _owes_parents(session: Session) -> bool:
    """Whether a deferred foreign key is violated: alone, the call would have failed by now."""
    return session.connection.status(apsw.SQLITE_DBSTATUS_DEFERRED_FKS)[0] != 0
