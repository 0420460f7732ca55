"""Where a LIMIT cuts: rows in front of a change of the first sort key are the same under every plan.

Where the last row that was shown and the one behind it differ in that key, those that were shown are all rows up to
it: a condition in place of ORDER BY and LIMIT gives the same ones, whatever order a plan finds them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyrqlite.sql.grammar import ItemKind, Query
from pyrqlite.sql.names import fold
from pyrqlite.sql.parameters import Value, bind
from pyrqlite.sql.statement import Statement, parse, remembered
from pyrqlite.sql.tokens import quote_name
from pyrqlite.types import adapt


@dataclass(frozen=True)
class Boundary:
    """The first sort key: the index of its column in the result, its name in SQL, and how it sorts. WHERE's
    condition stands between two tokens."""

    item: int
    column: str
    collation: str
    descending: bool
    nulls_first: bool
    condition: tuple[int, int]

    def narrowed(
        self, statement: Statement, values: Sequence[Value], rows: Sequence[Sequence[Any]]
    ) -> tuple[Statement, list[Value]] | None:
        """The query of all rows up to the first of these two neighbours, and its values; None where they are no
        two, or may be sorted either way."""
        keys = [row[self.item] for row in rows]
        if len(keys) < 2 or not self._tells_apart(*keys):
            return None
        last = keys[0]
        if last is None:
            query = parse(_narrowed(statement, self.condition, f"{self.column} IS NULL"))
            return query, [*values[: query.placeholders.count]]  # without that of the LIMIT
        bound = bind([last], adapt)
        place = bound.templates.get(1, "{}").format(f"?{statement.placeholders.count + 1}")
        compared = f"{self.column} {'>=' if self.descending else '<='} {place}"
        if self.nulls_first:
            compared = f"({self.column} IS NULL OR {compared})"
        return parse(_narrowed(statement, self.condition, compared)), [*values, *bound.values]

    def _tells_apart(self, one: Value, other: Value) -> bool:
        if isinstance(one, str) and isinstance(other, str):
            return _collated(one, self.collation) != _collated(other, self.collation)
        return one != other  # numbers are compared exactly, as in SQLite


def boundary_of(query: Query, apart: frozenset[int]) -> Boundary | None:
    """The boundary of a query, where its first sort key is among its columns and part of the fact."""
    if not query.order:
        return None
    key = query.order[0]
    source, column = query.sources[key.ref.source], key.ref.column
    for index, item in enumerate(query.items):
        if item.kind is ItemKind.COLUMN and item.ref == key.ref and index not in apart:
            assert column is not None
            return Boundary(
                index,
                f"{quote_name(source.alias)}.{quote_name(column.name)}",
                source.table.collation(column),
                key.descending,
                key.nulls_first,
                query.condition,
            )
    return None


def _collated(text: str, collation: str) -> str:
    if collation == "NOCASE":
        return fold(text)
    return text.rstrip(" ") if collation == "RTRIM" else text


@remembered
def _narrowed(statement: Statement, condition: tuple[int, int], compared: str) -> str:
    """The query without ORDER BY and LIMIT, and with another condition in addition to its own."""
    start, stop = condition
    text, tokens = statement.text, statement.tokens
    if start == stop:
        return f"{text[: tokens[start - 1].end]} WHERE {compared}"
    own = text[tokens[start].start : tokens[stop - 1].end]
    return f"{text[: tokens[start].start]}({own}) AND {compared}"
