"""What a call is, and what the driver may answer otherwise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

Observed = list[Any]
# Given the module and a connection to an empty database; what it returns is compared.
Script = Callable[[Any, Any], Observed]


@dataclass(frozen=True)
class Difference:
    """Why the driver answers otherwise than `sqlite3`, and how: its observations by their index."""

    reason: str
    ours: dict[int, Any]


@dataclass(frozen=True)
class Call:
    """A script, and how the driver differs in it."""

    name: str
    script: Script
    difference: Difference | None


CALLS: list[Call] = []


def call(difference: Difference | None = None) -> Callable[[Script], Script]:
    """Make a function one of the calls."""

    def register(script: Script) -> Script:
        CALLS.append(Call(script.__name__, script, difference))
        return script

    return register


def differs(reason: str, **ours: Any) -> Difference:
    """The observations by index: `_0=...`, `_3=...`."""
    return Difference(reason, {int(key[1:]): value for key, value in ours.items()})


def error_of(function: Callable[[], object]) -> str:
    """The name of the class of what it raises; "no error" otherwise."""
    try:
        function()
    except Exception as error:
        return type(error).__name__
    return "no error"


def errors_of(connection: Any, statements: Sequence[str]) -> list[str]:
    """What each of the statements raises."""
    return [error_of(partial(_run, connection, sql)) for sql in statements]


def _run(connection: Any, sql: str) -> Any:
    return connection.execute(sql).fetchall()


def names(cursor: Any) -> list[str] | None:
    return None if cursor.description is None else [column[0] for column in cursor.description]


TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, n INTEGER)"
ROWS = [(1, "one", 10), (2, "two", 20), (3, "three", None)]


def filled(connection: Any) -> Any:
    cursor = connection.cursor()
    cursor.execute(TABLE)
    cursor.executemany("INSERT INTO t VALUES (?, ?, ?)", ROWS)
    return cursor


NO_ROWID = (
    "PEP 249: None where a statement has made no row; sqlite3 shows what its connection remembers"
)

NOT_FOUND = "PEP 249's ProgrammingError for a fault in the statement; sqlite3 says OperationalError"
