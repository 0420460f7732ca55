"""The dialect by the name under which the `sqlalchemy-rqlite` releases had it."""

from sqlalchemy_rqlite.sync import RqliteDialect_pyrqlite as SQLiteDialect_rqlite
from sqlalchemy_rqlite.sync import dialect

__all__ = ["SQLiteDialect_rqlite", "dialect"]
