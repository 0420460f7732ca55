"""A local SQLite, asked how it reads and evaluates SQL, and how many examples to make up for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import apsw
import apsw.ext
from hypothesis import HealthCheck, settings

from pyrqlite.sql.schema import SCHEMA_QUERIES, Schema, schema_from_rows


def examples(count: int) -> settings:
    """Hypothesis settings; PYRQLITE_EXAMPLES in the environment multiplies the number of examples."""
    return settings(
        max_examples=round(count * float(os.environ.get("PYRQLITE_EXAMPLES", "1"))),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


class _Arguments(Exception):
    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__()
        self.arguments = arguments


class _Probe:
    """A virtual table module that hands over its arguments, which may be any tokens."""

    def Create(self, *arguments: Any) -> Any:
        raise _Arguments(arguments[4:])

    Connect = Create


_probing = apsw.Connection(":memory:")
_probing.create_module("probe", _Probe())  # type: ignore[arg-type]  # all that a probe needs


def module_arguments(tokens: str) -> Sequence[str] | str:
    """How SQLite's tokenizer cuts this text at commas outside of parentheses, or its complaint."""
    try:
        _probing.execute(f"CREATE VIRTUAL TABLE temp.x USING probe({tokens}\n)")
    except _Arguments as found:
        return found.arguments
    except apsw.SQLError as error:
        return str(error)
    raise AssertionError("the probe was not asked")


def query_details(database: apsw.Connection, sql: str) -> apsw.ext.QueryDetails:
    """What SQLite says about the first statement of `sql`, prepared and not run."""
    return apsw.ext.query_info(database, sql)


def schema_of(database: apsw.Connection) -> Schema:
    """The schema of a local database, read as from a server."""
    return schema_from_rows([database.execute(query).get for query in SCHEMA_QUERIES])


class FrozenClock(apsw.VFS):
    """A VFS whose clock stands still at `milliseconds` since 1970."""

    NAME = "frozen-clock"
    milliseconds = 0

    def __init__(self) -> None:
        super().__init__(self.NAME, "")

    def xCurrentTimeInt64(self) -> int:
        return self.milliseconds + 210_866_760_000_000

    def xCurrentTime(self) -> float:
        return self.xCurrentTimeInt64() / 86_400_000


CLOCK = FrozenClock()  # one for all: SQLite knows it by its name
