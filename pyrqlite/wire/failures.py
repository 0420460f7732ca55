"""From the server's texts to PEP 249's classes. The server sends SQLite's texts and no codes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyrqlite import errors


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    error: type[errors.DatabaseError]
    sqlite_errorname: str
    sqlite_errorcode: int
    advice: str = ""


def _rule(
    pattern: str, error: type[errors.DatabaseError], name: str, code: int, advice: str = ""
) -> _Rule:
    return _Rule(re.compile(pattern), error, name, code, advice)


# Functions that SQLite has where it was built with them; rqlited's was not.
_MATH = (
    "acosh?|asinh?|atan[2h]?|ceil|ceiling|cosh?|degrees|exp|floor|ln|log|log10|log2|mod|pi|pow|power|"
    "radians|sinh?|sqrt|tanh?|trunc"
)

_EXTENSION_HAS_IT = "start rqlited with -extensions-path and an extension that has it"

# In the order in which they are tried. Codes: https://www.sqlite.org/rescode.html
_RULES = (
    _rule(r"UNIQUE constraint failed: ", errors.IntegrityError, "SQLITE_CONSTRAINT_UNIQUE", 2067),
    _rule(
        r"NOT NULL constraint failed: ", errors.IntegrityError, "SQLITE_CONSTRAINT_NOTNULL", 1299
    ),
    _rule(r"CHECK constraint failed: ", errors.IntegrityError, "SQLITE_CONSTRAINT_CHECK", 275),
    _rule(
        r"FOREIGN KEY constraint failed",
        errors.IntegrityError,
        "SQLITE_CONSTRAINT_FOREIGNKEY",
        787,
    ),
    _rule(
        r"cannot store \w+ value in \w+ column",
        errors.IntegrityError,
        "SQLITE_CONSTRAINT_DATATYPE",
        3091,
    ),
    _rule(r"datatype mismatch", errors.IntegrityError, "SQLITE_MISMATCH", 20),
    _rule(r"string or blob too big", errors.DataError, "SQLITE_TOOBIG", 18),
    _rule(r"integer overflow", errors.DataError, "SQLITE_ERROR", 1),
    _rule(
        r"no such function: (?i:regexp)\b",
        errors.NotSupportedError,
        "SQLITE_ERROR",
        1,
        _EXTENSION_HAS_IT,
    ),
    _rule(
        rf"no such function: (?i:{_MATH})\b",
        errors.ProgrammingError,
        "SQLITE_ERROR",
        1,
        _EXTENSION_HAS_IT,
    ),
    _rule(
        r"no such (table|column|function|index|view|trigger|collation sequence|module|savepoint)\b",
        errors.ProgrammingError,
        "SQLITE_ERROR",
        1,
    ),
    _rule(
        r"syntax error|incomplete input|unrecognized token|ambiguous column name|already exists|"
        r"already another table or index|has no column named|has \d+ columns but \d+ values|"
        r"\d+ values for \d+ columns|wrong number of arguments|misuse of|"
        r"must have the same number of terms|"
        r"sub-select returns|row value misused|duplicate column name|may not be (altered|dropped|indexed|modified)|"
        r"cannot modify|do not have the same number of result columns|out of range - should be between|"
        r"not enough args to execute query|too many SQL variables|does not begin with a letter|"
        r"does not match any PRIMARY KEY or UNIQUE constraint",
        errors.ProgrammingError,
        "SQLITE_ERROR",
        1,
    ),
    _rule(
        r"attempt to change database via query operation|attempt to write a readonly database",
        errors.ProgrammingError,
        "SQLITE_READONLY",
        8,
    ),
    _rule(
        r"disallowed pragma",
        errors.NotSupportedError,
        "SQLITE_AUTH",
        23,
        "rqlite manages its journal itself",
    ),
    _rule(r"(query|execute) timeout|interrupted", errors.OperationalError, "SQLITE_INTERRUPT", 9),
    _rule(r"database is locked", errors.OperationalError, "SQLITE_BUSY", 5),
    _rule(r"database or disk is full", errors.OperationalError, "SQLITE_FULL", 13),
    _rule(r"disk I/O error", errors.OperationalError, "SQLITE_IOERR", 10),
    _rule(r"database disk image is malformed", errors.DatabaseError, "SQLITE_CORRUPT", 11),
)


def statement_error(text: str) -> errors.DatabaseError:
    """The error for what the server said of one statement; OperationalError where no rule knows the text,
    as `sqlite3` raises it for SQLite's general error."""
    for rule in _RULES:
        if rule.pattern.search(text):
            error = rule.error(f"{text} ({rule.advice})" if rule.advice else text)
            error.sqlite_errorname = rule.sqlite_errorname
            error.sqlite_errorcode = rule.sqlite_errorcode
            return error
    error = errors.OperationalError(text)
    error.sqlite_errorname, error.sqlite_errorcode = "SQLITE_ERROR", 1
    return error


_STATUS_ADVICE = {
    403: "something between here and the node forbids this request",
    404: "is this the HTTP address of an rqlite node, and does it run a version that has this?",
    405: "is this the HTTP address of an rqlite node?",
    408: "the queue did not take the write in time; it may still be applied",
    413: "something between here and the node limits the size of requests: send less at a time",
    431: "the request's address is too long",
    503: "no leader: is a majority of the nodes up?",
}


# What rqlite's credential file calls the permissions that each path needs.
_PERMISSIONS = {
    "/db/execute": "execute",
    "/db/query": "query",
    "/db/request": "query execute",
    "/db/sql": "query",
    "/db/backup": "backup",
    "/db/load": "load",
    "/boot": "load",
    "/snapshot": "snapshot",
    "/reap": "snapshot",
    "/remove": "remove",
    "/leader": "leader-ops",
    "/readyz": "ready",
    "/status": "status",
    "/nodes": "status",
}


def _access_denied(said: str, node: str, target: str) -> errors.AccessDeniedError:
    path = target.partition("?")[0]
    permission = _PERMISSIONS.get(path)
    if permission is None:
        lacking = "a permission"
    elif " " in permission:
        lacking = f"one of the permissions {permission.replace(' ', ' and ')} that {path} needs"
    else:
        lacking = f"the permission {permission} that {path} needs"
    error = errors.AccessDeniedError(
        f"{node} answered 401"
        + (f" ({said})" if said else "")
        + f": the credentials are wrong, or the user lacks {lacking}; check user and password, and the node's "
        "credential file"
    )
    error.permission = permission
    return error


def http_error(status: int, body: str, node: str, target: str = "") -> errors.DatabaseError:
    """The error for an answer whose status is no success; `target` is what was asked for."""
    said = body.strip()
    error: errors.DatabaseError
    if status == 500 and "unsupported value" in said:
        error = errors.DataError(
            f"{node} cannot send an infinite REAL in this form; if this was a write, it has been applied"
        )
    elif status == 401:
        error = _access_denied(said, node, target)
    elif status == 400:
        error = errors.ProgrammingError(f"{node} refused the request: {said}")
    else:
        advice = _STATUS_ADVICE.get(status)
        error = errors.OperationalError(
            f"{node} answered {status}"
            + (f" ({said})" if said else "")
            + (f": {advice}" if advice else "")
        )
    error.http_status, error.body, error.node = status, body, node
    return error


def is_sqlites_word(text: str) -> bool:
    """Whether what the server said of a call as a whole comes from SQLite, which has then applied none of it."""
    known = type(statement_error(text)) is not errors.OperationalError
    return known or text.startswith(("cannot ", "database "))


def call_error(text: str, node: str) -> errors.DatabaseError:
    """The error for what the server said of a call as a whole, in an answer of status 200, and applied nothing."""
    error = statement_error(text)
    if not is_sqlites_word(text):
        error = errors.OperationalError(f"{node} said: {text}")
    error.node, error.http_status = node, 200
    return error
