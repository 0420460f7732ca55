"""What stops a list of statements, what undoes it, and what each statement reports."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.asking import Ask

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, a)"


@pytest.fixture
def table(local: Ask) -> Ask:
    local.execute(TABLE)
    return local


def test_a_write_and_a_read(ask: Ask) -> None:
    assert ask.execute(TABLE, ["INSERT INTO t(a) VALUES (?)", "x"]).json == {
        "results": [{}, {"last_insert_id": 1, "rows_affected": 1}]
    }
    reply = ask.query(["SELECT id, a FROM t WHERE id=?", 1])
    assert reply.body == (
        b'{"results":[{"columns":["id","a"],"types":["integer","text"],"values":[[1,"x"]]}]}'
    )
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert "x-rqlite-served-by" in reply.headers


def test_without_a_transaction_an_error_stops_nothing(table: Ask) -> None:
    statements = (
        "INSERT INTO t VALUES (1,1)",
        "INSERT INTO nope VALUES (1)",
        "INSERT INTO t VALUES (2,2)",
    )
    for ask in (table.execute, table.request):
        assert [r.get("error") for r in ask(*statements).results] == [
            None,
            "no such table: nope",
            None,
        ]
        assert table.column("SELECT a FROM t") == [1, 2]
        table.execute("DELETE FROM t")


@pytest.mark.parametrize("failing", ["INSERT INTO nope VALUES (1)", "INSERT INTO t VALUES (1,9)"])
def test_execute_in_a_transaction_is_undone_by_any_error(table: Ask, failing: str) -> None:
    reply = table.execute("INSERT INTO t VALUES (1,1)", failing, "SELECT 1", q="transaction")
    assert len(reply.results) == 2
    assert set(reply.results[1]) == {"error"}
    assert table.column("SELECT a FROM t") == []


def test_request_in_a_transaction_goes_on_after_an_error_of_preparation(table: Ask) -> None:
    reply = table.request(
        "INSERT INTO t VALUES (1,1)", "SELECT nope", "INSERT INTO t VALUES (2,2)", q="transaction"
    )
    assert reply.results == [
        {"last_insert_id": 1, "rows_affected": 1},
        {"error": "no such column: nope"},
        {"last_insert_id": 2, "rows_affected": 1},
    ]
    assert table.column("SELECT a FROM t") == [1, 2]


def test_a_statement_that_worked_before_the_table_was_dropped_fails_at_preparation(
    table: Ask,
) -> None:
    insert = "INSERT INTO t(a) VALUES (1)"
    table.execute("CREATE TABLE kept (a)", insert, insert)
    reply = table.request("DROP TABLE t", insert, "INSERT INTO kept VALUES (1)", q="transaction")
    assert reply.results[1] == {"error": "no such table: t"}
    assert table.column("SELECT a FROM kept") == [1]


@pytest.mark.parametrize(
    "failing",
    ["SELECT json('x')", "INSERT INTO t VALUES (1,9)", ["SELECT ?"], ["SELECT :a", {"_": 1}]],
)
def test_request_in_a_transaction_is_undone_by_an_error_of_running(
    table: Ask, failing: Any
) -> None:
    reply = table.request(
        "INSERT INTO t VALUES (1,1)", "SELECT a FROM t", failing, "SELECT 2", q="transaction"
    )
    assert len(reply.results) == 3
    assert reply.results[1]["values"] == [[1]]
    assert set(reply.results[2]) == {"error"}
    assert table.column("SELECT a FROM t") == []


def test_a_list_of_reads_goes_on_after_errors(table: Ask) -> None:
    failed = {"error": "malformed JSON"}
    for q in ("", "transaction"):
        for ask in (table.query, table.request):
            assert ask("SELECT 1", "SELECT json('x')", "SELECT 2", q=q).results[1:] == [
                failed,
                {"columns": ["2"], "types": ["integer"], "values": [[2]]},
            ]
        missing = table.query("SELECT nope", "SELECT 2", q=q).results
        assert [r.get("error") for r in missing] == ["no such column: nope", None]
    strong = table.request("SELECT 1", "SELECT json('x')", "SELECT 2", q="transaction&level=strong")
    assert len(strong.results) == 2


def test_a_deferred_foreign_key_drops_all_results(local: Ask) -> None:
    local.execute(
        "PRAGMA foreign_keys=ON",
        "CREATE TABLE p (id INTEGER PRIMARY KEY)",
        "CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    )
    for ask in (local.execute, local.request):
        assert ask("INSERT INTO c VALUES (1)", q="transaction").json == {
            "results": [],
            "error": "FOREIGN KEY constraint failed",
        }
        assert ask("INSERT INTO c VALUES (1)").results == [
            {"error": "FOREIGN KEY constraint failed"}
        ]
        assert ask("INSERT INTO c VALUES (1)", "INSERT INTO p VALUES (1)", q="transaction").results
        local.execute("DELETE FROM c", "DELETE FROM p")


@pytest.mark.parametrize(
    ("statements", "answer", "left"),
    [
        (
            ["BEGIN"],
            {"results": [{"error": "cannot start a transaction within a transaction"}]},
            [],
        ),
        (
            ["INSERT INTO t VALUES (1,1)", "COMMIT", "INSERT INTO t VALUES (2,2)"],
            {"results": [], "error": "cannot commit - no transaction is active"},
            [1, 2],
        ),
        (
            ["INSERT INTO t VALUES (1,1)", "ROLLBACK", "INSERT INTO t VALUES (2,2)"],
            {"results": [], "error": "cannot commit - no transaction is active"},
            [2],
        ),
    ],
)
def test_control_inside_a_transaction(
    table: Ask, statements: list[str], answer: object, left: list[int]
) -> None:
    assert table.execute(*statements, q="transaction").json == answer
    assert table.column("SELECT a FROM t") == left


def test_savepoints_inside_a_transaction(table: Ask) -> None:
    table.execute(
        "SAVEPOINT s",
        "INSERT INTO t VALUES (1,1)",
        "ROLLBACK TO s",
        "INSERT INTO t VALUES (2,2)",
        "RELEASE s",
        q="transaction",
    )
    assert table.column("SELECT a FROM t") == [2]


def test_an_open_transaction_is_shared_and_invisible_to_readers(table: Ask) -> None:
    table.execute("BEGIN", "INSERT INTO t VALUES (1,1)")
    assert table.column("SELECT a FROM t") == []
    assert table.request("UPDATE t SET a=2", "SELECT a FROM t").results[1]["values"] == [[2]]
    assert table("GET", "/status?key=store.sqlite3.transaction").json["rw"] is True
    for ask in (table.execute, table.request):
        assert ask("INSERT INTO t VALUES (5,5)", q="transaction").json == {
            "results": [],
            "error": "cannot start a transaction within a transaction",
        }
    table.execute("ROLLBACK")
    assert table.column("SELECT a FROM t") == []


def test_begin_does_not_spoil_a_reader(table: Ask) -> None:
    assert table.query("BEGIN", "SELECT a FROM t").results[0] == {}
    table.execute("INSERT INTO t VALUES (1,1)")
    assert table.column("SELECT a FROM t") == [1]
    assert table.query("BEGIN", "SELECT a FROM t", "COMMIT").results[2] == {}


def test_writes_are_refused_as_queries(table: Ask) -> None:
    refused = {"error": "attempt to change database via query operation"}
    statements = ("INSERT INTO t VALUES (1,1)", "CREATE TABLE u (a)", "SELECT 1; DELETE FROM t")
    for q in ("", "transaction", "level=strong"):
        assert table.query(*statements, q=q).results == [refused] * 3
    assert table.query("DELETE FROM nope", "DROP TABLE IF EXISTS nope").results == [
        {"error": "no such table: nope"},
        {},
    ]


def test_several_statements_in_one_text(table: Ask) -> None:
    assert table.execute("INSERT INTO t VALUES (1,1); INSERT INTO t VALUES (2,2)").results == [
        {"last_insert_id": 2, "rows_affected": 1}
    ]
    # Arguments are taken from left to right; a comment at the end makes the result empty.
    table.execute(["INSERT INTO t VALUES (3,?); INSERT INTO t VALUES (4,?)", "a", "b"])
    assert table.execute("INSERT INTO t VALUES (5,5); -- done").results == [{}]
    assert table.column("SELECT a FROM t") == [1, 2, "a", "b", 5]
    assert table.query("SELECT 1; SELECT 2").values == [[2]]
    assert table.query("SELECT 1; SELEC").results == [{"error": 'near "SELEC": syntax error'}]
    # The part before an error stays.
    table.execute("DELETE FROM t; INSERT INTO t VALUES (6,6); INSERT INTO nope VALUES (1)")
    assert table.column("SELECT a FROM t") == [6]


def test_empty_statements(local: Ask) -> None:
    for ask in (local.execute, local.query, local.request):
        assert ask("", "").json == {"results": []}
        assert ask("", "-- nothing", "  ", ";").results == [{}, {}, {}]


def test_counts_are_those_of_the_connection(table: Ask) -> None:
    table.execute("INSERT INTO t VALUES (1,1),(2,2)")
    assert table.execute("CREATE TABLE u (a)").results == [
        {"last_insert_id": 2, "rows_affected": 2}
    ]
    assert table.execute("INSERT OR IGNORE INTO t VALUES (1,1)").results == [{"last_insert_id": 2}]


@pytest.mark.parametrize(
    "returning", ["RETURNING id, a", "RETURNING\nid, a", "RETURNING(id), a", "RETURNING [id], a"]
)
def test_returning(table: Ask, returning: str) -> None:
    rows = {"columns": ["id", "a"], "types": ["integer", "text"], "values": [[1, "x"]]}
    for ask in (table.execute, table.request):
        assert ask(["INSERT INTO t(a) VALUES (?) " + returning, "x"]).results == [rows]
        assert ask("UPDATE t SET a='y' WHERE 0 " + returning).results == [
            {"columns": ["id", "a"], "types": ["integer", ""]}
        ]
        counts = ask("DELETE FROM t " + returning, q="noparse").results
        assert counts == [{"last_insert_id": 1}]


def test_explain(table: Ask) -> None:
    missing = table.request("EXPLAIN SELECT * FROM nope", q="associative").results
    assert missing == [{"rows": [], "error": "no such table: nope"}]
    plan = "EXPLAIN QUERY PLAN DELETE FROM t"
    for reply in (table.query(plan), table.request(plan), table.request("SELECT 1", plan)):
        assert "columns" in reply.results[-1]
    for reply in (
        table.execute(plan),
        table.request(plan, TABLE),
        table.request(plan, q="noparse"),
    ):
        assert reply.results[0] == {}


def test_disallowed_pragmas_refuse_the_whole_call(table: Ask) -> None:
    for pragma in (
        "PRAGMA journal_mode = delete",
        " pragma main.synchronous=off",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA wal_autocheckpoint=1",
        "PRAGMA query_only=0",
    ):
        for ask in (table.execute, table.query, table.request):
            assert ask("INSERT INTO t VALUES (1,1)", pragma).json == {
                "results": [],
                "error": "disallowed pragma",
            }
    assert table.column("SELECT a FROM t") == []
    assert table.execute("PRAGMA journal_mode(delete)").results == [{"error": "database is locked"}]
    assert table.query("PRAGMA journal_mode").values == [["wal"]]


def test_new_columns_have_their_names_at_once(table: Ask) -> None:
    """A reader that has seen the old schema answers with the new one, rows or none."""
    assert table.query("SELECT * FROM t").results == [
        {"columns": ["id", "a"], "types": ["integer", ""]}
    ]
    table.execute("DROP TABLE t", "CREATE TABLE t (a TEXT, id REAL, b BLOB)")
    assert table.query("SELECT * FROM t").results == [
        {"columns": ["a", "id", "b"], "types": ["text", "real", "blob"]}
    ]


def test_temporary_tables_are_seen_by_requests(table: Ask) -> None:
    table.execute("CREATE TEMP TABLE tt (a)", "INSERT INTO tt VALUES (1)")
    for _ in range(2):
        assert table.request("SELECT a FROM tt").values == [[1]]
        assert table.query("SELECT a FROM tt").results == [{"error": "no such table: tt"}]


def test_functions_that_the_real_server_lacks(table: Ask) -> None:
    for call in ("sqrt(4)", "LOG(2)", "log(2, 8)", "pi()", "median(id)", "sqrt()"):
        name = call.partition("(")[0]
        missing = {"error": f"no such function: {name}"}
        sql = f"SELECT {call} FROM t"
        assert table.query(sql).results == [missing]
        insert = "INSERT INTO t VALUES (1,1)"
        assert table.request(sql, insert, q="transaction").results[0] == missing
        assert table.column("SELECT count(*) FROM t") == [1]
        table.execute("DELETE FROM t")
    assert table.query("SELECT abs(1, 2)").results == [
        {"error": "wrong number of arguments to function abs()"}
    ]


def test_qualified_columns(table: Ask) -> None:
    table.execute("INSERT INTO t VALUES (1,2)")
    for ask in (table.query, table.request):
        reply = ask("SELECT x.id AS n, a, a+1 FROM t AS x", q="qualify_columns")
        assert reply.results[0]["columns"] == ["t.n", "t.a", "a+1"]


def test_forms_of_the_response(table: Ask) -> None:
    table.execute(["INSERT INTO t VALUES (1,?)", [0, 255]])
    assert table.query("SELECT a, 1 AS a, id FROM t", q="associative").body == (
        b'{"results":[{"types":{"a":"integer","id":"integer"},"rows":[{"a":1,"id":1}]}]}'
    )
    assert table.query("SELECT nope", q="associative").results == [
        {"rows": [], "error": "no such column: nope"}
    ]
    assert table.execute("DELETE FROM t WHERE 0", "SELECT nope", q="associative").results == [
        {"last_insert_id": 1, "rows": None},
        {"error": "no such column: nope"},
    ]
    pretty = table.query("SELECT 1", q="pretty").body.decode()
    assert pretty.startswith('{\n    "results": [\n        {\n            "columns": [\n')
    timed = table.query("SELECT 1", q="timings").json
    assert timed["time"] > 0
    assert timed["results"][0]["time"] > 0


def test_the_log_index_counts_what_goes_through_the_log(table: Ask) -> None:
    def index(reply: Any) -> int | None:
        number: int | None = reply.json.get("raft_index")
        return number

    first = index(table.execute("SELECT 1", q="raft_index"))
    assert first is not None
    assert index(table.request("INSERT INTO t VALUES (1,1)", q="raft_index")) == first + 1
    assert index(table.query("SELECT 1", q="raft_index")) is None
    assert index(table.request("SELECT 1", q="raft_index")) is None
    assert index(table.query("SELECT 1", q="raft_index&level=strong")) == first + 2
    assert index(table.request("SELECT 1", q="raft_index&level=strong")) == first + 3
    table.execute("SELECT json('x')", "SELECT 1", q="transaction")
    assert table("GET", "/status?key=store.raft.applied_index").json == first + 4


def test_plain_text_is_one_statement(table: Ask) -> None:
    text = {"Content-Type": "text/plain; charset=utf-8"}
    assert table("POST", "/db/execute", b"INSERT INTO t VALUES (1,1)", text).results
    assert table("POST", "/db/query", b"SELECT a FROM t", text).values == [[1]]
    refused = table("POST", "/db/request", b"SELECT a FROM t", text)
    assert refused.refusal == (400, "invalid JSON body\n")


def test_analysis_shows_statements_as_they_are(local: Ask) -> None:
    sql = "INSERT INTO t SELECT random(), datetime('now')"
    assert local("POST", "/db/sql", [sql, "SELEC"]).results == [
        {"original": sql, "rewritten": sql},
        {"original": "SELEC", "error": 'near "SELEC": syntax error'},
    ]
    assert local("GET", "/db/sql?q=SELECT+1").results == [
        {"original": "SELECT 1", "rewritten": "SELECT 1"}
    ]
    assert local("GET", "/db/sql").refusal == (400, "query not specified\n")
