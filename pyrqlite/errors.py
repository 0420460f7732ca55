"""PEP 249's tree of errors. Each class is also the class of that name in `sqlite3`, so that code written
for the standard library (or for this driver's 2.x releases, which raised those) still catches them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple


class Attempt(NamedTuple):
    """An attempt that failed: the node's address, why, and when (as by time.time())."""

    node: str
    cause: str
    time: float


class Warning(sqlite3.Warning):
    """Important warnings, such as data that was truncated."""


class Error(sqlite3.Error):
    """The base of all errors of this driver.

    `http_status`, `body` and `node` say what the server answered and which one it was, where an answer
    was the cause; `sqlite_errorname` is SQLite's name of the error, as in `sqlite3`, where its text tells.
    `attempts` are the attempts of the request that failed, in their order; none where its first answer was
    rqlite's word on the statement itself.
    """

    attempts: Sequence[Attempt] = ()

    http_status: int | None = None
    body: str | None = None
    node: str | None = None
    sqlite_errorname: str | None = None  # type: ignore[assignment]  # not every error is SQLite's
    sqlite_errorcode: int | None = None  # type: ignore[assignment]


class InterfaceError(Error, sqlite3.InterfaceError):
    """Misuse of the driver itself."""


class DatabaseError(Error, sqlite3.DatabaseError):
    """The base of the errors that have to do with the database."""


class DataError(DatabaseError, sqlite3.DataError):
    """A value that SQLite, or the way to it, cannot carry."""


class OperationalError(DatabaseError, sqlite3.OperationalError):
    """A failure that is not the statement's fault: the network, a node, a leader that is missing."""


class IntegrityError(DatabaseError, sqlite3.IntegrityError):
    """A constraint was violated."""


class InternalError(DatabaseError, sqlite3.InternalError):
    """The server answered what it should never answer."""


class ProgrammingError(DatabaseError, sqlite3.ProgrammingError):
    """A fault in the statement or its parameters: a table that does not exist, bad syntax, a missing value."""


class NotSupportedError(DatabaseError, sqlite3.NotSupportedError):
    """Something that cannot work over rqlite; the message says what to do instead."""


class NoLeaderError(OperationalError):
    """The cluster has no leader just now. Nothing was applied."""


class AccessDeniedError(OperationalError):
    """The node refuses these credentials, or the user lacks a permission. Nothing was applied.

    `permission` is what rqlite calls what the request needs, such as `execute`; several have a blank between.
    """

    permission: str | None = None


class UnreachableError(OperationalError):
    """No node could be reached. Nothing was applied."""


class SerializationError(OperationalError):
    """Another client has changed what this transaction saw. Nothing was applied: run the transaction again.

    `fact` is what has changed, where it can be told.
    """

    def __init__(self, message: str, fact: object = None) -> None:
        super().__init__(message)
        self.fact = fact


class OutcomeUnknownError(OperationalError):
    """A write left, and its answer was lost: it may have been applied, and may still be applied later.

    It was not sent again. Look whether it took effect before you repeat it. `applied` is True where it was found
    out meanwhile that it was: of a write with `exactly_once` that was interrupted.
    """

    applied = False
