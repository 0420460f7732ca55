"""One row of aggregates, and what of it is the same under every plan.

Which of several equal values (1 and 1.0, or texts by a collation) max() and min() give is a matter of the plan, so
they are compared by value. sum() depends on the order of its rows where REALs are rounded, or integers overflow on
the way: it is compared where it is one of integers, without such overflows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyrqlite.sql.grammar import Item, ItemKind, Query
from pyrqlite.sql.parameters import Value
from pyrqlite.sql.statement import Statement, parse
from pyrqlite.sql.tokens import quote_name


@dataclass(frozen=True)
class Aggregates:
    """The row: its items, and the collations by which they compare. `base` is the query of what sums add up, and
    counts count beside them; None where there are no sums."""

    kinds: tuple[ItemKind, ...]
    collations: tuple[str, ...]
    base: Statement | None

    def reason(self, row: Sequence[Value]) -> str | None:
        """Why this row cannot be compared, or None."""
        for kind, value in zip(self.kinds, row, strict=True):
            if kind is ItemKind.SUM and type(value) not in (int, type(None)):
                return "it adds up other values than integers, in the order of each node's plan"
        return None


def aggregates_of(statement: Statement, query: Query) -> Aggregates | str | None:
    """The aggregates of a query; None where it has no other than counts, and the reason where they are not
    comparable."""
    kinds = tuple(item.kind for item in query.items)
    if ItemKind.SUM not in kinds:
        if ItemKind.EXTREME not in kinds:
            return None
        return Aggregates(kinds, tuple(_collation(query, item) for item in query.items), None)
    if not {ItemKind.SUM, ItemKind.COUNT}.issuperset(kinds):
        return "it has other columns beside sums than counts"
    for item in query.items:
        column = item.ref.column if item.ref is not None else None
        if item.kind is ItemKind.SUM and column is not None and not column.stores_numbers:
            return f"it adds up {column.name}, which may hold numbers as texts"
    columns = ", ".join(_column(query, item) for item in query.items)
    tokens, text = statement.tokens, statement.text
    end = tokens[query.condition[1] - 1].end
    base = parse(f"SELECT {columns} {text[tokens[query.start].start : end]}")
    return Aggregates(kinds, ("BINARY",) * len(kinds), base)


def _collation(query: Query, item: Item) -> str:
    if item.ref is None or item.ref.column is None:
        return "BINARY"
    return query.sources[item.ref.source].table.collation(item.ref.column)


def _column(query: Query, item: Item) -> str:
    if item.ref is None:
        return "1"
    source, column = query.sources[item.ref.source], item.ref.column
    assert column is not None
    return f"{quote_name(source.alias)}.{quote_name(column.name)}"
