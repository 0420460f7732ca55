"""The command line of `verify`, and what it prints."""

from __future__ import annotations

import io
import json

import pytest

from pyrqlite.__main__ import main
from pyrqlite.admin import verify
from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import Request, Response
from tests.unit.verify.fake import FakeCluster

URL = "http://n1:4001"
TABLE = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);"
    "CREATE TABLE log (message TEXT); CREATE INDEX i ON t (a);"
    "INSERT INTO t VALUES (1, 'x', 5), (2, 'y', 6); INSERT INTO log VALUES ('one'), ('two')"
)
CHANGE = (
    "UPDATE t SET at = 7 WHERE id = 1; DELETE FROM t WHERE id = 2; DROP INDEX i;"
    "DELETE FROM log WHERE rowid = 2"
)


class FakeTransport:
    """Carries everything to a fake cluster."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    def send(self, node: Node, request: Request) -> Response:
        return self._cluster.send(node, request)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """A cluster at URL whose second node differs."""
    fake = FakeCluster(TABLE)
    fake[2].script(CHANGE)
    monkeypatch.setattr(
        "pyrqlite.cluster.cluster.make_transport", lambda name, wire: FakeTransport(fake)
    )
    monkeypatch.setattr("time.sleep", fake.sleep)
    return fake


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_it_prints(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", URL]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "node n1 at http://n1:4001 (leader)",
        "node n2 at http://n2:4001",
        "node n3 at http://n3:4001",
        "index i (of table t) differs:",
        "    leader: CREATE INDEX i ON t (a)",
        "    n2: there is none",
        "table log (2 rows, key: none: rows are compared by rowid, and by content where rowids differ): "
        "1 difference",
        "    on n2: 1 missing",
        "    missing and extra rows; likely cause: a write that took another course on one node: with "
        "db_timeout, with a condition on a clock, or one that depends on the order of rows; or a node's file "
        "was changed by hand",
        "    row message='two'",
        "        n2: missing",
        "table t (2 rows, key: id): 2 differences",
        "    on n2: 1 changed, 1 missing",
        "    column at: 1 row; likely cause: DEFAULT CURRENT_TIMESTAMP: other clients let each node fill it in, "
        "at its own time, and again when it restarts",
        "    missing and extra rows; likely cause: a write that took another course on one node: with "
        "db_timeout, with a condition on a clock, or one that depends on the order of rows; or a node's file "
        "was changed by hand",
        "    row id=1",
        "        at: leader 5, n2 7",
        "    row id=2",
        "        n2: missing",
        "The nodes DIFFER (3 nodes, 2 tables, 4 rows).",
    ]
    assert printed.err.splitlines() == ["comparing log: 2", "comparing t: 2"]


def test_the_json_that_it_prints(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", URL, "--json", "--table", "t"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report == {
        "equal": False,
        "complete": True,
        "raft_index": 1,
        "nodes": [
            {
                "id": f"n{number}",
                "address": f"http://n{number}:4001",
                "leader": number == 1,
                "voter": True,
                "problem": None,
            }
            for number in (1, 2, 3)
        ],
        "schema": [
            {
                "type": "index",
                "name": "i",
                "table": "t",
                "leader": "CREATE INDEX i ON t (a)",
                "nodes": {"n2": None},
            }
        ],
        "tables": [
            {
                "name": "t",
                "key": "id",
                "rows": 2,
                "differing": 2,
                "nodes": {"n2": {"changed": 1, "missing": 1}},
                "columns": {"at": 1},
                "causes": report["tables"][0]["causes"],
                "shown": [
                    {
                        "key": {"id": 1},
                        "leader": {"at": 5},
                        "nodes": {"n2": {"kind": "changed", "row": {"at": 7}}},
                        "exact": True,
                    },
                    {
                        "key": {"id": 2},
                        "leader": {"id": 2, "a": "y", "at": 6},
                        "nodes": {"n2": {"kind": "missing", "row": None}},
                        "exact": True,
                    },
                ],
                "restless": 0,
                "too_large": 0,
                "left_out": [],
                "notes": [],
            }
        ],
        "skipped": {},
        "repair": None,
    }
    assert set(report["tables"][0]["causes"]) == {"at", "*"}


def test_values_that_json_has_not(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    for node in cluster.nodes:
        node.script(
            "CREATE TABLE odd (id INTEGER PRIMARY KEY, a); INSERT INTO odd VALUES (1, X'00')"
        )
    cluster[2].script("UPDATE odd SET a = CAST(X'ff' AS TEXT)")
    cluster[3].script("UPDATE odd SET a = -9e999")
    main(["verify", URL, "--json", "--table", "odd"])
    [shown] = json.loads(capsys.readouterr().out)["tables"][0]["shown"]
    assert shown["leader"] == {"a": {"blob": "00"}}
    assert shown["nodes"]["n2"]["row"] == {"a": {"text": "ff"}}
    assert shown["nodes"]["n3"]["row"] == {"a": {"real": "-inf"}}
    main(["verify", URL, "--table", "odd"])
    printed = capsys.readouterr().out
    assert "a: leader x'00', n2 text x'ff'" in printed
    assert "a: leader x'00', n3 -inf" in printed


def test_a_repair_asks_first(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("no\n"))
    assert main(["verify", URL, "--repair"]) == 1
    asked = capsys.readouterr().err
    assert "t: UPDATE 1, INSERT 1 (rows of all nodes together)" in asked
    assert asked.endswith("Go on? [y/N] ")
    assert not any("UPDATE" in str(items) for items in cluster.log)

    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert main(["verify", URL, "--repair"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-3:] == [
        "Repaired: 3 rows, 1 object of the schema.",
        "Snapshots made on n1, n2, n3.",
        "All nodes hold the same (3 nodes, 2 tables, 4 rows).",
    ]
    assert main(["verify", URL]) == 0


def test_a_repair_without_a_terminal(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(SystemExit) as exit_code:
        main(["verify", URL, "--repair"])
    assert exit_code.value.code == 2
    assert "give --yes" in capsys.readouterr().err
    assert cluster.sent == []
    assert main(["verify", URL, "--repair", "--yes"]) == 0


def test_a_repair_that_can_do_nothing(
    cluster: FakeCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    for node in cluster.nodes:
        node.script("DROP TABLE IF EXISTS log; DROP INDEX IF EXISTS i; DELETE FROM t")
    cluster[3].script("CREATE TABLE other (a)")
    assert main(["verify", URL, "--repair", "--yes"]) == 1
    assert "Not repaired: table other: the leader has none" in capsys.readouterr().out


def test_an_interrupted_repair_cleans_up(cluster: FakeCluster) -> None:
    def interrupt(node: object, request: Request) -> None:
        if b"SELECT DISTINCT key" in (request.body or b""):
            cluster.events.clear()
            raise KeyboardInterrupt

    cluster.events.append(interrupt)
    with pytest.raises(KeyboardInterrupt):
        verify(URL, repair=True)
    names = [name for (name,) in cluster[1].rows("SELECT name FROM sqlite_schema ORDER BY name")]
    assert names == ["i", "log", "t"]


def test_given_nodes_only(cluster: FakeCluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "http://n1:4001,n3:4001", "--no-discovery"]) == 0
    assert main(["verify", "http://n1:4001,n2:4001,n2:4001", "--no-discovery"]) == 1
    assert "n3" not in capsys.readouterr().out.rpartition("node n1")[2]
    assert not any(target.startswith("/nodes") for _, target in cluster.sent)


def test_the_embedded_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", ":memory:"]) == 0
    assert "There is one node only: nothing to compare." in capsys.readouterr().out


def test_a_cluster_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "http://127.0.0.1:1?connect_timeout=1"]) == 1
    assert "Error" in capsys.readouterr().err
