"""What the dialects of all drivers share: SQLite's dialect, over a server instead of a file."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, exc, pool, util
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects.sqlite.base import SQLiteDialect, SQLiteExecutionContext
from sqlalchemy.sql.compiler import InsertmanyvaluesSentinelOpts

import pyrqlite
from sqlalchemy_rqlite.compiler import RqliteCompiler
from sqlalchemy_rqlite.dates import DriverDate, DriverTimestamp
from sqlalchemy_rqlite.reflecting import Reflection
from sqlalchemy_rqlite.urls import MEMORY, connect_arguments

if TYPE_CHECKING:
    from types import ModuleType

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine.interfaces import (
        ConnectArgsType,
        DBAPIConnection,
        DBAPICursor,
        DBAPIModule,
        IsolationLevel,
        PoolProxiedConnection,
    )

OLDEST_SQLITE = (3, 35, 0)  # the first with RETURNING

# Execution options that say how a statement is sent, and the arguments of the driver's cursor() that they become.
CURSOR_OPTIONS = {
    "rqlite_level": "level",
    "rqlite_freshness": "freshness",
    "rqlite_freshness_strict": "freshness_strict",
    "rqlite_timeout": "timeout",
}


class RqliteExecutionContext(SQLiteExecutionContext):
    """Makes cursors that send as the execution options say."""

    def create_default_cursor(self) -> DBAPICursor:
        """A cursor of the driver with the options of this execution."""
        options = {
            argument: self.execution_options[name]
            for name, argument in CURSOR_OPTIONS.items()
            if name in self.execution_options
        }
        return self._dbapi_connection.cursor(**options)

    create_server_side_cursor = create_default_cursor

    def fetchall_for_returning(self, cursor: DBAPICursor) -> Sequence[Any]:
        """The rows of a RETURNING; InvalidRequestError where their keys do not tell whose they are."""
        rows: Sequence[Any] = super().fetchall_for_returning(cursor)
        many = getattr(self.compiled, "_insertmanyvalues", None)
        if many is not None and many.implicit_sentinel:
            keys = [row[-1] for row in rows]
            ascending = sorted(keys)
            # SQLite counts keys up, and throws dice of 62 bits once the largest key is in use.
            if keys != ascending and ascending[-1] - ascending[0] > 1 << 32:
                raise exc.InvalidRequestError(
                    "the keys of the rows of one INSERT do not ascend, so rows and objects cannot be matched: the "
                    "largest possible key of the table is in use. Give keys yourself, or use AUTOINCREMENT"
                )
        return rows


class RqliteDialect(Reflection):
    """SQLAlchemy's SQLite dialect over an rqlite server.

    `name` stays "sqlite": that is what Alembic, `@compiles(..., "sqlite")` and `with_variant` ask for.
    """

    supports_statement_cache = True
    statement_compiler = RqliteCompiler
    execution_ctx_cls = RqliteExecutionContext
    returns_native_bytes = True

    # The server gives ascending keys to the rows of one INSERT in their order, so the rows of its RETURNING
    # can be told apart by them, and many objects need one request.
    insertmanyvalues_implicit_sentinel = InsertmanyvaluesSentinelOpts.ANY_AUTOINCREMENT
    insertmanyvalues_page_size = 10_000

    colspecs = util.update_copy(
        SQLiteDialect.colspecs,
        {sqltypes.Date: DriverDate, sqltypes.TIMESTAMP: DriverTimestamp},
    )

    def __init__(self, dbapi: ModuleType | None = None, **options: Any) -> None:
        # SQLite's dialect would ask the driver's module for the version of the library that it is linked to;
        # what counts is the server's, which initialize() finds out.
        super().__init__(**options)
        self.dbapi = dbapi
        self._in_memory: pyrqlite.Connection | None = None

    @classmethod
    def _is_url_file_db(cls, url: URL) -> bool:
        # SQLAlchemy's tests ask this of every dialect named "sqlite": whether several connections see one
        # database.
        return True

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        """A QueuePool: connections share their sockets, and what one holds is a transaction."""
        return pool.QueuePool

    def create_connect_args(self, url: URL) -> ConnectArgsType:
        """The driver's target and options."""
        target, options = connect_arguments(url)
        if options.get("detect_types", 0) & pyrqlite.PARSE_DECLTYPES:
            self.native_datetime = True
        return ([target] if target else [], options)

    def connect(self, *arguments: Any, **options: Any) -> DBAPIConnection:
        """Open a connection; what is in memory only is kept until the engine is disposed of."""
        if self._in_memory is None and arguments and str(arguments[0]).startswith(MEMORY):
            self._in_memory = pyrqlite.connect(arguments[0], embedded=options.get("embedded"))
            weakref.finalize(self, self._in_memory.close)
        return super().connect(*arguments, **options)

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        """Let `Engine.dispose()` let go of a database in memory."""
        if engine.url.database == MEMORY:
            event.listen(engine, "engine_disposed", _forget_memory)

    def _get_server_version_info(self, connection: Connection) -> tuple[int, ...]:
        # At the level none and outside of transactions: that a cluster has no leader just now need not stop a
        # program from starting.
        driver: Any = connection.connection.dbapi_connection
        level = driver.isolation_level
        driver.isolation_level = "AUTOCOMMIT"
        try:
            cursor = driver.cursor(level="none")
            cursor.execute("SELECT sqlite_version()")
            [(text,)] = cursor.fetchall()
            cursor.close()
        finally:
            driver.isolation_level = level
        version = tuple(int(part) for part in text.split("."))
        if version < OLDEST_SQLITE:
            raise exc.InvalidRequestError(
                f"the server has SQLite {text}, which is older than {'.'.join(map(str, OLDEST_SQLITE))}: "
                "this dialect needs a newer rqlite"
            )
        return version

    def retrieve_dbapi_version(self, dbapi: DBAPIModule) -> util.VersionInfo:
        """The driver's, for SQLAlchemy 2.1."""
        return util.parse_version_string(pyrqlite.__version__)

    def get_isolation_level_values(
        self, dbapi_connection: DBAPIConnection
    ) -> Sequence[IsolationLevel]:
        """What `isolation_level` may be."""
        return ("SERIALIZABLE", "READ COMMITTED", "AUTOCOMMIT")

    def get_default_isolation_level(self, dbapi_conn: DBAPIConnection) -> IsolationLevel:
        """The level that the URL or connect_args asked for."""
        return self.get_isolation_level(dbapi_conn)

    def get_isolation_level(self, dbapi_connection: DBAPIConnection) -> IsolationLevel:
        """The connection's own word."""
        level: IsolationLevel = dbapi_connection.isolation_level
        return level

    def set_isolation_level(self, dbapi_connection: DBAPIConnection, level: IsolationLevel) -> None:
        """Tell the connection. Nothing is sent."""
        dbapi_connection.isolation_level = level

    def detect_autocommit_setting(self, dbapi_conn: DBAPIConnection) -> bool:
        """Whether the connection has no transactions to roll back."""
        return bool(dbapi_conn.isolation_level == "AUTOCOMMIT")

    def do_close(self, dbapi_connection: DBAPIConnection) -> None:
        """Close the connection; what was not committed goes without a warning, as it does everywhere here."""
        if not dbapi_connection.closed:
            dbapi_connection.rollback()
        dbapi_connection.close()

    def do_ping(self, dbapi_connection: DBAPIConnection) -> bool:
        """Whether the cluster answers."""
        dbapi_connection.ping()
        dbapi_connection.rollback()  # the question began a transaction
        return True

    def is_disconnect(
        self,
        e: Exception,
        connection: PoolProxiedConnection | DBAPIConnection | None,
        cursor: DBAPICursor | None,
    ) -> bool:
        """Whether the transaction cannot go on: no node answers, or the connection is closed.

        Sockets come and go by themselves, and need no new connection.
        """
        if isinstance(e, pyrqlite.ProgrammingError):
            return "Cannot operate on a closed database." in str(e)
        return isinstance(e, (pyrqlite.OutcomeUnknownError, pyrqlite.UnreachableError))

    def get_temp_table_names(self, connection: Connection, *args: Any, **kw: Any) -> list[str]:
        """None: the driver refuses to create them, since they would belong to a connection of one node."""
        return []

    def get_temp_view_names(self, connection: Connection, *args: Any, **kw: Any) -> list[str]:
        """None, for the same reason."""
        return []


def _forget_memory(engine: Engine) -> None:
    dialect = engine.dialect
    if isinstance(dialect, RqliteDialect) and dialect._in_memory is not None:
        dialect._in_memory.close()
        dialect._in_memory = None


__all__ = ["CURSOR_OPTIONS", "MEMORY", "RqliteDialect", "RqliteExecutionContext"]
