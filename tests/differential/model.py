"""Cases of the differential suite: sequences of raw requests, each on an empty database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

JSON = "application/json"
Statement = str | Sequence[object]


class Compare(Enum):
    """What of an answer's body has to be the same; status and headers always have to."""

    TEXT = "every byte, but for times, addresses, versions and indexes"
    NOTHING = "nothing: the content is each server's own affair"
    COLUMNS = "the columns and types of each result: the values are SQLite's byte code"
    DATABASE = "the content of the SQLite file, compressed or not"
    KEYS = "the values of some keys of a JSON document"


@dataclass(frozen=True)
class Step:
    """One request.

    Args:
        setup: prepares the ground: must succeed, and is neither recorded nor compared.
        until: ask again until the body contains this text.
        keys: dotted paths, for `Compare.KEYS`.
        load_answer: send the body of the step before this one.
    """

    method: str
    target: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    compare: Compare = Compare.TEXT
    setup: bool = False
    until: str = ""
    keys: tuple[str, ...] = ()
    load_answer: bool = False

    def but(self, **changes: object) -> Step:
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """A sequence of requests with a unique name, and the kind of server it is for."""

    id: str
    steps: tuple[Step, ...]
    profile: str = "plain"


def case(name: str, *steps: Step, profile: str = "plain") -> Case:
    return Case(name, steps, profile)


def get(target: str, **headers: str) -> Step:
    return Step("GET", target, headers=_headers(headers))


def post(target: str, body: str | bytes = b"", **headers: str) -> Step:
    """POST with a body as it stands; JSON is the content type unless another is given."""
    raw = body.encode() if isinstance(body, str) else body
    return Step("POST", target, raw, _headers({"Content_Type": JSON, **headers}))


def statements(endpoint: str, flags: str, items: Sequence[Statement]) -> Step:
    """POST a list of statements to an endpoint below /db/."""
    target = f"/db/{endpoint}?{flags}" if flags else f"/db/{endpoint}"
    return post(target, json.dumps(items, ensure_ascii=False, separators=(",", ":")))


def execute(*items: Statement, flags: str = "") -> Step:
    return statements("execute", flags, items)


def query(*items: Statement, flags: str = "") -> Step:
    return statements("query", flags, items)


def request(*items: Statement, flags: str = "") -> Step:
    return statements("request", flags, items)


def setup(*items: Statement) -> Step:
    """Statements that prepare a case."""
    return execute(*items).but(setup=True)


def _headers(named: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name.replace("_", "-"), value) for name, value in named.items() if value)
