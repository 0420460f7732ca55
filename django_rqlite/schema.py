"""The schema editor: tables are rebuilt inside of the transaction, whether foreign keys are enforced or not."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.backends.sqlite3.schema import DatabaseSchemaEditor as SQLiteSchemaEditor
from django.db.utils import NotSupportedError

from pyrqlite import DeterminismWarning

_ACTIONS = ("CASCADE", "SET NULL", "SET DEFAULT")


class DatabaseSchemaEditor(SQLiteSchemaEditor):
    """SQLite's, which cannot switch foreign keys off.

    Dropping a table that others refer to counts as many violations as there are rows referring to it, and
    renaming another one to its name takes none of them back. Inserting the rows does. So where foreign keys are
    enforced, the new table is made under its own name, and filled, once the old one is gone.
    """

    deferred_sql: list[Any]
    _is_remaking = False

    def __enter__(self) -> DatabaseSchemaEditor:
        BaseDatabaseSchemaEditor.__enter__(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            try:
                self._finish()
            except BaseException as error:
                BaseDatabaseSchemaEditor.__exit__(self, type(error), error, error.__traceback__)
                raise
        BaseDatabaseSchemaEditor.__exit__(self, exc_type, exc_value, traceback)

    def _finish(self) -> None:
        if not self.connection.server.foreign_keys:
            self.connection.check_constraints()
        with self._unwatched():
            for sql in self.deferred_sql:
                self.execute(sql, None)
        self.deferred_sql = []

    @contextmanager
    def _unwatched(self) -> Iterator[None]:
        """A block whose errors come with the next statement or the commit: hundreds of tables are made at once,
        and nobody waits for the result of each."""
        if self.collect_sql or not self.connection.in_atomic_block:
            yield
        else:
            with self.connection.connection.pipeline():
                yield

    def create_model(self, model: Any) -> None:
        """Create a table."""
        with self._unwatched():
            super().create_model(model)

    def _remake_table(self, model: Any, *args: Any, **kwargs: Any) -> None:
        referring = self._referring_tables(model._meta.db_table)
        for name, action in referring:
            if action in _ACTIONS:
                self._refuse_action(model._meta.db_table, name, action)
        self._is_remaking = bool(referring)
        with warnings.catch_warnings():
            # The copy differs between nodes where the original does: that is not the rebuild's doing.
            warnings.simplefilter("ignore", DeterminismWarning)
            try:
                super()._remake_table(model, *args, **kwargs)
            finally:
                self._is_remaking = False

    def alter_db_table(self, model: Any, old_db_table: str, new_db_table: str) -> None:
        """Rename a table; at the end of a rebuild make it anew instead."""
        if not self._is_remaking:
            super().alter_db_table(model, old_db_table, new_db_table)
            return
        self._is_remaking = False
        fields = [field for field in model._meta.local_concrete_fields if not field.generated]
        columns = ", ".join(self.quote_name(field.column) for field in fields)
        old, new = self.quote_name(old_db_table), self.quote_name(new_db_table)
        deferred, self.deferred_sql = self.deferred_sql, []
        model._meta.db_table = new_db_table
        try:
            self.execute(*self.table_sql(model))
        finally:
            model._meta.db_table = old_db_table
            self.deferred_sql = deferred
        self.execute(f"INSERT INTO {new} ({columns}) SELECT {columns} FROM {old}")
        self.execute(self.sql_delete_table % {"table": old})
        for sql in self.deferred_sql:
            if isinstance(sql, Statement):
                sql.rename_table_references(old_db_table, new_db_table)

    def _referring_tables(self, table: str) -> list[tuple[str, str]]:
        """The tables with a foreign key to this one, itself among them, and what they do when a row goes; none
        where that does not matter."""
        if self.collect_sql or not self.connection.server.foreign_keys:
            return []
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT t.name, k.on_delete FROM sqlite_master t, pragma_foreign_key_list(t.name) k "
                "WHERE t.type = 'table' AND k.\"table\" = %s COLLATE NOCASE",
                [table],
            )
            return [(str(name), str(action)) for name, action in cursor.fetchall()]

    def _refuse_action(self, table: str, name: str, action: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {self.quote_name(name)})")
            if cursor.fetchone()[0]:
                raise NotSupportedError(
                    f"the table {table!r} cannot be rebuilt: {name!r} refers to it with ON DELETE {action}, "
                    "which would take effect on its rows"
                )
