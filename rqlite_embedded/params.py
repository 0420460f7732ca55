"""The query string: parsed and validated as the API does, before anything else is looked at."""

from __future__ import annotations

import re
from functools import lru_cache

from .durations import parse_duration
from .values import replace_invalid_utf8

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DURATIONS = ("timeout", "freshness", "db_timeout", "linearizable_timeout")
_INTEGERS = ("retries", "trailing_logs")
_LEVELS = frozenset(("none", "weak", "linearizable", "strong", "auto"))
_CACHEABLE = 256
DEFAULT_TIMEOUT = 30.0


class ParameterError(ValueError):
    """The query string or the path is refused; the text is the response's."""


class Params:
    """The parameters of one request: flags by presence, values by the first occurrence."""

    __slots__ = (
        "associative",
        "blob_array",
        "db_timeout",
        "level",
        "pretty",
        "raft_index",
        "timings",
        "transaction",
        "values",
    )

    def __init__(self, values: dict[str, str]) -> None:
        _validate(values)
        self.values = values
        self.pretty = "pretty" in values
        self.timings = "timings" in values
        self.transaction = "transaction" in values
        self.associative = "associative" in values
        self.blob_array = "blob_array" in values
        self.raft_index = "raft_index" in values
        level = values.get("level", "").lower()
        self.level = level if level in _LEVELS else "weak"
        self.db_timeout = self.duration("db_timeout", 0.0)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def get(self, name: str) -> str:
        """The value of ``name``, empty when it is absent."""
        return self.values.get(name, "")

    def duration(self, name: str, default: float) -> float:
        """The duration ``name`` in seconds."""
        text = self.values.get(name)
        return default if text is None else parse_duration(text)

    def timeout(self) -> float:
        """The ``timeout`` parameter in seconds."""
        return self.duration("timeout", DEFAULT_TIMEOUT)

    def tables(self) -> list[str]:
        """The ``tables`` parameter as a list of names."""
        return [name for part in self.get("tables").split(",") if (name := part.strip())]


def parse_params(query: str) -> Params:
    """The parameters in a raw query string. Raises ParameterError."""
    # Clients repeat a handful of short query strings; those that carry SQL would only evict them.
    return _parse_cached(query) if len(query) <= _CACHEABLE else _parse(query)


def _parse(query: str) -> Params:
    values: dict[str, str] = {}
    error = ""
    for pair in query.split("&"):
        if ";" in pair:
            error = "invalid semicolon separator in query"
        elif pair:
            key, _, value = pair.partition("=")
            try:
                values.setdefault(unescape(key), unescape(value))
            except ParameterError as exc:
                error = error or str(exc)
    if error:
        raise ParameterError(error)
    return Params(values)


_parse_cached = lru_cache(maxsize=512)(_parse)


def unescape(text: str, *, plus: bool = True) -> str:
    """``text`` without its percent-escapes. Raises ParameterError on a broken escape."""
    if plus and "+" in text:
        text = text.replace("+", " ")
    if "%" not in text and text.isascii():
        return text
    # Bytes of a request line come as latin-1; callers in the process may give any text.
    raw = text.encode("latin-1" if max(text) < "\u0100" else "utf-8", "replace")
    bad = _BAD_ESCAPE.search(raw)
    if bad is not None:
        shown = raw[bad.start() : bad.start() + 3].decode("latin-1")
        raise ParameterError(f"invalid URL escape {quote(shown)}")
    return replace_invalid_utf8(_ESCAPE.sub(lambda escape: bytes((int(escape[1], 16),)), raw))


def quote(text: str) -> str:
    """``text`` in double quotes with the escapes of the server's error messages."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _validate(values: dict[str, str]) -> None:
    if "freshness_strict" in values and "freshness" not in values:
        raise ParameterError("freshness_strict requires freshness")
    for name in _DURATIONS:
        if name in values:
            try:
                parse_duration(values[name])
            except ValueError:
                raise ParameterError(f"{name} is not a valid duration") from None
    for name in _INTEGERS:
        if name in values and not _is_int64(values[name]):
            raise ParameterError(f"{name} is not a valid integer")
    if values.get("q") == "":
        raise ParameterError("query parameter not set")


def _is_int64(text: str) -> bool:
    # Longer digit strings overflow anyway, and Python refuses to convert very long ones.
    return (
        _INTEGER.fullmatch(text) is not None
        and len(text.lstrip("+-0")) < 20
        and -(2**63) <= int(text) < 2**63
    )
