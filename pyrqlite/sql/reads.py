"""Which queries every node can check for itself. Those are guarded: the commit's own log entry looks again.
All others the driver checks, shortly before."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pyrqlite.sql.aggregates import Aggregates, aggregates_of
from pyrqlite.sql.boundary import Boundary, boundary_of
from pyrqlite.sql.grammar import ItemKind, Predicate, Query, Ref, Unparsed, parse_query
from pyrqlite.sql.impure import Source, sites_are_random
from pyrqlite.sql.parameters import Value
from pyrqlite.sql.plan import plan_of
from pyrqlite.sql.queries import is_distinct_from
from pyrqlite.sql.schema import Schema, Table
from pyrqlite.sql.statement import Statement, StatementKind
from pyrqlite.sql.steady import Steadiness, mentioned, steadiness
from pyrqlite.sql.tokens import Kind, Token


class FactKind(enum.Enum):
    """What becomes of what was seen."""

    GUARDED = "guarded"  # every node checks it, at the moment of the commit
    CHECKED = "checked"  # the driver looks again, just before the commit
    NONE = "none"  # it depends on nothing that others change, or was random on purpose


@dataclass(frozen=True)
class Limit:
    """The LIMIT of a query: `k` rows, and the index of the token that says so.

    Read k+1 rows to know whether it cuts any. If it does, or skips some (`has_offset`), only a
    `total_order` makes the rows the same under every plan; or, if it skips none, a `boundary` between the last row
    and the one behind it.
    """

    k: int
    index: int
    has_offset: bool
    total_order: bool
    boundary: Boundary | None = None


@dataclass(frozen=True)
class ReadVerdict:
    """How a query's result can be checked, and why not better.

    For a guarded one: the `tables` whose definitions it relies on, the `width` of the result, the indexes
    of the columns that are no part of the fact (`apart`), and what to know of one row of `aggregates`.
    """

    kind: FactKind
    reason: str = ""
    tables: tuple[Table, ...] = ()
    width: int = 0
    apart: frozenset[int] = frozenset()
    aggregates: Aggregates | None = None
    limit: Limit | None = None

    @property
    def guarded(self) -> bool:
        """Whether every node can check it."""
        return self.kind is FactKind.GUARDED


@dataclass(frozen=True)
class _Shape:
    """The verdict as far as the text decides, and what the values still have to pass: those that
    conditions compare with, by their numbers, and that of a LIMIT."""

    verdict: ReadVerdict
    compared: tuple[int, ...] = ()
    limit: Limit | None = None
    limit_number: int | None = None


def judge_read(
    statement: Statement, schema: Schema, values: Sequence[Value], steady_times: bool = False
) -> ReadVerdict:
    """How the result of this query can be checked.

    `values` are those of the placeholders by their numbers; `steady_times` is the user's word that no
    client writes its nodes' clocks into columns declared as dates and times.
    """
    key = (judge_read, statement.text, steady_times)
    shape: _Shape | None = schema.memo.get(key)
    if shape is None:
        shape = _shape(statement, schema, steadiness(schema, steady_times))
        schema.remember(key, shape)
    if not shape.verdict.guarded:
        return shape.verdict
    return _with_values(shape, values, steady_times)


def _checked(reason: str) -> ReadVerdict:
    return ReadVerdict(FactKind.CHECKED, reason)


def _shape(statement: Statement, schema: Schema, steady: Steadiness) -> _Shape:
    if statement.kind is not StatementKind.READ:
        return _Shape(ReadVerdict(FactKind.NONE, "it is no query"))
    try:
        query = parse_query(statement.tokens, schema)
    except Unparsed as unparsed:
        no_fact = _no_fact(statement, schema)
        if no_fact is not None:
            return _Shape(ReadVerdict(FactKind.NONE, no_fact))
        return _Shape(_checked(str(unparsed)))
    reason = rows_reason(query, steady) or literal_reason(query.predicate, steady.steady_times)
    if reason is not None:
        return _Shape(_checked(reason))
    aggregates = aggregates_of(statement, query)
    if isinstance(aggregates, str):
        return _Shape(_checked(aggregates))
    verdict = ReadVerdict(
        FactKind.GUARDED,
        tables=tuple({source.table: None for source in query.sources}),
        width=len(query.items),
        apart=frozenset(
            index
            for index, item in enumerate(query.items)
            if item.ref is not None and ref_reason(query, item.ref, steady) is not None
        ),
        aggregates=aggregates,
    )
    return _with_limit(statement, query, verdict, steady)


def _with_limit(
    statement: Statement, query: Query, verdict: ReadVerdict, steady: Steadiness
) -> _Shape:
    numbers = numbers_by_place(statement)
    compared = compared_numbers(query.predicate, numbers)
    if query.limit is None:
        return _Shape(verdict, compared)
    token = statement.tokens[query.limit]
    limit = Limit(
        0,
        query.limit,
        query.offset is not None,
        is_total(query, steady),
        boundary_of(query, verdict.apart) if query.offset is None else None,
    )
    if limit.has_offset and not limit.total_order:
        return _Shape(
            _checked("it has an OFFSET, and its ORDER BY is not total by a key of the table")
        )
    if token.kind is Kind.PARAMETER:
        return _Shape(verdict, compared, limit, numbers[token.start])
    if not token.text.isdecimal() or int(token.text) > _MOST_ROWS:
        return _Shape(_checked(_BAD_LIMIT))
    return _Shape(replace(verdict, limit=replace(limit, k=int(token.text))), compared)


_CHANGES_BY_ITSELF = Source.CLOCK | Source.RANDOM | Source.STATE


def _no_fact(statement: Statement, schema: Schema) -> str | None:
    """Why the result is no fact about the database; None if it is one."""
    if sites_are_random(plan_of(statement).sites):
        return "it is random on purpose"
    if not reads_tables(statement.tokens):
        return "it reads no table"
    sources = [
        token
        for before, token in pairwise(statement.tokens)
        if token.kind in (Kind.WORD, Kind.QUOTED)
        and (before.keyword or before.text) in _BEFORE_SOURCE
    ]
    for name in sorted(mentioned(sources, schema)):
        view = schema.view(name)
        if view is not None and view.sources & _CHANGES_BY_ITSELF:
            return f"the view {view.name} changes by itself"
    return None


_BEFORE_SOURCE = frozenset({"FROM", "JOIN", "IN", ",", "(", "."})


def reads_tables(tokens: Sequence[Token]) -> bool:
    """Whether a query of these tokens can read any table."""
    for index, token in enumerate(tokens):
        if token.keyword == "FROM" and not is_distinct_from(tokens, index):
            return True
        if (
            token.keyword == "IN"
            and tokens[index + 1 : index + 2] != []
            and (
                tokens[index + 1].text != "("  # x IN t
            )
        ):
            return True
    return False


def ref_reason(query: Query, ref: Ref, steady: Steadiness) -> str | None:
    """Why the column may differ between nodes, or None."""
    table = query.sources[ref.source].table
    if ref.column is None:
        return f"the rowid of {table.name} is no INTEGER PRIMARY KEY, so each node can renumber it"
    return steady.column_reason(table, ref.column)


# SQLite takes all columns from this one on for used where one of them is.
_FIRST_OF_MANY = 63


def rows_reason(query: Query, steady: Steadiness) -> str | None:
    """Why the rows may differ between nodes, or be an error on some of them; or None."""
    for place, source in enumerate(query.sources):
        reason = steady.table_reason(source.table)
        for number, column in enumerate(source.table.columns):
            if number >= _FIRST_OF_MANY or Ref(place, column) in query.named:
                reason = reason or steady.failing_reason(source.table, column)
        if reason is not None:
            return reason
    summed = [item.ref for item in query.items if item.kind.aggregates and item.ref is not None]
    for ref in (*query.predicate.refs, *summed):
        reason = ref_reason(query, ref, steady)
        if reason is not None:
            return reason
    return None


def is_total(query: Query, steady: Steadiness) -> bool:
    """Whether ORDER BY leaves no choice, by keys of the schema; or there is none, between rows of constants."""
    if all(item.kind is ItemKind.CONSTANT for item in query.items):
        return True
    if len(query.sources) != 1 or any(item.kind.aggregates for item in query.items):
        return False
    if any(ref_reason(query, key.ref, steady) is not None for key in query.order):
        return False
    ordered = {key.ref.column for key in query.order}
    return any(ordered.issuperset(key) for key in query.sources[0].table.keys)


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}")


def text_reason(text: str, steady_times: bool = False) -> str | None:
    """Why a text that was compared or seen (a single one, or the packed text of many rows) may be
    another one elsewhere; None if nothing speaks for it."""
    if "\ufffd" in text or "\\ufffd" in text:
        return "a text is not valid UTF-8, or holds U+FFFD"
    if not steady_times and _TIME.search(text):
        return "a text looks like a time that a node's clock may have given"
    return None


_MOST_ROWS = 2**63 - 2
_BAD_LIMIT = "its LIMIT is no whole number of rows"


def _with_values(shape: _Shape, values: Sequence[Value], steady_times: bool) -> ReadVerdict:
    reason = values_reason(shape.compared, values, steady_times)
    if reason is not None:
        return _checked(reason)
    if shape.limit is None or shape.limit_number is None:
        return shape.verdict
    k = values[shape.limit_number - 1]
    if type(k) is not int or not 0 <= k <= _MOST_ROWS:
        return _checked(_BAD_LIMIT)
    return replace(shape.verdict, limit=replace(shape.limit, k=k))


def numbers_by_place(statement: Statement) -> Mapping[int, int]:
    """The numbers of the placeholders by where they start in the text."""
    return {token.start: number for number, token in statement.placeholders.occurrences}


def compared_numbers(predicate: Predicate, numbers: Mapping[int, int]) -> tuple[int, ...]:
    """The numbers of the placeholders that the conditions compare with."""
    return tuple(numbers[token.start] for token in predicate.values if token.kind is Kind.PARAMETER)


def literal_reason(predicate: Predicate, steady_times: bool) -> str | None:
    """Why one of the texts in the conditions makes them uncertain, or None."""
    for token in predicate.values:
        if token.kind is Kind.STRING:
            reason = text_reason(token.name, steady_times)
            if reason is not None:
                return reason
    return None


def values_reason(
    numbers: Iterable[int], values: Sequence[Value], steady_times: bool
) -> str | None:
    """Why one of the values of these placeholders makes conditions uncertain, or None."""
    for number in numbers:
        value = values[number - 1]
        if isinstance(value, str):
            reason = text_reason(value, steady_times)
            if reason is not None:
                return reason
    return None
