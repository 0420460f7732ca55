"""How the API shows SQLite's values: dates, booleans, texts and types, column by column."""

from __future__ import annotations

import codecs
import re
import time
from collections.abc import Sequence

Value = int | float | str | bytes | None
Row = Sequence[Value]

_DATES = frozenset(("date", "datetime", "timestamp"))
_CONVERTED = _DATES | {"boolean"}
_TEXT_TYPES = frozenset(("text", "json", ""))
_TEXT_PREFIXES = (
    "varchar",
    "varying character",
    "nchar",
    "native character",
    "nvarchar",
    "clob",
)
_INFERRED = {int: "integer", float: "real", str: "text", bytes: "blob"}
_ZERO_TIME = "0001-01-01T00:00:00Z"
_MILLISECONDS = 10**12
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[ T](\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?([+-]\d\d:\d\d)?)?)?",
    re.ASCII,
)


class ValueConversionError(Exception):
    """A value that the API cannot show; the text is the statement's error."""


def _one_mark_per_byte(error: UnicodeError) -> tuple[str, int]:
    # Python's own "replace" merges the bytes of a truncated sequence into one mark.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd", error.start + 1


codecs.register_error("rqlite_embedded.replace", _one_mark_per_byte)


def replace_invalid_utf8(data: bytes) -> str:
    """``data`` as text, U+FFFD for each byte that is not UTF-8."""
    return data.decode("utf-8", "rqlite_embedded.replace")


def keep_invalid_utf8(data: bytes) -> str:
    """``data`` as text, a lone surrogate for each byte that is not UTF-8."""
    return data.decode("utf-8", "surrogateescape")


def is_text_type(declared: str) -> bool:
    """Whether a BLOB in a column of this (lower-case) type is shown as text."""
    return declared in _TEXT_TYPES or declared.startswith(_TEXT_PREFIXES)


def convert_rows(rows: list[Row], types: list[str]) -> list[Row]:
    """The rows as the API shows them. Fills the empty entries of ``types`` from the first row.

    Raises ValueConversionError for a date outside of the years 0 to 9999.
    """
    if not rows:
        return rows
    dates = [i for i, declared in enumerate(types) if declared in _CONVERTED]
    first = _convert_row(rows[0], types, dates)
    if "" in types:
        types[:] = [t or _INFERRED.get(type(v), "") for t, v in zip(types, first, strict=True)]
    if len(rows) == 1:
        return [first]
    if not dates and bytes not in {kind for row in rows for kind in map(type, row)}:
        return rows
    return [first, *(_convert_row(row, types, dates) for row in rows[1:])]


def _convert_row(row: Row, types: list[str], dates: list[int]) -> Row:
    if not dates and bytes not in map(type, row):
        return row
    converted = list(row)
    for i in dates:
        converted[i] = _convert_declared(row[i], types[i])
    for i, value in enumerate(converted):
        if type(value) is bytes and is_text_type(types[i]):
            converted[i] = keep_invalid_utf8(value)
    return converted


def _convert_declared(value: Value, declared: str) -> Value:
    if type(value) is int:
        return value > 0 if declared == "boolean" else _unix_time(value)
    if type(value) is str and declared in _DATES:
        return _text_time(value)
    return value


def _unix_time(value: int) -> str:
    seconds, nanoseconds = value, 0
    if abs(value) > _MILLISECONDS:
        # The server multiplies in 64 bits and wraps around.
        wrapped = (value * 1_000_000 + 2**63) % 2**64 - 2**63
        seconds, nanoseconds = divmod(wrapped, 1_000_000_000)
    days, second_of_day = divmod(seconds, 86_400)
    year, month, day = _civil_date(days)
    if not 0 <= year <= 9999:
        raise ValueConversionError("Time.MarshalText: year outside of range [0,9999]")
    hour, rest = divmod(second_of_day, 3600)
    minute, second = divmod(rest, 60)
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}{fraction}Z"


def _civil_date(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day count from 1970-01-01, in years beyond datetime's too."""
    cycles, days = divmod(days, 146_097)  # the calendar repeats after 400 years
    moment = time.gmtime(days * 86_400)
    return moment.tm_year + cycles * 400, moment.tm_mon, moment.tm_mday


def _text_time(text: str) -> str:
    match = _MOMENT.fullmatch(text[:-1] if text.endswith("Z") else text)
    if match is None:
        return _ZERO_TIME
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    hour, minute, second = int(match[4] or 0), int(match[5] or 0), int(match[6] or 0)
    if not (1 <= month <= 12 and 1 <= day <= _days_in(year, month)):
        return _ZERO_TIME
    if hour > 23 or minute > 59 or second > 59:
        return _ZERO_TIME
    zone = _zone(match[8])
    if not zone:
        return _ZERO_TIME
    fraction = f".{(match[7] or '')[:9]}".rstrip("0").rstrip(".")
    return f"{match[1]}-{match[2]}-{match[3]}T{hour:02d}:{minute:02d}:{second:02d}{fraction}{zone}"


def _zone(text: str | None) -> str:
    """The offset as RFC 3339 has it, empty if there is none such."""
    if text is None:
        return "Z"
    hours, minutes = int(text[1:3]), int(text[4:])
    if hours > 24 or minutes > 60:  # these bounds are Go's, both inclusive
        return ""
    hours, minutes = divmod(hours * 60 + minutes, 60)
    if hours > 23:
        raise ValueConversionError("Time.MarshalText: timezone hour outside of range [0,23]")
    return f"{text[0]}{hours:02d}:{minutes:02d}" if hours or minutes else "Z"


def _days_in(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _MONTH_DAYS[month - 1]


def format_float(value: float) -> str:
    """``value`` as Go prints it in JSON. Raises OverflowError for an infinity."""
    size = abs(value)
    if 1e-4 <= size < 1e16 or size == 0:
        text = repr(value)
        return text[:-2] if text.endswith(".0") else text
    if size == float("inf"):
        raise OverflowError("+Inf" if value > 0 else "-Inf")
    if 1e-6 <= size < 1e21:
        from decimal import Decimal  # rarely needed, slow to import

        return format(Decimal(repr(value)), "f")
    return repr(value).replace("e-0", "e-")
