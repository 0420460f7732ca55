"""The shape of results: counts, columns, associative rows, qualified names, several statements."""

from __future__ import annotations

from tests.differential.model import (
    Case,
    Compare,
    Statement,
    Step,
    case,
    execute,
    get,
    query,
    request,
    setup,
    statements,
)

TABLE = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b TEXT UNIQUE)",
    "INSERT INTO t VALUES (10, 1, 'x'), (20, 2, 'y'), (30, 3, 'z')",
)
WRITING_FORMS = (
    *(("execute", ""), ("execute", "transaction"), ("execute", "associative")),
    *(("request", ""), ("request", "transaction&associative"), ("request", "noparse")),
    ("request", "level=strong"),
)
READING_FORMS = (
    *(("query", ""), ("query", "associative&transaction"), ("query", "level=strong")),
    ("query", "noparse"),
)
LOOK = query("SELECT * FROM t ORDER BY id", "SELECT name FROM sqlite_schema ORDER BY name")

# Each is sent in every form above: as a write to a database of its own, as a read to a shared one.
SINGLE: dict[str, Statement] = {
    "insert": "INSERT INTO t (a) VALUES (7)",
    "insert two": "INSERT INTO t (a) VALUES (7), (8)",
    "insert nothing": "INSERT INTO t (a) SELECT 1 WHERE 0",
    "insert or ignore": "INSERT OR IGNORE INTO t (id) VALUES (10)",
    "insert or replace": "INSERT OR REPLACE INTO t (id, b) VALUES (10, 'z')",
    "replace": "REPLACE INTO t (id, b) VALUES (40, 'y')",
    "upsert nothing": "INSERT INTO t (id) VALUES (10) ON CONFLICT DO NOTHING",
    "upsert": "INSERT INTO t (id) VALUES (10) ON CONFLICT (id) DO UPDATE SET a = 9",
    "update": "UPDATE t SET a = a + 1 WHERE id > 10",
    "update nothing": "UPDATE t SET a = 0 WHERE 0",
    "update from": "UPDATE t SET a = o.a FROM t AS o WHERE o.id = t.id + 10",
    "update limited": "UPDATE t SET a = 0 ORDER BY id DESC LIMIT 1",
    "delete": "DELETE FROM t WHERE id > 10",
    "delete nothing": "DELETE FROM t WHERE 0",
    "delete all": "DELETE FROM t",
    "delete limited": "DELETE FROM t ORDER BY id LIMIT 1",
    "truncate and count": "DELETE FROM t WHERE 1",
    "create table": "CREATE TABLE u (a)",
    "create table again": "CREATE TABLE IF NOT EXISTS t (a)",
    "create table as": "CREATE TABLE u AS SELECT * FROM t",
    "create temp table": "CREATE TEMP TABLE u (a)",
    "create index": "CREATE INDEX i ON t (a)",
    "create view": "CREATE VIEW v AS SELECT a FROM t",
    "create trigger": "CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET a = 0; END",
    "create virtual table": "CREATE VIRTUAL TABLE f USING fts5(a)",
    "alter table": "ALTER TABLE t ADD COLUMN c INTEGER DEFAULT 5",
    "rename": "ALTER TABLE t RENAME TO u",
    "drop": "DROP TABLE t",
    "drop nothing": "DROP TABLE IF EXISTS nope",
    "analyze": "ANALYZE",
    "reindex": "REINDEX",
    "vacuum": "VACUUM",
    "select": "SELECT * FROM t ORDER BY id",
    "select none": "SELECT * FROM t WHERE 0",
    "select a parameter": ["SELECT a FROM t WHERE id = ?", 10],
    "select duplicate names": "SELECT a, a, b AS a FROM t ORDER BY id",
    "select unnamed": "SELECT 1, 'x', NULL, 1 + 1, count(*) FROM t",
    "select odd names": 'SELECT 1 AS "", 2 AS " ", 3 AS "<&>", 4 AS "é", 5 AS "a\nb"',
    "values": "VALUES (1, 'a'), (2, 'b')",
    "with": "WITH w (x) AS (VALUES (1)) SELECT x FROM w",
    "with insert": "WITH w (x) AS (VALUES (1)) INSERT INTO t (a) SELECT x FROM w",
    "recursive": "WITH RECURSIVE w (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM w WHERE x < 3) "
    "SELECT x FROM w",
    "table-valued": "SELECT * FROM pragma_table_info('t')",
    "schema": "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name",
    "insert returning": "INSERT INTO t (a) VALUES (7), (8) RETURNING id, a AS renamed, a + 1",
    "insert returning all": "INSERT INTO t (a) VALUES (7) RETURNING *",
    "insert nothing returning": "INSERT INTO t (a) SELECT 1 WHERE 0 RETURNING id",
    "or ignore returning": "INSERT OR IGNORE INTO t (id) VALUES (10) RETURNING id",
    "upsert returning": "INSERT INTO t (id) VALUES (10) ON CONFLICT (id) DO UPDATE SET a = 9 "
    "RETURNING id, a",
    "update returning": "UPDATE t SET a = a + 1 RETURNING id, a",
    "update none returning": "UPDATE t SET a = 0 WHERE 0 RETURNING id, a",
    "delete returning": "DELETE FROM t WHERE id > 10 RETURNING *",
    "returning in lower case": "insert into t (a) values (7) returning id",
    "returning in a literal": "UPDATE t SET b = 'returning ' WHERE id = 10",
    "returning in a comment": "UPDATE t SET a = 0 -- returning ",
    "returning a constant": "INSERT INTO t (a) VALUES (7) RETURNING 5",
    "returning a failure": ["INSERT INTO t (a) VALUES (7) RETURNING json(?)", "x"],
    "pragma read": "PRAGMA user_version",
    "pragma write": "PRAGMA user_version = 5",
    "pragma table_info": "PRAGMA table_info(t)",
    "pragma table_xinfo": "PRAGMA table_xinfo('t')",
    "pragma table_list": "PRAGMA table_list(t)",
    "pragma index_list": "PRAGMA index_list(t)",
    "pragma index_info": "PRAGMA index_info(sqlite_autoindex_t_1)",
    "pragma foreign_key_list": "PRAGMA foreign_key_list(t)",
    "pragma foreign_key_check": "PRAGMA foreign_key_check",
    "pragma foreign_keys": "PRAGMA foreign_keys",
    "pragma foreign_keys on": "PRAGMA foreign_keys = ON",
    "pragma journal_mode": "PRAGMA journal_mode",
    "pragma query_only": "PRAGMA query_only",
    "pragma integrity_check": "PRAGMA integrity_check",
    "pragma quick_check": "PRAGMA quick_check(1)",
    "pragma encoding": "PRAGMA encoding",
    "pragma recursive_triggers": "PRAGMA recursive_triggers",
    "pragma application_id": "PRAGMA application_id = 7",
    "pragma case_sensitive_like": "PRAGMA case_sensitive_like = ON",
    "pragma unknown": "PRAGMA no_such_pragma",
    "pragma synchronous read": "PRAGMA synchronous",
    "pragma wal_autocheckpoint read": "PRAGMA wal_autocheckpoint",
    "pragma busy_timeout": "PRAGMA busy_timeout",
    "pragma optimize": "PRAGMA optimize",
    "disallowed journal_mode": "PRAGMA journal_mode=DELETE",
    "disallowed with blanks": "  pragma  journal_mode  =  wal",
    "disallowed schema": "PRAGMA main.journal_mode=DELETE",
    "disallowed checkpoint": "PRAGMA wal_checkpoint",
    "disallowed checkpoint mode": "PRAGMA wal_checkpoint(TRUNCATE)",
    "disallowed autocheckpoint": "PRAGMA wal_autocheckpoint=5",
    "disallowed synchronous": "PRAGMA synchronous=OFF",
    "disallowed query_only": "PRAGMA query_only=0",
    "disallowed behind another": "SELECT 1; PRAGMA journal_mode=DELETE",
    "two selects": "SELECT 1 AS a; SELECT 2 AS b",
    "two inserts": "INSERT INTO t (a) VALUES (7); INSERT INTO t (a) VALUES (8)",
    "insert and select": "INSERT INTO t (a) VALUES (7); SELECT count(*) FROM t",
    "select and insert": "SELECT count(*) FROM t; INSERT INTO t (a) VALUES (7)",
    "returning and select": "INSERT INTO t (a) VALUES (7) RETURNING id; SELECT count(*) FROM t",
    "three, second fails": "INSERT INTO t (a) VALUES (7); SELEC; INSERT INTO t (a) VALUES (8)",
    "two, second fails": "INSERT INTO t (a) VALUES (7); INSERT INTO t (id) VALUES (10)",
    "two, second for nope": "INSERT INTO t (a) VALUES (7); INSERT INTO nope VALUES (10)",
    "create and insert": "CREATE TABLE u (a); INSERT INTO u VALUES (1)",
    "trailing semicolon": "SELECT 1;",
    "trailing semicolons": "SELECT 1;;",
    "trailing semicolon and blank": "SELECT 1; ",
    "trailing semicolon and comment": "SELECT 1; -- end",
    "trailing comment": "SELECT 1 -- end",
    "trailing block comment": "SELECT 1 /* end */",
    "leading comment": "/* begin */ SELECT 1",
    "leading line comment": "-- begin\nSELECT 1",
    "leading semicolon": "; SELECT 1",
    "insert with trailing comment": "INSERT INTO t (a) VALUES (7); -- end",
    "insert with trailing semicolon": "INSERT INTO t (a) VALUES (7);",
    "unfinished comment": "SELECT 1 /* end",
    "attach": "ATTACH ':memory:' AS other",
    "detach": "DETACH main",
    "savepoint": "SAVEPOINT s",
    "release": "RELEASE s",
    "rollback to": "ROLLBACK TO s",
    "commit": "COMMIT",
    "end": "END",
    "rollback": "ROLLBACK",
    "begin": "BEGIN",
    "begin immediate": "BEGIN IMMEDIATE",
    "changes": "SELECT changes(), total_changes(), last_insert_rowid()",
    "double-quoted string": 'SELECT "no such column"',
    "like": "SELECT 'ABC' LIKE 'a%', 'a%' LIKE 'a\\%' ESCAPE '\\', 'abc' GLOB 'a*'",
    "deep": f"SELECT {'(' * 90}1{')' * 90}",
    "regexp": "SELECT 'a' REGEXP 'a'",
    "sqrt": "SELECT sqrt(4)",
    "math": "SELECT round(2.5), abs(-1), 7 / 2, 7 % 4, 7.0 / 2, 1 / 0, 5 << 2",
    "windows": "SELECT id, row_number() OVER (ORDER BY id DESC) AS n FROM t ORDER BY id",
    "fts5": "SELECT fts5_source_id() IS NOT NULL",
    "dbstat": "SELECT count(*) > 0 FROM dbstat",
    "rtree": "CREATE VIRTUAL TABLE r USING rtree(id, a, b)",
    "load_extension": "SELECT load_extension('nope')",
}

EXPLAINED = (
    "EXPLAIN SELECT * FROM t",
    "EXPLAIN QUERY PLAN SELECT * FROM t WHERE id = 1",
    "EXPLAIN INSERT INTO t (a) VALUES (1)",
    "EXPLAIN QUERY PLAN UPDATE t SET a = 1 WHERE id = 1",
    "EXPLAIN QUERY PLAN DELETE FROM t",
    "explain query plan select 1",
    "EXPLAIN SELECT * FROM nope",
)


def writing_case(name: str, statement: Statement, form: tuple[str, str]) -> Case:
    endpoint, flags = form
    return case(
        f"results/{name}/{endpoint}?{flags}",
        setup(*TABLE),
        statements(endpoint, flags, [statement]),
        # Counts of the connection that writes, then the content.
        execute("SELECT 1"),
        LOOK,
    )


def reading_case(name: str, statement: Statement) -> Case:
    steps = [statements(*form, [statement]) for form in READING_FORMS]
    return case(f"results/{name}/query", setup(*TABLE), *steps, LOOK)


def explain_steps(statement: str) -> list[Step]:
    steps = [statements(*form, [statement]) for form in (*WRITING_FORMS, *READING_FORMS)]
    if statement.startswith("EXPLAIN QUERY PLAN"):
        return steps
    return [step.but(compare=Compare.COLUMNS) for step in steps]


CASES = (
    *(writing_case(name, sql, form) for name, sql in SINGLE.items() for form in WRITING_FORMS),
    *(reading_case(name, sql) for name, sql in SINGLE.items()),
    *(case(f"results/{sql}", setup(*TABLE), *explain_steps(sql)) for sql in EXPLAINED),
    case(
        "results/explain beside a write",
        setup(*TABLE),
        request("EXPLAIN QUERY PLAN UPDATE t SET a = 1", "UPDATE t SET a = 1"),
        request("EXPLAIN QUERY PLAN SELECT 1", "UPDATE t SET a = 1"),
        request("EXPLAIN QUERY PLAN UPDATE t SET a = 1", "SELECT 1"),
    ),
    case(
        "results/counts belong to the connection",
        execute("CREATE TABLE t (a)"),
        execute("INSERT INTO t VALUES (1), (2)"),
        execute("CREATE TABLE u (a)", "SELECT 1", "PRAGMA user_version", "UPDATE t SET a = 0"),
        execute("SELECT 1", "DELETE FROM t WHERE 0", "SELECT 1"),
        execute("INSERT INTO nope VALUES (1)", "SELECT 1"),
        request("CREATE TABLE w (a)", "SELECT 1", "DROP TABLE w"),
        execute("INSERT INTO t (rowid) VALUES (-5)", "INSERT INTO t (rowid) VALUES (0)"),
        execute("CREATE TABLE p (id PRIMARY KEY) WITHOUT ROWID", "INSERT INTO p VALUES (9)"),
    ),
    case(
        "results/triggers and counts",
        setup(
            "CREATE TABLE t (a)",
            "CREATE TABLE log (id INTEGER PRIMARY KEY, a)",
            "INSERT INTO log (id) VALUES (100)",
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO log (a) VALUES (NEW.a); "
            "INSERT INTO log (a) VALUES (NEW.a); END",
        ),
        execute("INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2), (3)", "DELETE FROM log"),
        request("INSERT INTO t VALUES (1) RETURNING rowid", "SELECT * FROM log"),
        query("SELECT * FROM log"),
    ),
    case(
        "results/instead of triggers",
        setup(
            "CREATE TABLE t (a)",
            "CREATE VIEW v AS SELECT a FROM t",
            "CREATE TRIGGER r INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (NEW.a); END",
        ),
        execute("INSERT INTO v VALUES (1)", "DELETE FROM v"),
        query("SELECT * FROM v"),
    ),
    case(
        "results/autoincrement",
        setup("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a)"),
        execute("INSERT INTO t (a) VALUES (1)", "DELETE FROM t", "INSERT INTO t (a) VALUES (2)"),
        execute("INSERT INTO t (a) VALUES (3)", "SELEC", flags="transaction"),
        execute("INSERT INTO t (id) VALUES (9223372036854775807)", "INSERT INTO t (a) VALUES (1)"),
        query("SELECT * FROM sqlite_sequence"),
    ),
    case(
        "results/many rows",
        setup(
            "CREATE TABLE t (a INTEGER, b TEXT)",
            "WITH RECURSIVE w (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM w WHERE x < 500) "
            "INSERT INTO t SELECT x, 'row ' || x FROM w",
        ),
        query("SELECT * FROM t"),
        query("SELECT * FROM t LIMIT 3 OFFSET 490", flags="associative"),
        execute("UPDATE t SET a = a + 1"),
    ),
    case(
        "results/qualified columns",
        setup(*TABLE, "CREATE TABLE u (id INTEGER, c)", "INSERT INTO u VALUES (10, 'c')"),
        *(
            statements(endpoint, f"qualify_columns&{flags}", items)
            for endpoint, flags in (("query", ""), ("request", ""), ("query", "associative"))
            for items in (
                ["SELECT * FROM t JOIN u ON t.id = u.id"],
                ["SELECT n.a AS x, n.id, a + 1, 5 AS five FROM t AS n"],
                ["SELECT * FROM (SELECT a AS inner_a FROM t)"],
                ["SELECT count(*) FROM t", "PRAGMA user_version"],
                ["SELECT a FROM t UNION SELECT c FROM u"],
                ["SELECT rowid, id FROM t", "SELECT rowid FROM u"],
            )
        ),
        request("INSERT INTO t (a) VALUES (1)", "SELECT a FROM t", flags="qualify_columns"),
        execute("INSERT INTO t (a) VALUES (1) RETURNING a", flags="qualify_columns"),
    ),
    case(
        "results/reads see earlier writes of the list",
        request("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)", "SELECT * FROM t"),
        request("INSERT INTO t VALUES (2)", "SELECT * FROM t", "DELETE FROM t", "SELECT * FROM t"),
        request("SELECT * FROM t", "DROP TABLE t", "SELECT * FROM t", flags="transaction"),
    ),
    case(
        "results/temporary tables",
        execute("CREATE TEMP TABLE t (a)", "INSERT INTO t VALUES (1)"),
        query("SELECT * FROM t"),
        request("SELECT * FROM t"),
        execute("SELECT * FROM t"),
        get("/db/query?level=strong&q=SELECT%20*%20FROM%20t"),
    ),
    case(
        "results/attached databases",
        execute("ATTACH ':memory:' AS other", "CREATE TABLE other.t (a)"),
        execute("INSERT INTO other.t VALUES (1)"),
        query("SELECT * FROM other.t"),
        request("SELECT * FROM other.t"),
        execute("DETACH other"),
        request("SELECT * FROM other.t"),
    ),
)
