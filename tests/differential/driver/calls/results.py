"""Rows, counts, rowids, descriptions."""

from __future__ import annotations

from typing import Any

from tests.differential.driver.calls.model import (
    TABLE,
    Observed,
    call,
    differs,
    error_of,
    filled,
    names,
)

NO_ROWID = (
    "PEP 249: None where a statement has made no row; sqlite3 shows what its connection remembers"
)
COUNTED = "a result arrives whole, so its rows are counted; sqlite3 does not know and says -1"

NO_RESULT = "PEP 249 wants an error where there is no result; sqlite3 gives nothing"


@call(differs(f"{COUNTED}; {NO_ROWID}", _1=3, _2=None))
def select(module: Any, connection: Any) -> Observed:
    cursor = filled(connection)
    cursor.execute("SELECT * FROM t ORDER BY id")
    return [
        names(cursor),
        cursor.rowcount,
        cursor.lastrowid,
        cursor.fetchall(),
        cursor.fetchall(),
        cursor.fetchone(),
    ]


@call()
def fetching(module: Any, connection: Any) -> Observed:
    cursor = filled(connection)
    cursor.execute("SELECT id FROM t ORDER BY id")
    seen = [
        cursor.arraysize,
        cursor.fetchone(),
        cursor.fetchmany(),
        cursor.fetchmany(5),
        cursor.fetchmany(5),
    ]
    cursor.execute("SELECT id FROM t ORDER BY id")
    cursor.arraysize = 2
    seen += [cursor.fetchmany(), next(cursor), error_of(lambda: next(cursor))]
    seen += [list(cursor), cursor.fetchone(), list(cursor.execute("SELECT n FROM t ORDER BY n"))]
    return seen


@call()
def execute_returns_the_cursor(module: Any, connection: Any) -> Observed:
    cursor = connection.cursor()
    return [
        cursor.execute("SELECT 1") is cursor,
        cursor.executescript("CREATE TABLE x (a)") is cursor,
        cursor.executemany("INSERT INTO x VALUES (?)", [(1,)]) is cursor,
        cursor.connection is connection,
        connection.execute("SELECT 2").fetchall(),
        connection.executemany("INSERT INTO x VALUES (?)", [(2,)]).rowcount,
    ]


@call()
def counts_of_writes(module: Any, connection: Any) -> Observed:
    cursor = filled(connection)
    seen: Observed = [cursor.rowcount]
    for sql in (
        "UPDATE t SET n = 5 WHERE id < 3",
        "UPDATE t SET n = 6 WHERE id > 99",
        "DELETE FROM t WHERE id = 1",
        "DELETE FROM t",
        "INSERT INTO t(a) VALUES ('x'), ('y')",
        "INSERT OR IGNORE INTO t(id) VALUES (1)",
        "REPLACE INTO t(id, a) VALUES (1, 'z')",
        "INSERT INTO t(a) SELECT a FROM t ORDER BY id",
        "INSERT INTO t(id) VALUES (2) ON CONFLICT DO NOTHING",
        "INSERT INTO t(id) VALUES (2) ON CONFLICT(id) DO UPDATE SET a = 'up'",
    ):
        cursor.execute(sql)
        seen.append((sql, cursor.rowcount, names(cursor)))
    return seen


@call()
def counts_of_definitions(module: Any, connection: Any) -> Observed:
    cursor = connection.cursor()
    seen = []
    for sql in (
        "CREATE TABLE c (a)",
        "CREATE INDEX i ON c(a)",
        "ALTER TABLE c ADD COLUMN b",
        "CREATE TABLE d AS SELECT 1 AS one",
        "DROP TABLE d",
        "ANALYZE",
        "PRAGMA user_version = 5",
    ):
        cursor.execute(sql)
        seen.append((sql, cursor.rowcount, names(cursor)))
    return seen


@call(
    differs(
        NO_ROWID,
        _3=("UPDATE r SET a = 3 WHERE id = 1", None),
        _4=("SELECT * FROM r", None),
        _5=("INSERT OR IGNORE INTO r(a) VALUES (3)", None),
        _7=("DELETE FROM r", None),
        _13=None,
    )
)
def last_rowids(module: Any, connection: Any) -> Observed:
    cursor = connection.cursor()
    seen: Observed = [cursor.lastrowid]
    cursor.execute("CREATE TABLE r (id INTEGER PRIMARY KEY, a UNIQUE)")
    for sql in (
        "INSERT INTO r(a) VALUES (1)",
        "INSERT INTO r VALUES (50, 2)",
        "UPDATE r SET a = 3 WHERE id = 1",
        "SELECT * FROM r",
        "INSERT OR IGNORE INTO r(a) VALUES (3)",
        "REPLACE INTO r(a) VALUES (3)",
        "DELETE FROM r",
        "INSERT INTO r(id, a) VALUES (-7, 1)",
        "INSERT INTO r(id, a) VALUES (0, 9)",
        "INSERT INTO r(a) VALUES (4), (5)",
        "INSERT INTO r(id) VALUES (9223372036854775807)",
    ):
        cursor.execute(sql)
        seen.append((sql, cursor.lastrowid))
    seen.append(error_of(lambda: cursor.execute("INSERT INTO r(a) VALUES (4)")))
    seen.append(cursor.lastrowid)
    return seen


@call(differs(NO_ROWID, _0=None))
def last_rowid_of_many(module: Any, connection: Any) -> Observed:
    cursor = filled(connection)
    cursor.execute("INSERT INTO t(a) VALUES ('x')")
    cursor.executemany("INSERT INTO t(a) VALUES (?)", [("p",), ("q",)])
    return [cursor.lastrowid, cursor.rowcount]


@call(
    differs(
        "only INSERT, REPLACE, UPDATE and DELETE, even where there are no rows",
        _7="ProgrammingError",
    )
)
def many(module: Any, connection: Any) -> Observed:
    cursor = filled(connection)
    seen: Observed = []
    cursor.executemany("UPDATE t SET n = ? WHERE id = ?", [(1, 1), (2, 2), (3, 99)])
    seen += [cursor.rowcount, names(cursor)]
    cursor.executemany("DELETE FROM t WHERE id = :id", ({"id": number} for number in (1, 2, 7)))
    seen += [cursor.rowcount, connection.execute("SELECT id FROM t").fetchall()]
    cursor.executemany("INSERT INTO t(a) VALUES (?)", [])
    seen += [names(cursor), connection.execute("SELECT count(*) FROM t").fetchall()]
    seen.append(error_of(lambda: cursor.executemany("SELECT ?", [(1,)])))
    seen.append(error_of(lambda: cursor.executemany("CREATE TABLE x (a)", [])))
    seen.append(error_of(lambda: cursor.executemany("INSERT INTO t(a) VALUES (?)", [(1, 2)])))
    seen.append(error_of(lambda: cursor.executemany("INSERT INTO t(a) VALUES (?)", [(), (1,)])))
    seen.append(error_of(lambda: cursor.executemany("INSERT INTO t(a) VALUES (?)", 5)))
    seen.append(error_of(lambda: cursor.executemany("INSERT INTO t(a) VALUES (?)", [5])))
    return seen


@call(
    differs(
        "executemany is all or nothing: one request; sqlite3 keeps the rows before the failing one",
        _1=[(1,)],
    )
)
def many_that_fail(module: Any, connection: Any) -> Observed:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE u (a UNIQUE)")
    cursor.execute("INSERT INTO u VALUES (1)")
    failed = error_of(lambda: cursor.executemany("INSERT INTO u VALUES (?)", [(2,), (1,), (3,)]))
    return [failed, connection.execute("SELECT a FROM u ORDER BY a").fetchall()]


@call(
    differs(
        f"{NO_RESULT}; and whoever fetches behind a write has mistaken something",
        _0="ProgrammingError",
        _1="ProgrammingError",
        _2="ProgrammingError",
        _3="ProgrammingError",
        _4="ProgrammingError",
    )
)
def fetching_without_a_result(module: Any, connection: Any) -> Observed:
    cursor = connection.cursor()
    seen: Observed = [
        error_of(cursor.fetchone),
        error_of(cursor.fetchall),
        error_of(cursor.fetchmany),
    ]
    cursor.execute(TABLE)
    seen += [error_of(cursor.fetchone), error_of(lambda: list(cursor))]
    return seen


@call()
def description(module: Any, connection: Any) -> Observed:
    connection.execute('CREATE TABLE d (id INTEGER, "a b" TEXT, É REAL)')
    seen = []
    for sql in (
        "SELECT * FROM d",
        "SELECT id, ID, d.Id, main.d.id FROM d",
        "SELECT 1, 'x', NULL, 1+1, count(*), \"a b\", a.id FROM d AS a",
        "SELECT id AS x, id \"y z\", id 'w' FROM d",
        "SELECT * FROM d AS l JOIN d AS r",
        "VALUES (1, 2)",
        "SELECT * FROM (SELECT id AS q FROM d)",
        "WITH c(m, n) AS (SELECT 1, 2) SELECT * FROM c",
        "SELECT id FROM d UNION SELECT 5",
        "PRAGMA table_info(d)",
        "PRAGMA user_version",
        "INSERT INTO d VALUES (1, 2, 3) RETURNING id, É, id + 1 AS more",
        "UPDATE d SET id = 2 RETURNING *",
        "DELETE FROM d WHERE 0 RETURNING *",
        "SELECT max(id), upper('a') FROM d GROUP BY id HAVING 0",
    ):
        cursor = connection.execute(sql)
        seen.append((sql, names(cursor), all(len(column) == 7 for column in cursor.description)))
    return seen


@call()
def returning(module: Any, connection: Any) -> Observed:
    cursor = connection.cursor()
    cursor.execute(TABLE)
    return [
        cursor.execute("INSERT INTO t(a) VALUES ('x'), ('y') RETURNING id, a").fetchall(),
        cursor.execute("UPDATE t SET a = a || '!' RETURNING a").fetchall(),
        cursor.execute(
            "INSERT INTO t(id) VALUES (1) ON CONFLICT(id) DO UPDATE SET a = 'z' RETURNING *"
        ).fetchall(),
        cursor.execute("DELETE FROM t WHERE id = 1 RETURNING id").fetchone(),
        cursor.execute("DELETE FROM t WHERE 0 RETURNING id").fetchall(),
        cursor.execute("INSERT INTO t(a) VALUES ('p') RETURNING\tid").fetchall(),
        cursor.execute("INSERT INTO t(a) VALUES ('q') RETURNING(id)").fetchall(),
        cursor.execute("INSERT INTO t(a) VALUES ('q') RETURNING/**/id").fetchall(),
        connection.execute("SELECT count(*) FROM t").fetchall(),
    ]


@call()
def several_cursors(module: Any, connection: Any) -> Observed:
    filled(connection)
    one, two = connection.cursor(), connection.cursor()
    one.execute("SELECT id FROM t ORDER BY id")
    two.execute("SELECT a FROM t ORDER BY id")
    seen = [one.fetchone(), two.fetchone(), one.fetchone(), two.fetchall(), one.fetchall()]
    one.execute("INSERT INTO t(a) VALUES ('later')")
    seen += [two.execute("SELECT count(*) FROM t").fetchone(), names(one), names(two)]
    return seen


@call()
def a_failure_leaves_nothing(module: Any, connection: Any) -> Observed:
    cursor = filled(connection)
    cursor.execute("SELECT * FROM t")
    error_of(lambda: cursor.execute("SELECT * FROM nope"))
    return [names(cursor), cursor.execute("SELECT 1").fetchall()]


@call()
def explained(module: Any, connection: Any) -> Observed:
    connection.execute(TABLE)
    plan = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM t WHERE id = ?", (1,))
    return [
        names(plan),
        len(plan.fetchall()),
        names(connection.execute("EXPLAIN SELECT 1")),
        len(connection.execute("EXPLAIN QUERY PLAN DELETE FROM t WHERE id = 1").fetchall()),
    ]
