"""SQLite itself, of a version as new as a server's: what the driver's answers are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apsw
import apsw.ext

from tests.differential.driver.queries import Database, Query
from tests.differential.driver.values import Value, shown

Columns = list[tuple[str, str | None]]


@dataclass(frozen=True)
class Answer:
    """Rows and columns of a query, or that it failed."""

    rows: list[tuple[str, ...]]
    columns: Columns
    failed: bool = False

    def as_bag(self) -> Answer:
        return Answer(sorted(self.rows), self.columns, self.failed)


FAILED = Answer([], [], failed=True)


class Reference:
    """A database in memory."""

    def __init__(self) -> None:
        self.connection = apsw.Connection(":memory:")
        # As rqlite has it; apsw's default differs.
        self.connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 1)
        self.connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 1)

    def run(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        rows: list[tuple[Value, ...]] = self.connection.execute(sql, values).fetchall()
        return rows

    def load(self, made: Database) -> None:
        with self.connection:
            for sql, values in made.statements:
                self.connection.execute(sql, values)

    def ask(self, query: Query) -> Answer:
        try:
            info = apsw.ext.query_info(self.connection, query.sql)
            rows = [shown(row) for row in self.run(query.sql, query.values)]
        except (apsw.Error, UnicodeDecodeError):
            return FAILED
        columns: Columns = [
            (name, declared.lower() if declared else None) for name, declared in info.description
        ]
        return Answer(rows, columns)
