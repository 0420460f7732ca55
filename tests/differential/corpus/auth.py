"""Who may do what: each permission at each endpoint, and what goes wrong with credentials."""

from __future__ import annotations

from tests.differential.model import Case, Compare, Step, case, get, post
from tests.differential.profiles import ALL_PERMISSIONS, PASSWORD
from tests.rqlited import basic_authorization

# Requests that are harmless where they are allowed.
ENDPOINTS = {
    "execute": post("/db/execute", "[]"),
    "execute a write": post("/db/execute", '["INSERT INTO t VALUES (1)"]'),
    "queue": post("/db/execute?queue", "[]"),
    "execute with GET": get("/db/execute"),
    "query": get("/db/query?q=SELECT%201"),
    "query with POST": post("/db/query", '["SELECT 1"]'),
    "query with PUT": Step("PUT", "/db/query"),
    "request": post("/db/request", '["SELECT 1"]'),
    "request a write": post("/db/request", '["INSERT INTO t VALUES (1)"]'),
    "sql": get("/db/sql?q=SELECT%201"),
    "backup": get("/db/backup?fmt=sql&tables=t"),
    "backup with POST": post("/db/backup"),
    "load": post("/db/load", "SELEC"),
    "load with GET": get("/db/load"),
    "boot": post("/boot", "no database, but long enough to be looked at as if it were one"),
    "boot with GET": get("/boot"),
    "snapshot with GET": get("/snapshot"),
    "reap with GET": get("/reap"),
    "remove": Step("DELETE", "/remove", b"{}"),
    "remove with GET": get("/remove"),
    "leader": get("/leader"),
    "step down": post("/leader", "x"),
    "status": get("/status?key=store.ready"),
    "nodes": get("/nodes"),
    "readyz": get("/readyz"),
    "licenses": get("/licenses").but(compare=Compare.NOTHING),
    "debug vars": get("/debug/vars").but(compare=Compare.NOTHING),
    "pprof": get("/debug/pprof/cmdline").but(compare=Compare.NOTHING),
    "console": get("/console/").but(compare=Compare.NOTHING),
    "console without slash": get("/console"),
    "root": get("/"),
    "unknown": get("/nope"),
    "options": Step("OPTIONS", "/db/execute"),
    "bad query string": get("/db/query?timeout=x"),
    "bad body": post("/db/execute", "x"),
}

CREDENTIALS = {
    "nobody": "",
    "empty user": basic_authorization("", ""),
    "unknown user": basic_authorization("stranger", PASSWORD),
    "unknown user without password": basic_authorization("stranger", ""),
    "wrong password": basic_authorization("all", "wrong"),
    "empty password": basic_authorization("all", ""),
    "user in other case": basic_authorization("ALL", PASSWORD),
    "password with a colon": basic_authorization("colon", "a:b:c"),
    "password in UTF-8": basic_authorization("ümlaut", "pässwörd"),
    "star as user": basic_authorization("*", ""),
    "bearer": "Bearer token",
    "basic in lower case": basic_authorization("all", PASSWORD).replace("Basic", "basic"),
    "no base64": "Basic !!!",
    "no colon": "Basic YWxs",
    "no padding": basic_authorization("all", PASSWORD).rstrip("="),
    "scheme alone": "Basic",
    "two blanks": basic_authorization("all", PASSWORD).replace(" ", "  "),
}
PERMITTED = {name: basic_authorization(name, PASSWORD) for name in (*ALL_PERMISSIONS, "none")}


def as_user(step: Step, authorization: str) -> Step:
    if not authorization:
        return step
    return step.but(headers=(*step.headers, ("Authorization", authorization)))


def matrix(profile: str, name: str, authorization: str) -> Case:
    steps = [as_user(step, authorization) for step in ENDPOINTS.values()]
    return case(f"auth/{profile}/{name}", *steps, profile=profile)


CASES: tuple[Case, ...] = (
    *(
        matrix("auth", name, authorization)
        for name, authorization in {**PERMITTED, **CREDENTIALS}.items()
    ),
    *(
        matrix("star", name, authorization)
        for name, authorization in {
            "nobody": "",
            "unknown user": basic_authorization("stranger", "x"),
            "execute": basic_authorization("execute", PASSWORD),
            "execute, wrong password": basic_authorization("execute", "wrong"),
            "all": basic_authorization("all", PASSWORD),
            "star as user": basic_authorization("*", PASSWORD),
        }.items()
    ),
    case(
        "auth/headers without authentication",
        *(as_user(get("/db/query?q=SELECT%201"), value) for value in CREDENTIALS.values()),
    ),
    *(
        case(
            f"auth/cross-origin/{profile}",
            *(
                Step(method, "/db/query?q=SELECT%201", headers=(("Origin", "https://example.org"),))
                for method in ("GET", "OPTIONS")
            ),
            profile=profile,
        )
        for profile in ("plain", "auth", "origin")
    ),
)
