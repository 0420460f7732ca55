"""Packed writes: `executemany` of an INSERT as one statement with one parameter, the rows as JSON.

    INSERT INTO t(a,b) VALUES (?,?)     becomes
    INSERT INTO t(a,b) SELECT (value->>0), (value->>1) FROM json_each(?)

Only statements that mean the same in this form are packed; all else is sent as a list of statements.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pyrqlite.errors import DataError
from pyrqlite.sql.parameters import AS_THEY_ARE, Adapt, Parameters, checked, int_too_large
from pyrqlite.sql.statement import Statement, closing, remembered
from pyrqlite.sql.tokens import Kind, Token
from pyrqlite.wire import json

# Beyond this ->>, which walks the row for each column, is slower than a statement a row.
MOST_COLUMNS = 40
_CHUNK_ROWS = 1000  # measured: the server takes a tenth less time than for 4000 and more
_FUNCTIONS = frozenset(
    {"ABS", "CHAR", "COALESCE", "HEX", "IFNULL", "IIF", "INSTR", "JSON", "LENGTH", "LOWER", "LTRIM",
     "NULLIF", "REPLACE", "ROUND", "RTRIM", "SIGN", "SUBSTR", "TRIM", "TYPEOF", "UNHEX", "UPPER"}
)  # fmt: skip
_OPERATORS = frozenset({",", "(", ")", "+", "-", "*", "/", "%", "||"})


@dataclass(frozen=True)
class Packable:
    """An INSERT that may be packed: its text cut into what stands before the row, in it, and behind it.

    `cells` are the pieces of text of the row around its placeholders, `numbers` the placeholders' numbers.
    """

    head: str
    cells: tuple[str, ...]
    numbers: tuple[int, ...]
    tail: str
    table: str


@remembered
def packable(statement: Statement) -> Packable | None:
    """How to pack this statement, or None where it would not mean the same."""
    tokens = statement.tokens
    if (
        statement.verb not in ("INSERT", "REPLACE")
        or statement.main
        or statement.returning is not None
    ):
        return None
    values = statement.find("VALUES", "SELECT", "DEFAULT")
    if values is None or tokens[values].keyword != "VALUES":
        return None
    if values + 1 >= len(tokens) or tokens[values + 1].text != "(":
        return None
    end = closing(tokens, values + 1)
    inside = range(values + 2, end)
    occurrences = statement.placeholders.occurrences
    first, last = tokens[values + 1].start, tokens[min(end, len(tokens) - 1)].start
    if end >= len(tokens) or not all(is_deterministic(tokens, index) for index in inside):
        return None
    if not occurrences or not all(first < token.start < last for _, token in occurrences):
        return None
    tail = statement.text[tokens[end].end :]
    if end + 1 < len(tokens) and tokens[end + 1].keyword != "ON":
        return None
    if statement.placeholders.count > MOST_COLUMNS:
        return None
    cells: list[str] = []
    at = tokens[values + 1].end
    for _, token in occurrences:
        cells.append(statement.text[at : token.start])
        at = token.end
    cells.append(statement.text[at : tokens[end].start])
    return Packable(
        statement.text[: tokens[values].start],
        tuple(cells),
        tuple(number for number, _ in occurrences),
        tail,
        insert_target(statement),
    )


def insert_target(statement: Statement) -> str:
    """The name of the table of an INSERT or REPLACE; empty where there is none."""
    tokens = statement.tokens
    into = statement.find("INTO")
    if into is None or into + 1 >= len(tokens):
        return ""
    name = into + 1
    if name + 2 < len(tokens) and tokens[name + 1].text == ".":
        name += 2
    return tokens[name].name


def is_deterministic(tokens: Sequence[Token], index: int) -> bool:
    """Whether this token is part of an expression that gives the same wherever it is evaluated: a value, a
    placeholder, an operator, a well-known function."""
    token = tokens[index]
    if token.kind in (Kind.PARAMETER, Kind.NUMBER, Kind.STRING, Kind.BLOB):
        return True
    if token.kind is Kind.OPERATOR:
        return token.text in _OPERATORS
    if token.keyword == "NULL":
        return True
    calls = index + 1 < len(tokens) and tokens[index + 1].text == "("
    return token.keyword in _FUNCTIONS and calls


class NotPackable(Exception):
    """A value (an infinity, a blob without unhex()) that only the list of statements can carry."""


def pack(
    how: Packable,
    statement: Statement,
    rows: Iterable[Parameters],
    adapt: Adapt,
    *,
    unhex: bool,
    limit: int,
) -> list[list[Any]]:
    """The statements, each with its one parameter, that insert `rows`; none where there are no rows.

    Raises what binding the rows one by one would raise; NotPackable; DataError beyond `limit` bytes.
    """
    statements: list[list[Any]] = []
    size = 0
    for chunk in _chunks(rows):
        fit, blobs = _fit_rows(statement, chunk, adapt)
        if any(blobs) and not unhex:
            raise NotPackable
        text = json.dumps(fit).decode()
        size += len(text)
        if size > limit:
            raise too_large(limit)
        statements.append([_packed_text(how, tuple(blobs)), text])
    return statements


def packed_items(how: Packable, rows: Sequence[Sequence[object]]) -> list[list[Any]]:
    """The statement that inserts rows of values that are bound already, none of them a blob."""
    blobs = ("",) * max(how.numbers)
    return [[_packed_text(how, blobs), json.dumps(rows).decode()]]


def too_large(limit: int) -> DataError:
    """The error for an executemany that is too large for one request."""
    return DataError(
        f"these rows make a request of more than {limit} bytes, and an executemany is one request, applied "
        "whole or not at all: nothing was sent; pass the rows in smaller slices, or raise max_request_bytes"
    )


def _chunks(rows: Iterable[Parameters]) -> Iterator[list[Parameters]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK_ROWS)):
        yield chunk


def _fit_rows(
    statement: Statement, rows: Sequence[Parameters], adapt: Adapt
) -> tuple[Sequence[Any], list[str]]:
    """The rows, fit for JSON, and for each column whether it holds blobs: "", "some" or "all"."""
    placeholders = statement.placeholders
    if (
        not {*map(type, rows)} <= {tuple, list}
        or {*map(len, rows)} != {placeholders.count}
        or any(placeholders.names)
    ):
        rows = [placeholders.arrange(row) for row in rows]
    columns = list(zip(*rows, strict=True))
    fit, blobs = zip(*[_column(column, adapt) for column in columns], strict=True)
    unchanged = all(map(operator.is_, fit, columns))
    return rows if unchanged else list(zip(*fit, strict=True)), list(blobs)


def _column(column: Sequence[object], adapt: Adapt) -> tuple[Sequence[Any], str]:
    types = set(map(type, column))
    if not types <= AS_THEY_ARE:
        column = [None if value is None else checked(value, adapt) for value in column]
        types = set(map(type, column))
    if int in types and not _ints_fit(column, types):
        raise int_too_large()
    if float in types:
        numbers = column if len(types) == 1 else [v for v in column if type(v) is float]
        # A sum is finite only if all of its parts are, and quickly made.
        if not math.isfinite(sum(numbers)) and not all(map(math.isfinite, numbers)):  # type: ignore[arg-type]
            if any(map(math.isnan, numbers)):  # type: ignore[arg-type]
                raise DataError("SQLite cannot store NaN: bind None for NULL")
            raise NotPackable
    if bytes not in types:
        return column, ""
    if types <= {bytes, type(None)}:
        return [None if value is None else value.hex() for value in column], "all"  # type: ignore[attr-defined]
    return [[value.hex()] if type(value) is bytes else value for value in column], "some"


def _ints_fit(column: Sequence[Any], types: set[type]) -> bool:
    ints = column if types == {int} else [value for value in column if type(value) is int]
    return min(ints) >= -(2**63) and max(ints) < 2**63


def _packed_text(how: Packable, blobs: tuple[str, ...]) -> str:
    pieces = [how.head, "SELECT ", how.cells[0]]
    for number, cell in zip(how.numbers, how.cells[1:], strict=True):
        pieces += (_cell(number - 1, blobs[number - 1]), cell)
    # WHERE keeps ON CONFLICT from being read as the ON of a join.
    pieces += (" FROM json_each(?) WHERE true", how.tail)
    return "".join(pieces)


def _cell(index: int, blob: str) -> str:
    value = f"(value->>{index})"
    if blob == "all":
        return f"unhex({value})"
    if blob == "some":
        return (
            f"CASE json_type(value,'$[{index}]') WHEN 'array' "
            f"THEN unhex(value->{index}->>0) ELSE {value} END"
        )
    return value
