"""A table as something that can be compared in pieces: rows in the order of a key.

A piece of it is a span of the key's order, or some keys. Where a table has no key, its rows are their own
key, and what is compared is how often each occurs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pyrqlite.admin.verifying.values import (
    Cell,
    Row,
    Sql,
    bound,
    identity,
    join,
    unpack,
    unpack_row,
)
from pyrqlite.sql.tokens import quote_name
from pyrqlite.wire import json
from pyrqlite.wire.packing import Form
from pyrqlite.wire.request import Item, item

# SQLite's functions take 100 arguments everywhere.
_GROUP = 100


class Span(NamedTuple):
    """The rows behind the key `lower` up to and with the key `upper`; None: from the start, to the end."""

    lower: Row | None = None
    upper: Row | None = None


class Keys(NamedTuple):
    """The rows of these keys."""

    keys: tuple[Row, ...]


Part = Span | Keys


class Limits(NamedTuple):
    """How much to read at once: rows, and bytes of their values."""

    rows: int
    bytes: int


class Bound(NamedTuple):
    """Where a piece within the limits ends: the last key in it (None: there is no row), how many rows it
    has, and whether nothing comes behind it."""

    last: Row | None
    rows: int
    complete: bool


class KeyColumn(NamedTuple):
    """A column of the key: SQL for it, and the collation of its order, if that is not the column's own."""

    expression: str
    collation: str | None = None

    @property
    def ordered(self) -> str:
        """SQL that compares as the key does."""
        return _collated(self.expression, self.collation)


def _collated(expression: str, collation: str | None) -> str:
    return expression if collation is None else f"{expression} COLLATE {quote_name(collation)}"


class View(Protocol):
    """Part by part, what a node holds of a table."""

    @property
    def table(self) -> str:
        """The table's name."""

    @property
    def definition(self) -> str | None:
        """The text of its CREATE TABLE when this view was made; None where it does not matter."""

    @property
    def names(self) -> tuple[str, ...]:
        """What is in a row."""

    @property
    def key(self) -> tuple[int, ...]:
        """Which of the row's values are its key."""

    @property
    def limits(self) -> Limits:
        """How much to compare at once."""

    def rows(self, part: Part) -> Sql:
        """The rows of a part, in the order of the key."""

    def bounds(self, part: Part, limits: Limits) -> Sql:
        """One row, or none, for `read_bound`."""


def key_of(view: View, row: Row) -> Row:
    """The key of a row."""
    return tuple([row[index] for index in view.key])


def _condition(key: Sequence[KeyColumn], part: Part) -> Iterator[Sql]:
    """The terms of the WHERE clause for a part, so that an index of the key serves them."""
    if isinstance(part, Keys):
        yield _is_one_of(key, part.keys)
        return
    for operator, limit in ((">", part.lower), ("<", part.upper)):
        if limit is not None:
            yield from _beyond(key, operator, limit, or_equal=operator == "<")


def _is_one_of(key: Sequence[KeyColumn], keys: Sequence[Row]) -> Sql:
    if len(key) == 1:
        values = join(", ", (bound(value) for (value,) in keys))
        return Sql(f"{key[0].ordered} IN (") + values + Sql(")")
    if all(column.collation is None for column in key):
        columns = ", ".join(column.expression for column in key)
        rows = join(", ", (Sql("(") + join(", ", map(bound, each)) + Sql(")") for each in keys))
        return Sql(f"({columns}) IN (VALUES ") + rows + Sql(")")
    return Sql("(") + join(" OR ", (_is_key(key, each) for each in keys)) + Sql(")")


def _is_key(key: Sequence[KeyColumn], values: Row) -> Sql:
    pairs = zip(key, values, strict=True)
    return join(" AND ", (Sql(f"{column.ordered} = ") + bound(value) for column, value in pairs))


def _beyond(
    key: Sequence[KeyColumn], operator: str, limit: Row, *, or_equal: bool
) -> Iterator[Sql]:
    """The rows on one side of a limit."""
    last = f"{operator}=" if or_equal else operator
    if all(column.collation is None for column in key):
        left = ", ".join(column.expression for column in key)
        yield Sql(f"({left}) {last} (") + join(", ", map(bound, limit)) + Sql(")")
        return
    # No index serves rows of values with collations; the first column alone narrows it down.
    yield Sql(f"{key[0].ordered} {operator}= ") + bound(limit[0])
    steps = []
    for number, column in enumerate(key):
        equal = _is_key(key[:number], limit[:number]) if number else Sql("1")
        sign = last if number == len(key) - 1 else operator
        steps.append(equal + Sql(f" AND {column.ordered} {sign} ") + bound(limit[number]))
    yield Sql("(") + join(" OR ", steps) + Sql(")")


def _where(terms: Sequence[Sql]) -> Sql:
    return Sql(" WHERE ") + join(" AND ", terms) if terms else Sql("")


def _size(expressions: Sequence[str]) -> str:
    return " + ".join(f"ifnull(length(CAST({each} AS BLOB)), 0)" for each in expressions)


def _bounds(key: Sequence[KeyColumn], source: Sql, limits: Limits) -> Sql:
    """`source` gives the key's columns k1, k2... and a size s, in the key's order."""
    names = [f"k{number}" for number in range(1, len(key) + 1)]
    order = ", ".join(
        _collated(name, column.collation) for name, column in zip(names, key, strict=True)
    )
    columns = ", ".join(names)
    return (
        Sql(f"WITH _pyrqlite_q({columns}, s) AS (")
        + source
        + Sql(
            f" LIMIT {limits.rows}), _pyrqlite_w AS (SELECT {columns}, row_number() OVER o AS n,"
            " sum(s) OVER o AS total, count(*) OVER () AS all_of_them FROM _pyrqlite_q"
            f" WINDOW o AS (ORDER BY {order} ROWS UNBOUNDED PRECEDING))"
            f" SELECT {hex_arrays(names)}, n, all_of_them FROM _pyrqlite_w"
            f" WHERE n = 1 OR total <= {limits.bytes} ORDER BY n DESC LIMIT 1"
        )
    )


def read_bound(rows: list[list[Any]], limits: Limits) -> Bound:
    """What the query of `bounds` found."""
    if not rows:
        return Bound(None, 0, True)
    key, number, count = rows[0]
    return Bound(read_arrays(key), number, number == count < limits.rows)


def hex_arrays(expressions: Sequence[str]) -> str:
    """SQL for the exact values of a row as one text: JSON arrays beside each other."""
    groups = (expressions[at : at + _GROUP] for at in range(0, len(expressions), _GROUP))
    return "||','||".join(
        f"json_array({', '.join(map(Form.HEX.value.format, group))})" for group in groups
    )


def read_arrays(text: str) -> Row:
    """The values of a row from the text of `hex_arrays`."""
    return unpack_row(cell for group in json.loads(f"[{text}]") for cell in group)


@dataclass(frozen=True)
class KeyedView:
    """A table with a key. `where` leaves rows out whose key cannot order them."""

    table: str
    definition: str | None
    names: tuple[str, ...]
    expressions: tuple[str, ...]
    key: tuple[int, ...]
    collations: tuple[str | None, ...]
    where: str = ""
    limits: Limits = Limits(2_000, 1 << 20)

    @property
    def key_columns(self) -> tuple[KeyColumn, ...]:
        """The columns of the key."""
        return tuple(
            KeyColumn(self.expressions[index], collation)
            for index, collation in zip(self.key, self.collations, strict=True)
        )

    def rows(self, part: Part) -> Sql:
        return self._select(", ".join(self.expressions), part)

    def bounds(self, part: Part, limits: Limits) -> Sql:
        keys = ", ".join(column.expression for column in self.key_columns)
        source = self._select(f"{keys}, {_size(self.expressions)}", part)
        return _bounds(self.key_columns, source, limits)

    def _select(self, items: str, part: Part) -> Sql:
        terms = [Sql(self.where)] if self.where else []
        terms += _condition(self.key_columns, part)
        order = ", ".join(column.ordered for column in self.key_columns)
        start = Sql(f"SELECT {items} FROM {quote_name(self.table)}")
        return start + _where(terms) + Sql(f" ORDER BY {order}")


_CONTENT = (KeyColumn("r"),)


@dataclass(frozen=True)
class BagView:
    """A table, or the rows of it that have no key, as a bag: each content, and how often it occurs.

    A row of this view is a content, as one text, and a number. `content` reads the text.
    """

    table: str
    definition: str | None
    columns: tuple[str, ...]
    where: str = ""
    limits: Limits = Limits(20_000, 4 << 20)
    names: tuple[str, ...] = ("content", "number")
    key: tuple[int, ...] = (0,)

    def rows(self, part: Part) -> Sql:
        return self._select("r, count(*)", part) + Sql(" GROUP BY r ORDER BY r")

    def bounds(self, part: Part, limits: Limits) -> Sql:
        source = self._select("r, length(r)", part) + Sql(" ORDER BY r")
        return _bounds(_CONTENT, source, limits)

    def content(self, text: Cell) -> Row:
        """The values of a row, from the text that stands for them."""
        assert isinstance(text, str)
        return read_arrays(text)

    def _select(self, items: str, part: Part) -> Sql:
        arrays = hex_arrays([quote_name(column) for column in self.columns])
        where = f" WHERE {self.where}" if self.where else ""
        # LIMIT -1 keeps SQLite from working out r once for each place where it is mentioned.
        rows = f"(SELECT {arrays} AS r FROM {quote_name(self.table)}{where} LIMIT -1)"
        return Sql(f"SELECT {items} FROM {rows}") + _where(list(_condition(_CONTENT, part)))


# As the first statement of a request it also makes a connection with an old schema read it anew.
_DEFINITION = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?"


def definition_item(view: View) -> Item:
    """A statement that asks for the table's definition."""
    return item(_DEFINITION, (view.table,))


def packed_item(view: View, part: Part, *, text_as_hex: bool = False) -> Item:
    """A statement that asks for the rows of a part, each column as one text; with texts in hex where they
    may be broken."""
    form = Form.HEX if text_as_hex else Form.EXACT
    columns = [f"c{number}" for number in range(1, len(view.names) + 1)]
    texts = (f"json_group_array({form.value.format(name)}) AS p{name}" for name in columns)
    start = Sql(f"WITH _pyrqlite_q({', '.join(columns)}) AS (")
    end = Sql(f" LIMIT -1) SELECT {', '.join(texts)} FROM _pyrqlite_q")
    sql = start + view.rows(part) + end
    return item(sql.text, sql.values)


def unpacked(view: View, texts: Sequence[str]) -> dict[tuple[object, ...], Row]:
    """The rows in such texts, by what tells their keys apart."""
    return {identity(key_of(view, row)): row for row in unpack(texts)}
