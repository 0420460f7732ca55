"""The schema editor: tables are rebuilt inside of the transaction, whether foreign keys are enforced or not."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from types import TracebackType
from typing import Any

from django.db import transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.sqlite3.schema import DatabaseSchemaEditor as SQLiteSchemaEditor
from django.db.backends.utils import strip_quotes
from django.db.utils import IntegrityError

from django_rqlite import rebuild
from django_rqlite.rebuild import Filling, Trigger, Waiting
from pyrqlite import DeterminismWarning
from pyrqlite.sql.names import fold
from pyrqlite.sql.tokens import quote_name


class DatabaseSchemaEditor(SQLiteSchemaEditor):
    """SQLite's, which cannot switch foreign keys off.

    So a table is rebuilt under its own name: its rows wait elsewhere until the old table is gone and the new one is
    there. No key, view or trigger of another table ever sees it renamed.
    """

    deferred_sql: list[Any]
    _filling: Filling | None = None

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
        """Create a table; that of a rebuild later, under its final name."""
        if self._filling is None or model._meta.db_table != self._filling.new:
            with self._unwatched():
                super().create_model(model)

    def delete_model(self, model: Any, handle_autom2m: bool = True) -> None:
        """Delete a table; not one whose rows would take those of others with them, or change them."""
        if handle_autom2m and not self.collect_sql and self.connection.server.foreign_keys:
            self._demand_nobody_follows(strip_quotes(model._meta.db_table))
        super().delete_model(model, handle_autom2m)

    def execute(self, sql: Any, params: Any = ()) -> None:
        """Run a statement, or keep the one that fills a rebuilt table."""
        if self._filling is None or not self._filling.keeps(str(sql)):
            super().execute(sql, params)

    def alter_db_table(self, model: Any, old_db_table: str, new_db_table: str) -> None:
        """Rename a table; in a rebuild create it."""
        if self._filling is None or old_db_table != self._filling.new:
            super().alter_db_table(model, old_db_table, new_db_table)
            return
        model._meta.db_table = new_db_table
        try:
            super().create_model(model)
        finally:
            model._meta.db_table = old_db_table

    def _remake_table(self, model: Any, *args: Any, **kwargs: Any) -> None:
        if self.collect_sql:
            super()._remake_table(model, *args, **kwargs)
            return
        table = strip_quotes(model._meta.db_table)
        fields = model._meta.local_concrete_fields
        columns = dict.fromkeys(field.column for field in fields if not field.generated)
        own = Waiting(table, [*columns])
        others, triggers = self._reached_from(table)
        with transaction.atomic(using=self.connection.alias), warnings.catch_warnings():
            # The copy differs between nodes where the original does: that is not the rebuild's doing.
            warnings.simplefilter("ignore", DeterminismWarning)
            if self.connection.server.foreign_keys:
                self._run([rebuild.DEFER])
            self._run(f"DROP TRIGGER {quote_name(trigger.name)}" for trigger in triggers)
            self._run(chain.from_iterable(waiting.set_aside() for waiting in (own, *others)))
            self._run(f"DELETE FROM {quote_name(other.table)}" for other in others)
            self._filling = filling = Filling(own)
            try:
                with self._unwatched():
                    super()._remake_table(model, *args, **kwargs)
            finally:
                self._filling = None
            # This may fail for its rows, so nobody looks away.
            self.execute(filling.statement)
            self._run(own.removed())
            self._run(chain.from_iterable(other.filled() for other in others))
            # Those of the table itself are gone with it, as on SQLite.
            self._run(trigger.sql for trigger in triggers if fold(trigger.table) != fold(table))

    def _demand_nobody_follows(self, table: str) -> None:
        with self.connection.cursor() as cursor:
            for key in rebuild.of_others(table, rebuild.keys_with_actions(cursor)):
                child, column = quote_name(key.child), quote_name(key.column)
                cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {child} WHERE {column} IS NOT NULL)")
                if cursor.fetchone()[0]:
                    raise IntegrityError(
                        f"the table {table!r} cannot be deleted: rows of {key.child!r} refer to it"
                    )

    def _run(self, statements: Iterable[str]) -> None:
        with self._unwatched():
            for sql in statements:
                self.execute(sql, None)

    def _reached_from(self, table: str) -> tuple[list[Waiting], list[Trigger]]:
        """The other tables whose rows the deletion of this one's would reach, and the triggers of them all."""
        if not self.connection.server.foreign_keys:
            return [], []
        with self.connection.cursor() as cursor:
            names = rebuild.reached(table, rebuild.keys_with_actions(cursor))
            others = [rebuild.waiting(cursor, name) for name in names]
            return others, rebuild.triggers(cursor, [table, *names])
