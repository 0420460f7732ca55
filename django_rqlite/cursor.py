"""Django's placeholders and raw values on the driver's cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from django.db.backends.sqlite3.base import FORMAT_QMARK_REGEX
from django.utils.dateparse import parse_date, parse_datetime, parse_time

import pyrqlite

Parameters = Sequence[Any] | Mapping[str, Any]

# Declared types whose values a raw cursor shows as Python's own, as Django's SQLite backend does.
_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "bool": "1".__eq__,
    "date": parse_date,
    "time": parse_time,
    "datetime": parse_datetime,
    "timestamp": parse_datetime,
}


class Cursor(pyrqlite.Cursor):
    """Takes `%s` and `%(name)s`; `%%` is a percent sign wherever there are parameters."""

    def execute(  # type: ignore[override]  # the options of a call are the driver's, not Django's
        self, query: str, params: Parameters | None = None
    ) -> Cursor:
        """Run one statement."""
        if params is None:
            return super().execute(query)
        return super().execute(_with_marks(query, params), params)

    def executemany(  # type: ignore[override]
        self, query: str, param_list: Iterable[Parameters]
    ) -> Cursor:
        """Run one statement for each set of parameters."""
        rows = iter(param_list)
        first = next(rows, None)
        if first is None:
            return self
        return super().executemany(_with_marks(query, first), chain([first], rows))

    def fetchone(self) -> Any:
        """The next row; None behind the last, and where the statement gave no rows."""
        return None if self.description is None else super().fetchone()

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Some rows; none where the statement gave no rows."""
        return [] if self.description is None else super().fetchmany(size)

    def fetchall(self) -> list[Any]:
        """The rows that are left; none where the statement gave no rows."""
        return [] if self.description is None else super().fetchall()

    def _take(self, outcome: Any) -> None:
        super()._take(outcome)
        if not outcome.rows or outcome.columns is None:
            return
        found = [_converter(declared) for _, declared in outcome.columns]
        if any(found):
            self._rows = [
                tuple(
                    value if convert is None or value is None else convert(str(value))
                    for value, convert in zip(row, found, strict=True)
                )
                for row in outcome.rows
            ]


def _converter(declared: str | None) -> Callable[[str], Any] | None:
    if not declared:
        return None
    return _CONVERTERS.get(declared.partition("(")[0].partition(" ")[0].lower())


def _with_marks(query: str, params: Parameters) -> str:
    if isinstance(params, Mapping):
        return query % {name: f":{name}" for name in params}
    return FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%")
