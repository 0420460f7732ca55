"""Which rows have others written since? Asked in the log, where every node gives the same answer.

While a table is repaired, triggers note the keys of the rows that are written. A statement that the log
carries can ask whether the row is among them: all nodes have executed the same writes, so all agree, however
different their rows are. So a repair never overwrites what another client has written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyrqlite.admin.nodes import Access
from pyrqlite.admin.verifying.values import Row, Sql, bound, identity, join
from pyrqlite.admin.verifying.views import hex_arrays, read_arrays
from pyrqlite.admin.verifying.writing import LogWriter, guards
from pyrqlite.flow.exchange import exchange
from pyrqlite.flow.steps import Flow, Request
from pyrqlite.sql.schema import Table
from pyrqlite.sql.tokens import quote_name
from pyrqlite.wire.request import EXECUTE, body
from pyrqlite.wire.response import Result

NAME = "_pyrqlite_verify_touched"

_CLEAR = f"DELETE FROM {NAME}"
_REMOVE = (
    *(f"DROP TRIGGER IF EXISTS {NAME}_{event}" for event in ("insert", "update", "delete")),
    f"DROP TABLE IF EXISTS {NAME}",
)


class Notes:
    """The notes, while there are any. Its methods are flows."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._kept = False

    def begin(self, writer: LogWriter, table: Table, columns: Sequence[str]) -> Flow[None]:
        """Note the rows of a table that are written, by these columns. Failed, SchemaMoved."""
        self._kept = True
        yield from writer.write([*guards(table), *_install(table.name, columns)])

    def clear(self, writer: LogWriter, table: Table) -> Flow[None]:
        """Begin anew. Failed, SchemaMoved."""
        yield from writer.write([*guards(table), _CLEAR])

    def end(self) -> Flow[None]:
        """Remove them, if there are any."""
        if self._kept:
            yield from self.remove()

    def remove(self) -> Flow[None]:
        """Remove all traces, also those of a repair that was interrupted; by way of any node."""
        target = f"{EXECUTE}&transaction&redirect"
        request = Request("POST", target, body(_REMOVE), True, self._access.options.timeout)
        yield from exchange(self._access.cluster, request)
        self._kept = False


def _install(table: str, columns: Sequence[str]) -> list[str]:
    """Statements that begin to note the rows of a table that are written, by these columns."""
    events = (("insert", ("new",)), ("update", ("old", "new")), ("delete", ("old",)))
    return [
        *_REMOVE,
        f"CREATE TABLE {NAME} (key TEXT)",
        f"CREATE INDEX {NAME}_key ON {NAME} (key)",
        *(_trigger(table, columns, event, rows) for event, rows in events),
    ]


def _trigger(table: str, columns: Sequence[str], event: str, rows: Sequence[str]) -> str:
    notes = " ".join(
        f"INSERT INTO {NAME} VALUES ({hex_arrays([f'{row}.{quote_name(c)}' for c in columns])});"
        for row in rows
    )
    return f"CREATE TRIGGER {NAME}_{event} AFTER {event.upper()} ON {quote_name(table)} BEGIN {notes} END"


# Those that an SQL statement can ask for, in the form of `hex_arrays`.
KEYS = f"SELECT key FROM {NAME}"
TOUCHED = f"SELECT DISTINCT key FROM {NAME}"


def touched_ones(result: Result) -> set[tuple[object, ...]]:
    """What the answer to TOUCHED says was written, in the form of `identity`."""
    return {identity(read_arrays(text)) for (text,) in result.values}


def untouched(values: Row) -> Sql:
    """The condition that no row with these values was written."""
    names = [f"k{number}" for number in range(1, len(values) + 1)]
    columns = join(", ", _named(values, names))
    return (
        Sql(
            f"NOT EXISTS (SELECT 1 FROM {NAME} WHERE key = (SELECT {hex_arrays(names)} FROM (SELECT "
        )
        + columns
        + Sql(" LIMIT -1)))")
    )


def _named(values: Row, names: Sequence[str]) -> Iterator[Sql]:
    for value, name in zip(values, names, strict=True):
        yield bound(value) + Sql(f" AS {name}")
