"""Functions that a rqlited has once it loads extensions with them (``-extensions-path``): regular expressions
and hashes, under the names that sqlean gives them. SQLite's own mathematical functions come beside them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import apsw

_HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
_compiled = lru_cache(maxsize=256)(re.compile)


def add_functions(connection: apsw.Connection) -> None:
    """Give them to a connection; they are deterministic, so that indexes and checks may use them."""
    connection.create_scalar_function("regexp", _regexp, 2, deterministic=True)
    for name in _HASHES:
        connection.create_scalar_function(f"crypto_{name}", _hash(name), 1, deterministic=True)


def _regexp(*arguments: Any) -> bool | None:
    """``value REGEXP pattern``, by Python's rules."""
    pattern, value = arguments
    if pattern is None or value is None:
        return None
    try:
        compiled = _compiled(pattern if isinstance(pattern, str) else str(pattern))
    except re.error as error:
        raise apsw.SQLError(f"invalid regular expression: {error}") from None
    return compiled.search(value if isinstance(value, str) else str(value)) is not None


def _hash(name: str) -> Callable[..., bytes | None]:
    def digest(*arguments: Any) -> bytes | None:
        (value,) = arguments
        if value is None:
            return None
        data = value if isinstance(value, bytes) else str(value).encode()
        return hashlib.new(name, data, usedforsecurity=False).digest()

    return digest
