"""What the node tells of itself."""

from __future__ import annotations

import json

import pytest

from rqlite_embedded import EmbeddedServer
from tests.embedded.asking import Ask


def test_status(remote: Ask, served: EmbeddedServer) -> None:
    status = remote("GET", "/status").json
    assert status["build"]["version"] == remote("GET", "/").headers["x-rqlite-version"]
    assert status["cluster"]["api_addr"] == served.url.removeprefix("http://")
    assert status["http"]["auth"] == "disabled"
    assert status["http"]["queue"]["_default"] == {
        "batch_size": 128,
        "max_size": 1024,
        "sequence_number": 0,
        "timeout": "50ms",
    }
    store = status["store"]
    assert store["raft"]["state"] == "Leader"
    assert store["leader"] == {"addr": store["addr"], "node_id": store["node_id"]}
    assert store["nodes"][0]["suffrage"] == "voter"
    assert store["ready"] is True
    assert store["open"] == {}
    assert store["db_conf"] == {"fk_constraints": False}
    assert "node" in status
    assert store["sqlite3"]["pragmas"]["rw"]["journal_mode"] == "wal"
    assert store["sqlite3"]["pragmas"]["ro"]["foreign_keys"] == "0"
    assert store["sqlite3"]["mem_stats"]["page_size"] == 4096
    assert "last_backup_time" not in status
    remote("GET", "/db/backup")
    assert remote("GET", "/status?key=last_backup_time").json.endswith("Z")


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("store.raft.state", "Leader"),
        ("store.ready", True),
        ("store.ready.deeper", True),
        ("store.nope", {}),
        ("nope", {}),
        ("http.queue._default.max_size", 1024),
    ],
)
def test_parts_of_the_status(ask: Ask, key: str, part: object) -> None:
    assert ask("GET", f"/status?pretty&key={key}").json == part


def test_nodes(remote: Ask, served: EmbeddedServer) -> None:
    (node,) = remote("GET", "/nodes?ver=2").json["nodes"]
    assert node["api_addr"] == served.url
    assert node["reachable"] is node["leader"] is node["voter"] is True
    assert node["time"] > 0
    legacy = remote("GET", "/nodes?nonvoters").json
    assert legacy.keys() == {node["id"]}
    assert legacy[node["id"]].keys() == node.keys()
    assert remote("GET", "/leader").json.keys() == node.keys()


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        ("", b"", 200),
        ("", b"{}", 200),
        ("wait", b"", 500),
        ("", b'{"id": "1"}', 500),
        ("", b'{"id": "other"}', 500),
        ("", b"[", 400),
        ("", b'{"id": 5}', 400),
        ("", b"[]", 400),
    ],
)
def test_stepping_down(ask: Ask, query: str, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    assert ask("POST", f"/leader?{query}", body, headers).status == status
    assert ask("GET", "/leader").json["leader"] is True


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"id": "other"}', 200),
        (b'{"id": 5}', 400),
        (b'{"id": "x", "y": "z"}', 400),
        (b"{}", 400),
        (b"[]", 400),
        (b"", 400),
    ],
)
def test_removing_nodes(ask: Ask, body: bytes, status: int) -> None:
    assert ask("DELETE", "/remove", body).refusal == (status, "")


def test_readiness(ask: Ask) -> None:
    lines = "[+]node ok\n[+]leader ok\n[+]store ok\n"
    assert ask("GET", "/readyz").refusal == (200, lines + "[+]db ok")
    assert ask("GET", "/readyz?sync").refusal == (200, lines + "[+]sync ok\n[+]db ok")
    assert ask("GET", "/readyz?noleader").refusal == (200, "[+]node ok")


def test_variables(ask: Ask) -> None:
    ask.query("SELECT 1")
    assert ask("GET", "/debug/vars").json["http"]["queries"] == 1
    assert ask("GET", "/debug/vars?key=http").json.keys() == {"http"}
    assert ask("GET", "/debug/vars?key=nope").json == {}
    assert ask("GET", "/licenses").headers["content-type"] == "text/plain; charset=utf-8"


def test_the_console_is_not_there(ask: Ask) -> None:
    assert ask("GET", "/").headers["location"] == "/console/"
    assert ask("GET", "/console/").status == 404


def test_a_response_is_json_to_the_letter(ask: Ask) -> None:
    for target in ("/status", "/status?pretty", "/nodes", "/leader?pretty"):
        reply = ask("GET", target)
        assert json.loads(reply.body)
        assert (b"\n    " in reply.body) is ("pretty" in target)
