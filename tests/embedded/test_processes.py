"""The server as a process: what survives, who else may come in, how it stops."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rqlite_embedded import DatabaseInUse, EmbeddedServer, open_database
from tests.embedded.asking import in_process
from tests.embedded.processes import process, wait_until
from tests.plain_http import PlainClient, send_once

INSERT = b'["INSERT INTO t DEFAULT VALUES"]'


def test_acknowledged_writes_survive_a_kill(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    with process(tmp_path) as (server, url):
        send_once(url, "POST", "/db/execute", b'["CREATE TABLE t (id INTEGER PRIMARY KEY)"]')
        enough = threading.Event()

        def write() -> None:
            with PlainClient(url) as client:
                try:
                    while True:
                        response = client.send("POST", "/db/execute", INSERT)
                        acknowledged.append(response.json["results"][0]["last_insert_id"])
                        if len(acknowledged) > 200:
                            enough.set()
                except (OSError, ConnectionError, json.JSONDecodeError):
                    enough.set()
                except Exception:  # http.client: half of a response
                    enough.set()

        writers = [threading.Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        assert enough.wait(20)
        server.kill()
        for writer in writers:
            writer.join()
    with process(tmp_path) as (_, url):
        reply = send_once(url, "POST", "/db/query", b'["SELECT id FROM t"]')
        stored = {row[0] for row in reply.json["results"][0]["values"]}
    assert len(acknowledged) > 200
    assert stored >= set(acknowledged)


def test_the_log_index_never_falls_back(tmp_path: Path) -> None:
    def write(url: str) -> int:
        reply = send_once(url, "POST", "/db/execute?raft_index", b'["SELECT 1"]')
        index: int = reply.json["raft_index"]
        return index

    with process(tmp_path) as (_, url):
        killed = write(url)
    with process(tmp_path) as (server, url):
        stopped = write(url)
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    with process(tmp_path) as (_, url):
        assert write(url) == stopped + 1
    assert killed < stopped


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with process(tmp_path) as (server, _):
        second = subprocess.run(
            [sys.executable, "-m", "rqlite_embedded", "-http-addr", "127.0.0.1:0", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert second.returncode == 1
        assert "another process has this database open" in second.stderr
        assert server.poll() is None


def test_a_second_handler_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_database(path) as handler:
        in_process(handler).execute("CREATE TABLE t (a)")
        for name in (str(path), f"file:{path}"):
            try:
                open_database(name)
            except DatabaseInUse:
                continue
            raise AssertionError(name)
    with open_database(f"file:{path}") as handler:
        assert in_process(handler).column("SELECT a FROM t") == []


def test_a_closed_handler() -> None:
    handler = open_database()
    handler.close()
    handler.close()
    with pytest.raises(RuntimeError, match="closed"):
        handler.handle("GET", "/readyz", {}, b"")


def test_sigterm_ends_a_busy_server(tmp_path: Path) -> None:
    endless = (
        b'["WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT max(x) FROM c"]'
    )
    with process(tmp_path) as (server, url), ThreadPoolExecutor(1) as pool:
        with PlainClient(url) as client:
            long = pool.submit(send_once, url, "POST", "/db/query", endless)
            wait_until(lambda: client.send("GET", "/status?key=runtime.num_threads").json > 1)
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        assert long.result(20).json["results"] == [{"error": "context canceled"}]
    assert not (tmp_path / "db.sqlite-wal").exists()


def test_a_directory_and_a_file(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "data"
    for _ in range(2):
        with EmbeddedServer(directory) as server:
            create = b'["CREATE TABLE IF NOT EXISTS t (a)", "INSERT INTO t VALUES (1)"]'
            send_once(server.url, "POST", "/db/execute", create)
    with open_database(directory / "db.sqlite") as handler:
        assert in_process(handler).column("SELECT a FROM t") == [1, 1]


def test_a_memory_database_leaves_nothing() -> None:
    with EmbeddedServer(":memory:") as server:
        reply = send_once(server.url, "GET", "/status?key=store.sqlite3.path")
        path = Path(reply.json)
        assert path.exists()
    assert not path.parent.exists()
    server.stop()


def test_a_port_that_is_taken(served: EmbeddedServer) -> None:
    from rqlite_embedded import Options

    try:
        EmbeddedServer(None, Options(port=served.port)).start()
    except OSError:
        return
    raise AssertionError("two servers on one port")
