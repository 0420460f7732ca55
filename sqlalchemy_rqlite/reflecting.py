"""Reflection by one request for many tables, where SQLite's dialect sends PRAGMA after PRAGMA for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import exc
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.engine import ObjectKind, ObjectScope, reflection

if TYPE_CHECKING:
    from sqlalchemy import Connection

MAIN = (None, "main")

# By the names under which tables and views are asked for: SQLite finds them in any case, and has some that it does
# not list. The rows are those of the PRAGMAs, in their order.
DESCRIPTION = """\
SELECT value, (SELECT sql FROM sqlite_schema WHERE name = value AND type IN ('table', 'view')),
 (SELECT json_group_array(json_array(cid, name, type, "notnull", dflt_value, pk, hidden))
  FROM pragma_table_xinfo(value, 'main')),
 (SELECT json_group_array(json_array(id, seq, "table", "from", "to"))
  FROM pragma_foreign_key_list(value, 'main')),
 (SELECT json_group_array(json_array(seq, i.name, "unique", origin, partial,
   (SELECT sql FROM sqlite_schema WHERE name = i.name AND type = 'index'),
   json((SELECT json_group_array(json_array(seqno, cid, name))
    FROM pragma_index_info(i.name, 'main')))))
  FROM pragma_index_list(value, 'main') AS i)
FROM json_each(?)"""
PRESENT = (
    "SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM pragma_table_info(value, 'main'))"
)


class Scalar(NamedTuple):
    """As much of a result as is looked at here."""

    value: str | None

    def scalar(self) -> str | None:
        """The only value."""
        return self.value


class Tables:
    """What is known of tables and views. SQLite's dialect asks it in place of the connection, which is asked for
    what is not known yet."""

    def __init__(self, connection: Connection, names: Iterable[str] = ()) -> None:
        self.connection = connection
        self._rows: dict[tuple[str, str], list[Any]] = {}
        self._sql: dict[str, str | None] = {}
        if names:
            self._learn(names)

    def rows(self, pragma: str, name: str) -> list[Any] | None:
        """What a PRAGMA says of a table, a view or an index; None where that one has to be asked."""
        if (pragma, name) not in self._rows:
            self._learn([name])
        return self._rows.get((pragma, name))

    def exec_driver_sql(self, statement: str, parameters: tuple[str] | None = None) -> Any:
        """A statement with a name asks for the SQL of a table, a view or an index."""
        if parameters is not None:
            (name,) = parameters
            if name not in self._sql:
                self._learn([name])
            if name in self._sql:
                return Scalar(self._sql[name])
        return self.connection.exec_driver_sql(statement, parameters)

    def _learn(self, names: Iterable[str]) -> None:
        try:
            found = self.connection.exec_driver_sql(DESCRIPTION, (json.dumps([*names]),))
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            return  # A broken view fails all: so they are asked for one by one, and it as SQLite's dialect does.
        for name, sql, *lists in found:
            columns, foreign_keys, indexes = map(json.loads, lists)
            self._sql[name] = sql
            self._rows["table_info", name] = self._rows["table_xinfo", name] = columns
            self._rows["foreign_key_list", name] = foreign_keys
            self._rows["index_list", name] = indexes
            for _, index, *_, index_sql, keys in indexes:
                self._sql[index] = index_sql
                self._rows["index_info", index] = keys


def _of_one(ask: Callable[..., Any]) -> Callable[..., Any]:
    def answer(
        self: Reflection, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> Any:
        if schema in MAIN and not isinstance(connection, Tables):
            connection = Tables(connection)
        return ask(self, connection, table_name, schema=schema, **kw)

    return answer


class Reflection(SQLiteDialect):
    """SQLite's dialect with fewer questions."""

    get_columns = _of_one(SQLiteDialect.get_columns)
    get_pk_constraint = _of_one(SQLiteDialect.get_pk_constraint)
    get_foreign_keys = _of_one(SQLiteDialect.get_foreign_keys)
    get_indexes = _of_one(SQLiteDialect.get_indexes)
    get_unique_constraints = _of_one(SQLiteDialect.get_unique_constraints)
    get_check_constraints = _of_one(SQLiteDialect.get_check_constraints)
    get_table_options = _of_one(SQLiteDialect.get_table_options)

    def _default_multi_reflect(
        self,
        single_tbl_method: Callable[..., Any],
        connection: Any,
        kind: ObjectKind,
        schema: str | None,
        filter_names: Collection[str] | None,
        scope: ObjectScope,
        **kw: Any,
    ) -> Any:
        if schema in MAIN:
            listing = (
                (ObjectKind.TABLE, self.get_table_names),
                (ObjectKind.VIEW, self.get_view_names),
            )
            names = filter_names or [
                name
                for listed, names_of in listing
                if listed in kind
                for name in names_of(connection, schema=schema, **kw)
            ]
            tables = self._tables(connection, names=frozenset(names), **kw)
            tables.connection, connection = connection, tables
        return super()._default_multi_reflect(
            single_tbl_method, connection, kind, schema, filter_names, scope, **kw
        )

    @reflection.cache
    def _tables(self, connection: Connection, names: frozenset[str], **kw: Any) -> Tables:
        """The tables and views of these names, for all that one inspector wants to know of them."""
        return Tables(connection, names)

    def has_multi_table(
        self,
        connection: Connection,
        table_names: Sequence[str],
        schema: str | None = None,
        **kw: Any,
    ) -> Iterable[tuple[tuple[str | None, str], bool]]:
        """Whether tables or views of these names exist, for SQLAlchemy 2.1."""
        if schema not in MAIN:
            return super().has_multi_table(connection, table_names, schema, **kw)
        present = set(connection.exec_driver_sql(PRESENT, (json.dumps([*table_names]),)).scalars())
        return [((schema, name), name in present) for name in table_names]

    def _ensure_has_table_connection(self, arg: Any) -> None:
        if not isinstance(arg, Tables):
            super()._ensure_has_table_connection(arg)

    def _get_table_pragma(
        self, connection: Any, pragma: str, table_name: str, schema: str | None = None
    ) -> Any:
        if isinstance(connection, Tables):
            rows = connection.rows(pragma, table_name)
            if rows is not None:
                return rows
            connection = connection.connection
        # Without a schema SQLite's dialect asks for a temporary table next.
        return super()._get_table_pragma(connection, pragma, table_name, schema or "main")
