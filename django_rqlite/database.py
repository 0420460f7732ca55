"""The driver as Django wants to see a database module: PEP 249's names, and a version of SQLite.

The version is the lowest one that a server may have; features ask the server itself.
"""

from __future__ import annotations

from pyrqlite import (
    BINARY,
    DATETIME,
    NUMBER,
    ROWID,
    STRING,
    Binary,
    DatabaseError,
    DataError,
    Date,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Time,
    Timestamp,
    Warning,
    apilevel,
    connect,
    paramstyle,
    threadsafety,
)

MINIMUM_VERSION = (3, 41)
sqlite_version_info = MINIMUM_VERSION

__all__ = [
    "BINARY",
    "DATETIME",
    "MINIMUM_VERSION",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "DataError",
    "DatabaseError",
    "Date",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Time",
    "Timestamp",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "sqlite_version_info",
    "threadsafety",
]
