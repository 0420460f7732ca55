"""Backups, and loading: each as a flow, to be run by whichever executor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from pyrqlite.admin.files import FileDownload, FileUpload, Source
from pyrqlite.admin.operations import At, ask, ask_one
from pyrqlite.admin.whole import Binary, Check, Compressed, Dump, demand_whole
from pyrqlite.errors import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    OutcomeUnknownError,
    ProgrammingError,
)
from pyrqlite.flow.exchange import exchange, unknown_outcome
from pyrqlite.flow.session import Session
from pyrqlite.flow.steps import Flow, Request, Response
from pyrqlite.wire import response as wire
from pyrqlite.wire.failures import call_error

_FORMS: dict[str, Callable[[], Check]] = {"binary": Binary, "delete": Binary, "sql": Dump}
# To be sent ahead: it changes nothing, needs the permission, and is answered by the leader only.
_NOTHING = b"-- pyrqlite looks for the leader"
# What a node says by a 500 when it has loaded nothing.
_NOT_LOADED = ("store not open", "store not ready", "timed out enqueuing operation")
_LOAD = "/db/load?timeout=30s&redirect"


@dataclass(frozen=True)
class BackupForm:
    """What kind of copy to make. `tables` limits those of SQL; empty means all."""

    fmt: str = "binary"
    vacuum: bool = False
    compress: bool = False
    tables: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.fmt not in _FORMS:
            raise InterfaceError(f"fmt={self.fmt!r} is none of {', '.join(_FORMS)}")
        if self.vacuum and self.fmt != "binary":
            raise InterfaceError("only binary backups can be vacuumed")
        if self.tables and self.fmt != "sql":
            raise InterfaceError("only SQL can be limited to some tables: give fmt='sql'")
        if isinstance(self.tables, str):
            raise InterfaceError("tables is a list of names")
        for table in self.tables:
            if not table.strip() or "," in table or table != table.strip():
                raise InterfaceError(f"the server cannot be told of a table named {table!r}")

    @property
    def target(self) -> str:
        flags = [f"fmt={self.fmt}"]
        flags += ["vacuum"] * self.vacuum + ["compress"] * self.compress
        flags += [f"tables={quote(','.join(self.tables))}"] * bool(self.tables)
        return f"/db/backup?{'&'.join(flags)}"

    def check(self) -> Check:
        """Looks whether a copy of this kind is whole."""
        inner = _FORMS[self.fmt]()
        return Compressed(inner) if self.compress else inner


def backup(
    session: Session, form: BackupForm, download: FileDownload, at: At, timeout: float | None
) -> Flow[int]:
    """Copy the leader's database, or with `at` what that node has; the number of bytes."""

    def request(flags: str) -> Request:
        return Request("GET", form.target + flags, None, True, timeout, download=download)

    if at is None:
        yield from exchange(session.cluster, request("&redirect"))
    else:
        yield from ask(session, at, request("&noleader"))
    demand_whole(download.check)
    return download.done


def load(session: Session, source: Source, upload: FileUpload, timeout: float | None) -> Flow[None]:
    """Replace the database by a SQLite file, or run SQL."""
    yield from exchange(session.cluster, Request("POST", _LOAD, _NOTHING, True, timeout))
    try:
        response = yield from exchange(
            session.cluster, Request("POST", _LOAD, None, False, timeout, upload=upload)
        )
        _check_loaded(response, source)
    except OutcomeUnknownError as error:
        raise _load_error(error, source) from error
    finally:
        session.cluster.schema.renew()


def _check_loaded(response: Response, source: Source) -> None:
    try:
        answer = wire.parse(response.body)
    except InternalError as error:
        raise unknown_outcome(response.node, str(error)) from error
    if answer.error is not None:
        raise call_error(answer.error, str(response.node))
    for result in answer.results:
        try:
            result.check()
        except DatabaseError as error:
            applied = (
                "nothing was applied"
                if source.is_one_transaction
                else "the statements before it may have been applied, those behind it were not"
            )
            error.args = (f"{source.name}: {error} ({applied})",)
            raise


def _load_error(error: OutcomeUnknownError, source: Source) -> DatabaseError:
    """What is known after all, or what the open end means."""
    said = (error.body or "").strip()
    if said in _NOT_LOADED:
        return call_error(said, error.node or "")
    what = (
        "the whole database may have been replaced, or may be yet, which would undo what is written in the "
        "meantime; never a part of it"
        if source.is_database
        else "all of its statements may have been applied, or may be yet"
        if source.is_one_transaction
        else "some or all of its statements may have been applied, or may be yet"
    )
    error.args = (
        f"the answer to the load of {source.name} says nothing ({error}): {what}. Look at what is there before "
        "you write or load again.",
    )
    return error


def boot(
    session: Session, source: Source, upload: FileUpload, at: At, timeout: float | None
) -> Flow[None]:
    """Give a single, fresh node its database, without the log."""
    if not source.is_database:
        raise ProgrammingError(f"{source.name} is no SQLite file: only one can be booted from")
    if at is None and len(session.options.nodes()) > 1:
        raise InterfaceError("say by `node` which of the nodes is to be booted")
    request = Request("POST", "/boot", None, False, timeout, upload=upload)
    try:
        if at is None:
            yield from ask_one(session.options.nodes()[0], request)
        else:
            yield from ask(session, at, request)
    except OperationalError as error:
        raise _boot_error(error) from error
    finally:
        session.cluster.schema.renew()


_BOOT_REFUSALS = {
    "not leader": "is not the leader: only a single node that leads itself can be booted",
    "not single-node": "is in a cluster with others: use load()",
    "EOF": "did not receive the file",
}


def _boot_error(error: OperationalError) -> OperationalError:
    if error.http_status != 503:
        return error
    said = (error.body or "").strip()
    reason = _BOOT_REFUSALS.get(said)
    clearer = (
        OperationalError(f"{error.node} {reason}; nothing was applied")
        if reason is not None
        else OutcomeUnknownError(
            f"{error.node} failed while it took the database on ({said}): it may have the old or the new one"
        )
    )
    clearer.http_status, clearer.body, clearer.node = error.http_status, error.body, error.node
    return clearer
