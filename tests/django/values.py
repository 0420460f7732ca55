"""One expression on one row of values, on the embedded server's SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.backends.sqlite3.base import FORMAT_QMARK_REGEX

import pyrqlite


class Asker:
    """Evaluates the SQL of the backend for given values."""

    def __init__(self) -> None:
        self._connection = pyrqlite.connect(
            ":memory:", autocommit=True, embedded={"extensions": True}
        )

    def value(self, sql: str, parameters: Sequence[object]) -> Any:
        """What a template with parameters gives: `%s` are the parameters, `%%` is a percent sign."""
        text = FORMAT_QMARK_REGEX.sub("?", sql).replace("%%", "%")
        return self._connection.execute(f"SELECT {text}", list(parameters)).fetchone()[0]

    def of_columns(self, sql: str, values: Sequence[object]) -> Any:
        """The same, where the template's `{a}`, `{b}`, ... are columns that hold the values."""
        names = "abcdef"[: len(values)]
        columns = ", ".join(f"? AS {name}" for name in names)
        for name in names:
            sql = sql.replace(f"{{{name}}}", f"t.{name}")
        text = sql.replace("%%", "%")
        query = f"SELECT {text} FROM (SELECT {columns}) AS t"
        return self._connection.execute(query, list(values)).fetchone()[0]

    def over_rows(self, sql: str, values: Sequence[object]) -> Any:
        """An aggregate of the column x, which holds the values."""
        self._connection.execute("DROP TABLE IF EXISTS given")
        self._connection.execute("CREATE TABLE given (x)")
        self._connection.executemany("INSERT INTO given VALUES (?)", [(v,) for v in values])
        text = sql.replace("%%", "%")
        return self._connection.execute(f"SELECT {text} FROM given").fetchone()[0]

    def close(self) -> None:
        self._connection.close()
