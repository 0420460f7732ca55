"""Placeholders, and the values bound to them. Values are always sent by their place; names end here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pyrqlite.errors import DataError, ProgrammingError

if TYPE_CHECKING:
    from pyrqlite.sql.tokens import Token

Value = None | int | float | str | bytes
Parameters = Sequence[object] | Mapping[str, object]
Adapt = Callable[[object], Value]

# rqlite takes a text of this shape for a blob, and trims it first.
_BLOB_LOOKALIKE = re.compile(r"\s*[xX]'(?:[0-9a-fA-F]{2})*'\s*")
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class Placeholders:
    """The placeholders of one statement, numbered as SQLite numbers them.

    `count` is how many values SQLite wants; `names[i]` is the name of number i+1 without its prefix, or None.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        numbers: dict[str, int] = {}
        self.count = 0
        self.occurrences: list[tuple[int, Token]] = []
        named: dict[int, str] = {}
        for token in tokens:
            if token.kind.value != "parameter":
                continue
            text = token.text
            if text == "?":
                number = self.count + 1
            elif text[0] == "?":
                number = int(text[1:])
                if not 1 <= number <= 32766:
                    raise ProgrammingError("variable number must be between ?1 and ?32766")
                named.setdefault(number, text[1:])
            else:
                number = numbers.setdefault(text, self.count + 1)
                named.setdefault(number, text[1:])
            self.count = max(self.count, number)
            self.occurrences.append((number, token))
        self.names = tuple(named.get(number) for number in range(1, self.count + 1))
        self._by_number = all(token.text[0] == "?" for _, token in self.occurrences)
        self._numeric = bool(self.occurrences) and all(
            token.text.isascii() and token.text[1:].isdecimal() for _, token in self.occurrences
        )

    def arrange(self, parameters: Parameters | None) -> Sequence[object]:
        """The values in the order of their numbers; ProgrammingError when they do not fit."""
        if parameters is None:
            parameters = ()
        if not isinstance(parameters, (tuple, list)):
            if isinstance(parameters, Mapping):
                return self._by_names(parameters)
            parameters = _as_sequence(parameters)
        if not self._by_number and not self._numeric:
            return self._named_by_place(parameters)
        if self._numeric and not self._by_number:
            return self._by_pep249_numbers(parameters)
        if len(parameters) != self.count:
            raise _wrong_count(self.count, len(parameters))
        return parameters

    def _by_names(self, parameters: Mapping[str, object]) -> list[object]:
        values: list[object] = []
        for number, name in enumerate(self.names, 1):
            if name is None:
                raise ProgrammingError(
                    f"Binding {number} has no name, but you supplied a dictionary (which has only names)."
                )
            try:
                values.append(parameters[name])
            except KeyError:
                raise ProgrammingError(
                    f"You did not supply a value for binding parameter :{name}."
                ) from None
        return values

    def _named_by_place(self, parameters: Sequence[object]) -> Sequence[object]:
        missing = [f":{name}" for name in self.names if name is not None]
        raise ProgrammingError(
            f"The statement has named placeholders ({', '.join(missing)}), but you supplied a sequence "
            "(which has no names): pass a dict."
        )

    def _by_pep249_numbers(self, parameters: Sequence[object]) -> list[object]:
        numbers = [int(name or "0") for name in self.names]
        if min(numbers) < 1:
            raise ProgrammingError("numbered placeholders begin with :1")
        wanted = max(numbers)
        if wanted != len(parameters):
            raise _wrong_count(wanted, len(parameters))
        return [parameters[number - 1] for number in numbers]


def _as_sequence(parameters: object) -> Sequence[object]:
    if isinstance(parameters, (str, bytes)):
        raise ProgrammingError(
            f"parameters are a {type(parameters).__name__}, not a sequence or mapping of values: "
            "write (value,) for a single one"
        )
    if not hasattr(parameters, "__len__") or not hasattr(parameters, "__getitem__"):
        raise ProgrammingError(
            f"parameters are of unsupported type {type(parameters).__name__}: pass a sequence or a mapping"
        )
    return [parameters[index] for index in range(len(parameters))]


def _wrong_count(wanted: int, supplied: int) -> ProgrammingError:
    return ProgrammingError(
        "Incorrect number of bindings supplied. "
        f"The current statement uses {wanted}, and there are {supplied} supplied."
    )


# Types whose values need no adapter; registering one takes a type out of here.
AS_THEY_ARE: set[type] = {int, str, float, bytes, type(None)}


class Bound:
    """The values of one statement, adapted and checked, and how their placeholders have to be written.

    `templates` maps the number of a placeholder to the SQL that must stand in its place, for values that
    JSON or the server would change on their way.
    """

    __slots__ = ("templates", "values")

    def __init__(self, values: list[Value], templates: dict[int, str]) -> None:
        self.values = values
        self.templates = templates


_AS_TEXT = (
    "(+CAST({} AS TEXT))"  # the plus takes the affinity away that CAST gives, and `?` has not
)
_TIMES_INFINITY = "({}*9e999)"


def bind(values: Sequence[object], adapt: Adapt) -> Bound:
    """Adapt and check `values`, given in the order of their numbers.

    Raises OverflowError for an int beyond 64 bits, DataError for NaN, ProgrammingError for a type without
    an adapter, UnicodeEncodeError for lone surrogates.
    """
    bound: list[Value] = []
    templates: dict[int, str] = {}
    for value in values:
        fit: Value = value if type(value) in AS_THEY_ARE else adapt(value)  # type: ignore[assignment]
        if type(fit) is str:
            if "'" in fit and _BLOB_LOOKALIKE.fullmatch(fit):
                fit = fit.encode()
                templates[len(bound) + 1] = _AS_TEXT
        elif type(fit) is int:
            if not _INT_MIN <= fit <= _INT_MAX:
                raise int_too_large()
        elif type(fit) is float and not math.isfinite(fit):
            fit = 1 if checked(fit, adapt) == math.inf else -1
            templates[len(bound) + 1] = _TIMES_INFINITY
        bound.append(fit)
    return Bound(bound, templates)


def bind_stored(values: Sequence[Value]) -> Bound:
    """As `bind`, for values that the database gave: no adapter of the user's changes them."""
    return bind(values, _as_it_is)


def _as_it_is(value: object) -> Value:
    return value  # type: ignore[return-value]  # it came from SQLite


def checked(value: object, adapt: Adapt) -> Value:
    """`value` as one of SQLite's types, adapted where needed; NaN, which SQLite has not, is refused."""
    fit: Value = value if type(value) in AS_THEY_ARE else adapt(value)  # type: ignore[assignment]
    if fit != fit:
        raise DataError("SQLite cannot store NaN: bind None for NULL")
    return fit


def int_too_large() -> OverflowError:
    """The error that `sqlite3` raises too: SQLite's integers have 64 bits."""
    return OverflowError("Python int too large to convert to SQLite INTEGER")


def apply_templates(text: str, placeholders: Placeholders, templates: Mapping[int, str]) -> str:
    """`text` with the placeholders of these numbers rewritten."""
    if not templates:
        return text
    pieces: list[str] = []
    end = 0
    for number, token in placeholders.occurrences:
        template = templates.get(number)
        if template is not None:
            pieces += (text[end : token.start], template.format(token.text))
            end = token.end
    pieces.append(text[end:])
    return "".join(pieces)
