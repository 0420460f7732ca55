"""Asking a server in the two ways there are: in the process, and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rqlite_embedded import Handler
from tests.plain_http import PlainClient


@dataclass(frozen=True)
class Reply:
    """Status, headers by their names in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def results(self) -> Any:
        assert self.status == 200, self
        return self.json["results"]

    @property
    def values(self) -> Any:
        """The rows of the only result."""
        (result,) = self.results
        return result["values"]

    @property
    def refusal(self) -> tuple[int, str]:
        return self.status, self.body.decode()


Send = Callable[[str, str, bytes, Mapping[str, str]], Reply]


class Ask:
    """Short forms of the requests that tests send most."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def __call__(
        self,
        method: str,
        target: str,
        body: bytes | list[Any] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._send(method, target, content, headers or {})

    def execute(self, *statements: Any, q: str = "") -> Reply:
        return self("POST", f"/db/execute?{q}", list(statements))

    def query(self, *statements: Any, q: str = "") -> Reply:
        return self("POST", f"/db/query?{q}", list(statements))

    def request(self, *statements: Any, q: str = "") -> Reply:
        return self("POST", f"/db/request?{q}", list(statements))

    def column(self, sql: str) -> list[Any]:
        """The first column of a query."""
        (result,) = self.query(sql).results
        assert "error" not in result, result
        return [row[0] for row in result.get("values", [])]


def in_process(handler: Handler) -> Ask:
    """Ask a handler."""

    def send(method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        status, received, content = handler.handle(method, target, headers, body)
        return Reply(status, {k.lower(): v for k, v in received.items()}, content)

    return Ask(send)


def over_http(client: PlainClient) -> Ask:
    """Ask a server."""

    def send(method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        response = client.send(method, target, body or None, headers)
        received = {k.lower(): v for k, v in response.headers}
        return Reply(response.status, received, response.body)

    return Ask(send)
