"""Answers in a form that two servers can agree on."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.differential.model import Compare, Step
from tests.plain_http import Response

# Headers that are part of the contract. Date, Content-Length and Connection are HTTP's affair.
HEADERS = (
    "content-type",
    "content-encoding",
    "location",
    "www-authenticate",
    "x-content-type-options",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "x-rqlite-version",
    "x-rqlite-served-by",
)
NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
MASKS = (
    (
        re.compile(
            rf'("(?:raft_index|sequence_number|snapshots_reaped|wals_checkpointed)":\s*){NUMBER}'
        ),
        r"\g<1>0",
    ),
    (re.compile(r'("(?:version|commit)":\s*)"[^"]*"'), r'\g<1>"VERSION"'),
    (re.compile(r'("time_s":\s*)"[^"]*"'), r'\g<1>"TIME"'),
)
LONG = 8000  # characters of a body that are kept as they are
TIME = (re.compile(rf'("time":\s*){NUMBER}'), r"\g<1>0")


@dataclass(frozen=True)
class Answer:
    """What two servers have to agree on: status, headers of the contract, body."""

    status: int
    headers: str
    body: Any

    def as_json(self) -> dict[str, Any]:
        return {"status": self.status, "headers": self.headers, "body": self.body}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Answer:
        return cls(document["status"], document["headers"], document["body"])


class Normalizer:
    """Takes out of answers what two servers cannot share.

    Args:
        url: where the server listens: its own address is told from any other one.
    """

    def __init__(self, url: str) -> None:
        self._own = urlsplit(url).netloc

    def answer(self, step: Step, response: Response) -> Answer:
        headers = []
        for name in HEADERS:
            value = response.header(name)
            if value is not None:
                shown = "VERSION" if name == "x-rqlite-version" else self._addresses(value)
                headers.append(f"{name}: {shown}")
        return Answer(response.status, "\n".join(headers), self._body(step, response))

    def _body(self, step: Step, response: Response) -> Any:
        if step.compare is Compare.NOTHING:
            return None
        if response.status == 200:
            if step.compare is Compare.DATABASE:
                return database_content(response.body)
            if step.compare is Compare.COLUMNS:
                return without_values(json.loads(response.body))
            if step.compare is Compare.KEYS:
                document = json.loads(self._masked(step, response.body))
                return {key: look_up(document, key) for key in step.keys}
        text = self._masked(step, response.body)
        return text if len(text) <= LONG else abridged(text)

    def _masked(self, step: Step, body: bytes) -> str:
        text = self._addresses(body.decode("utf-8", "backslashreplace"))
        masks = [*MASKS, TIME] if "timings" in step.target or "/db/" not in step.target else MASKS
        for pattern, replacement in masks:
            text = pattern.sub(replacement, text)
        return text

    def _addresses(self, text: str) -> str:
        text = text.replace(self._own, "HTTP-ADDRESS")
        return re.sub(r"(?:127\.0\.0\.1|localhost):[0-9]+", "RAFT-ADDRESS", text)


def database_content(body: bytes) -> Any:
    """What a backup holds: compression, journal mode (by its header) and content."""
    compressed = body.startswith(b"\x1f\x8b")
    data = gzip.decompress(body) if compressed else body
    if not data.startswith(b"SQLite format 3\0"):
        return {"compressed": compressed, "text": data.decode("utf-8")}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "backup.db"
        file.write_bytes(data)
        with closing(sqlite3.connect(file)) as connection:
            content = table_contents(connection)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
    return {
        "compressed": compressed,
        "format": list(data[18:20]),
        "user_version": version,
        "content": content,
    }


def identifier(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def table_contents(connection: sqlite3.Connection) -> dict[str, Any]:
    """The schema of a database, and the rows of its ordinary tables as SQL literals."""
    schema = connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    ).fetchall()
    rows = {}
    for kind, name, _, sql in schema:
        if kind == "table" and not sql.startswith("CREATE VIRTUAL"):
            table = identifier(name)
            columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
            literals = ", ".join(f"quote({identifier(column[1])})" for column in columns)
            rows[name] = [
                list(row) for row in connection.execute(f"SELECT {literals} FROM {table}")
            ]
    return {"schema": [list(entry) for entry in schema], "rows": rows}


def abridged(text: str) -> dict[str, Any]:
    """A long body by its beginning, length and hash."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"begins": text[:300], "length": len(text), "sha256": digest}


def without_values(document: Any) -> Any:
    """A results document whose rows are replaced by whether there are any."""
    for result in document["results"]:
        for key in ("values", "rows"):
            if result.get(key):
                result[key] = "some"
    return document


def look_up(document: Any, key: str) -> Any:
    """The value at a dotted path, or "absent"; with ":kind" behind the path, the value's kind."""
    path, _, kind = key.partition(":")
    for part in path.split("."):
        if not isinstance(document, dict) or part not in document:
            return "absent"
        document = document[part]
    return type(document).__name__ if kind else document
