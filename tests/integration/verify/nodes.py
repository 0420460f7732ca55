"""Other clients of a real cluster: plain HTTP, and hands on a node's file."""

from __future__ import annotations

import datetime
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from tests.rqlited import RqlitedNode


def execute(node: RqlitedNode, *statements: Any) -> list[dict[str, Any]]:
    """Write as a client does that freezes nothing; all or nothing."""
    answer = node.send("POST", "/db/execute?transaction", json.dumps(statements).encode()).json
    errors = [result["error"] for result in answer["results"] if "error" in result]
    assert not errors, errors
    assert "error" not in answer, answer
    found: list[dict[str, Any]] = answer["results"]
    return found


def rows(node: RqlitedNode, sql: str, level: str = "none") -> list[list[Any]]:
    """What this node holds, by itself."""
    answer = node.send("POST", f"/db/query?level={level}", json.dumps([sql]).encode()).json
    found: list[list[Any]] = answer["results"][0].get("values", [])
    return found


def database_file(node: RqlitedNode) -> Path:
    return node.directory / "data" / "db.sqlite"


def change_file(node: RqlitedNode, script: str) -> None:
    """Change the database of one node behind the log's back, while the node runs."""
    with closing(apsw.Connection(str(database_file(node)))) as connection:
        # The node's lock on the file may be gone (POSIX locks go with any handle of the process), and who
        # closes a database as the last one removes its WAL.
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(20_000)
        connection.execute(f"BEGIN IMMEDIATE; {script}; COMMIT").fetchall()


def change_stopped_file(node: RqlitedNode, script: str) -> None:
    """Change the database of a node that is stopped, so that it keeps the change when it starts.

    A node restores its last snapshot if its file is not the one that the snapshot left.
    """
    file = database_file(node)
    with closing(sqlite3.connect(file, timeout=20)) as connection:
        connection.executescript(f"{script}; PRAGMA wal_checkpoint(TRUNCATE)")
    status = file.stat()
    os.utime(file, (status.st_atime, int(status.st_mtime)))
    changed = datetime.datetime.fromtimestamp(int(status.st_mtime), datetime.timezone.utc)
    mark = {"mod_time": changed.strftime("%Y-%m-%dT%H:%M:%SZ"), "size": status.st_size}
    (node.directory / "data" / "clean_snapshot").write_text(json.dumps(mark))


def snapshot(node: RqlitedNode) -> None:
    assert node.send("POST", "/snapshot").status in (200, 204)
