"""What lives in one connection of a node is refused."""

from __future__ import annotations

import pytest

from pyrqlite.errors import NotSupportedError
from pyrqlite.sql.admission import admit
from pyrqlite.sql.statement import parse


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH 'x.db' AS x",
        "DETACH x",
        "CREATE TEMP TABLE x(a)",
        "CREATE TEMPORARY VIEW x AS SELECT 1",
        "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE TABLE temp.x(a)",
        'CREATE TABLE IF NOT EXISTS "Temp".x(a)',
        "DROP TABLE temp.x",
        "INSERT INTO temp.x VALUES (1)",
        "UPDATE OR IGNORE temp.x SET a = 1",
        "DELETE FROM temp.x",
        "INSERT INTO t SELECT * FROM temp.x",
        "INSERT INTO t SELECT 1 FROM t JOIN [temp].x",
    ],
)
def test_refused(sql: str) -> None:
    with pytest.raises(NotSupportedError, match=r"connection"):
        admit(parse(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE temp(temp)",
        "INSERT INTO main.temp SELECT temp.temp FROM t AS temp",
        "UPDATE temp SET temp = temp.temp + 1",
        "SELECT * FROM temp.sqlite_schema",
        "INSERT INTO t VALUES ('temp.x')",
        "PRAGMA table_info(t)",
    ],
)
def test_admitted(sql: str) -> None:
    admit(parse(sql))
