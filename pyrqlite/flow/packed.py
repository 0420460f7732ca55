"""One packed read: the statements that ask, and what their results say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pyrqlite.errors import DataError, InternalError
from pyrqlite.sql.parameters import Value
from pyrqlite.sql.statement import Statement
from pyrqlite.wire import packing
from pyrqlite.wire.request import Item, item
from pyrqlite.wire.response import Result, Rows

_WRONG_WIDTH = re.compile(r"has \d+ values for \d+ columns|table _pyrqlite_q has")


class Query(NamedTuple):
    """A read about to be sent: `statement` has its placeholders in the form that `values` need; `original`
    has them as written, which shows in the names of columns."""

    original: Statement
    statement: Statement
    values: Sequence[Value]


class WrongWidth(Exception):
    """The query has another number of columns."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.width = width


@dataclass(frozen=True)
class Packed:
    """What a packed read gave: names and declared types, and rows."""

    columns: list[tuple[str, str]]
    rows: Rows


@dataclass(frozen=True)
class PackedRead:
    """A query of `width` columns, asked in a packed form; without a width only its names are asked for."""

    query: Query
    width: int | None
    form: packing.Form = packing.Form.EXACT

    def items(self) -> list[Item]:
        """The statements to send, in one snapshot."""
        query = self.query
        asked = [
            packing.RELOAD_SCHEMA,
            item(packing.names_query(query.original, self.width), query.values),
        ]
        if self.width is not None:
            text = packing.columns_query(query.statement, self.width, self.form)
            asked.append(item(text, query.values))
        return asked

    def answer(self, results: Sequence[Result]) -> Packed:
        """What the results of `items` say; raises the query's error, WrongWidth,
        packing.InvalidUtf8, packing.TooManyTerms."""
        columns, texts = packed_texts(results, self.width)
        if self.form is packing.Form.HEX:
            return Packed(columns, packing.unpack_hex(texts, [name for name, _ in columns]))
        return Packed(columns, packing.unpack_columns(texts))


def packed_texts(
    results: Sequence[Result], width: int | None
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Names and declared types, and the packed texts, from the results of RELOAD_SCHEMA, a names_query and a
    packed query."""
    names = results[1].check()
    columns = list(zip(names.columns or (), names.types, strict=True))
    if width is None:
        raise WrongWidth(len(columns))
    packed = results[2]
    if packed.error is not None and width != len(columns) and _WRONG_WIDTH.search(packed.error):
        raise WrongWidth(len(columns))
    return columns, _texts(packed)


def _texts(packed: Result) -> tuple[str, ...]:
    if packed.error is not None and "string or blob too big" in packed.error:
        raise DataError(
            "the rows of this query are larger than SQLite's longest string (1e9 bytes): read them in parts, "
            "with LIMIT"
        )
    if packed.error is not None and "too many terms in compound SELECT" in packed.error:
        raise packing.TooManyTerms
    texts = tuple(packed.check().values[0])
    if not all(isinstance(text, str) for text in texts):
        raise InternalError("a packed read gave something else than text")
    return texts
