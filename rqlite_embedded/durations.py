"""Durations in Go's notation, which is the API's: ``300ms``, ``1.5s``, ``1h2m``."""

from __future__ import annotations

import re

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_TERM = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_LARGEST = 2**63 - 1


def parse_duration(text: str) -> float:
    """Seconds in ``text``. Raises ValueError where Go's parser refuses it."""
    sign = -1 if text.startswith("-") else 1
    digits = text[1:] if text[:1] in ("-", "+") else text
    if digits == "0":
        return 0.0
    if not digits:
        raise ValueError(text)
    total, position = 0, 0
    while position < len(digits):
        term = _TERM.match(digits, position)
        if term is None or not (term[1] or term[2]):
            raise ValueError(text)
        unit = _UNITS[term[3]]
        total += int(term[1] or 0) * unit
        if term[2]:
            total += int(term[2]) * unit // 10 ** len(term[2])
        position = term.end()
        if total > _LARGEST + (sign < 0):
            raise ValueError(text)
    return sign * total / 1e9


def format_duration(seconds: float) -> str:
    """``seconds`` the way Go prints a duration: ``926µs``, ``50ms``, ``1h2m0.5s``."""
    nanoseconds = round(seconds * 1e9)
    sign, nanoseconds = ("-" if nanoseconds < 0 else ""), abs(nanoseconds)
    if nanoseconds == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if nanoseconds < size * 1_000:
            return f"{sign}{_decimal(nanoseconds, size)}{unit}"
    minutes, rest = divmod(nanoseconds, _UNITS["m"])
    text = f"{_decimal(rest, _UNITS['s'])}s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{minutes}m{text}"
        if hours:
            text = f"{hours}h{text}"
    return sign + text


def _decimal(value: int, unit: int) -> str:
    whole, fraction = divmod(value, unit)
    if not fraction:
        return str(whole)
    return f"{whole}." + str(fraction).rjust(len(str(unit)) - 1, "0").rstrip("0")
