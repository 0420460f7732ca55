"""Functions that this build of SQLite has and rqlited's has not: they are hidden.

What runs here has to run there.
"""

from __future__ import annotations

import re

import apsw

_UNARY = (
    "acos acosh asin asinh atan atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 "
    "median radians sin sinh sqrt tan tanh trunc"
)
_BINARY = "atan2 log mod percentile percentile_cont percentile_disc pow power"
_ABSENT = (
    *((name, 1) for name in _UNARY.split()),
    *((name, 2) for name in _BINARY.split()),
    ("pi", 0),
)
_NAMES = frozenset(name for name, _ in _ABSENT)
_HIDDEN = re.compile(r"wrong number of arguments to function (\w+)\(\)")


def hide_functions(connection: apsw.Connection) -> None:
    """Take the functions away from a connection."""
    for name, count in _ABSENT:
        connection.create_scalar_function(name, None, count)


def error_text(error: apsw.Error) -> str:
    """The text of an error, as if hidden functions had never been there."""
    text = str(error)
    match = _HIDDEN.fullmatch(text)
    if match is not None and match[1].lower() in _NAMES:
        return f"no such function: {match[1]}"
    return text
