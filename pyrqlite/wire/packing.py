"""Packed reads: SQLite itself builds the answer, one JSON text a column, exact and several times faster.

For a query Q of n columns the request holds, in one snapshot,

    SELECT 1 FROM sqlite_schema LIMIT 0     a pooled connection with an old schema reloads it here
    Q LIMIT 0                               names and declared types
    WITH _pyrqlite_q(c1, ..., cn) AS (Q LIMIT -1)
      SELECT json_group_array(e(c1)), ..., json_group_array(e(cn)) FROM _pyrqlite_q

where e() marks blobs and keeps texts from being taken for JSON. A text for the rows in place of texts for the
columns, which the facts of transactions need, is made by `rows_query`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from pyrqlite.errors import OperationalError
from pyrqlite.sql.statement import Statement, at_depth_zero, closing, remembered
from pyrqlite.wire import json
from pyrqlite.wire.response import Rows

RELOAD_SCHEMA = "SELECT 1 FROM sqlite_schema LIMIT 0"
# SQLite before 3.42 or so prints [0.3,Inf] here.
PROBE = "SELECT json_array(0.1+0.2, 9e999, -9e999)"
PROBE_ANSWERS = ("[0.30000000000000004,9.0e+999,-9.0e+999]", "[0.30000000000000004,9e999,-9e999]")


class Form(enum.Enum):
    """How the values of a column go into JSON; `{0}` is the column."""

    # For stored values: no function has made them, so that none of them counts as JSON.
    STORED = "CASE typeof({0}) WHEN 'blob' THEN json_array(hex({0})) ELSE {0} END"
    # `c||''` takes SQLite's JSON subtype off a text; a list of one marks a blob.
    EXACT = "CASE typeof({0}) WHEN 'text' THEN {0}||'' WHEN 'blob' THEN json_array(hex({0})) ELSE {0} END"
    # Text as hex, marked by a list of two: for texts that are not valid UTF-8.
    HEX = (
        "CASE typeof({0}) WHEN 'text' THEN json_array(hex({0}),0) "
        "WHEN 'blob' THEN json_array(hex({0})) ELSE {0} END"
    )


# SQLite's functions take 100 arguments everywhere (1000 since 3.47): wider rows are lists of lists.
_GROUP = 100
_BLOB_MARK = re.compile(r'[,\[]\["[0-9A-F]*"[\],]')
_ENDS_OF_SELECT_LIST = frozenset(
    {"FROM", "WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT"}
)


@remembered
def count_columns(statement: Statement) -> int | None:
    """How many columns the query has, or None where a `*` hides it."""
    if statement.verb == "VALUES":
        opening = statement.main + 1
        if opening >= len(statement.tokens) or statement.tokens[opening].text != "(":
            return None
        end = closing(statement.tokens, opening)
        return 1 + sum(
            token.text == "," for _, token in at_depth_zero(statement.tokens[:end], opening + 1)
        )
    items = select_items(statement)
    return None if items is None else len(items)


def select_items(statement: Statement) -> list[tuple[int, int]] | None:
    """Where the items of the select list begin and end, as indexes of tokens; None where one is a `*`."""
    items = select_list(statement)
    tokens = statement.tokens
    stars = (
        end > start
        and tokens[end - 1].text == "*"
        and (end - start == 1 or tokens[end - 2].text == ".")
        for start, end in items
    )
    return None if any(stars) else items


def select_list(statement: Statement) -> list[tuple[int, int]]:
    """Where the items of the select list begin and end, as indexes of tokens."""
    items: list[tuple[int, int]] = []
    tokens = statement.tokens
    start = statement.main + 1
    if start < len(tokens) and tokens[start].keyword in ("DISTINCT", "ALL"):
        start += 1
    end = start
    for index, token in statement.top_level(start):
        if token.keyword in _ENDS_OF_SELECT_LIST:
            break
        if token.text == ",":
            items.append((start, index))
            start = index + 1
        end = index + 1
    items.append((start, end))
    return items


def exact(expression: str) -> str:
    """SQL for the value of `expression` in a JSON array, exact."""
    return Form.EXACT.value.format(expression)


def row_array(width: int, apart: frozenset[int] = frozenset(), form: Form = Form.EXACT) -> str:
    """SQL for one row of _pyrqlite_q as a JSON array, without the columns `apart`."""
    return _array(tuple(column for column in range(width) if column not in apart), form)


@lru_cache(maxsize=256)
def _array(columns: tuple[int, ...], form: Form) -> str:
    cells = [form.value.format(f"c{column + 1}") for column in columns]
    if len(cells) <= _GROUP:
        return f"json_array({','.join(cells)})"
    groups = (",".join(cells[start : start + _GROUP]) for start in range(0, len(cells), _GROUP))
    return f"json_array({','.join(f'json_array({group})' for group in groups)})"


@remembered
def names_query(statement: Statement, width: int | None) -> str:
    """The query, made to return no row: it shows names and declared types."""
    if _ends_in_values(statement):
        if statement.verb == "VALUES" or width is None:
            return f"SELECT * FROM ({statement.text}) LIMIT 0"
        # VALUES takes no LIMIT, so another arm has to stand behind it.
        nulls = ",".join(["NULL"] * width)
        return f"{statement.text} UNION ALL SELECT {nulls} WHERE 0 LIMIT 0"
    return f"{_without_limit(statement)}\nLIMIT 0"


@remembered
def columns_query(statement: Statement, width: int, form: Form) -> str:
    """The query of one row: for each column of `statement` the JSON text of its values."""
    arrays = (form.value.format(f"c{column}") for column in range(1, width + 1))
    return f"{rows_as_q(statement, width)} SELECT {_texts(arrays)} FROM _pyrqlite_q"


@remembered
def rows_query(
    statement: Statement, width: int, apart: frozenset[int] = frozenset(), form: Form = Form.EXACT
) -> str:
    """The query whose one value is the JSON text of all rows of `statement`.

    With `apart`, indexes of columns, it has two values: the text of all other columns, and that of these.
    """
    arrays = [row_array(width, apart, form)]
    if apart:
        arrays.append(_array(tuple(sorted(apart)), form))
    return f"{rows_as_q(statement, width)} SELECT {_texts(arrays)} FROM _pyrqlite_q"


def _texts(expressions: Iterable[str]) -> str:
    """The JSON texts of these for all rows. The names are short, since the server sends them back."""
    return ",".join(f"json_group_array({expression}) AS p" for expression in expressions)


def rows_as_q(statement: Statement, width: int) -> str:
    """The WITH clause that gives the rows of `statement` the name _pyrqlite_q, its columns c1, c2, ..."""
    names = ",".join(f"c{number}" for number in range(1, width + 1))
    return f"WITH _pyrqlite_q({names}) AS ({_co_routine(statement, width)})"


def _co_routine(statement: Statement, width: int) -> str:
    """The query in a form that SQLite runs as it is: unflattened, with no affinity given to its columns."""
    text = statement.text
    if statement.is_compound:
        # The affinity of a compound's columns is that of its arms, but none with an arm of this kind.
        empty = ",".join(["CAST(NULL AS TEXT)"] * width)
        arms = statement.tokens[statement.main].start
        text = f"{text[:arms]}SELECT {empty} WHERE 0 UNION ALL {text[arms:]}"
        if _ends_in_values(statement):
            return f"SELECT * FROM ({text}) LIMIT -1"
    return text if statement.find("LIMIT") is not None else f"{text}\nLIMIT -1"


def _ends_in_values(statement: Statement) -> bool:
    last = statement.verb
    for _, token in statement.top_level():
        if token.keyword in ("SELECT", "VALUES"):
            last = token.keyword
    return last == "VALUES"


def _without_limit(statement: Statement) -> str:
    limit = statement.find("LIMIT")
    return statement.text if limit is None else statement.text[: statement.tokens[limit].start]


class InvalidUtf8(Exception):
    """The packed text holds U+FFFD: perhaps the data does, perhaps its bytes are no UTF-8."""


class TooManyTerms(Exception):
    """A compound query has as many arms as SQLite allows, and the packed form adds one."""


def unpack_columns(texts: Sequence[str]) -> Rows:
    """The rows from the texts of their columns. InvalidUtf8 where only the hex form can tell what they are."""
    return list(zip(*map(_column, texts), strict=True))


def _column(text: str) -> list[Any]:
    if "\ufffd" in text:
        raise InvalidUtf8
    values: list[Any] = json.loads(text)
    # Inside of a string the quote would have a backslash before it: these are lists, and so blobs.
    if ',["' in text or text.startswith('[["'):
        return [_marked(value) for value in values]
    return values


def unpack_hex(texts: Sequence[str], names: Sequence[str]) -> Rows:
    """The rows of the hex form; OperationalError for a text that is no UTF-8, as `sqlite3`."""
    columns = (
        [_marked(value, name) for value in json.loads(text)]
        for text, name in zip(texts, names, strict=True)
    )
    return list(zip(*columns, strict=True))


def unpack_parts(texts: Sequence[str], names: Sequence[str], apart: frozenset[int]) -> Rows:
    """The rows in the texts of a `rows_query`, in any form, its columns in their order again."""
    together = [index for index in range(len(names)) if index not in apart]
    parts = [_unpack_part(texts[0], [names[index] for index in together])]
    if not apart:
        return parts[0]
    parts.append(_unpack_part(texts[1], [names[index] for index in sorted(apart)]))
    places = {index: place for place, index in enumerate([*together, *sorted(apart)])}
    order = [places[index] for index in range(len(names))]
    return [
        tuple([both[place] for place in order])
        for both in (left + right for left, right in zip(*parts, strict=True))
    ]


def _unpack_part(packed: str, names: Sequence[str]) -> Rows:
    return [
        tuple([_marked(value, name) for value, name in zip(row, names, strict=True)])
        for row in _lists(packed, len(names))
    ]


def unpack_rows(packed: str, width: int) -> Rows:
    """The rows in the text of a `rows_query`, with U+FFFD in the place of bytes that are no UTF-8."""
    rows = _lists(packed, width)
    if _BLOB_MARK.search(packed):
        return [tuple([_marked(value) for value in row]) for row in rows]
    return [tuple(row) for row in rows]


def _lists(packed: str, width: int) -> list[list[Any]]:
    rows: list[list[Any]] = json.loads(packed)
    if width > _GROUP:
        return [[value for group in row for value in group] for row in rows]
    return rows


def _marked(value: Any, column: str = "") -> Any:
    if type(value) is not list:
        return value
    data = bytes.fromhex(value[0])
    if len(value) == 1:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        shown = data.decode(errors="backslashreplace")
        raise OperationalError(
            f"Could not decode to UTF-8 column {column!r} with text {shown!r}: read it as CAST({column} AS BLOB)"
        ) from None
