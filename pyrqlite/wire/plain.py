"""The plain form of reads, for a row or two: one statement, and exact because storage classes travel along.

The server's plain results cannot tell a blob from a text, or 1.0 from 1 (values.md in the documentation).
For a query of plain columns one more column says what each value is; whatever the plain form has changed
all the same (dates, booleans, texts that are no UTF-8) is found here, and asked for again in the packed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyrqlite.sql.names import is_name
from pyrqlite.sql.statement import Statement, remembered
from pyrqlite.sql.tokens import Kind, Token
from pyrqlite.wire.packing import select_items, select_list
from pyrqlite.wire.response import Result, Rows

MOST_ROWS = 3  # from here on the packed form is faster (measured: 4 to 5 rows)
_MOST_COLUMNS = 100
_DATES = frozenset({"date", "datetime", "timestamp"})


class Inexact(Exception):
    """The server's plain form has changed a value, or may have."""


@remembered
def typed_query(statement: Statement) -> str | None:
    """A query of plain columns with one more column: the storage class of each of them.

    With these the plain form of a few rows is exact, and it is faster there. None where the select list
    holds anything but columns, or rows are grouped or made distinct.
    """
    tokens = statement.tokens
    items = select_items(statement)
    if items is None or len(items) > _MOST_COLUMNS or not shows_columns(statement):
        return None
    if tokens[statement.main + 1].keyword in ("DISTINCT", "ALL"):
        return None
    if statement.find("GROUP", "HAVING", "WINDOW") is not None:
        return None
    columns = []
    for start, end in items:
        column_end = _end_of_column(tokens, start, end)
        assert column_end is not None
        columns.append(statement.text[tokens[start].start : tokens[column_end - 1].end])
    at = tokens[items[-1][1] - 1].end
    codes = "||".join(f"substr(typeof({column}),1,1)" for column in columns)
    return f"{statement.text[:at]},{codes}{statement.text[at:]}"


@remembered
def shows_columns(statement: Statement) -> bool:
    """Whether a simple SELECT shows nothing but columns: `a`, `t.a AS b`, `*`, `t.*`."""
    if statement.verb != "SELECT" or statement.main or statement.is_compound:
        return False
    tokens = statement.tokens
    return all(
        tokens[end - 1].text == "*" or _end_of_column(tokens, start, end) is not None
        for start, end in select_list(statement)
        if end > start
    )


def tables_read(statement: Statement) -> list[str] | None:
    """The names in the FROM clause of a SELECT; None where it has anything but names and joins of them."""
    tokens = statement.tokens
    start = statement.find("FROM")
    if start is None:
        return []
    end = statement.find("WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", start=start + 1)
    clause = tokens[start + 1 : len(tokens) if end is None else end]
    if any(token.text == "(" for token in clause):
        return None
    # Aliases and columns of ON are names too; only where a table stands can one begin.
    begins = [
        0,
        *(i + 1 for i, token in enumerate(clause) if token.text == "," or token.keyword == "JOIN"),
    ]
    names = []
    for begin in begins:
        if begin + 2 < len(clause) and clause[begin + 1].text == ".":
            begin += 2
        if begin >= len(clause):
            return None
        names.append(clause[begin].name)
    return names


def _end_of_column(tokens: Sequence[Token], start: int, end: int) -> int | None:
    """Behind `column`, `table.column` or `schema.table.column` at `start`, if an alias at most follows."""
    index = start
    while True:
        if index >= end or not is_name(tokens[index]):
            return None
        index += 1
        if index < end and tokens[index].text == ".":
            index += 1
            continue
        break
    rest = tokens[index:end]
    if rest and rest[0].keyword == "AS":
        rest = rest[1:]
        if not rest:
            return None
    if len(rest) > 1 or (rest and rest[0].kind is not Kind.STRING and not is_name(rest[0])):
        return None
    return index


def typed_rows(result: Result) -> Rows:
    """The rows of a `typed_query`, without its last column; Inexact where a value was changed."""
    types = result.types
    return [
        tuple([_typed_value(*each) for each in zip(row[-1], row, types, strict=False)])
        for row in result.values
    ]


def _typed_value(code: str, value: Any, declared: str) -> Any:
    if code == "i":
        if type(value) is int:
            return value
    elif code == "t":
        if declared not in _DATES and "\ufffd" not in value and not _looks_converted(value):
            return value
    elif code == "r":
        if type(value) is float or type(value) is int:
            return float(value)
    elif code == "n":
        return None
    elif type(value) is list:
        return bytes(value)
    raise Inexact


def _looks_converted(text: str) -> bool:
    """Whether the server may have made this text: it does by the declared type that its connection knew."""
    return len(text) > 19 and text[10] == "T" and text[4] == text[7] == "-"


def inferred_rows(result: Result) -> Rows:
    """The row of a query of expressions only; Inexact unless the server's guess of its types settles all."""
    if len(result.values) > 1:
        raise Inexact
    return [
        tuple([_inferred_value(*each) for each in zip(row, result.types, strict=True)])
        for row in result.values
    ]


def _inferred_value(value: Any, kind: str) -> Any:
    if kind == "integer" and type(value) is int:
        return value
    if kind == "real" and type(value) in (int, float):
        return float(value)
    if value is None:
        return None
    raise Inexact
