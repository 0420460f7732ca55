"""One small interface over every client that is measured. Each import happens in that client's own process."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from benchmarks.data import Row, Value


class Client(Protocol):
    """A connection, to be used by one thread."""

    def query(self, sql: str, parameters: Sequence[Value] = ()) -> list[Any]:
        """All rows."""

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> object:
        """Run one statement that gives no rows."""

    def executemany(self, sql: str, rows: Sequence[Row]) -> object:
        """Run a statement for each row, the best way this client has."""


class BareHTTP:
    """The least that talks to rqlite: http.client and json, one statement a row."""

    def __init__(self, target: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(target).netloc)

    def _post(self, path: str, statements: Sequence[Sequence[Value]]) -> list[dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", path, json.dumps(statements).encode(), headers)
        results: list[dict[str, Any]] = json.loads(self._connection.getresponse().read())["results"]
        for result in results:
            if "error" in result:
                raise RuntimeError(result["error"])
        return results

    def query(self, sql: str, parameters: Sequence[Value] = ()) -> list[Any]:
        rows: list[Any] = self._post("/db/query", [[sql, *parameters]])[0].get("values", [])
        return rows

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> object:
        return self._post("/db/execute", [[sql, *parameters]])

    def executemany(self, sql: str, rows: Sequence[Row]) -> object:
        return self._post("/db/execute?transaction", [[sql, *row] for row in rows])


class Cursors:
    """Any client with cursors, a new one for each statement."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def query(self, sql: str, parameters: Sequence[Value] = ()) -> list[Any]:
        cursor = self._connection.cursor()
        cursor.execute(sql, parameters)
        rows: list[Any] = cursor.fetchall()
        return rows

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> object:
        return self._connection.cursor().execute(sql, parameters)

    def executemany(self, sql: str, rows: Sequence[Row]) -> object:
        return self._connection.cursor().executemany(sql, rows)


class RqdbCursors(Cursors):
    """rqdb has no executemany of DB-API: it takes a statement with each row."""

    def executemany(self, sql: str, rows: Sequence[Row]) -> object:
        return self._connection.cursor().executemany3([(sql, row) for row in rows])


def driver(target: str, transport: str) -> Client:
    """The driver of this repository."""
    import pyrqlite

    return Cursors(pyrqlite.connect(target, transport=transport, autocommit=True))


def pyrqlite_2(target: str) -> Client:
    """The driver's last release of the 2.x series, which has the same package name."""
    import pyrqlite.dbapi2

    return Cursors(pyrqlite.dbapi2.connect(**_address(target)))


def rqdb(target: str) -> Client:
    import rqdb as module  # type: ignore[import-not-found]

    return RqdbCursors(module.connect([urlsplit(target).netloc], log=False))


def tangled(target: str) -> Client:
    """With the read level of all others, and a lock, without which it warns at every connection."""
    import rqlite  # type: ignore[import-not-found]

    lock = threading.Lock()
    return Cursors(rqlite.connect(**_address(target), read_consistency="weak", lock=lock))


def _address(target: str) -> dict[str, Any]:
    parts = urlsplit(target)
    return {"host": parts.hostname, "port": parts.port}
