"""Queued writes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rqlite_embedded import EmbeddedServer, Options
from rqlite_embedded.queued import Settings
from tests.embedded.asking import Ask, over_http
from tests.embedded.processes import wait_until
from tests.plain_http import PlainClient

TABLE = "CREATE TABLE t (a)"
INSERT = "INSERT INTO t VALUES (1)"


def count(ask: Ask) -> int:
    (number,) = ask.column("SELECT count(*) FROM t")
    assert isinstance(number, int)
    return number


def test_a_write_arrives_later(ask: Ask) -> None:
    ask.execute(TABLE)
    first = ask.execute(INSERT, q="queue").json
    second = ask.execute(INSERT, q="queue&timings").json
    assert first["results"] == second["results"] == []
    assert second["sequence_number"] == first["sequence_number"] + 1 > 2**60
    assert second["time"] > 0
    wait_until(lambda: count(ask) == 2)
    queue = ask("GET", "/status").json["http"]["queue"]["_default"]
    assert queue["sequence_number"] == second["sequence_number"]


def test_waiting_for_a_write(ask: Ask) -> None:
    ask.execute(TABLE)
    for number in range(1, 4):
        reply = ask.execute(INSERT, q="queue&wait&transaction&associative&raft_index")
        assert reply.json.keys() == {"results", "sequence_number"}
        assert count(ask) == number


def test_errors_stop_nothing_and_are_not_told(ask: Ask) -> None:
    ask.execute(TABLE)
    assert ask.execute("INSERT INTO nope VALUES (1)", INSERT, q="queue&wait").results == []
    assert count(ask) == 1
    assert ask.execute("PRAGMA journal_mode=delete", INSERT, q="queue&wait").results == []
    assert ask.execute(INSERT, q="queue&wait").results == []
    assert count(ask) == 2
    failed = ask("GET", "/debug/vars?key=http").json["http"]["queued_executions_failed"]
    assert failed == 1


def test_bodies(ask: Ask) -> None:
    assert ask("POST", "/db/execute?queue", b"[]").refusal == (400, "no statements\n")
    for target, body in (("queue&wait", b"[]"), ("queue", b"{broken"), ("queue&wait", b"")):
        assert ask("POST", f"/db/execute?{target}", body).results == []


@pytest.fixture
def strict() -> Iterator[Ask]:
    settings = Settings(capacity=3, batch_size=2, timeout=3600, transaction=True)
    with (
        EmbeddedServer(None, Options(queue=settings)) as server,
        PlainClient(server.url) as client,
    ):
        yield over_http(client)


def test_a_full_batch_is_written_at_once(strict: Ask) -> None:
    strict.execute(TABLE)
    strict.execute(INSERT, q="queue")
    assert count(strict) == 0
    strict.execute(INSERT, q="queue&wait")
    assert count(strict) == 2


def test_waiting_too_long(strict: Ask) -> None:
    strict.execute(TABLE)
    reply = strict.execute(INSERT, q="queue&wait&timeout=1ms")
    assert reply.refusal == (408, "queue wait timeout\n")
    assert count(strict) == 0
    strict.execute(INSERT, q="queue&wait")
    assert count(strict) == 2


def test_a_batch_can_be_one_transaction(strict: Ask) -> None:
    strict.execute(TABLE)
    strict.execute(INSERT, q="queue")
    strict.execute("INSERT INTO nope VALUES (1)", q="queue&wait")
    assert count(strict) == 0


def test_what_is_queued_is_written_at_the_end(tmp_path: object) -> None:
    options = Options(queue=Settings(timeout=3600))
    with EmbeddedServer(f"{tmp_path}/data", options) as server, PlainClient(server.url) as client:
        over_http(client).execute(TABLE)
        over_http(client).execute(INSERT, q="queue")
    with EmbeddedServer(f"{tmp_path}/data") as server, PlainClient(server.url) as client:
        assert count(over_http(client)) == 1
