"""Endpoints about the node and its cluster, on a single node."""

from __future__ import annotations

from tests.differential.model import JSON, Case, Compare, Step, case, execute, get, post, query

KEYS = (
    "build.version",
    "cluster.addr",
    "cluster.api_addr",
    "cluster.https",
    "extensions.names",
    "http.auth",
    "http.bind_addr",
    "http.cluster.local_node_addr",
    "http.queue._default.batch_size",
    "http.queue._default.max_size",
    "http.queue._default.timeout",
    "http.tls.enabled",
    "store.addr",
    "store.leader.addr",
    "store.leader.node_id",
    "store.node_id",
    "store.nodes",
    "store.open",
    "store.ready",
    "store.raft.state",
    "store.raft.voter",
    "store.raft.num_peers",
    "store.db_conf.fk_constraints",
    "store.sqlite3.extensions",
    "store.sqlite3.transaction.rw",
    "store.sqlite3.transaction.ro",
    "store.sqlite3.pragmas.rw.foreign_keys",
    "store.sqlite3.pragmas.rw.journal_mode",
    "store.sqlite3.pragmas.ro.foreign_keys",
    "store.sqlite3.mem_stats.page_size",
)
# Present on both, with values of their own.
KINDS = (
    "build.commit",
    "node.start_time",
    "node.current_time",
    "node.uptime",
    "os.pid",
    "runtime.num_cpu",
    "http.queue._default.sequence_number",
    "store.dir",
    "store.db_applied_index",
    "store.fsm_index",
    "store.raft.applied_index",
    "store.raft.commit_index",
    "store.raft.last_log_index",
    "store.raft.term",
    "store.sqlite3.version",
    "store.sqlite3.path",
    "store.sqlite3.size",
    "store.sqlite3.db_size",
    "store.sqlite3.compile_options",
)

READYZ = (
    *("", "?sync", "?noleader", "?sync&noleader", "?timeout=1s", "?sync&timeout=1s", "?pretty"),
    "?retries=1",
)
NODES = (
    *("", "?ver=2", "?ver=1", "?ver=", "?ver=3", "?nonvoters", "?nonvoters&ver=2", "?timeout=1s"),
    "?retries=2",
)
STATUS_KEYS = (
    *("store.leader", "store.leader.addr", "store.ready", "store.ready.deeper", "store.nope"),
    *("nope", "nope.deeper", ".", "store.", ".store", "store..leader", "STORE"),
    *("store.node_id", "http.queue._default.batch_size", "store.raft.state", "store.nodes"),
    *("store.open", "http.auth", "store.nodes.0", "store.leader%2Eaddr"),
)
REMOVALS = {
    "nothing": "",
    "no JSON": "x",
    "empty object": "{}",
    "list": '["1"]',
    "two keys": '{"id":"1","other":"2"}',
    "other key": '{"name":"1"}',
    "number": '{"id":1}',
    "null": '{"id":null}',
    "empty id": '{"id":""}',
    "unknown id": '{"id":"nobody"}',
}
STEPDOWNS = {
    "unknown node": '{"id":"nobody"}',
    "no JSON": "x",
    "list": "[]",
    "number": '{"id":1}',
}


def kind_keys() -> tuple[str, ...]:
    """The keys of `KINDS`, marked as compared by the kind of their value only."""
    return tuple(f"{key}:kind" for key in KINDS)


def status(target: str = "/status") -> Step:
    return get(target).but(compare=Compare.KEYS, keys=(*KEYS, *kind_keys()))


CASES: tuple[Case, ...] = (
    *(case(f"nodes/readyz{flags}", get(f"/readyz{flags}")) for flags in READYZ),
    *(case(f"nodes/nodes{flags}", get(f"/nodes{flags}")) for flags in NODES),
    case("nodes/leader", get("/leader"), get("/leader?timeout=1s"), get("/leader?pretty")),
    *(
        case(
            f"nodes/step down {name}",
            post("/leader", body, Content_Type=JSON),
            query("SELECT 1", flags="level=strong"),
        )
        for name, body in STEPDOWNS.items()
    ),
    *(case(f"nodes/status key {key!r}", get(f"/status?key={key}")) for key in STATUS_KEYS),
    case("nodes/status", status(), status("/status?pretty"), status("/status?key=")),
    case("nodes/status with foreign keys", status(), profile="fk"),
    case(
        "nodes/status shows an open transaction",
        execute("BEGIN"),
        get("/status?key=store.sqlite3.transaction"),
        status(),
    ),
    *(
        case(f"nodes/remove {name}", Step("DELETE", "/remove", body.encode()))
        for name, body in REMOVALS.items()
    ),
    case(
        "nodes/remove with flags",
        Step("DELETE", "/remove?redirect&timeout=1s", b'{"id":"nobody"}'),
        post("/remove", '{"id":"nobody"}'),
    ),
    case(
        "nodes/snapshot",
        execute("CREATE TABLE t (a)"),
        post("/snapshot"),
        post("/snapshot?trailing_logs=1"),
        post("/snapshot?trailing_logs=x"),
        get("/snapshot"),
        query("SELECT * FROM t"),
    ),
)
