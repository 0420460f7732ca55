"""The way in that the 2.x releases had: `from pyrqlite import dbapi2; dbapi2.connect(host=..., port=...)`.

Its connections apply each statement at once, as theirs did, and always will: code written for those never
calls commit(), and must lose nothing by an upgrade. New code uses `pyrqlite.connect`.
"""

import sqlite3
import ssl
import sys
from typing import Any

import pyrqlite.connection
from pyrqlite import (
    BINARY,
    DATETIME,
    NUMBER,
    PARSE_COLNAMES,
    PARSE_DECLTYPES,
    ROWID,
    STRING,
    Binary,
    Cursor,
    DatabaseError,
    DataError,
    Date,
    DateFromTicks,
    DeterminismWarning,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NoLeaderError,
    NotSupportedError,
    OperationalError,
    OutcomeUnknownError,
    PrepareProtocol,
    ProgrammingError,
    Row,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
    UnreachableError,
    Warning,
    adapters,
    apilevel,
    converters,
    paramstyle,
    register_adapter,
    register_converter,
    threadsafety,
)
from pyrqlite.options import DEFAULT_PORT, UNLIMITED_REDIRECTS, Options, check_names

if not hasattr(sys.modules.get("sqlalchemy_rqlite", pyrqlite), "run_transaction"):
    # The older dialect asks for this module; it would let transactions pass for what they are not.
    raise ImportError(
        "the files of sqlalchemy-rqlite 2 stand in the place of those of pyrqlite 3, which brings the dialect. "
        "Run: pip uninstall sqlalchemy-rqlite; then: pip install --force-reinstall --no-deps pyrqlite"
    )


class Connection(pyrqlite.connection.Connection):
    """A connection of `pyrqlite.connect`, with rows that can be asked by name."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.row_factory = Row


def connect(
    scheme: str = "http",
    host: str = "localhost",
    port: int = DEFAULT_PORT,
    ssl_context: ssl.SSLContext | None = None,
    user: str | None = None,
    password: str | None = None,
    connect_timeout: float | None = None,
    timeout: float | None = None,
    detect_types: int = 0,
    max_redirects: int = UNLIMITED_REDIRECTS,
    **options: Any,
) -> Connection:
    """Open a connection that applies each statement at once, as the 2.x releases did, and always will.

    The arguments are theirs, times in seconds; a URL can stand in the place of the scheme, and `options`
    takes the others of `pyrqlite.connect`.
    """
    check_names(options)
    options.setdefault("autocommit", True)
    target = scheme if ":" in scheme else None
    return Connection(
        Options(
            target,
            scheme="http" if target else scheme,
            host=host,
            port=port,
            ssl_context=ssl_context,
            user=user,
            password=password,
            connect_timeout=connect_timeout,
            timeout=timeout,
            detect_types=detect_types,
            max_redirects=max_redirects,
            **options,
        )
    )


# SQLAlchemy's SQLite dialect asks the module for these.
sqlite_version_info = sqlite3.sqlite_version_info
sqlite_version = sqlite3.sqlite_version

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "PARSE_COLNAMES",
    "PARSE_DECLTYPES",
    "ROWID",
    "STRING",
    "UNLIMITED_REDIRECTS",
    "Binary",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "DeterminismWarning",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NoLeaderError",
    "NotSupportedError",
    "OperationalError",
    "OutcomeUnknownError",
    "PrepareProtocol",
    "ProgrammingError",
    "Row",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "UnreachableError",
    "Warning",
    "adapters",
    "apilevel",
    "connect",
    "converters",
    "paramstyle",
    "register_adapter",
    "register_converter",
    "sqlite_version",
    "sqlite_version_info",
    "threadsafety",
]
