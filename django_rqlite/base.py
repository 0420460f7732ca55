"""The database wrapper: Django's SQLite backend, with real transactions over rqlite."""

from __future__ import annotations

import threading
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLiteWrapper
from django.db.backends.utils import debug_transaction
from django.db.utils import OperationalError
from django.utils.asyncio import async_unsafe
from django.utils.functional import cached_property

import pyrqlite
from django_rqlite import database
from django_rqlite.client import DatabaseClient
from django_rqlite.creation import DatabaseCreation
from django_rqlite.cursor import Cursor
from django_rqlite.errors import ErrorWrapper
from django_rqlite.features import DatabaseFeatures
from django_rqlite.introspection import DatabaseIntrospection
from django_rqlite.operations import DatabaseOperations
from django_rqlite.schema import DatabaseSchemaEditor
from django_rqlite.server import Server, server_of
from django_rqlite.settings import connection_parameters
from django_rqlite.validation import DatabaseValidation


class DatabaseWrapper(SQLiteWrapper):
    """A connection as Django sees it.

    The driver's connection is in autocommit mode but for transactions, which the driver opens and ends: nothing
    is sent to begin one. `vendor` stays "sqlite", by which expressions choose their SQL.
    """

    display_name = "rqlite"
    Database = database
    SchemaEditorClass = DatabaseSchemaEditor
    client_class = DatabaseClient
    creation_class = DatabaseCreation
    features_class = DatabaseFeatures
    introspection_class = DatabaseIntrospection
    ops_class = DatabaseOperations
    validation_class = DatabaseValidation

    def get_connection_params(self) -> dict[str, Any]:
        """The keyword arguments of the driver's `connect`."""
        return connection_parameters(self.settings_dict, self.alias)

    @async_unsafe
    def get_new_connection(self, conn_params: dict[str, Any]) -> pyrqlite.Connection:
        """Open a connection; the first one asks the server what it can do."""
        try:
            connection = pyrqlite.connect(**conn_params, autocommit=True)
        except pyrqlite.InterfaceError as error:
            raise ImproperlyConfigured(f"DATABASES[{self.alias!r}]: {error}") from error
        if str(conn_params.get("target", "")).startswith(":memory:"):
            keep_in_memory(conn_params)
        try:
            self._server = server_of(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @cached_property
    def wrap_database_errors(self) -> ErrorWrapper:
        """Turns the driver's errors into Django's."""
        return ErrorWrapper(self)

    @property
    def server(self) -> Server:
        """What the server can do."""
        self.ensure_connection()
        return self._server

    def get_database_version(self) -> tuple[int, ...]:
        """The version of the server's SQLite."""
        return self.server.version

    @property
    def is_serializable(self) -> bool:
        """Whether transactions are SERIALIZABLE."""
        self.ensure_connection()
        return bool(self.connection.options.isolation_level.upper() == "SERIALIZABLE")

    def create_cursor(self, name: str | None = None) -> Cursor:
        """A cursor that takes Django's placeholders."""
        return Cursor(self.connection)

    @async_unsafe
    def close(self) -> None:
        """Close the connection; what was not committed is gone."""
        BaseDatabaseWrapper.close(self)

    def _close(self) -> None:
        if self.connection is not None:
            with self.wrap_database_errors:
                self.connection.rollback()
                self.connection.close()

    def is_usable(self) -> bool:
        """Whether the cluster answers."""
        try:
            self.connection.ping()
        except pyrqlite.Error:
            return False
        return True

    # Transactions.

    def _savepoint_allowed(self) -> bool:
        return BaseDatabaseWrapper._savepoint_allowed(self)

    def _set_autocommit(self, autocommit: bool) -> None:
        with self.wrap_database_errors:
            self.connection.autocommit = autocommit

    def _start_transaction_under_autocommit(self) -> None:
        with debug_transaction(self, "BEGIN"):
            # By a BEGIN of the application's, which would be committed here.
            if self.connection.in_transaction:
                raise OperationalError("cannot start a transaction within a transaction")
            self._set_autocommit(False)

    # Foreign keys. Django's are deferred, so that they are never in the way before the commit.

    def disable_constraint_checking(self) -> bool:
        """False: the server's checks cannot be switched off."""
        return False

    def enable_constraint_checking(self) -> None:
        """Nothing: see above."""

    def is_in_memory_db(self) -> bool:
        """False: even the server in this process is one that many connections share."""
        return False


_kept: dict[str, pyrqlite.Connection] = {}
_kept_lock = threading.Lock()


def keep_in_memory(conn_params: dict[str, Any]) -> None:
    """Hold a database in memory until the process ends, though no connection may be open in between."""
    target = conn_params["target"]
    with _kept_lock:
        if target not in _kept:
            _kept[target] = pyrqlite.connect(**conn_params, autocommit=True)


def drop_from_memory(target: str) -> None:
    """Let go of a database in memory: it is gone once its last connection is closed."""
    with _kept_lock:
        kept = _kept.pop(target, None)
    if kept is not None:
        kept.close()
