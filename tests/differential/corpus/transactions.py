"""Lists of statements in which one fails: every failure, at every place, in every form."""

from __future__ import annotations

from tests.differential.model import (
    Case,
    Statement,
    case,
    execute,
    query,
    request,
    setup,
    statements,
)

SCHEMA = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL DEFAULT 0, u TEXT UNIQUE, "
    "c INTEGER CHECK (c < 100))",
    "CREATE TABLE s (a INTEGER) STRICT",
    "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
    "CREATE TABLE child (p INTEGER REFERENCES parent (id))",
    "CREATE TABLE late (p INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TABLE r (a TEXT)",
    *(
        f"CREATE TRIGGER raise_{kind} BEFORE INSERT ON r WHEN NEW.a = '{kind}' "
        f"BEGIN SELECT RAISE({kind}{message}); END"
        for kind, message in (
            ("ABORT", ", 'aborted by trigger'"),
            ("FAIL", ", 'failed by trigger'"),
            ("ROLLBACK", ", 'rolled back by trigger'"),
            ("IGNORE", ""),
        )
    ),
    "INSERT INTO t VALUES (1, 1, 'one', 1)",
)

FAILURES: dict[str, Statement] = {
    "syntax": "SELEC 1",
    "incomplete": "INSERT INTO",
    "no table to write": "INSERT INTO nope VALUES (1)",
    "no table to read": "SELECT * FROM nope",
    "no column to write": "INSERT INTO t (nope) VALUES (1)",
    "no column to read": "SELECT nope FROM t",
    "no function": "SELECT nope(1)",
    "ambiguous column": "SELECT id FROM t a, t b",
    "wrong number of values": "INSERT INTO t VALUES (1)",
    "table exists": "CREATE TABLE t (a)",
    "too few values": ["INSERT INTO t (n) VALUES (?)"],
    "too few values to read": ["SELECT ?"],
    "bad name": ["INSERT INTO t (n) VALUES (:a)", {":a": 1}],
    "bad name to read": ["SELECT :a", {":a": 1}],
    "unique": "INSERT INTO t (u) VALUES ('one')",
    "primary key": "INSERT INTO t (id) VALUES (1)",
    "not null": "INSERT INTO t (n) VALUES (NULL)",
    "check": "INSERT INTO t (c) VALUES (100)",
    "datatype mismatch": "INSERT INTO t (id) VALUES ('x')",
    "strict": "INSERT INTO s VALUES ('x')",
    "second row fails": "INSERT INTO t (id, u) VALUES (50, 'fifty'), (51, 'one')",
    "or rollback": "INSERT OR ROLLBACK INTO t (u) VALUES ('one')",
    "or abort": "INSERT OR ABORT INTO t (u) VALUES ('one')",
    "or fail": "INSERT OR FAIL INTO t (id, u) VALUES (50, 'fifty'), (51, 'one')",
    "or ignore": "INSERT OR IGNORE INTO t (u) VALUES ('one')",
    "or replace": "INSERT OR REPLACE INTO t (u) VALUES ('one')",
    "returning fails": ["INSERT INTO t (u) VALUES ('two') RETURNING json(?)", "x"],
    "returning unique": "INSERT INTO t (u) VALUES ('one') RETURNING id",
    "raise abort": "INSERT INTO r VALUES ('before'), ('ABORT')",
    "raise fail": "INSERT INTO r VALUES ('before'), ('FAIL')",
    "raise rollback": "INSERT INTO r VALUES ('before'), ('ROLLBACK')",
    "raise ignore": "INSERT INTO r VALUES ('before'), ('IGNORE'), ('after')",
    "read fails": ["SELECT json(?)", "x"],
    "read fails by path": ["SELECT json_extract('{}', ?)", "tag"],
    "read fails on row 2": "SELECT json(column1) FROM (VALUES ('1'), ('x'))",
    "read overflows": "SELECT sum(column1) FROM (VALUES (9223372036854775807), (1))",
    "write overflows": "INSERT INTO t (n) SELECT abs(-9223372036854775807 - 1)",
    "guard that holds": ["SELECT CASE WHEN (SELECT count(*) FROM t) IS NULL THEN json(?) END", "x"],
    "guard that fails": ["SELECT CASE WHEN (SELECT count(*) FROM t) > 0 THEN json(?) END", "x"],
    "guard without rows": ["SELECT json(?) FROM t WHERE 0", "x"],
    "foreign key": "INSERT INTO child VALUES (7)",
    "foreign key at commit": "INSERT INTO late VALUES (7)",
    "begin": "BEGIN",
    "begin immediate": "BEGIN IMMEDIATE",
    "commit": "COMMIT",
    "rollback": "ROLLBACK",
    "savepoint": "SAVEPOINT s",
    "release of nothing": "RELEASE nope",
    "rollback to nothing": "ROLLBACK TO nope",
    "vacuum": "VACUUM",
    "attach": "ATTACH ':memory:' AS other",
    "detach nothing": "DETACH nope",
    "empty": "",
    "blank": " ",
    "comment": "-- nothing",
    "two, second fails": "INSERT INTO t (id) VALUES (60); INSERT INTO t (u) VALUES ('one')",
    "two, second is no SQL": "INSERT INTO t (id) VALUES (60); SELEC",
    "read, then a failing write": "SELECT 1; INSERT INTO t (u) VALUES ('one')",
    "schema change": "ALTER TABLE t ADD COLUMN extra",
    "drop": "DROP TABLE t",
    "foreign_keys": "PRAGMA foreign_keys = ON",
    "disallowed pragma": "PRAGMA journal_mode=DELETE",
}
# Those that a server with enforced foreign keys answers differently.
ABOUT_FOREIGN_KEYS = ("foreign key", "foreign key at commit", "drop", "foreign_keys")

FORMS = (
    ("execute", ""),
    ("execute", "transaction"),
    ("request", ""),
    ("request", "transaction"),
    ("request", "transaction&associative"),
)
AROUND: tuple[Statement, ...] = (
    ["INSERT INTO t (id, u) VALUES (?, ?)", 10, "ten"],
    "SELECT id, u FROM t ORDER BY id",
    "INSERT INTO t (id, u) VALUES (20, 'twenty') RETURNING id",
)
CONTENT = (
    "SELECT * FROM t ORDER BY id",
    "SELECT 'r' AS source, a FROM r UNION ALL SELECT 'child', p FROM child "
    "UNION ALL SELECT 'late', p FROM late",
)


def failure_case(
    name: str, statement: Statement, place: int, form: tuple[str, str], profile: str = "plain"
) -> Case:
    endpoint, flags = form
    items = [*AROUND[:place], statement, *AROUND[place:]]
    keys = "" if profile == "plain" else f"{profile}/"
    return case(
        f"transactions/{keys}{name}/{place}/{endpoint}?{flags}",
        setup(*SCHEMA),
        statements(endpoint, flags, items),
        query(*CONTENT),
        # Is a transaction still open?
        execute("INSERT INTO t (id) VALUES (99)", flags="transaction"),
        query("SELECT count(*) FROM t"),
        profile=profile,
    )


def reading_case(name: str, statement: Statement) -> Case:
    """The failure among reads only, which take another way than writes."""
    items = ("SELECT 1", statement, "SELECT id FROM t")
    flag_sets = ("", "transaction", "level=strong", "level=strong&transaction", "associative")
    return case(
        f"transactions/among reads/{name}",
        setup(*SCHEMA),
        *(query(*items, flags=flags) for flags in flag_sets),
        *(request(*items, flags=flags) for flags in flag_sets),
    )


READ_FAILURES = (
    *("syntax", "no table to read", "no column to read", "no function", "too few values to read"),
    *("bad name to read", "read fails", "read fails by path", "read fails on row 2"),
    *("read overflows", "guard that holds", "guard that fails", "guard without rows"),
    *("empty", "blank", "comment"),
)
WRITES_FOR_QUERY = (
    *("unique", "no table to write", "or ignore", "returning unique", "schema change", "drop"),
    *("two, second fails", "read, then a failing write", "disallowed pragma", "vacuum"),
)

CASES = (
    *(
        failure_case(name, statement, place, form)
        for name, statement in FAILURES.items()
        for place in (0, 1, 3)
        for form in FORMS
    ),
    *(
        failure_case(name, FAILURES[name], place, form, "fk")
        for name in ABOUT_FOREIGN_KEYS
        for place in (0, 3)
        for form in FORMS
    ),
    *(reading_case(name, FAILURES[name]) for name in READ_FAILURES),
    *(
        case(
            f"transactions/writes for /db/query/{name}",
            setup(*SCHEMA),
            query("SELECT 1", FAILURES[name], "SELECT 2"),
            query("SELECT 1", FAILURES[name], "SELECT 2", flags="transaction"),
            query("SELECT 1", FAILURES[name], "SELECT 2", flags="level=strong"),
            query(*CONTENT),
        )
        for name in WRITES_FOR_QUERY
    ),
    case(
        "transactions/flag is a flag",
        setup(*SCHEMA),
        execute("INSERT INTO t (id) VALUES (10)", "SELEC", flags="transaction=false"),
        query("SELECT id FROM t"),
        execute("INSERT INTO t (id) VALUES (10)", "SELEC", flags="Transaction"),
        query("SELECT id FROM t"),
    ),
    case(
        "transactions/begin to commit in one list",
        setup(*SCHEMA),
        execute("BEGIN", "INSERT INTO t (id) VALUES (10)", "COMMIT"),
        execute("BEGIN", "INSERT INTO t (id) VALUES (11)", "ROLLBACK"),
        request("BEGIN", "INSERT INTO t (id) VALUES (12)", "SELECT id FROM t", "ROLLBACK"),
        request("SAVEPOINT s", "DELETE FROM t", "SELECT id FROM t", "ROLLBACK TO s", "RELEASE s"),
        request(
            *("SAVEPOINT s", "DELETE FROM t", "SELECT id FROM t", "ROLLBACK TO s", "RELEASE s"),
            flags="transaction",
        ),
        query("SELECT id FROM t"),
    ),
    case(
        "transactions/begin stays open",
        setup(*SCHEMA),
        execute("BEGIN"),
        execute("INSERT INTO t (id) VALUES (10)"),
        query("SELECT id FROM t"),
        query("SELECT id FROM t", flags="level=strong"),
        request("SELECT id FROM t", "UPDATE t SET n = 5"),
        execute("INSERT INTO t (id) VALUES (11)", flags="transaction"),
        request("INSERT INTO t (id) VALUES (11)", flags="transaction"),
        execute("BEGIN"),
        execute("ROLLBACK"),
        execute("ROLLBACK"),
        query("SELECT id, n FROM t"),
    ),
    case(
        "transactions/begin on a reading connection",
        setup(*SCHEMA),
        query("BEGIN", "SELECT id FROM t", "COMMIT"),
        request("BEGIN", "SELECT id FROM t", "COMMIT"),
        query("COMMIT"),
        request("ROLLBACK"),
        query("BEGIN IMMEDIATE"),
    ),
    case(
        "transactions/deferred keys and check",
        setup(*SCHEMA),
        execute(
            "INSERT INTO late VALUES (7)", "INSERT INTO parent VALUES (7)", flags="transaction"
        ),
        request("INSERT INTO late VALUES (8)", "PRAGMA foreign_key_check", flags="transaction"),
        execute("INSERT INTO late VALUES (9)", flags="transaction"),
        request("INSERT INTO late VALUES (9)", "SELECT 1", flags="transaction"),
        execute("INSERT INTO late VALUES (9)", "INSERT INTO parent VALUES (10)"),
        query(*CONTENT, "SELECT * FROM parent"),
        profile="fk",
    ),
)
