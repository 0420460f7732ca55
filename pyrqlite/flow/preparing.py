"""What is done to a statement before it leaves, so that it means the same on every node and at every replay."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pyrqlite.flow.schema import current_schema
from pyrqlite.flow.session import CallOptions, Session
from pyrqlite.flow.steps import Flow
from pyrqlite.sql.clock import Instant
from pyrqlite.sql.complete import complete
from pyrqlite.sql.determinism import DeterminismWarning, write_causes
from pyrqlite.sql.freeze import ConnectionValues, Context, freeze, freeze_rows, needs_freezing
from pyrqlite.sql.impure import SiteKind
from pyrqlite.sql.parameters import Bound, Parameters, Value, apply_templates, bind, checked
from pyrqlite.sql.plan import plan_of
from pyrqlite.sql.schema import Schema
from pyrqlite.sql.statement import Statement, StatementKind, parse_once
from pyrqlite.types import adapt
from pyrqlite.warning import warn

_RANDOM = random.SystemRandom()


class Prepared(NamedTuple):
    """A statement as it will be sent, its values bound; `schema` is what it was completed by.

    `completed` and `given` are statement and values before clocks were frozen: they are the same every time, so
    that what is worked out about them can be kept.
    """

    original: Statement
    statement: Statement
    values: Sequence[Value]
    schema: Schema | None
    completed: Statement
    given: Sequence[Value]


def prepare(
    session: Session,
    statement: Statement,
    parameters: Parameters | None,
    options: CallOptions,
    schema: Schema | None = None,
    *,
    constant: bool = False,
) -> Flow[Prepared]:
    """Bind the values, complete an INSERT (by `schema`, or else the current one), freeze clocks and random
    numbers; with `constant` the clocks in queries too."""
    values = statement.placeholders.arrange(parameters)
    if schema is None and statement.kind is StatementKind.WRITE:
        schema = yield from current_schema(session)
    frozen = completed = statement
    given: Sequence[Value] | None = None
    if options.freeze:
        warn_of_causes(session, statement, schema)
        completion = complete(statement, schema) if schema is not None else None
        completed = completion.statement if completion is not None else statement
        if completed is not statement or _changes(completed, constant):
            given = [checked(value, adapt) for value in values]
            ranges = completion.defaults if completion is not None else ()
            made = freeze(completed, given, context(session, schema), ranges)
            frozen, values = parse_once(made.text), made.values
    bound = bind(values, adapt)
    changed = parse_once(rewritten(frozen, bound)) if bound.templates else frozen
    given = bound.values if given is None else given
    return Prepared(statement, changed, bound.values, schema, completed, given)


def _changes(statement: Statement, constant: bool) -> bool:
    """Whether freezing has to change the statement. A query reads its own node's clock, as it likes; only
    what the server knows of connections is of no use to it."""
    if statement.kind is StatementKind.READ and not constant:
        return any(site.kind is SiteKind.STATE for site in plan_of(statement).sites)
    return needs_freezing(statement)


@dataclass(frozen=True)
class PreparedRows:
    """A statement as it will be sent, and its rows of values, neither adapted nor bound yet."""

    statement: Statement
    rows: Iterable[Parameters]
    schema: Schema | None


def prepare_rows(
    session: Session,
    statement: Statement,
    rows: Iterable[Parameters],
    options: CallOptions,
    schema: Schema | None = None,
) -> Flow[PreparedRows]:
    """Complete and freeze one statement for many rows."""
    schema = schema or (yield from current_schema(session))
    if not options.freeze:
        return PreparedRows(statement, rows, schema)
    warn_of_causes(session, statement, schema)
    completion = complete(statement, schema) if schema is not None else None
    completed = completion.statement if completion is not None else statement
    if completed is statement and not needs_freezing(statement):
        return PreparedRows(statement, rows, schema)
    basic = (
        [checked(value, adapt) for value in statement.placeholders.arrange(row)] for row in rows
    )
    ranges = completion.defaults if completion is not None else ()
    made = freeze_rows(completed, basic, context(session, schema), ranges)
    return PreparedRows(parse_once(made.text), made.rows, schema)


def warn_of_causes(session: Session, statement: Statement, schema: Schema | None) -> None:
    """Warn, once for each cause and cluster, of what freezing cannot cure."""
    if schema is None:
        return
    warned = session.cluster.warned
    for cause in write_causes(statement, schema, session.options.steady_times):
        if cause.key not in warned:
            warned.add(cause.key)
            warn(cause.message, DeterminismWarning)


def context(session: Session, schema: Schema | None) -> Context:
    """Where frozen values come from: the client's clock, random bytes, the connection's last counts."""
    state = session.state
    clock = session.options.clock or time.time
    return Context(
        Instant(int(clock() * 1000)),
        _RANDOM,
        ConnectionValues(state.last_insert_rowid, state.changes, state.total_changes),
        schema,
    )


def rewritten(statement: Statement, bound: Bound) -> str:
    """The statement's text with its placeholders as these values need them."""
    return apply_templates(statement.text, statement.placeholders, bound.templates)
