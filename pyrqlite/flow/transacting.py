"""Statements inside a transaction: nothing is applied, everything is seen, and every sight is a fact."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pyrqlite.cluster.kinds import Kind
from pyrqlite.errors import (
    IntegrityError,
    InternalError,
    NoLeaderError,
    NotSupportedError,
    OperationalError,
)
from pyrqlite.flow.applying import apply
from pyrqlite.flow.checking import (
    check,
    check_undone,
    compare_run,
    conflict,
    failed_in_pipeline,
)
from pyrqlite.flow.exchange import REDIRECT, Moved
from pyrqlite.flow.packed import PackedRead, Query, WrongWidth, packed_texts
from pyrqlite.flow.preparing import Prepared, PreparedRows, prepare, prepare_rows
from pyrqlite.flow.reading import believed, can_pack, read, read_plain
from pyrqlite.flow.returning import check_understood, with_blank
from pyrqlite.flow.schema import current_schema, schema_after
from pyrqlite.flow.session import CallOptions, Outcome, Session, ask
from pyrqlite.flow.speculation import speculate
from pyrqlite.flow.steps import Flow
from pyrqlite.flow.writing import all_results, counts, many_items, returned
from pyrqlite.sql.parameters import Parameters
from pyrqlite.sql.plan import query_of_create
from pyrqlite.sql.pragma import PragmaKind, pragma_kind, sees_writes
from pyrqlite.sql.reads import FactKind, ReadVerdict, judge_read, text_reason
from pyrqlite.sql.schema import Schema
from pyrqlite.sql.statement import Statement, StatementKind, parse, remembered
from pyrqlite.sql.writes import WriteVerdict, judge_write
from pyrqlite.transaction.guards import compares_bags
from pyrqlite.transaction.log import (
    Isolation,
    Log,
    ReadEntry,
    RowsGuard,
    Step,
    WriteEntry,
    some_rows,
)
from pyrqlite.transaction.replay import Run
from pyrqlite.transaction.returned import GuardedReturning, guard_returning, without_rowid
from pyrqlite.transaction.rows import RowsVerdict, counts_surely, judge_rows, keeps_rowids
from pyrqlite.wire import packing
from pyrqlite.wire.failures import statement_error
from pyrqlite.wire.request import EXECUTE, QUERY, Item, item
from pyrqlite.wire.response import Answer, Result, plain_rows
from pyrqlite.wire.returning import makes_rowid, pack_returning

_MOST_MOVES = 10
_BEHIND_DDL = "it stands behind a change of the schema"


def execute_in(
    session: Session,
    log: Log,
    statement: Statement,
    parameters: Parameters | None,
    options: CallOptions,
) -> Flow[Outcome]:
    """Run one statement as a part of the transaction."""
    _check_usable(log)
    if options.queue:
        raise NotSupportedError(
            "a queued write cannot be part of a transaction: use an autocommit connection"
        )
    schema = yield from _schema(session, log, statement)
    prepared = yield from prepare(session, statement, parameters, options, schema, constant=True)
    kind = statement.kind
    if kind is StatementKind.EMPTY:
        return Outcome()
    if kind is StatementKind.READ:
        return (yield from _read(session, log, prepared, options))
    if kind is StatementKind.EXPLAIN or (
        kind is StatementKind.PRAGMA and pragma_kind(statement) is PragmaKind.READ
    ):
        return (yield from _read_about(session, log, prepared, options))
    if statement.verb == "VACUUM":
        raise OperationalError("cannot VACUUM from within a transaction")
    _refuse_half_done(statement)
    return (yield from _write(session, log, prepared, options))


def execute_many_in(
    session: Session,
    log: Log,
    statement: Statement,
    rows: Iterable[Parameters],
    options: CallOptions,
) -> Flow[Outcome]:
    """Run one statement for many rows, as one entry of the transaction."""
    _check_usable(log)
    _refuse_half_done(statement)
    schema = yield from _schema(session, log, statement)
    prepared = yield from prepare_rows(session, statement, rows, options, schema)
    items = yield from many_items(session, prepared, replace(options, queue=False))
    if not items:
        return Outcome(rowcount=0)
    verdict = _verdict_of_rows(session, log, prepared, items)
    entry = WriteEntry(
        statement,
        prepared.statement,
        tuple(items),
        tuple(items),
        None,
        False,
        counts=verdict.counts,
        open=verdict.open,
        uniform=verdict.uniform,
        tables=verdict.tables,
        reason=verdict.reason,
    )
    if session.work.pipelined:
        log.add(entry)
        return Outcome()
    results = yield from _speculate_behind(session, log, items, statement)
    entry = replace(entry, seen=tuple(map(entry.look, results)))
    log.add(entry)
    outcome = Outcome(rowcount=sum(seen.changes for seen in entry.seen or ()))
    session.state.note(outcome)
    return outcome


def _verdict_of_rows(
    session: Session, log: Log, prepared: PreparedRows, items: Sequence[Item]
) -> RowsVerdict:
    statement, schema = prepared.statement, prepared.schema
    if schema is None:
        return RowsVerdict(False, False, True, "the schema cannot be read")
    if log.changes_schema:
        return RowsVerdict(False, False, not counts_surely(statement, schema), _BEHIND_DDL)
    return judge_rows(statement, schema, items, session.options.steady_times)


def _check_usable(log: Log) -> None:
    if log.failed is not None:
        raise OperationalError(
            f"the transaction has failed, and has to be rolled back before anything else: {log.failed}"
        )


def _refuse_half_done(statement: Statement) -> None:
    if _resolution(statement) == "FAIL":
        raise NotSupportedError(
            "OR FAIL keeps what was done before the failure, which no commit can repeat: use OR ABORT, or an "
            "autocommit connection"
        )


def _resolution(statement: Statement) -> str:
    """The word behind INSERT OR, UPDATE OR; empty where there is none."""
    words = [token.keyword for token in statement.tokens[statement.main : statement.main + 3]]
    return words[2] if words[1:2] == ["OR"] and len(words) > 2 else ""


def _schema(session: Session, log: Log, statement: Statement) -> Flow[Schema | None]:
    """The schema as the statement will see it; the one before the transaction's own DDL where that does as well."""
    if log.changes_schema and not _is_alike_in_any_schema(statement):
        if log.schema is None:
            log.schema = yield from schema_after(session, log.write_items)
        return log.schema
    schema = yield from current_schema(session)
    if schema is not None and not log.changes_schema:
        log.trigger_texts[schema.trigger_text] = None
    return schema


def _is_alike_in_any_schema(statement: Statement) -> bool:
    """Whether this is sent as it is, whatever tables there are: a definition that copies no rows, a PRAGMA."""
    if statement.kind is StatementKind.DEFINITION:
        return query_of_create(statement) is None
    return statement.kind is StatementKind.PRAGMA


# Reads.


def _read(session: Session, log: Log, prepared: Prepared, options: CallOptions) -> Flow[Outcome]:
    if log.isolation is not Isolation.SERIALIZABLE and not log.writes:
        return (yield from read(session, _query(prepared), options))
    if not (yield from can_pack(session)):
        raise NotSupportedError(
            "this server's SQLite is too old for transactions: its JSON functions print REALs inexactly"
        )
    verdict = _read_verdict(session, log, prepared)
    query, verdict = _one_row_more(prepared, verdict)
    entry, columns, rows = yield from believed(
        options,
        lambda chosen: _read_entry(session, log, query, verdict, prepared, chosen),
    )
    if entry.verdict.limit is not None:
        k = entry.verdict.limit.k
        entry = _of_the_first(entry, prepared, k, rows)
        rows = rows[:k]
    if log.isolation is Isolation.SERIALIZABLE:
        log.add(entry)
    return Outcome(columns, rows, len(rows))


def _of_the_first(
    entry: ReadEntry, prepared: Prepared, k: int, rows: Sequence[tuple[Any, ...]]
) -> ReadEntry:
    """The entry of the first `k` rows of those that were read: the one behind them was not shown, and others may
    change it."""
    limit = entry.verdict.limit
    if limit is None or len(rows) <= k:
        return entry
    first = replace(entry, query=_query(prepared), seen=some_rows(entry.seen, 0, k), rows=k)
    if limit.total_order or k == 0:
        return first
    parts = None
    if limit.boundary is not None:
        parts = limit.boundary.parts(prepared.statement, prepared.values, rows, k)
    if parts is None:
        verdict = _checked("LIMIT cuts rows, and ORDER BY leaves open which")
        return replace(first, verdict=verdict)
    guards = tuple(
        RowsGuard(
            part.query,
            tuple(part.values),
            entry.width,
            some_rows(entry.seen, part.start, part.stop),
            part.stop - part.start,
            entry.apart,
        )
        for part in parts
    )
    return replace(first, parts=guards, ordered=False)


def _read_verdict(session: Session, log: Log, prepared: Prepared) -> ReadVerdict:
    if prepared.schema is None:
        return _checked("the schema cannot be read")
    verdict = judge_read(
        prepared.statement, prepared.schema, prepared.values, session.options.steady_times
    )
    if verdict.guarded and log.changes_schema:
        return _checked(_BEHIND_DDL)
    if verdict.guarded and not all(entry.uniform for entry in log.writes):
        return _checked("it stands behind a write that may differ between nodes")
    if verdict.guarded and not compares_bags(prepared.schema):
        return _checked("json_each, which guards need, is a table of the user's here")
    return verdict


def _checked(reason: str) -> ReadVerdict:
    return ReadVerdict(FactKind.CHECKED, reason)


def _one_row_more(prepared: Prepared, verdict: ReadVerdict) -> tuple[Query, ReadVerdict]:
    """The query with a LIMIT of one more, where the verdict asks to know whether the LIMIT cuts anything."""
    query, statement = _query(prepared), prepared.statement
    if not verdict.guarded or verdict.limit is None:
        return query, verdict
    token = statement.tokens[verdict.limit.index]
    more = verdict.limit.k + 1
    numbers = [
        number for number, place in statement.placeholders.occurrences if place.start == token.start
    ]
    if not numbers:
        text = f"{statement.text[: token.start]}{more}{statement.text[token.end :]}"
        return query._replace(statement=parse(text)), verdict
    uses = sum(number == numbers[0] for number, _ in statement.placeholders.occurrences)
    if uses > 1:
        return query, _checked("the value of its LIMIT is used elsewhere too")
    values = list(query.values)
    values[numbers[0] - 1] = more
    return query._replace(values=values), verdict


def _query(prepared: Prepared) -> Query:
    """The query as it was asked for."""
    return Query(prepared.original, prepared.statement, list(prepared.values))


def _read_entry(
    session: Session,
    log: Log,
    query: Query,
    verdict: ReadVerdict,
    prepared: Prepared,
    options: CallOptions,
) -> Flow[tuple[ReadEntry, list[tuple[str, str]], list[tuple[Any, ...]]]]:
    width = verdict.width or packing.count_columns(query.statement)
    form = packing.Form.EXACT
    for _ in range(4):
        asked = PackedRead(query, None).items()
        if width is not None:
            rows_query = packing.rows_query(query.statement, width, verdict.apart, form)
            asked.append(item(rows_query, query.values))
        try:
            results = yield from _look(session, log, asked, options)
            columns, texts = packed_texts(results, width)
        except WrongWidth as wrong:
            width = wrong.width
            verdict = replace(verdict, apart=frozenset())
            continue
        if form is not packing.Form.HEX and any("\ufffd" in text for text in texts):
            form = packing.Form.HEX
            query = _query(prepared)  # without the row behind a LIMIT
            verdict = _checked("a text is not valid UTF-8, or holds U+FFFD")
            continue
        rows = packing.unpack_parts(texts, [name for name, _ in columns], verdict.apart)
        assert width is not None
        verdict = _by_what_was_seen(session, texts[0], rows, verdict)
        ordered = _has_order(query.statement)
        entry = ReadEntry(query, width, verdict.apart, form, texts[0], len(rows), verdict, ordered)
        return entry, columns, rows
    raise InternalError("the columns of a query changed with every attempt to read it")


@remembered
def _has_order(statement: Statement) -> bool:
    return statement.find("ORDER") is not None


def _by_what_was_seen(
    session: Session, text: str, rows: Sequence[tuple[Any, ...]], verdict: ReadVerdict
) -> ReadVerdict:
    if not verdict.guarded:
        return verdict
    if len(text) > session.options.max_guard_bytes:
        return replace(verdict, kind=FactKind.CHECKED, reason="its rows are too large for a guard")
    reason = text_reason(text, session.options.steady_times)
    if reason is None and verdict.aggregates is not None and rows:
        reason = verdict.aggregates.reason(rows[0])
    return verdict if reason is None else replace(verdict, kind=FactKind.CHECKED, reason=reason)


def _look(
    session: Session, log: Log, items: list[Item], options: CallOptions
) -> Flow[Sequence[Result]]:
    """The results of reads: on the database as it is, or behind the transaction's own writes."""
    if log.writes:
        return (yield from _speculate_behind(session, log, items, check=False))
    level, kind = options.read_query, options.read_kind
    if session.work.conflicted:
        level, kind = f"&level=strong{REDIRECT}", Kind.READ
    target = f"{QUERY}&transaction{level}"
    answer = yield from ask(session, target, items, options.timeout, kind)
    if len(answer.results) != len(items):
        raise InternalError("the server gave another number of results than it was asked for")
    return answer.results


def _read_about(
    session: Session, log: Log, prepared: Prepared, options: CallOptions
) -> Flow[Outcome]:
    """PRAGMA and EXPLAIN: behind the transaction's own DDL where there is any, and behind its writes where they
    see those; no fact."""
    query = _query(prepared)
    if not log.changes_schema and not (log.writes and sees_writes(prepared.statement)):
        return (yield from read_plain(session, query, options))
    results = yield from _speculate_behind(
        session, log, [item(prepared.statement.text, prepared.values)]
    )
    result = results[0]
    if result.columns is None:
        return Outcome()
    rows = plain_rows(result)
    return Outcome(list(zip(result.columns, result.types, strict=True)), rows, len(rows))


# Writes.


def _write(session: Session, log: Log, prepared: Prepared, options: CallOptions) -> Flow[Outcome]:
    statement = prepared.statement
    schema = prepared.schema
    verdict = _write_verdict(session, log, prepared)
    guarded: GuardedReturning | None = None
    asked = final = item(statement.text, prepared.values)
    packed = None
    if statement.returning is not None:
        text = with_blank(statement)
        if schema is not None:
            packed = pack_returning(statement, schema)
            guarded = guard_returning(statement, schema, verdict)
        if guarded is not None:
            text = guarded.text
        elif packed is not None:
            text = packed.text
        yield from check_understood(session, prepared.completed, text, options)
        asked = item(text, prepared.values)
    returned_as: Callable[[Sequence[Any]], str] = json.dumps
    if guarded is not None:
        returned_as = guarded.fact
    elif packed is not None and packed.with_rowid and not keeps_rowids(statement, schema):
        returned_as = partial(without_rowid, packed)
    entry = WriteEntry(
        prepared.original,
        statement,
        (asked,),
        (final,),
        None,
        makes_rowid(statement, schema) and keeps_rowids(statement, schema),
        uniform=verdict.uniform,
        tables=verdict.tables,
        returned=returned_as,
    )
    if session.work.pipelined:
        log.add(entry)
        return Outcome()
    results = yield from _speculate_behind(session, log, [asked], statement)
    if statement.returning is None:
        outcome = counts(statement, results[0], schema)
    elif guarded is not None:
        outcome = guarded.outcome(results[0])
    else:
        outcome = returned(results[0], packed)
    log.add(_seen_entry(entry, verdict, results[0], guarded, prepared))
    session.state.note(outcome)
    return outcome


def _seen_entry(
    entry: WriteEntry,
    verdict: WriteVerdict,
    result: Result,
    guarded: GuardedReturning | None,
    prepared: Prepared,
) -> WriteEntry:
    """The entry with what was seen of it, and the guards of that."""
    statement = prepared.statement
    seen = entry.look(result)
    rowid = seen.rowid if verdict.rowid and seen.changes == 1 else None
    before: tuple[RowsGuard, ...] = ()
    behind: tuple[RowsGuard, ...] = ()
    reason = ""
    if not verdict.count:
        schema = prepared.schema
        if schema is None or seen.texts or not counts_surely(statement, schema):
            reason = verdict.reason or "its count cannot be guarded"
    if seen.rowid is not None and rowid is None:
        reason = reason or "it made several rows, or perhaps none"
    if seen.texts:
        made = guarded.guards(result, prepared.values) if guarded is not None else None
        if made is None:
            reason = reason or verdict.returning_reason or "its rows cannot be guarded"
        else:
            before, behind = made.before, made.behind
            rowid = made.rowid if rowid is None else rowid
    return replace(
        entry,
        seen=(seen,),
        counts=verdict.count,
        rowid=rowid,
        before=before,
        behind=behind,
        open=bool(reason) and statement.kind is StatementKind.WRITE,
        reason=reason,
    )


def _write_verdict(session: Session, log: Log, prepared: Prepared) -> WriteVerdict:
    if prepared.statement.kind is not StatementKind.WRITE:
        return WriteVerdict(False, "it changes the schema", uniform=True)
    if prepared.schema is None:
        return WriteVerdict(False, "the schema cannot be read")
    if log.changes_schema:
        return WriteVerdict(False, _BEHIND_DDL)
    steady_times = session.options.steady_times
    return judge_write(prepared.completed, prepared.schema, prepared.given, steady_times)


def _speculate_behind(
    session: Session,
    log: Log,
    items: Sequence[Item],
    statement: Statement | None = None,
    *,
    check: bool = True,
) -> Flow[list[Result]]:
    """The results of `items` behind the transaction's writes; raises the error of the first that fails, and
    SerializationError where a write now gives something else than it gave."""
    runs = _runs(session, log)
    earlier = [item for run in runs for item in run.replayed()]
    results = yield from speculate(session, [*earlier, *items])
    if log.dropped:
        raise OperationalError(
            "the transaction was rolled back, by another task, while this statement ran: it has no effect"
        )
    place = 0
    for run in runs:
        theirs = results[place : place + len(run.replayed())]
        if run.is_packed and not run.holds(theirs):
            # The writes themselves tell whether that is a conflict.
            log.packs = False
            return (yield from _speculate_behind(session, log, items, statement, check=check))
        if not run.is_packed:
            compare_run(log, run, theirs)
        place += len(theirs)
    own = results[place:]
    if check:
        _check_own(session, log, own, statement)
    if len(own) != len(items):
        for result in own:
            result.check()
        raise InternalError("the server gave another number of results than it was asked for")
    return own


def _runs(session: Session, log: Log) -> list[Run]:
    """How the writes are run again; one by one where json_each, which packs them, is a table of the user's."""
    schema = session.cluster.schema.schema
    if log.packs and schema is not None and compares_bags(schema):
        return log.runs
    return [Run([entry]) for entry in log.writes]


def _check_own(
    session: Session, log: Log, results: Sequence[Result], statement: Statement | None
) -> None:
    """Raise the error of the first statement that failed. OR ROLLBACK ends the transaction then."""
    try:
        for result in results:
            result.check()
    except IntegrityError:
        if statement is not None and _resolution(statement) == "ROLLBACK":
            session.work.log = None
        raise


# The end.


def commit(session: Session, log: Log) -> Flow[None]:
    """Apply the log as if it ran alone, now; raises SerializationError where a fact holds no longer."""
    if log.failed is not None:
        raise log.failed
    for entries in log.undone:
        yield from check_undone(session, log, entries)
    if not log.writes:
        if (len(log.entries) > 1 or log.undone) and log.isolation is Isolation.SERIALIZABLE:
            yield from check(session, log, log.entries)
        return
    steps = list(log.steps())
    answer = yield from _send(session, log, [step.item for step in steps])
    for step, result in zip(steps, answer.results, strict=False):
        if result.error is not None:
            raise _failed_at_commit(log, step, result)
    all_results(answer, len(steps))
    if log.changes_schema:
        session.cluster.schema.renew()


def _send(session: Session, log: Log, items: list[Item]) -> Flow[Answer]:
    """Send the commit, behind a look at what no guard checks: at the very node that takes the commit, since
    another may have been behind."""
    target, timeout = f"{EXECUTE}&transaction{REDIRECT}", session.options.timeout
    checked = log.checked()
    if not checked:
        return (yield from apply(session, items, target, timeout))
    moved: OperationalError | None = None
    for _ in range(_MOST_MOVES):
        leader = session.cluster.nodes.leader
        pinned = session._replace(at=leader)
        try:
            yield from check(pinned, log, checked)
            # The look may just have found the leader. Where it cannot be reached, one node passes both on.
            if leader is not None or session.cluster.nodes.leader is None:
                return (yield from apply(pinned, items, target, timeout))
        except Moved as error:
            moved = error
    raise moved or NoLeaderError("the leader changes all the time, nothing was applied")


# What the node lacks, or was told to stop: nothing that another client has changed.
_NOT_OF_THE_DATA = (
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_INTERRUPT",
    "SQLITE_BUSY",
    "SQLITE_CORRUPT",
)


def _failed_at_commit(log: Log, step: Step, result: Result) -> Exception:
    error = statement_error(result.error or "")
    if error.sqlite_errorname in _NOT_OF_THE_DATA:
        return error
    if step.is_guard:
        return conflict(log, step.owner, "its rows or counts")
    assert isinstance(step.owner, WriteEntry)
    if step.owner.seen is None:
        return failed_in_pipeline(step.owner, result)
    return conflict(log, step.owner, str(result.error))
