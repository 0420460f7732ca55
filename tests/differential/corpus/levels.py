"""Read levels, freshness, the Raft index and the other flags of a single node."""

from __future__ import annotations

from tests.differential.model import Case, case, execute, get, query, request, setup

LEVELS = (
    *("none", "weak", "linearizable", "strong", "auto", "NONE", "Strong", "nonsense", "", "%20"),
    *("none&freshness=1ns", "none&freshness=1h", "none&freshness=1h&freshness_strict"),
    *("none&freshness=0", "auto&freshness=1ns", "weak&freshness=1ns", "linearizable&timeout=5s"),
    *("linearizable&linearizable_timeout=5s", "strong&raft_index", "weak&raft_index"),
    *("none&raft_index", "linearizable&raft_index", "auto&raft_index", "none&transaction"),
    *("strong&transaction", "strong&timings", "strong&noparse", "none&redirect", "strong&redirect"),
    *("weak&retries=2", "strong&timeout=1s", "weak&db_timeout=10s", "strong&db_timeout=10s"),
    *("strong&level=none", "none&level=strong"),
)
FLAGS = (
    *("redirect", "raft_index", "raft_index=false", "timeout=1s", "retries=3", "noparse"),
    *("norwrandom", "norwtime", "norwrandom&norwtime", "db_timeout=10s", "transaction&raft_index"),
    *("raft_index&transaction&associative&blob_array&timings", "wait", "noleader", "level=strong"),
    *("level=none&raft_index", "unknown"),
)

CASES: tuple[Case, ...] = (
    *(
        case(
            f"levels/{level}",
            setup("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)"),
            get(f"/db/query?q=SELECT%20a%20FROM%20t&level={level}"),
            query("SELECT a FROM t", "SELECT * FROM nope", "SELECT 2", flags=f"level={level}"),
            query("INSERT INTO t VALUES (2)", flags=f"level={level}"),
            request("SELECT a FROM t", "SELECT 2", flags=f"level={level}"),
            request("SELECT a FROM t", "INSERT INTO t VALUES (3)", flags=f"level={level}"),
            query("SELECT a FROM t"),
        )
        for level in LEVELS
    ),
    *(
        case(
            f"levels/flags {flags}",
            setup("CREATE TABLE t (a)"),
            execute("INSERT INTO t VALUES (1)", "INSERT INTO nope VALUES (1)", flags=flags),
            request("INSERT INTO t VALUES (2)", "SELECT a FROM t", flags=flags),
            request("SELECT a FROM t", flags=flags),
            query("SELECT a FROM t", flags=flags),
            execute("COMMIT", flags=flags),
            execute("PRAGMA journal_mode=DELETE", flags=flags),
        )
        for flags in FLAGS
    ),
    case(
        "levels/time limits",
        setup("CREATE TABLE t (a)"),
        query(
            "WITH RECURSIVE w (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM w) SELECT max(x) FROM w",
            flags="db_timeout=150ms",
        ),
        query(
            "WITH RECURSIVE w (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM w) SELECT max(x) FROM w",
            flags="db_timeout=150ms&associative",
        ),
        query("SELECT 1", flags="db_timeout=1ns"),
        query("SELECT 1", flags="db_timeout=0s"),
        execute("INSERT INTO t VALUES (1)", flags="db_timeout=0s"),
        execute(
            "INSERT INTO t WITH RECURSIVE w (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM w) "
            "SELECT max(x) FROM w",
            flags="db_timeout=150ms",
        ),
        execute(
            "INSERT INTO t VALUES (7)",
            "INSERT INTO t WITH RECURSIVE w (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM w) "
            "SELECT max(x) FROM w",
            "INSERT INTO t VALUES (8)",
            flags="db_timeout=150ms&transaction",
        ),
        query("SELECT * FROM t"),
    ),
)
