"""Query strings, bodies and arguments: what is accepted, what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.asking import Ask


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("timeout=5", "timeout is not a valid duration"),
        ("db_timeout=", "db_timeout is not a valid duration"),
        ("freshness=x", "freshness is not a valid duration"),
        ("linearizable_timeout=1d", "linearizable_timeout is not a valid duration"),
        ("freshness_strict", "freshness_strict requires freshness"),
        ("retries=1_0", "retries is not a valid integer"),
        ("trailing_logs=9223372036854775808", "trailing_logs is not a valid integer"),
        ("q=", "query parameter not set"),
        ("a;b", "invalid semicolon separator in query"),
        ("a=%zz", 'invalid URL escape "%zz"'),
        ("%4=1", 'invalid URL escape "%4"'),
    ],
)
def test_query_strings_that_are_refused(ask: Ask, query: str, message: str) -> None:
    # Before the route, the permission and the method are looked at.
    for method, path in (("GET", "/db/query"), ("PUT", "/nope")):
        reply = ask(method, f"{path}?{query}")
        assert reply.refusal == (400, message + "\n")
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_query_strings_that_are_accepted(ask: Ask) -> None:
    assert ask("GET", "/db/query?q=SELECT%201%2B1&q=x&level=NONE&timeout=1.5s&pretty2").values == [
        [2]
    ]
    assert ask("GET", "/db/query?q=SELECT+%27%C3%A9%27&redirect=false&retries=-1").values == [["é"]]
    assert ask("GET", "/db/query").json == {"results": []}


@pytest.mark.parametrize(
    "level",
    ["none&freshness=1ns&freshness_strict", "weak", "AUTO", "linearizable", "strong", "odd"],
)
def test_every_level_reads_the_leader(local: Ask, level: str) -> None:
    local.execute("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    assert local.query("SELECT a FROM t", q="level=" + level).values == [[1]]
    assert local.request("SELECT a FROM t", q="level=" + level).values == [[1]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "invalid JSON body"),
        (b"[", "invalid JSON body"),
        (b'["SELECT 1"', "invalid JSON body"),
        (b'["SELECT 1",]', "invalid JSON body"),
        (b'["a" "b"]', "invalid JSON body"),
        (b'["a\x01"]', "invalid JSON body"),
        (b"[NaN]", "invalid JSON body"),
        (b"[" * 100_000, "invalid JSON body"),
        (b"[]", "no statements"),
        (b"{}", "invalid request"),
        (b"{broken", "invalid request"),
        (b"5", "invalid request"),
        (b"[5]", "invalid request"),
        (b'["SELECT 1", 5, broken', "invalid request"),
        (b"[[]]", "invalid request"),
        (b"[[5]]", "invalid request"),
        (b'[["SELECT ?", 1e999]]', "invalid number 1e999"),
        (b'[["SELECT ?", [256]]]', "unsupported type 256"),
        (b'[["SELECT ?", [1.50]]]', "unsupported type 1.50"),
        (b'[["SELECT ?", ["a"]]]', "unsupported type string"),
        (b'[["SELECT ?", [null]]]', "unsupported type <nil>"),
        (b'[["SELECT ?", {"a": {}}]]', "unsupported type map[string]interface {}"),
    ],
)
def test_bodies_that_are_refused(local: Ask, body: bytes, message: str) -> None:
    for path in ("/db/execute", "/db/query", "/db/request", "/db/sql"):
        assert local("POST", path, body).refusal == (400, message + "\n")


def test_bodies_that_are_accepted(local: Ask) -> None:
    for body in (b' ["SELECT 1"] rest', b'[["SELECT 1"]]', b'["SELECT 1\\u0000 rest"]'):
        assert local("POST", "/db/query", body).values == [[1]]
    mixed = local("POST", "/db/query", b'["SELECT 1",["SELECT ?",2]]').results
    assert [result["values"] for result in mixed] == [[[1]], [[2]]]


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        (["SELECT ?, ?", 1, 2, "too many"], [1, 2]),
        (["SELECT ?2, ?1", 1, 2], [2, 1]),
        (["SELECT :a, @a, $a", {"a": 1, "b": 2, "c": 3}], [1, 1, 1]),
        (["SELECT :a, ?", {"a": 1}, 5], [1, 5]),
        (["SELECT :a, :b", {"b": 2, "c": 3}], [None, 2]),
        (["SELECT ?", {"": 7}], [7]),
    ],
)
def test_arguments(local: Ask, statement: list[Any], row: list[Any]) -> None:
    assert local.query(statement).values == [row]
    assert local.request(statement).values == [row]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (["SELECT ?, ?", 1], "not enough args to execute query: want 2 got 1"),
        (["SELECT ?3", 1], "not enough args to execute query: want 3 got 1"),
        (["SELECT :a", {":a": 1}], 'name ":a" does not begin with a letter'),
        (["SELECT :a", {"_a": 1}], 'name "_a" does not begin with a letter'),
    ],
)
def test_arguments_that_are_refused(local: Ask, statement: list[Any], message: str) -> None:
    for ask in (local.execute, local.query, local.request):
        assert ask(statement).results == [{"error": message}]


def test_without_arguments_a_write_has_nulls(local: Ask) -> None:
    local.execute("CREATE TABLE t (a)", "INSERT INTO t VALUES (?)")
    assert local.column("SELECT a FROM t") == [None]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nope", 404),
        ("GET", "/db", 404),
        ("GET", "/db/Query", 404),
        ("GET", "/bootx", 404),
        ("GET", "/db/queryXYZ?q=SELECT+1", 200),
        ("GET", "/%64b/query?q=SELECT+1", 200),
        ("HEAD", "/db/query", 405),
        ("GET", "/db/execute", 405),
        ("GET", "/db/request", 405),
        ("POST", "/db/backup", 405),
        ("GET", "/db/load", 405),
        ("GET", "/boot", 405),
        ("POST", "/status", 405),
        ("POST", "/nodes", 405),
        ("PUT", "/leader", 405),
        ("GET", "/remove", 405),
        ("OPTIONS", "/anything", 200),
        ("OPTIONS", "/db/query?timeout=x", 200),
        ("GET", "/", 302),
        ("POST", "/console", 301),
    ],
)
def test_routes_and_methods(ask: Ask, method: str, path: str, status: int) -> None:
    reply = ask(method, path)
    assert reply.status == status
    if status in (404, 405):
        assert reply.body == b""
    assert reply.headers["access-control-allow-methods"] == "OPTIONS, GET, POST"
    assert reply.headers["access-control-allow-headers"] == "Content-Type"
    assert reply.headers["x-rqlite-version"].startswith("v10.")
