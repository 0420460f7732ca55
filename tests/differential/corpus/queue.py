"""Queued writes."""

from __future__ import annotations

from tests.differential.model import Case, Step, case, execute, get, post, setup

TABLE = setup("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")


def until(count: int) -> Step:
    """Wait until the queue has written so many rows, then show them."""
    sql = f"SELECT%20count(*)%3E={count}%20AS%20enough,%20count(*)%20AS%20n%20FROM%20t"
    return get(f"/db/query?q={sql}").but(until="[[1,")


CASES: tuple[Case, ...] = (
    case(
        "queue/without waiting",
        TABLE,
        execute("INSERT INTO t (a) VALUES (1)", flags="queue"),
        execute("INSERT INTO t (a) VALUES (2)", ["INSERT INTO t (a) VALUES (?)", 3], flags="queue"),
        until(3),
        get("/db/query?q=SELECT%20*%20FROM%20t"),
    ),
    case(
        "queue/waiting",
        TABLE,
        execute("INSERT INTO t (a) VALUES (1)", flags="queue&wait"),
        execute("INSERT INTO t (a) VALUES (2)", flags="queue&wait&timeout=10s"),
        execute("INSERT INTO t (a) VALUES (3)", flags="queue&wait&noleader"),
        execute("INSERT INTO t (a) VALUES (4)", flags="queue=false&wait=false"),
        get("/db/query?q=SELECT%20*%20FROM%20t"),
    ),
    case(
        "queue/errors are not told",
        TABLE,
        execute("INSERT INTO nope VALUES (1)", flags="queue&wait"),
        execute("INSERT INTO t (a) VALUES (1)", "SELEC", "", flags="queue&wait"),
        execute(
            *("INSERT INTO t (a) VALUES (2)", "INSERT INTO t (id) VALUES (1)"),
            "INSERT INTO t (a) VALUES (3)",
            flags="queue&wait&transaction",
        ),
        execute(["INSERT INTO t (a) VALUES (?)"], flags="queue&wait"),
        get("/db/query?q=SELECT%20*%20FROM%20t"),
    ),
    case(
        "queue/flags that mean nothing here",
        TABLE,
        execute("INSERT INTO t (a) VALUES (1)", flags="queue&wait&associative&raft_index"),
        execute("INSERT INTO t (a) VALUES (2) RETURNING id", flags="queue&wait"),
        execute("INSERT INTO t (a) VALUES (3)", flags="queue&wait&timings"),
        execute("INSERT INTO t (a) VALUES (4)", flags="queue&wait&pretty"),
        execute("SELECT 1", flags="queue&wait"),
        get("/db/query?q=SELECT%20*%20FROM%20t"),
    ),
    case(
        "queue/bodies",
        TABLE,
        execute(flags="queue"),
        execute(flags="queue&wait"),
        post("/db/execute?queue&wait", "nonsense"),
        post("/db/execute?queue&wait", ""),
        post("/db/execute?queue&wait", "[1]"),
        post("/db/execute?queue", '[["INSERT INTO t (a) VALUES (?)",1e999]]'),
        post("/db/execute?queue&wait", "INSERT INTO t (a) VALUES (1)", Content_Type="text/plain"),
        get("/db/execute?queue"),
        get("/db/query?q=SELECT%20*%20FROM%20t"),
    ),
    case(
        "queue/wait time-out",
        TABLE,
        execute("INSERT INTO t (a) VALUES (1)", flags="queue&wait&timeout=1ns"),
        until(1),
    ),
    case(
        "queue/disallowed pragma",
        TABLE,
        post("/db/request?queue", '["INSERT INTO t (a) VALUES (5)"]'),
        get("/db/query?q=SELECT%20*%20FROM%20t"),
    ),
)
