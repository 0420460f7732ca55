"""Where a LIMIT cuts: rows in front of a change of the first sort key are the same under every plan.

Where the last row that was shown and the one behind it differ in that key, those that were shown are all rows up to
it: conditions in place of ORDER BY and LIMIT give the same ones, whatever order a plan finds them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyrqlite.sql.grammar import ItemKind, Query
from pyrqlite.sql.names import fold
from pyrqlite.sql.parameters import Value, bind_stored
from pyrqlite.sql.statement import Statement, parse, remembered
from pyrqlite.sql.tokens import quote_name


class Part(NamedTuple):
    """A query, its values, and which of the rows that were shown are all of its rows."""

    query: Statement
    values: list[Value]
    start: int
    stop: int


@dataclass(frozen=True)
class Boundary:
    """The first sort key: the index of its column in the result, its name in SQL, and how it sorts; `nulls_first`
    where NULLs come first and there may be some. WHERE's condition stands between two tokens."""

    item: int
    column: str
    collation: str
    descending: bool
    nulls_first: bool
    condition: tuple[int, int]

    def parts(
        self, statement: Statement, values: Sequence[Value], rows: Sequence[Sequence[Any]], k: int
    ) -> list[Part] | None:
        """The queries that give the first `k` of these rows; None where there is no row behind them, or the two
        may be sorted either way.

        They are two where NULLs come first: with OR between them SQLite might not use an index.
        """
        if not 0 < k < len(rows) or not self._tells_apart(
            rows[k - 1][self.item], rows[k][self.item]
        ):
            return None
        keys = [row[self.item] for row in rows[:k]]
        nulls = keys.count(None)
        found = []
        if self.nulls_first:
            query = parse(_narrowed(statement, self.condition, f"{self.column} IS NULL"))
            used = [*values[: query.placeholders.count]]  # without that of the LIMIT
            found.append(Part(query, used, 0, nulls))
        if nulls < k:
            bound = bind_stored(keys[-1:])
            place = bound.templates.get(1, "{}").format(f"?{statement.placeholders.count + 1}")
            compared = f"{self.column} {'>=' if self.descending else '<='} {place}"
            query = parse(_narrowed(statement, self.condition, compared))
            found.append(Part(query, [*values, *bound.values], nulls, k))
        return found

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
            # No join of the grammar makes NULLs of the rows of its first table.
            never_null = key.ref.source == 0 and source.table.never_null(column)
            return Boundary(
                index,
                f"{quote_name(source.alias)}.{quote_name(column.name)}",
                source.table.collation(column),
                key.descending,
                key.nulls_first and not never_null,
                query.condition,
            )
    return None


def _collated(text: str, collation: str) -> tuple[str, int]:
    """What of a text SQLite compares, and how long it is."""
    if collation == "NOCASE":
        return fold(text.partition("\0")[0]), len(text.encode())  # looks no further than a NUL
    return (text.rstrip(" ") if collation == "RTRIM" else text), 0


@remembered
def _narrowed(statement: Statement, condition: tuple[int, int], compared: str) -> str:
    """The query without ORDER BY and LIMIT, and with another condition in addition to its own."""
    start, stop = condition
    text, tokens = statement.text, statement.tokens
    if start == stop:
        return f"{text[: tokens[start - 1].end]} WHERE {compared}"
    own = text[tokens[start].start : tokens[stop - 1].end]
    return f"{text[: tokens[start].start]}({own}) AND {compared}"
