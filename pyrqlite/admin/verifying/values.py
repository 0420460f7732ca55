"""Values as they travel and are compared: to the byte, by storage class, whatever Python calls equal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pyrqlite.sql.parameters import Value, bind_stored
from pyrqlite.wire import json


@dataclass(frozen=True)
class RawText:
    """A TEXT whose bytes are no UTF-8."""

    data: bytes


Cell = Value | RawText
Row = tuple[Cell, ...]


def identity(cells: Row) -> tuple[object, ...]:
    """What only the same values have in common: 1 and 1.0 are two."""
    return tuple([(cell.__class__, cell) for cell in cells])


def same(one: Cell, other: Cell) -> bool:
    """Whether both are the same value of the same storage class."""
    return one.__class__ is other.__class__ and one == other


@dataclass(frozen=True)
class Sql:
    """A piece of SQL and the values of its placeholders, which are all `?`."""

    text: str
    values: tuple[Value, ...] = ()

    def __add__(self, other: Sql) -> Sql:
        return Sql(self.text + other.text, self.values + other.values)


def join(separator: str, pieces: Iterable[Sql]) -> Sql:
    """One piece of several."""
    pieces = list(pieces)
    return Sql(
        separator.join(piece.text for piece in pieces),
        tuple(value for piece in pieces for value in piece.values),
    )


def bound(cell: Cell) -> Sql:
    """A placeholder in the form that this value needs, and the value."""
    if isinstance(cell, RawText):
        return Sql("(+CAST(? AS TEXT))", (cell.data,))
    value = bind_stored([cell])
    return Sql(value.templates.get(1, "{}").format("?"), (value.values[0],))


def unpack(texts: Iterable[str]) -> list[Row]:
    """The rows in the packed texts of their columns, in whichever of the forms of `pyrqlite.wire.packing`."""
    return list(zip(*(unpack_row(json.loads(text)) for text in texts), strict=True))


def unpack_row(cells: Iterable[Any]) -> Row:
    """The values in a list of packed ones."""
    return tuple([_cell(cell) for cell in cells])


def _cell(cell: Any) -> Cell:
    if type(cell) is not list:
        return cell  # type: ignore[no-any-return]
    data = bytes.fromhex(cell[0])
    if len(cell) == 1:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return RawText(data)


def shown(cell: Cell, width: int = 60) -> str:
    """The value for people to read, cut where it is long."""
    if cell is None:
        return "NULL"
    if isinstance(cell, RawText):
        return _cut(f"text x'{cell.data.hex()}'", width)
    if isinstance(cell, bytes):
        return _cut(f"x'{cell.hex()}'", width)
    return _cut(repr(cell), width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def as_json(cell: Cell) -> Any:
    """The value as JSON has it; blobs, broken texts and infinities as objects of one entry."""
    if isinstance(cell, RawText):
        return {"text": cell.data.hex()}
    if isinstance(cell, bytes):
        return {"blob": cell.hex()}
    if isinstance(cell, float) and cell in (float("inf"), float("-inf")):
        return {"real": str(cell)}
    return cell


def row_as_json(names: Sequence[str], row: Row) -> dict[str, Any]:
    """A row as a JSON object."""
    return {name: as_json(cell) for name, cell in zip(names, row, strict=True)}
