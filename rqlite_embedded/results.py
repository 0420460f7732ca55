"""What a statement gave, and its JSON: key for key what the API's encoder writes."""

from __future__ import annotations

import codecs
import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .values import Row, Value, format_float

encode_string: Callable[[str], str] = json.encoder.encode_basestring
_encode: Callable[[Any], str] = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":")
).encode
_FEW_ROWS = 8
_NATIVE = frozenset((int, str, bool, type(None)))
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def _mark_as_invalid(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "\\ufffd" * (error.end - error.start), error.end


# Lone surrogates stand for bytes that are not UTF-8.
codecs.register_error("rqlite_embedded.mark", _mark_as_invalid)


class EncodingError(Exception):
    """The results cannot be written as JSON; the text is the response's."""


@dataclass
class Rows:
    """What a query gave. ``types`` are lower-case declared types, or inferred ones."""

    columns: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    values: list[Row] = field(default_factory=list)
    error: str = ""
    time: float = 0.0


@dataclass
class Change:
    """What a write gave."""

    last_insert_id: int = 0
    rows_affected: int = 0
    time: float = 0.0


@dataclass
class Failure:
    """A statement that failed before it gave anything."""

    error: str


Result = Rows | Change | Failure


@dataclass
class Shape:
    """The forms of results that a client may ask for."""

    associative: bool = False
    blob_array: bool = False


def encode_results(results: Sequence[Result], shape: Shape) -> str:
    """The JSON list of ``results``. Raises EncodingError for an infinite number."""
    form = _encode_associative if shape.associative else _encode_default
    try:
        return "[" + ",".join([form(result, shape.blob_array) for result in results]) + "]"
    except OverflowError as exc:
        raise EncodingError(
            "json: error calling MarshalJSON for type *http.DBResults: "
            f"json: unsupported value: {exc}"
        ) from None


def encode_response(
    results: str = "[]",
    *,
    error: str = "",
    time: float = 0.0,
    sequence_number: int = 0,
    raft_index: int = 0,
) -> str:
    """The JSON object around the list ``results``; empty and zero members are left out."""
    text = '{"results":' + results
    if error:
        text += ',"error":' + encode_string(error)
    if time:
        text += ',"time":' + format_float(time)
    if sequence_number:
        text += f',"sequence_number":{sequence_number}'
    if raft_index:
        text += f',"raft_index":{raft_index}'
    return text + "}"


def finish(text: str, *, pretty: bool = False) -> bytes:
    """JSON text as it goes out: escaped for HTML, indented by four blanks on demand."""
    for character, escape in _HTML.items():
        if character in text:
            text = text.replace(character, escape)
    return (_indent(text) if pretty else text).encode("utf-8", "rqlite_embedded.mark")


def encode_json(value: Any, *, sort_keys: bool = False) -> str:
    """Any plain value as compact JSON, keys in the order given or of their names."""
    if isinstance(value, Mapping):
        items = sorted(value.items()) if sort_keys else value.items()
        members = [f"{encode_string(k)}:{encode_json(v, sort_keys=sort_keys)}" for k, v in items]
        return "{" + ",".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([encode_json(v, sort_keys=sort_keys) for v in value]) + "]"
    return format_float(value) if isinstance(value, float) else _encode(value)


def _encode_default(result: Result, blob_array: bool) -> str:
    if type(result) is Change:
        return "{" + ",".join(_change_members(result)) + "}"
    if type(result) is Failure:
        return '{"error":' + encode_string(result.error) + "}"
    assert type(result) is Rows
    members = []
    if result.columns:
        members.append(_encode_header(tuple(result.columns), tuple(result.types)))
    if result.values:
        members.append('"values":' + _encode_values(result.values, blob_array))
    members.extend(_rows_tail(result))
    return "{" + ",".join(members) + "}"


def _encode_associative(result: Result, blob_array: bool) -> str:
    if type(result) is Change:
        return "{" + ",".join([*_change_members(result), '"rows":null']) + "}"
    if type(result) is Failure:
        return '{"error":' + encode_string(result.error) + "}"
    assert type(result) is Rows
    members = []
    if result.columns:
        types = dict(zip(result.columns, result.types, strict=True))
        members.append('"types":' + _encode({name: types[name] for name in sorted(types)}))
    # Of columns with one name the last is shown; names go out in order.
    places = {name: i for i, name in enumerate(result.columns)}
    keys = [(encode_string(name) + ":", places[name]) for name in sorted(places)]
    rows = [
        "{" + ",".join([key + _encode_value(row[i], blob_array) for key, i in keys]) + "}"
        for row in result.values
    ]
    members.append('"rows":[' + ",".join(rows) + "]")
    members.extend(_rows_tail(result))
    return "{" + ",".join(members) + "}"


@lru_cache(maxsize=512)
def _encode_header(columns: tuple[str, ...], types: tuple[str, ...]) -> str:
    return f'"columns":{_encode(columns)},"types":{_encode(types)}'


def _change_members(change: Change) -> Iterable[str]:
    if change.last_insert_id:
        yield f'"last_insert_id":{change.last_insert_id}'
    if change.rows_affected:
        yield f'"rows_affected":{change.rows_affected}'
    if change.time:
        yield '"time":' + format_float(change.time)


def _rows_tail(rows: Rows) -> Iterable[str]:
    if rows.error:
        yield '"error":' + encode_string(rows.error)
    if rows.time:
        yield '"time":' + format_float(rows.time)


def _encode_values(rows: Sequence[Row], blob_array: bool) -> str:
    # The encoder in C takes a while to set up, and cannot write floats and BLOBs as they must be.
    if len(rows) > _FEW_ROWS and {kind for row in rows for kind in map(type, row)} <= _NATIVE:
        return _encode(rows)
    form = _encoders(blob_array)
    lines = [",".join([form[type(value)](value) for value in row]) for row in rows]
    return "[[" + "],[".join(lines) + "]]"


def _encode_value(value: Value, blob_array: bool) -> str:
    return _encoders(blob_array)[type(value)](value)


def _encode_bool(value: bool) -> str:
    return "true" if value else "false"


def _encode_null(_: None) -> str:
    return "null"


def _encode_base64(value: bytes) -> str:
    return '"' + b64encode(value).decode() + '"'


def _encode_bytes(value: bytes) -> str:
    return "[" + ",".join(map(str, value)) + "]"


_BASE: dict[type, Callable[[Any], str]] = {
    int: int.__repr__,
    float: format_float,
    str: encode_string,
    bool: _encode_bool,
    type(None): _encode_null,
}
_WITH_BASE64 = {**_BASE, bytes: _encode_base64}
_WITH_ARRAYS = {**_BASE, bytes: _encode_bytes}


def _encoders(blob_array: bool) -> dict[type, Callable[[Any], str]]:
    return _WITH_ARRAYS if blob_array else _WITH_BASE64


def _indent(text: str) -> str:
    import re  # only pretty responses need it

    out: list[str] = []
    depth = 0
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|\[\]|\{\}|[\[\]{},:]|[^\[\]{},:"]+', text):
        if token in ("[", "{"):
            depth += 1
            out.append(token + "\n" + "    " * depth)
        elif token in ("]", "}"):
            depth -= 1
            out.append("\n" + "    " * depth + token)
        elif token == ",":
            out.append(",\n" + "    " * depth)
        else:
            out.append(": " if token == ":" else token)
    return "".join(out)
