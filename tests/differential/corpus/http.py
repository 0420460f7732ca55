"""Paths, methods, headers and query strings: what is decided before any SQL is looked at."""

from __future__ import annotations

from tests.differential.model import Case, Compare, Step, case, execute, get, post, query, setup

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")

# Endpoint -> query string that makes a GET mean something.
ENDPOINTS = {
    "/db/execute": "",
    "/db/query": "q=SELECT%201",
    "/db/request": "",
    "/db/sql": "q=SELECT%201",
    "/db/backup": "fmt=sql",
    "/db/load": "",
    "/boot": "",
    "/remove": "",
    "/nodes": "",
    "/leader": "",
    "/readyz": "",
    "/status": "key=store.ready",
    "/snapshot": "",
    "/reap": "",
}
FOREIGN = ("/console/", "/licenses", "/debug/vars", "/debug/pprof/cmdline")

PATHS = (
    "/",
    "/console",
    "/nope",
    "/db",
    "/db/",
    "/db/nope",
    "/DB/query?q=SELECT%201",
    "/db/queryXYZ?q=SELECT%201",
    "/db/query/?q=SELECT%201",
    "/db/query%20?q=SELECT%201",
    "/db%2Fquery?q=SELECT%201",
    "/%64b/query?q=SELECT%201",
    "//db/query?q=SELECT%201",
    "/db/../db/query?q=SELECT%201",
    "/db/./query?q=SELECT%201",
    "/executes",
    "/statusX?key=store.ready",
    "/nodes/x",
    "/readyzX",
    "/bootX",
    "/boot/",
    "/leader/",
    "/snapshot/",
    "/reap/",
    "/licensesX",
    "/debug",
    "/debug/varsX",
    "/join",
    "/notify",
    "/extensions",
    "/healthz",
    "/metrics",
    "/favicon.ico",
)

QUERY_STRINGS = (
    "timeout=5",
    "timeout=",
    "timeout=abc",
    "timeout=0",
    "timeout=1.5s",
    "timeout=%2B2s",
    "timeout=-1s",
    "timeout=1h2m3.5s",
    "timeout=100us",
    "timeout=100%C2%B5s",
    "timeout=5ns",
    "timeout=1d",
    "timeout=.5s",
    "timeout=1.s",
    "timeout=.s",
    "timeout=%20",
    "timeout=9999999999h",
    "timeout=2s&timeout=abc",
    "timeout=abc&timeout=2s",
    "TIMEOUT=abc",
    "db_timeout=abc",
    "db_timeout=10s",
    "db_timeout=",
    "freshness=abc",
    "freshness=1s",
    "freshness=",
    "freshness_strict",
    "freshness_strict&freshness=1s&level=none",
    "freshness_strict&freshness=0&level=none",
    "linearizable_timeout=abc",
    "linearizable_timeout=1s&level=linearizable",
    "retries=abc",
    "retries=",
    "retries=1",
    "retries=-1",
    "retries=1.5",
    "retries=0x10",
    "retries=%2B1",
    "retries=99999999999999999999",
    "trailing_logs=abc",
    "trailing_logs=5",
    "timeout=abc&retries=abc",
    "retries=abc&timeout=abc",
    "a;b",
    "a=%3B",
    "a=%zz",
    "a=%z",
    "a=%",
    "%zz=a",
    "a=%4",
    "a=%41%",
    "&&&",
    "=",
    "=a",
    "unknown=1",
    "pretty",
    "pretty=false",
    "pretty&pretty",
    "PRETTY",
    "bypass",
)

SQL_IN_URLS = (
    "q=SELECT+1",
    "q=SELECT%201%2B1",
    "q=SELECT%20'%C3%A9'",
    "q=SELECT%20'%ff'",
    "q=SELECT%20'a%00b'",
    "q=SELECT%20'%26%3B'",
    "q=",
    "q",
    "",
    "q=SELECT%201&q=SELECT%202",
    "Q=SELECT%201",
    "q=%20",
    "q=--",
    "q=;",
    "q=SELECT%20?",
    "q=SELECT%201;SELECT%202",
    "q=SELECT%201%3BSELECT%202",
    "q=CREATE%20TABLE%20x(a)",
    "q=%5B%22SELECT%201%22%5D",
)


def method_case(endpoint: str, query_string: str) -> Case:
    target = f"{endpoint}?{query_string}" if query_string else endpoint
    return case(f"http/methods{endpoint}", *(Step(method, target) for method in METHODS))


CASES = (
    *(method_case(*item) for item in ENDPOINTS.items()),
    *(
        case(
            f"http/methods{endpoint}",
            *(Step(method, endpoint, compare=Compare.NOTHING) for method in METHODS),
        )
        for endpoint in FOREIGN
    ),
    *(case(f"http/path {path}", get(path), Step("OPTIONS", path)) for path in PATHS),
    case("http/licenses", get("/licenses").but(compare=Compare.NOTHING)),
    *(
        case(
            f"http/query string {text}",
            get(f"/db/query?q=SELECT%201&{text}"),
            post(f"/db/execute?{text}", '["CREATE TABLE a (b)"]'),
            get(f"/nope?{text}"),
        )
        for text in QUERY_STRINGS
    ),
    *(
        case(f"http/sql in url {text}", get(f"/db/query?{text}"), get(f"/db/sql?{text}"))
        for text in SQL_IN_URLS
    ),
    case(
        "http/options come before everything",
        *(
            Step("OPTIONS", target)
            for target in ("/db/query?timeout=abc", "/nope?a;b", "/db/execute?a=%zz")
        ),
    ),
    case(
        "http/pretty",
        setup("CREATE TABLE t (a, b)"),
        execute("INSERT INTO t VALUES (1, 2)", "INSERT INTO nope VALUES (1)", flags="pretty"),
        query("SELECT * FROM t", "SELECT * FROM t WHERE 0", flags="pretty"),
        query("SELECT * FROM t", "SELECT 1 WHERE 0", flags="pretty&associative"),
        execute("BEGIN", "COMMIT", flags="pretty"),
        execute(flags="pretty"),
        query(flags="pretty"),
        get("/db/query?pretty&q="),
        get("/db/sql?pretty&q=SELECT%201"),
        get("/nodes?pretty"),
        get("/nodes?pretty&ver=2"),
        get("/leader?pretty"),
        get("/status?pretty&key=store.leader"),
        execute("PRAGMA journal_mode=DELETE", flags="pretty"),
        execute("INSERT INTO t VALUES (1, 2)", flags="pretty&raft_index"),
        query(["SELECT ?", "<>&\u2028"], flags="pretty"),
    ),
    case(
        "http/timings",
        setup("CREATE TABLE t (a, b)"),
        execute("INSERT INTO t VALUES (1, 2)", "INSERT INTO nope VALUES (1)", flags="timings"),
        query("SELECT * FROM t", "SELECT * FROM nope", "--", flags="timings"),
        query("SELECT * FROM t", flags="timings&associative"),
        execute("SELECT * FROM t", flags="timings&associative"),
        get("/db/query?timings&q="),
        get("/db/sql?timings&q=SELECT%201"),
        execute("PRAGMA journal_mode=DELETE", flags="timings"),
        execute("COMMIT", flags="timings&transaction"),
        post("/db/load?timings", "INSERT INTO t VALUES (1, 2)"),
        query("SELECT * FROM t", flags="timings&pretty"),
    ),
    case(
        "http/chunked bodies",
        post("/db/execute", '["CREATE TABLE a (b)"]', Transfer_Encoding="chunked"),
        post("/db/query", '["SELECT * FROM a"]', Transfer_Encoding="chunked"),
        post("/db/load", "CREATE TABLE c (d)", Transfer_Encoding="chunked"),
    ),
)
