"""From statements to the bytes of a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyrqlite.sql.parameters import Value
from pyrqlite.wire import json

Item = str | list[Any]

# The server's rewriter damages statements; what it would freeze is the driver's to freeze.
PARSED = "&norwrandom&norwtime"
# Without RETURNING and EXPLAIN there is nothing for the server's parser to find, and texts that it fails on.
UNTOUCHED = f"{PARSED}&noparse"
EXECUTE = f"/db/execute?blob_array{UNTOUCHED}"
EXECUTE_RETURNING = f"/db/execute?blob_array{PARSED}"
QUERY = f"/db/query?blob_array{UNTOUCHED}"
REQUEST = f"/db/request?blob_array{PARSED}"
EXPLAIN = f"/db/query?blob_array{PARSED}"
PARSE = "/db/sql?norwrandom&norwtime"


def item(text: str, values: Sequence[Value] = ()) -> Item:
    """One statement of a request's body."""
    if not values:
        return text
    return [text, *[_hex(value) if type(value) is bytes else value for value in values]]


def _hex(value: bytes) -> str:
    # The server takes a text of this shape for a blob: half the size of its other form, an array of integers.
    return f"x'{value.hex()}'"


def body(items: Sequence[Item]) -> bytes:
    """The body of a request; UnicodeEncodeError for texts with lone surrogates."""
    return json.dumps(items)
