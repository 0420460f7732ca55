"""Time limits, and clients that must not get into each other's way."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from rqlite_embedded import EmbeddedServer
from tests.embedded.asking import Ask, over_http
from tests.embedded.processes import wait_until
from tests.plain_http import PlainClient

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT count(*) FROM c"
SOON = "db_timeout=20ms"
LATER = "db_timeout=300ms"  # time enough for a short statement before


def test_a_query_that_takes_too_long(ask: Ask) -> None:
    late = {"error": "query timeout"}
    assert ask.query(ENDLESS, "SELECT 1", q=SOON).results == [late, late]
    assert ask.request(ENDLESS, q=SOON).results == [late]
    assert ask.query(ENDLESS, q=SOON + "&associative").results == [{"rows": [], **late}]
    assert ask.query(ENDLESS, q=SOON + "&transaction").json == {
        "results": [],
        "error": "sql: transaction has already been committed or rolled back",
    }
    for send in (ask.query, ask.execute, ask.request):
        assert send("SELECT 1", "CREATE TABLE t (a)", q="db_timeout=1ns").json == {
            "results": [],
            "error": "context deadline exceeded",
        }
    assert ask.query("SELECT 1", q="db_timeout=1h").values == [[1]]
    assert ask.query("SELECT 1").values == [[1]]


def test_a_write_that_takes_too_long(ask: Ask) -> None:
    ask.execute("CREATE TABLE t (a)")
    late = {"error": "execute timeout"}
    first, slow = "INSERT INTO t VALUES (1)", f"INSERT INTO t {ENDLESS}"
    assert ask.execute(first, slow, first, q=LATER).results[1:] == [late, late]
    assert ask.column("SELECT a FROM t") == [1]
    assert ask.execute(first, slow, first, q=LATER + "&transaction").results[1:] == [late]
    assert ask.request(first, slow, first, q=LATER + "&transaction").results[1:] == [late]
    assert ask.request(first, ENDLESS, first, q=LATER + "&transaction").results[1:] == [
        {"error": "query timeout"}
    ]
    assert ask.column("SELECT a FROM t") == [1]
    assert ask.execute(first).results == [{"last_insert_id": 2, "rows_affected": 1}]


@pytest.mark.parametrize("endpoint", ["query", "request"])
def test_long_queries_hold_up_nobody(served: EmbeddedServer, endpoint: str) -> None:
    body = json.dumps([ENDLESS]).encode()
    head = f"POST /db/{endpoint} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    address = ("127.0.0.1", served.port)
    busy = [socket.create_connection(address) for _ in range(4)]
    try:
        for client in busy:
            client.sendall(head.encode() + body)
        with PlainClient(served.url) as short:
            ask = over_http(short)
            ask.execute("CREATE TABLE t (a)")
            start = time.monotonic()
            for number in range(20):
                ask.execute(["INSERT INTO t VALUES (?)", number])
                assert ask.column("SELECT count(*) FROM t") == [number + 1]
            # With four threads that compute all the time; alone it is some ten milliseconds.
            assert time.monotonic() - start < 20
    finally:
        for client in busy:
            client.close()


def test_a_query_ends_with_its_client(served: EmbeddedServer) -> None:
    body = json.dumps([ENDLESS]).encode()
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
        client.sendall(b"POST /db/query HTTP/1.1\r\nHost: x\r\n")
        client.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        wait_until(lambda: any(t.name.startswith("rqlite-http") for t in threading.enumerate()))
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while received := client.recv(65536):
            answer += received
    assert answer.endswith(b'{"results":[{"error":"context canceled"}]}')


def test_a_write_lock_that_is_held_does_not_stop_readers(ask: Ask) -> None:
    ask.execute("CREATE TABLE t (a)", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)")
    assert ask.column("SELECT a FROM t") == []
    ask.execute("COMMIT")
    assert ask.column("SELECT a FROM t") == [1]
