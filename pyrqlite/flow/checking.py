"""Looking again at what a transaction has seen: in the results of its writes, and just before the commit."""

from __future__ import annotations

from collections.abc import Sequence

from pyrqlite.cluster.kinds import Kind
from pyrqlite.errors import InternalError, SerializationError
from pyrqlite.flow.exchange import REDIRECT
from pyrqlite.flow.session import Session, ask
from pyrqlite.flow.speculation import speculate
from pyrqlite.flow.steps import Flow
from pyrqlite.sql.reads import FactKind
from pyrqlite.transaction.log import Entry, Log, ReadEntry, WriteEntry
from pyrqlite.transaction.replay import Run
from pyrqlite.wire import packing
from pyrqlite.wire.request import QUERY, Item
from pyrqlite.wire.response import Result


def compare(log: Log, entry: WriteEntry, results: Sequence[Result]) -> None:
    """Raise where a write now gives something else than it gave, or fails where nobody looked yet."""
    if entry.seen is None:
        for result in results:
            if result.error is not None:
                log.failed = result_error = failed_in_pipeline(entry, result)
                raise result_error
        return
    now = [entry.look(result) for result in results if result.error is None]
    same = len(now) == len(entry.seen) and all(
        new.same_as(old) for new, old in zip(now, entry.seen, strict=True)
    )
    if not same:
        log.failed = error = conflict(log, entry, "its results have changed")
        raise error


def compare_run(log: Log, run: Run, results: Sequence[Result]) -> None:
    """The same for writes that were run again as they are."""
    for entry in run.entries:
        compare(log, entry, results[: len(entry.items)])
        results = results[len(entry.items) :]


def failed_in_pipeline(entry: WriteEntry, result: Result) -> Exception:
    """The error of a write whose results nobody has asked for before."""
    try:
        result.check()
    except Exception as error:
        error.args = (f"{error} (in a pipeline: {entry.statement.text})",)
        return error
    raise AssertionError("only called for a result with an error")


def conflict(log: Log, entry: Entry | None, what: str) -> SerializationError:
    """The error for a fact that holds no longer."""
    if entry is None:
        return SerializationError(
            "the schema has changed since this transaction began: run it again"
        )
    return SerializationError(
        f"another client has changed what this transaction saw ({what}): run it again. Statement: {entry.text}",
        log.fact(entry),
    )


def check(session: Session, log: Log, entries: Sequence[Entry]) -> Flow[None]:
    """Look again at what no guard checks; all in one snapshot, or in their places among the writes."""
    reads = [
        entry
        for entry in entries
        if isinstance(entry, ReadEntry) and entry.verdict.kind is not FactKind.NONE
    ]
    if not log.stand_behind_writes(entries):
        if not reads:
            return
        results = yield from _read_again(session, reads)
    else:
        results = yield from _speculate_again(session, log, log.entries, reads)
    _compare_reads(log, reads, results)


def _compare_reads(log: Log, reads: Sequence[ReadEntry], results: Sequence[Result]) -> None:
    for entry, result in zip(reads, results, strict=True):
        if not entry.holds(result):
            raise conflict(log, entry, "its rows")


def check_undone(session: Session, log: Log, entries: Sequence[Entry]) -> Flow[None]:
    """Look again at what was seen before a ROLLBACK TO: the application may have acted on it."""
    reads = [
        entry
        for entry in entries
        if isinstance(entry, ReadEntry)
        and entry.verdict.kind is not FactKind.NONE
        and not any(entry is kept for kept in log.entries)
    ]
    results = yield from _speculate_again(session, log, entries, reads)
    _compare_reads(log, reads, results)


def _read_again(session: Session, reads: Sequence[ReadEntry]) -> Flow[list[Result]]:
    """The results of these reads now."""
    items = [packing.RELOAD_SCHEMA, *(entry.again for entry in reads)]
    target = f"{QUERY}&transaction&level=linearizable{REDIRECT}"
    answer = yield from ask(session, target, items, session.options.timeout, Kind.READ)
    if len(answer.results) != len(items):
        raise InternalError("the server gave another number of results than it was asked for")
    return answer.results[1:]


def _speculate_again(
    session: Session, log: Log, entries: Sequence[Entry], reads: Sequence[ReadEntry]
) -> Flow[list[Result]]:
    """The results of these reads in their places among the writes, whose results must be as they were."""
    items: list[Item] = []
    ranges: list[tuple[Entry, int, int]] = []
    for entry in entries:
        own: Sequence[Item] = ()
        if isinstance(entry, WriteEntry):
            own = entry.items
        elif any(entry is read for read in reads):
            own = (entry.again,)
        ranges.append((entry, len(items), len(items) + len(own)))
        items += own
    results = yield from speculate(session, items)
    found: list[Result] = []
    for entry, start, end in ranges:
        if isinstance(entry, WriteEntry):
            compare(log, entry, results[start:end])
        else:
            found += results[start:end]
    if len(results) != len(items):
        raise conflict(log, entries[-1], "a statement fails now")
    return found
