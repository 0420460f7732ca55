"""The commands `nodes`, `status`, `backup` and `load`."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from pathlib import Path

import pytest

import pyrqlite
from pyrqlite.__main__ import main
from rqlite_embedded import EmbeddedServer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Bytes:
    """A standard stream that has only its bytes."""

    def __init__(self, data: bytes = b"") -> None:
        self.buffer = io.BytesIO(data)

    def isatty(self) -> bool:
        return False


def rows(url: str) -> list[tuple[object, ...]]:
    connection = pyrqlite.connect(url, autocommit=True)
    found: list[tuple[object, ...]] = connection.execute("SELECT a FROM t").fetchall()
    connection.close()
    return found


@pytest.fixture
def url(embedded_server: EmbeddedServer) -> str:
    connection = pyrqlite.connect(embedded_server.url, autocommit=True)
    connection.execute("DROP TABLE IF EXISTS t")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (1)")
    connection.close()
    return embedded_server.url


def test_nodes(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nodes", url]) == 0
    line = capsys.readouterr().out
    assert line.startswith(f"1  leader  {url}  v10")
    assert main(["nodes", url, "--json"]) == 0
    (node,) = json.loads(capsys.readouterr().out)
    assert (node["id"], node["leader"], node["api_address"]) == ("1", True, url)


def test_status(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", url]) == 0
    assert json.loads(capsys.readouterr().out)["store"]["node_id"] == "1"
    assert main(["status", url, "store.raft.state"]) == 0
    assert capsys.readouterr().out == '"Leader"\n'


def test_backup_and_load(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ([], ["--vacuum", "--compress"], ["--format", "delete"]):
        file = str(tmp_path / "copy")
        assert main(["backup", url, file, *form]) == 0
        assert capsys.readouterr().err == f"backup: {(tmp_path / 'copy').stat().st_size:,}\n"
        connection = pyrqlite.connect(url, autocommit=True)
        connection.execute("DELETE FROM t")
        connection.close()
        assert main(["load", url, file, "--yes"]) == 0
        assert rows(url) == [(1,)]
        capsys.readouterr()


def test_standard_streams(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Bytes()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        assert main(["backup", url, "-", "--format", "sql", "--table", "t"]) == 0
    text = out.buffer.getvalue()
    assert b'INSERT INTO "t" VALUES(1)' in text
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", Bytes(b"INSERT INTO t VALUES (2);"))
        assert main(["load", url, "-", "--yes"]) == 0
    assert rows(url) == [(1,), (2,)]


@pytest.mark.parametrize(("said", "loaded"), [("y\n", True), ("n\n", False), ("", False)])
def test_load_asks(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, loaded: bool
) -> None:
    file = tmp_path / "other.db"
    database = sqlite3.connect(file)
    database.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (7);")
    database.close()
    monkeypatch.setattr(sys, "stdin", Terminal(said))
    assert main(["load", url, str(file)]) == (0 if loaded else 1)
    assert rows(url) == [(7 if loaded else 1,)]


def test_load_without_anybody_to_ask(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Bytes())
    with pytest.raises(SystemExit) as caught:
        main(["load", url, "copy.db"])
    assert caught.value.code == 2
    assert "--yes" in capsys.readouterr().err


def test_failures(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0 and so on")
    assert main(["load", url, str(tmp_path / "bad.db"), "--yes"]) == 1
    assert capsys.readouterr().err.startswith("ProgrammingError: ")
    assert main(["load", url, str(tmp_path / "absent"), "--yes"]) == 1
    assert capsys.readouterr().err.startswith("FileNotFoundError: ")
    assert main(["backup", url, str(tmp_path / "no" / "folder")]) == 1
    assert main(["backup", url, str(tmp_path / "x"), "--format", "sql", "--vacuum"]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.db"]
    assert main(["nodes", "http://127.0.0.1:1"]) == 1


def test_a_bar_of_unknown_length(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert main(["backup", url, str(tmp_path / "copy")]) == 0
    assert isinstance(sys.stderr, Terminal)
    size = (tmp_path / "copy").stat().st_size
    assert sys.stderr.getvalue().endswith(f"{size:,} of {size:,} (100%)\n")
