"""Clock and random functions in SQL, and what /db/sql shows."""

from __future__ import annotations

from tests.differential.model import Case, case, execute, get, query, request, setup, statements

TABLE = ("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)", "INSERT INTO t (a) VALUES (1), (2), (3)")

# Shown as it comes back from /db/sql, and run as a write.
TEXTS = (
    "SELECT 1",
    "select a,b from t where a=1",
    "INSERT INTO t(a) VALUES(1)",
    "INSERT INTO t(a) VALUES(1) RETURNING id",
    "UPDATE t SET a = 5 WHERE id = 1",
    "CREATE TABLE u (a TEXT DEFAULT 'x')",
    "SELECT date('2024-01-02')",
    "INSERT INTO t (a) VALUES (date('2024-01-02', '+1 day'))",
    "INSERT INTO t (a) VALUES (strftime('%Y', '2024-01-02'))",
    "SELEC",
    "",
    " ",
    "-- nothing",
    "SELECT 1; SELECT 2",
    "SELECT 'it''s', \"x\", x'00ff', 1.5e3, NULL, -1",
    "PRAGMA user_version",
    "VACUUM",
    "EXPLAIN SELECT 1",
)

# Results that do not depend on the moment: (write, what to look at).
EFFECTS = {
    "random": ("UPDATE t SET a = random()", "SELECT typeof(a), count(DISTINCT a) FROM t"),
    "random not rewritten": (
        "INSERT INTO t (a) SELECT random() FROM t",
        "SELECT typeof(a) FROM t",
    ),
    "randomblob": ("UPDATE t SET a = randomblob(5)", "SELECT typeof(a), length(a) FROM t"),
    "randomblob of nothing": ("UPDATE t SET a = randomblob(0)", "SELECT length(a) FROM t"),
    "now": (
        "UPDATE t SET a = datetime('now')",
        "SELECT typeof(a), length(a), abs(julianday('now') - julianday(a)) < 0.01 AS near FROM t",
    ),
    "date now": ("UPDATE t SET a = date('now')", "SELECT typeof(a), length(a) FROM t"),
    "julianday": ("UPDATE t SET a = julianday('now')", "SELECT typeof(a), a > 2460000 FROM t"),
    "unixepoch": ("UPDATE t SET a = unixepoch('now')", "SELECT typeof(a), a > 1700000000 FROM t"),
    "strftime": ("UPDATE t SET a = strftime('%s', 'now')", "SELECT typeof(a), length(a) FROM t"),
    "current_timestamp": (
        "INSERT INTO t (a) VALUES (CURRENT_TIMESTAMP)",
        "SELECT typeof(a), length(a) FROM t",
    ),
    "default": (
        "CREATE TABLE u (a DEFAULT CURRENT_TIMESTAMP, b)",
        "SELECT sql FROM sqlite_schema WHERE name = 'u'",
    ),
    "fixed date": ("UPDATE t SET a = date('2024-01-02')", "SELECT a FROM t"),
    "fixed date with limit": (
        "INSERT INTO t (a) SELECT date('2024-01-02') FROM t ORDER BY id LIMIT 1, 1",
        "SELECT a FROM t",
    ),
    "update returning": (
        "UPDATE t SET a = date('2024-01-02') RETURNING a",
        "SELECT a FROM t",
    ),
    "insert returning": (
        "INSERT INTO t (a) VALUES (date('2024-01-02')) RETURNING a",
        "SELECT a FROM t",
    ),
    "like escape": (
        "UPDATE t SET a = date('2024-01-02') WHERE 'a' LIKE 'a' ESCAPE '!'",
        "SELECT a FROM t",
    ),
    "strict": (
        "CREATE TABLE u (a TEXT DEFAULT (date('2024-01-02'))) STRICT",
        "SELECT sql FROM sqlite_schema WHERE name = 'u'",
    ),
    "two statements": (
        "UPDATE t SET a = date('2024-01-02'); UPDATE t SET b = 5",
        "SELECT a, b FROM t",
    ),
    "in a literal": ("UPDATE t SET a = 'random() date()'", "SELECT a FROM t"),
    "order by random": (
        "DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY random())",
        "SELECT 1",
    ),
}
FLAG_SETS = ("", "norwrandom&norwtime", "noparse", "transaction")

CASES: tuple[Case, ...] = (
    *(
        case(
            f"rewriting/shown {text!r}",
            setup(*TABLE),
            statements("sql", "", [text]),
            statements("sql", "norwrandom&norwtime&pretty", [text, "SELECT 1"]),
        )
        for text in TEXTS
    ),
    case(
        "rewriting/endpoint",
        get("/db/sql"),
        get("/db/sql?q="),
        get("/db/sql?q=SELECT%201&pretty"),
        get("/db/sql?q=SELECT%20random()&norwrandom"),
        get("/db/sql?q=SELECT%20date('now')&norwtime"),
        statements("sql", "", []),
        statements("sql", "", ["SELECT 1", ["SELECT ?", 1]]),
    ),
    *(
        case(
            f"rewriting/{name}/{flags}",
            setup(*TABLE),
            execute(write, flags=flags),
            query(look),
            request(write, look, flags=flags),
        )
        for name, (write, look) in EFFECTS.items()
        for flags in FLAG_SETS
    ),
    case(
        "rewriting/reads",
        query("SELECT typeof(random()), typeof(date('now'))", "SELECT date('2024-01-02')"),
        query("SELECT date('2024-01-02')", "SELECT typeof(random()) AS r", flags="level=strong"),
        request("SELECT date('2024-01-02')", "SELECT typeof(random()) AS r"),
    ),
)
