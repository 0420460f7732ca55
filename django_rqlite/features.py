"""What this backend can do: a ledger of what differs from Django's SQLite backend, with the reasons."""

from __future__ import annotations

from typing import ClassVar

from django.db.backends.sqlite3.features import DatabaseFeatures as SQLiteFeatures
from django.utils.functional import cached_property

from django_rqlite.database import MINIMUM_VERSION
from django_rqlite.skips import skips


class DatabaseFeatures(SQLiteFeatures):
    """Class attributes that are not here are those of SQLite."""

    # The driver reads and writes by SQLite's JSON functions, which are exact from this version on.
    minimum_database_version = MINIMUM_VERSION

    # Each connection has transactions of its own, also of the server in this process.
    test_db_allows_multiple_connections = True
    # DDL is a part of the transaction, and the schema editor needs no PRAGMA outside of it.
    atomic_transactions = True
    # rqlite's build of SQLite takes so many.
    max_query_params = 32766
    can_alter_table_drop_column = True
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    supports_json_field = True
    can_introspect_json_field = True
    has_json_object_function = True
    # Of Django 6: SQLite's since 3.44, whose version is known only once there is a connection.
    supports_aggregate_order_by_clause = True
    # A random value for each of many rows would be another one on every node: the driver refuses it.
    supports_uuid4_function = False
    supports_uuid4_function_in_default = False
    supports_uuid7_function = False
    # There are no locks: select_for_update() relies on the check at the commit, and says so where there is none.
    has_select_for_update = False

    django_test_expected_failures: ClassVar[set[str]] = {
        # A date and a duration make a date, as on SQLite, where a date and time is compared with it.
        "expressions.tests.FTimeDeltaTests.test_mixed_comparisons1",
    }

    @cached_property
    def can_clone_databases(self) -> bool:
        """Whether tests can run in parallel: a cluster cannot be copied into another one."""
        name = self.connection.settings_dict["TEST"]["NAME"] or ":memory:"
        return not str(name).startswith(("http://", "https://"))

    @cached_property
    def django_test_skips(self) -> dict[str, set[str]]:
        """Tests of Django that cannot hold here, by reason."""
        return skips(self.connection.server.functions)

    @cached_property
    def supports_foreign_keys(self) -> bool:
        """Whether the nodes run with `-fk`."""
        return bool(self.connection.server.foreign_keys)
