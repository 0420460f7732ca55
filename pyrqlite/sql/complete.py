"""Completes INSERTs: columns left out whose DEFAULT reads a clock or a random source get it as an
explicit value, which can then be frozen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyrqlite.errors import NotSupportedError
from pyrqlite.sql.impure import Source
from pyrqlite.sql.insert import Insert, parse_insert
from pyrqlite.sql.names import fold
from pyrqlite.sql.queries import split_commas
from pyrqlite.sql.schema import Column, Schema, Table
from pyrqlite.sql.splice import Edit, splice_with_spans
from pyrqlite.sql.statement import Statement, StatementKind, parse
from pyrqlite.sql.tokens import Kind, Token, quote_name, significant


@dataclass(frozen=True)
class Completion:
    """An INSERT as it has to be sent, before freezing. `defaults` are the ranges of its text that came
    from the schema; `columns` the columns that were added."""

    statement: Statement
    defaults: tuple[tuple[int, int], ...] = ()
    columns: tuple[Column, ...] = ()


def complete(statement: Statement, schema: Schema) -> Completion:
    """`statement` with the columns that must not be left to each node's own clock.

    All other statements stay as they are. Raises NotSupportedError where a random default would be needed
    for an unknown number of rows.
    """
    if statement.kind is not StatementKind.WRITE or statement.verb not in ("INSERT", "REPLACE"):
        return Completion(statement)
    key = (complete, statement.text)
    found = schema.memo.get(key)
    if found is None:
        found = _complete(statement, schema)
        schema.remember(key, found)
    return found


def _complete(statement: Statement, schema: Schema) -> Completion:
    insert = parse_insert(statement)
    table = schema.table(insert.table) if insert is not None else None
    if (
        insert is None
        or table is None
        or table.kind != "table"
        or insert.schema not in ("", "main")
        or not any(column.default_source for column in table.insertable)
    ):
        return Completion(statement)
    added = _omitted(insert, table)
    edits = _replace_nulls(statement, insert, table)
    edits += _add(statement, insert, added) if added else []
    if not edits:
        return Completion(statement)
    text, spans = splice_with_spans(statement.text, edits)
    return Completion(parse(text), tuple(spans), tuple(added))


def _omitted(insert: Insert, table: Table) -> list[Column]:
    if insert.columns is None and (insert.rows or insert.cores):
        return []
    listed = insert.columns or ()
    return [
        column
        for column in table.insertable
        if column.default_source and fold(column.name) not in listed
    ]


def default_expression(column: Column) -> str:
    """The column's DEFAULT as an expression without comments."""
    texts = [token.text for token in significant(column.default or "NULL")]
    return texts[0] if len(texts) == 1 else f"({' '.join(texts)})"


def _add(statement: Statement, insert: Insert, added: Sequence[Column]) -> list[Edit]:
    tokens = statement.tokens
    names = ", ".join(quote_name(column.name) for column in added)
    values = ", ".join(default_expression(column) for column in added)
    if not insert.rows and not insert.cores:  # DEFAULT VALUES
        first, last = tokens[insert.source], tokens[insert.source + 1]
        return [Edit(first.start, last.end, f"({names}) VALUES ({values})")]
    edits = [_before(tokens[insert.columns_end], f", {names}")]
    if insert.cores:
        _check_random(insert, added)
    for _, closing in (*insert.rows, *(row for core in insert.cores for row in core.rows)):
        edits.append(_before(tokens[closing], f", {values}"))
    for core in insert.cores:
        if core.items is not None:
            end = tokens[core.items[1] - 1].end
            edits.append(Edit(end, end, f", {values}"))
    return edits


def _before(token: Token, text: str) -> Edit:
    return Edit(token.start, token.start, text)


def _check_random(insert: Insert, added: Iterable[Column]) -> None:
    """Values of their own for each row can only be given where the rows are counted by the text."""
    if insert.at_most_one_row:
        return
    for column in added:
        if column.default_source & Source.RANDOM:
            raise NotSupportedError(
                f"column {column.name} of {insert.table} has a random DEFAULT, which would differ on every "
                "node for rows that come from a query: list the column and give its values, or read "
                "the rows first and insert them with executemany()"
            )


# A NULL for a NOT NULL column becomes its DEFAULT under REPLACE.


def _replace_nulls(statement: Statement, insert: Insert, table: Table) -> list[Edit]:
    tokens = statement.tokens
    edits = []
    names = insert.columns or tuple(fold(column.name) for column in table.insertable)
    for place, name in enumerate(names):
        column = table.column(name)
        if column is None or not fires_default_for_null(table, column, insert.resolution):
            continue
        for opening, closing in insert.rows:
            values = split_commas(tokens, opening + 1, closing)
            if place < len(values) and not _is_value(tokens[slice(*values[place])]):
                start, stop = tokens[values[place][0]].start, tokens[values[place][1] - 1].end
                edits.append(Edit(start, start, "coalesce("))
                edits.append(Edit(stop, stop, f", {default_expression(column)})"))
    return edits


def fires_default_for_null(table: Table, column: Column, resolution: str) -> bool:
    """Whether a NULL given for the column is replaced by an impure DEFAULT."""
    return (
        column.not_null
        and bool(column.default_source)
        and (
            resolution == "REPLACE"
            or (not resolution and fold(column.name) in table.text.replaces_null)
        )
    )


def _is_value(tokens: Sequence[Token]) -> bool:
    """Whether this is a literal that is not NULL."""
    return len(tokens) == 1 and tokens[0].kind in (Kind.STRING, Kind.NUMBER, Kind.BLOB)
