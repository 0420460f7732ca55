"""From the bytes of an answer to results, exact where the server's form of them is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pyrqlite.errors import DatabaseError, InternalError
from pyrqlite.sql.parameters import Value
from pyrqlite.wire import json
from pyrqlite.wire.failures import statement_error

Rows = list[tuple[Any, ...]]


class Result(NamedTuple):
    """What the server said of one statement.

    `columns` is None for a statement that returns no rows; `types` are declared types in lower case, or
    the server's guess from the first row, or empty.
    """

    columns: list[str] | None
    types: list[str]
    values: list[list[Any]]
    last_insert_id: int | None
    rows_affected: int
    error: str | None

    def check(self) -> Result:
        """Itself; raises the statement's error if it had one."""
        if self.error is not None:
            raise statement_error(self.error)
        return self


class Answer(NamedTuple):
    """A whole answer. `error` is a failure of the call, which the server sends with status 200."""

    results: list[Result]
    error: str | None
    sequence_number: int | None
    raft_index: int | None


def parse(body: bytes) -> Answer:
    """Read the JSON of `/db/execute`, `/db/query` and `/db/request`; InternalError for anything else."""
    try:
        data = json.loads(body)
        results = [_result(item) for item in data["results"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        start = body[:200].decode(errors="replace")
        raise InternalError(f"the node's answer is not rqlite's: {start!r}") from None
    return Answer(results, data.get("error"), data.get("sequence_number"), data.get("raft_index"))


def _result(item: dict[str, Any]) -> Result:
    get = item.get
    return Result(
        get("columns"),
        get("types") or [],
        get("values") or [],
        get("last_insert_id"),
        get("rows_affected", 0),
        get("error"),
    )


def plain_rows(result: Result) -> Rows:
    """The rows of a plain result (asked with `blob_array`), as exact as the server's form of them allows."""
    real = [kind in ("real", "float", "double") for kind in result.types]
    return [
        tuple(plain_value(value, is_real) for value, is_real in zip(row, real, strict=True))
        for row in result.values
    ]


def plain_value(value: Any, is_real: bool) -> Value:
    """One value of a plain result: lists are blobs, integers beyond 64 bits are REALs without a fraction."""
    if isinstance(value, list):
        return bytes(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and (is_real or not -(2**63) <= value < 2**63):
        return float(value)
    return value  # type: ignore[no-any-return]


def first_error(results: Sequence[Result]) -> DatabaseError | None:
    """The error of the first statement that failed, or None."""
    for result in results:
        if result.error is not None:
            return statement_error(result.error)
    return None
