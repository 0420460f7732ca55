"""Rows with names, factories, scripts, the module itself."""

from __future__ import annotations

import datetime
import sqlite3
from typing import Any

from tests.differential.driver.calls.model import Observed, call, differs, error_of, names


@call(
    differs(
        "rows are tuples, and equal where tuples are; sqlite3 compares the names too",
        _4=(True, False, True, True),
    )
)
def rows_with_names(module: Any, connection: Any) -> Observed:
    connection.row_factory = module.Row
    row = connection.execute("SELECT 1 AS a, 'x' AS B, NULL AS \"c d\", 2 AS a").fetchone()
    same = connection.execute("SELECT 1 AS a, 'x' AS B, NULL AS \"c d\", 2 AS a").fetchone()
    other = connection.execute("SELECT 1 AS a, 'x' AS other, NULL AS \"c d\", 2 AS a").fetchone()
    return [
        row.keys(),
        (row["a"], row["A"], row["b"], row["c D"]),
        (row[0], row[-1], row[1:3], row[::-1]),
        (len(row), list(row), tuple(row), dict(zip(row.keys(), row, strict=True))),
        (row == same, row != same, row == other, hash(row) == hash(same)),
        error_of(lambda: row["nope"]),
        error_of(lambda: row[9]),
        error_of(lambda: row[-9]),
        error_of(lambda: row.__setitem__(0, 1)),
        "x" in row,
        type(row[0:2]).__name__,
    ]


@call()
def row_factories(module: Any, connection: Any) -> Observed:
    seen: Observed = []
    cursor = connection.cursor()
    cursor.row_factory = lambda made_by, row: (made_by == cursor, names(made_by), row)
    seen.append(cursor.execute("SELECT 1 AS a UNION ALL SELECT 2").fetchall())
    seen.append(connection.cursor().execute("SELECT 1").fetchone())
    connection.row_factory = lambda made_by, row: row[0]
    two = "SELECT NULL UNION ALL SELECT 1 UNION ALL SELECT NULL"
    seen.append(list(connection.execute(two)))
    seen.append(connection.execute(two).fetchall())
    seen.append(connection.execute(two).fetchmany(2))
    seen.append(connection.cursor().execute("SELECT 5").fetchone())
    cursor.row_factory = None
    seen.append(cursor.execute("SELECT 6").fetchone())
    return seen


@call()
def scripts(module: Any, connection: Any) -> Observed:
    connection.executescript(
        """
        -- a comment; with a semicolon
        CREATE TABLE a (x); /* another; */ INSERT INTO a VALUES ('semi;colon');
        CREATE TRIGGER g AFTER INSERT ON a WHEN new.x = 1 BEGIN
            INSERT INTO a VALUES (CASE WHEN 1 THEN 'case' END); DELETE FROM a WHERE 0;
        END;
        INSERT INTO a VALUES (1);
        """
    )
    seen: Observed = [connection.execute("SELECT x FROM a").fetchall()]
    seen.append(error_of(lambda: connection.executescript("SELECT * FROM nope")) != "no error")
    seen.append(
        error_of(lambda: connection.executescript("INSERT INTO a VALUES (2); NONSENSE"))
        != "no error"
    )
    seen.append(error_of(lambda: connection.executescript("")))
    seen.append(error_of(lambda: connection.executescript("SELECT 1; SELECT 2")))
    seen.append(
        error_of(lambda: connection.executescript("BEGIN; INSERT INTO a VALUES (3); COMMIT"))
    )
    seen.append(connection.execute("SELECT count(*) FROM a WHERE x = 3").fetchall())
    return seen


@call(
    differs(
        "a script is all or nothing: one request, one transaction; sqlite3 keeps what was before the failure",
        _0=[],
    )
)
def script_that_fails(module: Any, connection: Any) -> Observed:
    connection.execute("CREATE TABLE a (x)")
    error_of(
        lambda: connection.executescript("INSERT INTO a VALUES (1); INSERT INTO nope VALUES (2)")
    )
    return [connection.execute("SELECT x FROM a").fetchall()]


@call()
def as_a_context(module: Any, connection: Any) -> Observed:
    connection.execute("CREATE TABLE x (a)")
    with connection as entered:
        connection.execute("INSERT INTO x VALUES (1)")
    seen: Observed = [entered is connection, connection.execute("SELECT a FROM x").fetchall()]

    def fail() -> None:
        with connection:
            raise KeyError

    seen.append(error_of(fail))
    seen.append(connection.execute("SELECT a FROM x").fetchall())
    return seen


@call()
def module_interface(module: Any, connection: Any) -> Observed:
    wanted = [
        "apilevel",
        "paramstyle",
        "threadsafety",
        "connect",
        "Connection",
        "Cursor",
        "Row",
        "Binary",
        "Date",
        "Time",
        "Timestamp",
        "DateFromTicks",
        "TimeFromTicks",
        "TimestampFromTicks",
        "PARSE_DECLTYPES",
        "PARSE_COLNAMES",
        "register_adapter",
        "register_converter",
        "adapters",
        "converters",
        "PrepareProtocol",
        "Warning",
        "Error",
        "InterfaceError",
        "DatabaseError",
        "DataError",
        "OperationalError",
        "IntegrityError",
        "InternalError",
        "ProgrammingError",
        "NotSupportedError",
    ]
    return [
        [name for name in wanted if not hasattr(module, name)],
        module.apilevel,
        module.paramstyle,
        module.Date(2024, 1, 2),
        module.DateFromTicks(0) == datetime.date.fromtimestamp(0),
        module.TimestampFromTicks(5) == datetime.datetime.fromtimestamp(5),
        module.TimeFromTicks(5) == datetime.datetime.fromtimestamp(5).time(),
        [getattr(connection, name) is getattr(module, name) for name in wanted[-10:]],
        [issubclass(getattr(module, name), getattr(sqlite3, name)) for name in wanted[-10:]],
    ]
