"""PEP 249's constructors and type objects, and `sqlite3`'s adapters and converters."""

from __future__ import annotations

import datetime
import decimal
import sqlite3
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from pyrqlite.errors import ProgrammingError
from pyrqlite.sql.parameters import AS_THEY_ARE, Value

T = TypeVar("T")

PARSE_DECLTYPES = sqlite3.PARSE_DECLTYPES
PARSE_COLNAMES = sqlite3.PARSE_COLNAMES
PrepareProtocol = sqlite3.PrepareProtocol

Date = datetime.date
Time = datetime.time
Timestamp = datetime.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> datetime.date:
    """The local date of `ticks`, in seconds since the epoch."""
    return Date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> datetime.time:
    """The local time of day of `ticks`, in seconds since the epoch."""
    return Time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> datetime.datetime:
    """The local date and time of `ticks`, in seconds since the epoch."""
    return Timestamp(*time.localtime(ticks)[:6])


class TypeObject:
    """Equal to the type codes in `cursor.description` (declared types, in lower case) that it stands for."""

    def __init__(self, name: str, *parts: str) -> None:
        self._name = name
        self._parts = parts

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TypeObject):
            return self is other
        return isinstance(other, str) and any(part in other.lower() for part in self._parts)

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f"pyrqlite.{self._name}"


STRING = TypeObject("STRING", "char", "clob", "text", "json", "uuid", "string")
BINARY = TypeObject("BINARY", "blob", "binary")
NUMBER = TypeObject("NUMBER", "int", "real", "floa", "doub", "num", "dec", "bool")
DATETIME = TypeObject("DATETIME", "date", "time")
ROWID = TypeObject("ROWID", "integer")

Adapter = Callable[[Any], Any]
Converter = Callable[[bytes], Any]

adapters: dict[type, Adapter] = {}
converters: dict[str, Converter] = {}


def register_adapter(type_: type[T], adapter: Callable[[T], Any], /) -> None:
    """Let `adapter` turn parameters of exactly this type into a type that SQLite has."""
    adapters[type_] = adapter
    AS_THEY_ARE.discard(type_)


def register_converter(typename: str, converter: Converter, /) -> None:
    """Let `converter` make Python values from the bytes of columns of this declared type or name.

    It is asked with `detect_types=PARSE_DECLTYPES` for declared types (their first word), with
    `PARSE_COLNAMES` for names such as `"created [timestamp]"`; NULL stays None.
    """
    converters[typename.upper()] = converter


def adapt(value: object) -> Value:
    """`value` as None, int, float, str or bytes, as `sqlite3` does it; else ProgrammingError."""
    adapter = adapters.get(type(value))
    if adapter is not None:
        value = adapter(value)
    elif type(value) not in (int, float, str, bytes, type(None)):
        conform = getattr(value, "__conform__", None)
        if conform is not None:
            conformed = conform(PrepareProtocol)
            value = value if conformed is None else conformed
    if value is None or isinstance(value, (bytes, float, int, str)):
        return _plain(value)
    try:
        return bytes(memoryview(value))  # type: ignore[arg-type]
    except TypeError:
        raise ProgrammingError(
            f"type {type(value).__name__!r} is not supported as a parameter: convert it, or teach the driver "
            "with register_adapter()"
        ) from None


def _plain(value: Value) -> Value:
    """Subclasses of the basic types (bool, enums, numpy's float64) as those types themselves."""
    if isinstance(value, str):
        return (
            value if type(value) is str else str.__str__(value)
        )  # an enum's own __str__ is its name
    if isinstance(value, bytes):
        return value if type(value) is bytes else bytes(value)
    if isinstance(value, float):
        return value if type(value) is float else float(value)
    return value if value is None or type(value) is int else int(value)


def converter_for(name: str, declared: str, detect_types: int) -> Converter | None:
    """The converter registered for a column, if `detect_types` asks for one."""
    if detect_types & PARSE_COLNAMES and "[" in name:
        found = converters.get(name.partition("[")[2].partition("]")[0].upper())
        if found is not None:
            return found
    if detect_types & PARSE_DECLTYPES and declared:
        return converters.get(declared.partition("(")[0].partition(" ")[0].upper())
    return None


def column_name(name: str, detect_types: int) -> str:
    """The name without the `[type]` behind it, which PARSE_COLNAMES reads."""
    if detect_types & PARSE_COLNAMES and "[" in name:
        return name.partition("[")[0].rstrip()
    return name


def convert(value: Value, converter: Converter) -> Any:
    """Give `value` to a converter in the form that `sqlite3` gives it: bytes."""
    if value is None:
        return None
    return converter(value if isinstance(value, bytes) else str(value).encode())


def _to_date(value: bytes) -> datetime.date:
    return datetime.date(*map(int, value.split(b"-")))


def _to_datetime(value: bytes) -> datetime.datetime:
    return datetime.datetime.fromisoformat(_padded_fraction(value.decode()))


def _padded_fraction(text: str) -> str:
    """Python 3.10 reads fractions of three or six digits only; SQLite's clients write any number."""
    head, dot, tail = text.removesuffix("Z").partition(".")
    if not dot:
        return head
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}.{tail[:digits][:6]:0<6}{tail[digits:]}"


register_adapter(datetime.date, datetime.date.isoformat)
register_adapter(datetime.datetime, lambda value: value.isoformat(" "))
register_adapter(datetime.time, datetime.time.isoformat)
register_adapter(decimal.Decimal, str)
register_adapter(uuid.UUID, str)
register_converter("date", _to_date)
register_converter("timestamp", _to_datetime)
