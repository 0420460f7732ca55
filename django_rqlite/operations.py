"""SQL that differs from Django's SQLite backend: no functions written in Python, and a flush in one request."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.sqlite3.operations import DatabaseOperations as SQLiteOperations
from django.db.utils import DatabaseError

from django_rqlite import temporal
from django_rqlite.functions import template_of
from django_rqlite.temporal import AS_STORED, Sql, Zones

Params = Sequence[object]

_TEXT_LENGTH = 14_000  # the driver remembers statements of up to 16 KiB


class DatabaseOperations(SQLiteOperations):
    """How this backend writes what differs between databases."""

    compiler_module = "django_rqlite.compiler"

    # Dates and times.

    def _zones(self, tzname: str | None) -> Zones:
        if tzname and settings.USE_TZ:
            return Zones(tzname, self.connection.timezone_name)
        return AS_STORED

    def date_extract_sql(self, lookup_type: str, sql: str, params: Params) -> Sql:
        return temporal.extract(lookup_type.lower(), sql, tuple(params), AS_STORED)

    def datetime_extract_sql(
        self, lookup_type: str, sql: str, params: Params, tzname: str | None
    ) -> Sql:
        return temporal.extract(lookup_type.lower(), sql, tuple(params), self._zones(tzname))

    def time_extract_sql(self, lookup_type: str, sql: str, params: Params) -> Sql:
        return temporal.extract_of_time(lookup_type.lower(), sql, tuple(params))

    def date_trunc_sql(
        self, lookup_type: str, sql: str, params: Params, tzname: str | None = None
    ) -> Sql:
        zones = self._zones(tzname)
        return temporal.truncate_to_date(lookup_type.lower(), sql, tuple(params), zones)

    def datetime_trunc_sql(
        self, lookup_type: str, sql: str, params: Params, tzname: str | None
    ) -> Sql:
        return temporal.truncate(lookup_type.lower(), sql, tuple(params), self._zones(tzname))

    def time_trunc_sql(
        self, lookup_type: str, sql: str, params: Params, tzname: str | None = None
    ) -> Sql:
        zones = self._zones(tzname)
        return temporal.truncate_to_time(lookup_type.lower(), sql, tuple(params), zones)

    def datetime_cast_date_sql(self, sql: str, params: Params, tzname: str | None) -> Sql:
        return temporal.cast_to_date(sql, tuple(params), self._zones(tzname))

    def datetime_cast_time_sql(self, sql: str, params: Params, tzname: str | None) -> Sql:
        return temporal.cast_to_time(sql, tuple(params), self._zones(tzname))

    def subtract_temporals(self, internal_type: str, lhs: Any, rhs: Any) -> Sql:
        (left, left_params), (right, right_params) = lhs, rhs
        return temporal.difference(
            (left, tuple(left_params)), (right, tuple(right_params)), internal_type == "TimeField"
        )

    def combine_duration_expression(self, connector: str, sub_expressions: Sequence[str]) -> str:
        if connector not in ("+", "-", "*", "/"):
            raise DatabaseError(f"Invalid connector for timedelta: {connector}.")
        if len(sub_expressions) != 2:
            raise ValueError("Too many params for timedelta operations.")
        return temporal.combine_durations(connector, *sub_expressions)

    # Other expressions.

    def combine_expression(self, connector: str, sub_expressions: Sequence[str]) -> str:
        name = {"^": "POWER", "#": "BITXOR"}.get(connector)
        if name is None:
            return str(BaseDatabaseOperations.combine_expression(self, connector, sub_expressions))
        template = template_of(name, self.connection.server.functions)
        return template % {"expressions": ",".join(sub_expressions)}

    def bulk_batch_size(self, fields: Sequence[Any], objs: Sequence[Any]) -> int:
        """As many rows as one statement has parameters for, in a text that the driver remembers: it is parsed once
        for all batches."""
        columns = sum(len(getattr(field, "fields", None) or [field]) for field in fields)
        if not columns:
            return len(objs)
        most = self.connection.features.max_query_params // columns
        if columns == 1:  # keys of rows that are there
            return most
        row = len("%s, ") * columns + len("(), ")
        return min(most, _TEXT_LENGTH // row)

    def force_group_by(self) -> list[str]:
        return []

    def _quote_params_for_last_executed_query(self, params: Iterable[object]) -> tuple[str, ...]:
        # SQLite's own quote() would cost a request, and be a part of the transaction.
        return tuple(map(quoted, params))

    # Emptying tables.

    def _references_graph(self, table_name: str) -> list[str]:
        """The table and those that refer to it, over any number of others."""
        query = (
            "WITH RECURSIVE referring(name) AS (SELECT %s UNION SELECT t.name FROM referring, sqlite_master t, "
            "pragma_foreign_key_list(t.name) k WHERE t.type = 'table' AND k.\"table\" = referring.name "
            "COLLATE NOCASE) SELECT name FROM referring"
        )
        with self.connection.cursor() as cursor:
            cursor.execute(query, [table_name])
            return [name for (name,) in cursor.fetchall()]

    def execute_sql_flush(self, sql_list: Iterable[str]) -> None:
        """Run the statements as one request: all tables are empty, or none."""
        with (
            transaction.atomic(using=self.connection.alias),
            self.connection.cursor() as cursor,
            self.connection.connection.pipeline(),
        ):
            for sql in sql_list:
                cursor.execute(sql)


def quoted(value: object) -> str:
    """A parameter as a literal of SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int, float)):
        return repr(value + 0)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"X'{bytes(value).hex().upper()}'"
    if isinstance(value, datetime.datetime):
        value = value.isoformat(" ")
    elif isinstance(value, decimal.Decimal):
        value = format(value, "f")
    return "'{}'".format(str(value).replace("'", "''"))
