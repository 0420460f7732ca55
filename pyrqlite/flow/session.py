"""What a flow works with: the cluster, and how one call wants to be treated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from pyrqlite.cluster.cluster import Cluster
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node
from pyrqlite.errors import InterfaceError, InternalError
from pyrqlite.flow.exchange import REDIRECT, attempt_at, exchange, failed_call, unknown_outcome
from pyrqlite.flow.steps import Flow, Request
from pyrqlite.options import LEVELS, Options, check_timeout, duration
from pyrqlite.wire import response
from pyrqlite.wire.failures import is_sqlites_word
from pyrqlite.wire.request import Item, body

if TYPE_CHECKING:
    from pyrqlite.transaction.log import Isolation, Log

DEFAULT: Any = object()
_KINDS = {"none": Kind.LOCAL, "auto": Kind.AUTO}


@dataclass(frozen=True)
class CallOptions:
    """How one statement is sent: the connection's options, changed by the cursor's and the call's."""

    level: str | None = None
    freshness: str | float | None = None
    freshness_strict: bool = False
    timeout: float | None = None
    queue: bool = False
    wait: bool = False
    freeze: bool = True
    read_query: str = field(default="", init=False)
    read_kind: Kind = field(default=Kind.READ, init=False)

    def __post_init__(self) -> None:
        check_timeout("timeout", self.timeout)
        kind = _KINDS.get((self.level or "").lower(), Kind.READ)
        object.__setattr__(self, "read_kind", kind)
        object.__setattr__(self, "read_query", self._read_query())

    def _read_query(self) -> str:
        query = ""
        if self.level is not None:
            if self.level.lower() not in LEVELS:
                raise InterfaceError(f"level {self.level!r} is none of {', '.join(LEVELS)}")
            query += f"&level={self.level.lower()}"
        if self.freshness is not None:
            query += f"&freshness={quote(duration(self.freshness))}"
        if self.freshness_strict:
            if self.freshness is None:
                raise InterfaceError("freshness_strict needs freshness")
            query += "&freshness_strict"
        # A node that leads no more says so, and the driver goes where it has to.
        return query + REDIRECT if self.read_kind is Kind.READ else query

    def but(self, **changes: Any) -> CallOptions:
        """These options with those changes that are not DEFAULT."""
        for value in changes.values():
            if value is not DEFAULT:
                break
        else:
            return self
        changes = {name: value for name, value in changes.items() if value is not DEFAULT}
        return replace(self, **changes)


def call_options(options: Options) -> CallOptions:
    """The connection's own."""
    return CallOptions(
        options.level,
        options.freshness,
        options.freshness_strict,
        options.timeout,
        freeze=options.freeze,
    )


class Outcome(NamedTuple):
    """What a statement gave: `columns` are names and declared types, None where it returns no rows.

    `rowcount` is -1 where no rows are counted; `lastrowid` is None where the statement made none.
    """

    columns: list[tuple[str, str]] | None = None
    rows: Sequence[tuple[Any, ...]] = ()
    rowcount: int = -1
    lastrowid: int | None = None


@dataclass
class ConnectionState:
    """What SQLite's functions of the same names say on a connection of one's own."""

    last_insert_rowid: int = 0
    changes: int = 0
    total_changes: int = 0

    def note(self, outcome: Outcome) -> None:
        """Remember the counts of a write."""
        if outcome.rowcount >= 0:
            self.changes = outcome.rowcount
            self.total_changes += outcome.rowcount
        if outcome.lastrowid is not None:
            self.last_insert_rowid = outcome.lastrowid


class Unsettled(NamedTuple):
    """A write that was interrupted before its answer came: its id, where it has one."""

    id: str | None
    timeout: float | None


@dataclass
class Work:
    """The connection's transaction: whether each statement is one of its own, how far it is shielded, and its
    log while one is open.

    `pipelines` counts the open pipeline blocks; `conflicted` says that the last transaction met a conflict, and
    that the next one reads at the leader; `ended` that one was ever committed or rolled back. `unsettled` are
    writes of which the application does not know yet that their outcome is unknown: several only where tasks share
    the connection.
    """

    autocommit: bool
    isolation: Isolation
    log: Log | None = None
    pipelines: int = 0
    conflicted: bool = False
    ended: bool = False
    unsettled: list[Unsettled] = field(default_factory=list)

    @property
    def pipelined(self) -> bool:
        """Whether nobody looks at results."""
        return self.pipelines > 0

    def drop(self) -> None:
        """Forget the open transaction, if there is one."""
        if self.log is not None:
            self.log.dropped = True
        self.log = None


class Session(NamedTuple):
    """The cluster, the options that shape what is sent to it, and what the connection remembers.

    `at` is the only node to be asked, where it matters: `flow.exchange.Moved` where it is not the one to ask.
    """

    cluster: Cluster
    options: Options
    state: ConnectionState
    work: Work
    at: Node | None = None


def ask(
    session: Session, target: str, items: list[Item], timeout: float | None, kind: Kind
) -> Flow[response.Answer]:
    """Send statements, read the answer; raises the error of the whole call, not those of statements."""
    request = Request("POST", target, body(items), kind.repeatable, timeout, kind, session.at)
    if session.cluster.log_values:
        _log_body(request)
    answered = yield from exchange(session.cluster, request)
    try:
        answer = response.parse(answered.body)
    except InternalError as error:
        if kind.repeatable:
            error.node = str(answered.node)
            error.attempts = (attempt_at(answered.node, str(error)),)
            raise
        raise unknown_outcome(answered.node, str(error)) from error
    if answer.error is not None:
        if kind.repeatable or is_sqlites_word(answer.error):
            raise failed_call(answered.node, answer.error)
        raise unknown_outcome(answered.node, f"200 {answer.error}")
    return answer


def _log_body(request: Request) -> None:
    from pyrqlite.flow.exchange import logger

    logger.debug("%s %s: %s", request.method, request.target, (request.body or b"").decode())
