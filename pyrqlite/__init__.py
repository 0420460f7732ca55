"""pyrqlite: a PEP 249 driver for rqlite, the distributed database of SQLite nodes kept in step by Raft."""

from pyrqlite.base import UncommittedWarning
from pyrqlite.connecting import connect
from pyrqlite.connection import Connection
from pyrqlite.cursor import Cursor
from pyrqlite.errors import (
    AccessDeniedError,
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NoLeaderError,
    NotSupportedError,
    OperationalError,
    OutcomeUnknownError,
    ProgrammingError,
    SerializationError,
    UnreachableError,
    Warning,
)
from pyrqlite.retrying import run_transaction
from pyrqlite.row import Row
from pyrqlite.sql.determinism import DeterminismWarning
from pyrqlite.types import (
    BINARY,
    DATETIME,
    NUMBER,
    PARSE_COLNAMES,
    PARSE_DECLTYPES,
    ROWID,
    STRING,
    Binary,
    Date,
    DateFromTicks,
    PrepareProtocol,
    Time,
    TimeFromTicks,
    Timestamp,
    TimestampFromTicks,
    adapters,
    converters,
    register_adapter,
    register_converter,
)

apilevel = "2.0"
threadsafety = 2
paramstyle = "qmark"
__version__ = "3.0.0.dev0"

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "PARSE_COLNAMES",
    "PARSE_DECLTYPES",
    "ROWID",
    "STRING",
    "AccessDeniedError",
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
    "SerializationError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "UncommittedWarning",
    "UnreachableError",
    "Warning",
    "adapters",
    "apilevel",
    "connect",
    "converters",
    "paramstyle",
    "register_adapter",
    "register_converter",
    "run_transaction",
    "threadsafety",
]
