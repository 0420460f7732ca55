"""Request bodies: a JSON list of statements, with the API's conversions and error texts."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple, NoReturn

from .params import quote
from .values import Value, replace_invalid_utf8

_HEX_LITERAL = re.compile(r"\s*[xX]'((?:[0-9a-fA-F]{2})*)'\s*")
_GO_TYPES: dict[type, str] = {
    str: "string",
    list: "[]interface {}",
    dict: "map[string]interface {}",
    bool: "bool",
    type(None): "<nil>",
}
_INTEGER = re.compile(r"-?[0-9]+")
_BLANKS = re.compile(r"[ \t\n\r]*")
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class BodyError(ValueError):
    """The body is refused; the text is the response's."""


class Statement(NamedTuple):
    """One SQL text and its arguments; ``names`` runs beside ``args``, empty for positional ones.

    ``complaint`` is what is wrong with a name: the statement fails with it when it is run.
    """

    sql: str
    args: tuple[Value, ...] = ()
    names: tuple[str, ...] = ()
    complaint: str = ""


class _Number:
    """A number as its text, which decides how it is bound, or what its refusal says."""

    def __init__(self, text: str) -> None:
        self.text = text

    def value(self) -> int | float:
        """What is bound. Raises BodyError."""
        # The check on the length keeps Python's limit on digits out of play.
        if _INTEGER.fullmatch(self.text) and len(self.text) <= 20:
            number = int(self.text)
            if _SMALLEST <= number <= _LARGEST:
                return number
        approximate = float(self.text)
        if approximate in (float("inf"), float("-inf")):
            raise BodyError(f"invalid number {self.text}")
        return approximate


class _TextNeeded(Exception):
    """Only the text of a number can tell what is wrong with it."""


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(text)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_EXACT_DECODER = json.JSONDecoder(
    parse_int=_Number, parse_float=_Number, parse_constant=_refuse_constant
)
_NEEDS_EXACT = re.compile(r"[0-9]{18}|[0-9][eE]\+?[0-9]{3}")


def parse_body(body: bytes) -> list[Statement]:
    """The statements in ``body``; what follows the closing bracket is ignored. Raises BodyError."""
    text = replace_invalid_utf8(body)
    # Numbers beyond 64 bits, which are rare, are the only ones that the fast decoder gets wrong.
    if not _NEEDS_EXACT.search(text):
        try:
            return _parse(text, _DECODER)
        except _TextNeeded:
            pass
    return _parse(text, _EXACT_DECODER)


def _parse(text: str, decoder: json.JSONDecoder) -> list[Statement]:
    start = _skip_blanks(text, 0)
    try:
        parsed, _ = decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        _explain(text, start)
    if type(parsed) is not list:
        raise BodyError("invalid request")
    if "\\ud" in text or "\\uD" in text:
        parsed = _without_lone_surrogates(parsed)
    statements = [_statement(item) for item in parsed]
    if not statements:
        raise BodyError("no statements")
    return statements


def _statement(item: Any) -> Statement:
    if type(item) is str:
        return Statement(item)
    if type(item) is not list or not item or type(item[0]) is not str:
        raise BodyError("invalid request")
    if len(item) == 1:
        return Statement(item[0])
    if dict not in map(type, item):
        return Statement(item[0], tuple([_argument(value) for value in item[1:]]))
    return _named_statement(item)


def _named_statement(item: list[Any]) -> Statement:
    args: list[Value] = []
    names: list[str] = []
    complaint = ""
    for value in item[1:]:
        pairs = value if type(value) is dict else {"": value}
        for name, argument in pairs.items():
            args.append(_argument(argument))
            names.append(name)
            if name and not name[0].isalpha() and not complaint:
                complaint = f"name {quote(name)} does not begin with a letter"
    return Statement(item[0], tuple(args), tuple(names), complaint)


def _argument(value: Any) -> Value:
    kind = type(value)
    if kind is str:
        if "'" in value and (literal := _HEX_LITERAL.fullmatch(value)):
            return bytes.fromhex(literal[1])
        return value  # type: ignore[no-any-return]
    if kind is int or kind is float or value is None:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return int(value)
    if kind is list:
        return bytes([_byte(element) for element in value])
    if kind is _Number:
        return value.value()  # type: ignore[no-any-return]
    raise BodyError("unsupported type map[string]interface {}")


def _byte(value: Any) -> int:
    if type(value) is int and 0 <= value <= 255:
        return value
    if type(value) in (int, float):
        raise _TextNeeded
    if type(value) is _Number:
        if value.text.isdigit() and len(value.text) <= 3 and int(value.text) <= 255:
            return int(value.text)
        raise BodyError(f"unsupported type {value.text}")
    raise BodyError(f"unsupported type {_GO_TYPES[type(value)]}")


def _skip_blanks(text: str, position: int) -> int:
    match = _BLANKS.match(text, position)
    return position if match is None else match.end()


def _explain(text: str, position: int) -> NoReturn:
    """Refuse malformed JSON as a parser does that reads one statement after the other."""
    if text[position : position + 1] != "[":
        starts_value = text[position : position + 1] == "{"
        raise BodyError("invalid request" if starts_value else "invalid JSON body")
    position = _skip_blanks(text, position + 1)
    while text[position : position + 1] not in ("", "]"):
        if text[position] == "{":
            raise BodyError("invalid request")
        try:
            item, position = _EXACT_DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            break
        _statement(item)
        position = _skip_blanks(text, position)
        if text[position : position + 1] != ",":
            break
        position = _skip_blanks(text, position + 1)
    raise BodyError("invalid JSON body")


def _without_lone_surrogates(value: Any) -> Any:
    if type(value) is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value
    if type(value) is list:
        return [_without_lone_surrogates(element) for element in value]
    if type(value) is dict:
        return {
            _without_lone_surrogates(name): _without_lone_surrogates(element)
            for name, element in value.items()
        }
    return value
