"""JSON, by orjson where it is installed and by the standard library elsewhere; both give the same values."""

from __future__ import annotations

import json
from typing import Any

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]


def _std_dumps(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()  # UnicodeEncodeError for lone surrogates


def _std_loads(data: bytes | str) -> Any:
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _fast_dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # A lone surrogate or a value that JSON has not: the standard library names the error better.
        return _std_dumps(value)


def _fast_loads(data: bytes | str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _std_loads(data)  # it reads 9.0e+999, SQLite's infinity, which orjson refuses


dumps = _std_dumps if orjson is None else _fast_dumps
loads = _std_loads if orjson is None else _fast_loads
