"""Reading the schema."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.introspection import TableInfo
from django.db.backends.sqlite3.introspection import DatabaseIntrospection as SQLiteIntrospection

# The driver's own, of the option exactly_once.
_HIDDEN = "_pyrqlite_commits"


class DatabaseIntrospection(SQLiteIntrospection):
    """SQLite's, without the driver's own table."""

    def get_table_list(self, cursor: Any) -> list[TableInfo]:
        """The tables and views."""
        return [table for table in super().get_table_list(cursor) if table.name != _HIDDEN]
