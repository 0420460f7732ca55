"""A node that answers queries by a local SQLite, in rqlite's lossy form, so that only exact ways get through."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import apsw
import apsw.ext

from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import Request
from pyrqlite.sql.schema import SCHEMA_QUERIES, Schema, schema_from_rows
from tests.unit.nodes import Reply

_DATES = ("date", "datetime", "timestamp")
Tamper = Callable[[str, dict[str, Any]], dict[str, Any]]


class LocalNode:
    """Answers `/db/query`, each statement for itself, and keeps the texts that it was asked."""

    def __init__(self, *statements: str, tamper: Tamper | None = None) -> None:
        self.database = apsw.Connection(":memory:")
        for sql in statements:
            self.database.execute(sql)
        self.requests: list[list[str]] = []
        self._tamper = tamper

    def __call__(self, node: Node, request: Request) -> Reply:
        items = json.loads(request.body or b"[]")
        pairs = [(item, []) if isinstance(item, str) else (item[0], item[1:]) for item in items]
        if [sql for sql, _ in pairs] != list(SCHEMA_QUERIES):
            self.requests.append([sql for sql, _ in pairs])
        try:
            results = [self._result(sql, values) for sql, values in pairs]
        except OverflowError:
            return Reply(500, b"json: unsupported value: +Inf")
        return Reply(200, json.dumps({"results": results}).encode())

    def schema(self) -> Schema:
        texts: list[str] = [self.database.execute(sql).get for sql in SCHEMA_QUERIES]
        return schema_from_rows(texts, None)

    def _result(self, sql: str, values: Sequence[Any]) -> dict[str, Any]:
        try:
            info = apsw.ext.query_info(self.database, sql)
            bound = [_value(value) for value in values][: info.bindings_count]
            rows = self._rows(sql, bound)
        except apsw.Error as error:
            result: dict[str, Any] = {"error": str(error)}
        else:
            columns = [column[0] for column in info.description]
            types = [(column[1] or "").lower() for column in info.description]
            result = {"columns": columns, "types": _guessed(types, rows)}
            if rows:
                result["values"] = [
                    [_shown(value, kind) for value, kind in zip(row, types, strict=True)]
                    for row in rows
                ]
        return result if self._tamper is None else self._tamper(sql, result)

    def _rows(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        cursor = self.database.cursor()
        cursor.convert_jsonb = None
        rows: list[tuple[Any, ...]] = []
        try:
            rows = cursor.execute(sql, values).fetchall()
        except UnicodeDecodeError:
            # apsw cannot show such a text, and the server replaces what is not UTF-8.
            cells = ",".join(f"CAST(c{n} AS BLOB)" for n in range(len(cursor.get_description())))
            names = ",".join(f"c{n}" for n in range(len(cursor.get_description())))
            found = self.database.execute(
                f"WITH q({names}) AS ({sql}) SELECT {cells} FROM q", values
            )
            rows = [tuple(cell.decode(errors="replace") for cell in row) for row in found]
        return rows


def _value(sent: Any) -> Any:
    if isinstance(sent, list):
        return bytes(sent)
    if isinstance(sent, str) and sent[:2] in ("x'", "X'") and sent.endswith("'"):
        return bytes.fromhex(sent[2:-1])
    return sent


def _guessed(types: list[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Where nothing is declared the server guesses by the first row."""
    guesses = {int: "integer", float: "real", str: "text", bytes: "text"}
    first: Sequence[Any] = rows[0] if rows else [None] * len(types)
    return [kind or guesses.get(type(value), "") for kind, value in zip(types, first, strict=True)]


def _shown(value: Any, declared: str) -> Any:
    if isinstance(value, float):
        if math.isinf(value):
            raise OverflowError
        return int(value) if value.is_integer() else value
    if isinstance(value, int) and declared == "boolean":
        return value > 0
    if isinstance(value, (int, str)) and declared in _DATES:
        return "0001-01-01T00:00:00Z"
    if isinstance(value, bytes):
        text_like = declared == "" or declared.startswith(("text", "varchar", "json", "clob"))
        return value.decode(errors="replace") if text_like else list(value)
    return value
