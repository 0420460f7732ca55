"""Where the embedded server answers otherwise than a real rqlited, and why.

`REASONS` says why; known_differences.json holds the embedded server's answers, exactly. A difference
that is not listed fails, and so does one that is listed and no longer there.
"""

from __future__ import annotations

import re

NO_CONSOLE = "the embedded server has no web console and no profiler"
NO_REWRITING = (
    "the embedded server runs, and shows, each statement as it was sent: one node needs no literals "
    "in place of clocks and random numbers, and nothing is lost on the way"
)
FRESH_SCHEMA = "a reader of the embedded server never answers with a schema that has been changed"
NO_OPEN_READERS = "the embedded server ends a transaction that a read has left open"
OWN_SQLITE = "the embedded server's SQLite is built with other options"
OWN_STORAGE = "the embedded server writes its file in its own way, and keeps its journal mode"
EVERY_STATEMENT = (
    "of a text with RETURNING a real server runs the last statement only; the embedded one runs all"
)
URL_BYTES = (
    "a byte in a URL that is no UTF-8 becomes U+FFFD at once, not when the answer is written"
)
EXPLAINED_TO_THE_END = (
    "SQLite has counted no changes after the last row of EXPLAIN; a real server takes one"
)
GO_TEXT = "the words are those of Go's JSON decoder"

# Pattern of "name of the case #number of the answer" (a star stands for any text) -> reason.
REASONS: dict[str, str] = {
    "http/methods/console/ #*": NO_CONSOLE,
    "http/methods/debug/pprof/cmdline #*": NO_CONSOLE,
    "auth/*/all #27": NO_CONSOLE,
    "auth/*/all #28": NO_CONSOLE,
    "auth/*/status #27": NO_CONSOLE,
    "auth/*/ui #28": NO_CONSOLE,
    "auth/*/basic in lower case #27": NO_CONSOLE,
    "auth/*/basic in lower case #28": NO_CONSOLE,
    "http/sql in url * #1": NO_REWRITING,
    "bodies/* #3": NO_REWRITING,
    "parameters/binding * #3": NO_REWRITING,
    "rewriting/*": NO_REWRITING,
    "results/alter table/request?* #2": FRESH_SCHEMA,
    "transactions/schema change/*": FRESH_SCHEMA,
    "results/begin/query #*": NO_OPEN_READERS,
    "results/savepoint/query #*": NO_OPEN_READERS,
    "results/analyze/* #*": OWN_SQLITE,
    "results/pragma optimize/* #*": OWN_SQLITE,
    "results/pragma wal_autocheckpoint read/* #*": OWN_STORAGE,
    "results/disallowed behind another/* #*": OWN_STORAGE,
    "results/returning and select/* #*": EVERY_STATEMENT,
    "results/EXPLAIN QUERY PLAN DELETE FROM t #0": EXPLAINED_TO_THE_END,
    "http/sql in url q=SELECT%20'%ff' #0": URL_BYTES,
    "nodes/step down * #0": GO_TEXT,
    "auth/* #21": GO_TEXT,
}


def key(case: str, number: int) -> str:
    """How one answer of a case is named here."""
    return f"{case} #{number}"


def reasons_for(name: str) -> list[str]:
    """The patterns of `REASONS` that match the name of an answer."""
    return [pattern for pattern in REASONS if matches(pattern, name)]


def matches(pattern: str, name: str) -> bool:
    regex = re.escape(pattern).replace(r"\*", ".*")
    return re.fullmatch(regex, name, re.DOTALL) is not None
