"""Values on their way out: every storage class under every declared type."""

from __future__ import annotations

from tests.differential.model import Case, case, execute, query, request, setup

DECLARED_TYPES = (
    *("", "INTEGER", "INT", "BIGINT", "UNSIGNED BIG INT", "BOOLEAN", "Boolean", "BOOL"),
    *("DATE", "DATETIME", "TIMESTAMP", "Timestamp", "TIME", "DATETIME(6)", "DATES"),
    *("TIMESTAMP WITHOUT TIME ZONE", "TIMESTAMPTZ", "REAL", "FLOAT", "DOUBLE PRECISION"),
    *("NUMERIC", "DECIMAL(10,2)", "TEXT", "VARCHAR(20)", "VARCHAR", "VARYING CHARACTER(10)"),
    *("CHARACTER(10)", "CHAR(10)", "NCHAR(5)", "NATIVE CHARACTER(7)", "NVARCHAR(9)", "CLOB"),
    *("JSON", "JSONB", "TINYTEXT", "TEXT(5)", "STRING", "BLOB", "BLOB(10)", "BYTEA", "UUID"),
    *("ANY", "NONE"),
)

NUMBERS = (
    *("0", "1", "2", "-1", "1000", "1700000000", "-1700000000", "999999999999", "1000000000000"),
    *("1000000000001", "-1000000000001", "1700000000123", "253402300799", "253402300800"),
    *("9007199254740993", "9223372036854775807", "-9223372036854775808"),
    *("0.0", "-0.0", "1.0", "2.0", "-1.5", "0.1", "1e15", "1e20", "1e21", "1.5e300", "1e-6"),
    *("1e-7", "5e-324", "1700000000.5", "123456789012.125", "2460000.5"),
)
TEXTS = (
    *("''", "'a'", "'1'", "'1.5'", "' 1 '", "'1e3'", "'true'", "'0x10'", "'{\"a\":1}'", "'é😀'"),
    *("'<>&' || char(8232)", "'a' || char(0) || 'b'", "CAST(x'ff41' AS TEXT)", "char(10, 9, 31)"),
)
DATES = (
    *("'2024-01-02'", "'2024-01-02 03:04'", "'2024-01-02 03:04:05'", "'2024-01-02T03:04:05'"),
    *("'2024-01-02 03:04:05.1'", "'2024-01-02 03:04:05.123456789'", "'2024-01-02T03:04:05Z'"),
    *("'2024-01-02 03:04:05.120Z'", "'2024-01-02T03:04:05+02:00'", "'2024-01-02 03:04:05-11:30'"),
    *("'2024-01-02T03:04Z'", "'2024-01-02 03:04+01:00'", "'2024-01-02 03:04:05 +0200'"),
    *("'2024-01-02Z'", "'2024-01-02T03:04:05.5+00:00'", "'03:04'", "'2024-13-01'", "'2024-02-30'"),
    *("'2024-1-2'", "'20240102'", "'24-01-02'", "'2024-01-02 25:00:00'", "'2024-01-02 03:04:60'"),
    *("' 2024-01-02'", "'2024-01-02 '", "'now'", "'0000-01-01'", "'9999-12-31 23:59:59.999'"),
    *("'10000-01-01'", "'-0001-01-01'", "'2024-01-02t03:04:05z'", "'2024-01-02 03:04:05+14:00'"),
)
BLOBS = ("x''", "x'00'", "x'616263'", "x'00ff10'", "x'323032342d30312d3032'", "zeroblob(3)")
VALUES = ("NULL", *NUMBERS, *TEXTS, *DATES, *BLOBS)
# A year that JSON's times cannot have makes a whole statement fail.
IN_RANGE = ("1", "1.0", "'2024-01-02'", "'a'", "x'00ff'", "NULL")

# What an expression makes of a column.
EXPRESSIONS = (
    *("+c", "c || ''", "max(c)", "coalesce(c, 1)", "CAST(c AS BLOB)", "CAST(c AS TEXT)"),
    *("(SELECT c)", "CASE WHEN 1 THEN c END", "hex(c)", "c AS d", "typeof(c)", "min(c, c)"),
    "quote(c)",
)
SOURCES = (
    "SELECT c FROM v ORDER BY id",
    "SELECT c FROM (SELECT * FROM t) ORDER BY id",
    "SELECT c FROM t UNION ALL SELECT 5",
    "SELECT 5 UNION ALL SELECT c FROM t",
    "WITH w AS (SELECT c FROM t) SELECT c FROM w",
    "SELECT a.c, b.c AS other FROM t a JOIN t b USING (id) ORDER BY id",
    "SELECT c FROM t GROUP BY c ORDER BY min(id)",
    "SELECT DISTINCT c FROM t ORDER BY id",
    "SELECT c FROM t WHERE 0",
    "SELECT (SELECT c FROM t WHERE id = 1) AS c",
    "SELECT * FROM t ORDER BY id LIMIT 2",
    "SELECT t.* FROM t ORDER BY id LIMIT 2",
    "SELECT last_value(c) OVER (ORDER BY id) FROM t",
)
STORAGE = {
    "null": "NULL",
    "integer": "7",
    "real": "7.0",
    "fraction": "7.5",
    "text": "'t'",
    "blob": "x'00ff'",
}


def stored_case(declared: str) -> Case:
    names = [f"SELECT c FROM t WHERE id = {number}" for number in range(1, len(VALUES) + 1)]
    fine = (
        "SELECT id, c FROM t WHERE typeof(c) <> 'integer' OR c BETWEEN -1e13 AND 1e13 ORDER BY id"
    )
    return case(
        f"values/stored {declared}",
        setup(
            f"CREATE TABLE t (id INTEGER PRIMARY KEY, c {declared})",
            *(f"INSERT INTO t (c) VALUES ({value})" for value in VALUES),
        ),
        query(*names),
        query(fine, flags="associative"),
        request(fine, flags="blob_array&level=strong"),
    )


def returning_case(declared: str) -> Case:
    inserts = [f"INSERT INTO t (c) VALUES ({value}) RETURNING c, +c AS d" for value in IN_RANGE]
    return case(
        f"values/returning {declared}",
        setup(f"CREATE TABLE t (id INTEGER PRIMARY KEY, c {declared})"),
        execute(*inserts),
        request(*inserts, flags="associative&blob_array"),
        execute("UPDATE t SET c = c RETURNING c", "DELETE FROM t RETURNING *"),
    )


def expression_case(declared: str) -> Case:
    rows = range(1, len(IN_RANGE) + 1)
    return case(
        f"values/expressions {declared}",
        setup(
            f"CREATE TABLE t (id INTEGER PRIMARY KEY, c {declared})",
            "CREATE VIEW v AS SELECT * FROM t",
            *(f"INSERT INTO t (c) VALUES ({value})" for value in IN_RANGE),
        ),
        *(query(*(f"SELECT {text} FROM t WHERE id = {id}" for id in rows)) for text in EXPRESSIONS),
        query(*SOURCES),
        query(*SOURCES, flags="associative&blob_array"),
        query(*SOURCES, flags="qualify_columns"),
    )


def first_row_case(first: str) -> Case:
    pairs = [f"SELECT {STORAGE[first]} AS v UNION ALL SELECT {value}" for value in STORAGE.values()]
    return case(
        f"values/first row {first}",
        query(*pairs),
        query(*pairs, flags="associative"),
        query(*pairs, flags="blob_array"),
        request(*pairs, flags="level=strong&blob_array&associative"),
    )


CASES = (
    *(stored_case(declared) for declared in DECLARED_TYPES),
    *(returning_case(declared) for declared in DECLARED_TYPES),
    *(
        expression_case(declared)
        for declared in ("", "INTEGER", "BOOLEAN", "DATETIME", "REAL", "TEXT", "JSON", "BLOB")
    ),
    *(first_row_case(first) for first in STORAGE),
    case(
        "values/year out of range",
        setup("CREATE TABLE t (id INTEGER PRIMARY KEY, d DATETIME)"),
        execute("INSERT INTO t (d) VALUES (99999999999999999)"),
        execute("INSERT INTO t (d) VALUES (99999999999999999) RETURNING d"),
        execute(
            "INSERT INTO t (d) VALUES (99999999999999999) RETURNING d",
            "SELECT 1",
            flags="transaction",
        ),
        request(
            "INSERT INTO t (d) VALUES (99999999999999999) RETURNING d",
            "SELECT 1",
            flags="transaction",
        ),
        query("SELECT d FROM t", "SELECT 1", "SELECT id, +d FROM t"),
        query("SELECT d FROM t", flags="associative"),
    ),
    case(
        "values/infinity",
        setup("CREATE TABLE t (a)"),
        query("SELECT 9e999"),
        query("SELECT -9e999", flags="associative"),
        query("SELECT 9e999 - 9e999"),
        execute("INSERT INTO t VALUES (9e999)"),
        execute("INSERT INTO t VALUES (9e999) RETURNING a"),
        request("INSERT INTO t VALUES (1)", "SELECT a FROM t"),
        query("SELECT typeof(a), quote(a) FROM t"),
    ),
    case(
        "values/strict tables",
        setup(
            "CREATE TABLE t (i INT, r REAL, x TEXT, b BLOB, a ANY) STRICT",
            "INSERT INTO t VALUES (1, 1, 'x', x'00ff', x'00ff')",
            "INSERT INTO t VALUES (NULL, NULL, NULL, NULL, 'y')",
        ),
        query("SELECT * FROM t"),
        query("SELECT * FROM t", flags="associative&blob_array"),
        query("SELECT * FROM t ORDER BY a DESC"),
    ),
    case(
        "values/generated columns and defaults",
        setup(
            "CREATE TABLE t (a INTEGER DEFAULT 5, b BOOLEAN DEFAULT TRUE, c BLOB AS (x'ff'), "
            "d DATE AS ('2024-01-02') STORED, e TEXT COLLATE NOCASE DEFAULT 'E')",
            "INSERT INTO t DEFAULT VALUES",
        ),
        query("SELECT * FROM t", "SELECT c, d FROM t", "SELECT rowid, _rowid_, oid FROM t"),
    ),
    case(
        "values/json functions",
        query(
            "SELECT json('[1, 2]')",
            "SELECT json_extract('{\"a\":[1]}', '$.a')",
            "SELECT json_group_array(value) FROM json_each('[1,2]')",
            "SELECT * FROM json_each('[1,\"a\",null,true]')",
            "SELECT jsonb('[1]')",
            "SELECT '{\"a\":1}' -> 'a', '{\"a\":1}' ->> 'a'",
        ),
    ),
    case(
        "values/booleans",
        query("SELECT TRUE, FALSE, 1 = 1, 1 IS NULL, NOT 5"),
        query(["SELECT ?, ?", True, False]),
    ),
)
