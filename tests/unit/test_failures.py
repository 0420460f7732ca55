"""From the server's texts to errors."""

from __future__ import annotations

import copy
import pickle
import sqlite3

import pytest

import pyrqlite
from pyrqlite import errors
from pyrqlite.wire.failures import http_error, statement_error

# text, class, SQLite's name of the error
TEXTS = [
    ("UNIQUE constraint failed: t.a", "IntegrityError", "SQLITE_CONSTRAINT_UNIQUE"),
    ("UNIQUE constraint failed: t.a, t.b", "IntegrityError", "SQLITE_CONSTRAINT_UNIQUE"),
    ("UNIQUE constraint failed: index 'i'", "IntegrityError", "SQLITE_CONSTRAINT_UNIQUE"),
    ("NOT NULL constraint failed: t.n", "IntegrityError", "SQLITE_CONSTRAINT_NOTNULL"),
    ("CHECK constraint failed: c > 0", "IntegrityError", "SQLITE_CONSTRAINT_CHECK"),
    ("FOREIGN KEY constraint failed", "IntegrityError", "SQLITE_CONSTRAINT_FOREIGNKEY"),
    (
        "cannot store TEXT value in INTEGER column st.a",
        "IntegrityError",
        "SQLITE_CONSTRAINT_DATATYPE",
    ),
    ("datatype mismatch", "IntegrityError", "SQLITE_MISMATCH"),
    ("string or blob too big", "DataError", "SQLITE_TOOBIG"),
    ("integer overflow", "DataError", "SQLITE_ERROR"),
    ("no such table: x", "ProgrammingError", "SQLITE_ERROR"),
    ("no such table: main.x", "ProgrammingError", "SQLITE_ERROR"),
    ("no such column: x", "ProgrammingError", "SQLITE_ERROR"),
    (
        'no such column: "x" - should this be a string literal in single-quotes?',
        "ProgrammingError",
        "SQLITE_ERROR",
    ),
    ("no such function: sqrt", "ProgrammingError", "SQLITE_ERROR"),
    ("no such function: REGEXP", "NotSupportedError", "SQLITE_ERROR"),
    ("no such index: i", "ProgrammingError", "SQLITE_ERROR"),
    ("no such view: v", "ProgrammingError", "SQLITE_ERROR"),
    ("no such trigger: g", "ProgrammingError", "SQLITE_ERROR"),
    ("no such module: m", "ProgrammingError", "SQLITE_ERROR"),
    ("no such collation sequence: c", "ProgrammingError", "SQLITE_ERROR"),
    ("ambiguous column name: x", "ProgrammingError", "SQLITE_ERROR"),
    ("table x already exists", "ProgrammingError", "SQLITE_ERROR"),
    ("index i already exists", "ProgrammingError", "SQLITE_ERROR"),
    (
        "there is already another table or index with this name: x",
        "ProgrammingError",
        "SQLITE_ERROR",
    ),
    ("table e has no column named c", "ProgrammingError", "SQLITE_ERROR"),
    ("table e has 5 columns but 2 values were supplied", "ProgrammingError", "SQLITE_ERROR"),
    ("2 values for 3 columns", "ProgrammingError", "SQLITE_ERROR"),
    ("all VALUES must have the same number of terms", "ProgrammingError", "SQLITE_ERROR"),
    ('near "x": syntax error', "ProgrammingError", "SQLITE_ERROR"),
    ("incomplete input", "ProgrammingError", "SQLITE_ERROR"),
    ('unrecognized token: "#"', "ProgrammingError", "SQLITE_ERROR"),
    ("wrong number of arguments to function abs()", "ProgrammingError", "SQLITE_ERROR"),
    ("misuse of aggregate: sum()", "ProgrammingError", "SQLITE_ERROR"),
    ("sub-select returns 2 columns - expected 1", "ProgrammingError", "SQLITE_ERROR"),
    ("row value misused", "ProgrammingError", "SQLITE_ERROR"),
    ("duplicate column name: a", "ProgrammingError", "SQLITE_ERROR"),
    ("table sqlite_master may not be modified", "ProgrammingError", "SQLITE_ERROR"),
    ("table sqlite_sequence may not be dropped", "ProgrammingError", "SQLITE_ERROR"),
    ("cannot modify v because it is a view", "ProgrammingError", "SQLITE_ERROR"),
    ("too many SQL variables", "ProgrammingError", "SQLITE_ERROR"),
    ("not enough args to execute query: want 2 got 1", "ProgrammingError", "SQLITE_ERROR"),
    (
        "1st ORDER BY term out of range - should be between 1 and 2",
        "ProgrammingError",
        "SQLITE_ERROR",
    ),
    (
        "SELECTs to the left and right of UNION do not have the same number of result columns",
        "ProgrammingError",
        "SQLITE_ERROR",
    ),
    (
        "ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint",
        "ProgrammingError",
        "SQLITE_ERROR",
    ),
    ("attempt to write a readonly database", "ProgrammingError", "SQLITE_READONLY"),
    ("attempt to change database via query operation", "ProgrammingError", "SQLITE_READONLY"),
    ("disallowed pragma", "NotSupportedError", "SQLITE_AUTH"),
    ("query timeout", "OperationalError", "SQLITE_INTERRUPT"),
    ("interrupted", "OperationalError", "SQLITE_INTERRUPT"),
    ("database is locked", "OperationalError", "SQLITE_BUSY"),
    ("database or disk is full", "OperationalError", "SQLITE_FULL"),
    ("disk I/O error", "OperationalError", "SQLITE_IOERR"),
    ("database disk image is malformed", "DatabaseError", "SQLITE_CORRUPT"),
    ("malformed JSON", "OperationalError", "SQLITE_ERROR"),
    ("bad JSON path: 'x'", "OperationalError", "SQLITE_ERROR"),
    ("what a trigger said", "OperationalError", "SQLITE_ERROR"),
    ("", "OperationalError", "SQLITE_ERROR"),
]


@pytest.mark.parametrize(("text", "kind", "name"), TEXTS)
def test_statements(text: str, kind: str, name: str) -> None:
    error = statement_error(text)
    assert type(error) is getattr(errors, kind)
    assert error.sqlite_errorname == name
    # SQLite's own names of its codes; they came to the module with Python 3.11.
    expected = getattr(sqlite3, name, error.sqlite_errorcode)
    assert error.sqlite_errorcode == expected
    assert text in str(error)
    assert isinstance(error, getattr(sqlite3, kind))


@pytest.mark.parametrize("function", ["regexp", "REGEXP", "sqrt", "POWER", "log2"])
def test_missing_functions_name_the_cure(function: str) -> None:
    assert "-extensions-path" in str(statement_error(f"no such function: {function}"))


@pytest.mark.parametrize("function", ["sqrty", "my_pow", "explain"])
def test_misspelt_functions_do_not(function: str) -> None:
    assert "-extensions-path" not in str(statement_error(f"no such function: {function}"))


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (401, "password"),
        (404, "rqlite"),
        (405, "rqlite"),
        (413, "less"),
        (503, "majority"),
        (418, "418"),
    ],
)
def test_statuses_have_advice(status: int, word: str) -> None:
    error = http_error(status, "body\n", "http://h:1")
    assert word in str(error)
    assert "http://h:1" in str(error)
    assert (error.http_status, error.body, error.node) == (status, "body\n", "http://h:1")


CLASSES = [
    *(
        "Error",
        "InterfaceError",
        "DatabaseError",
        "DataError",
        "OperationalError",
        "IntegrityError",
    ),
    *("InternalError", "ProgrammingError", "NotSupportedError"),
]


@pytest.mark.parametrize("name", CLASSES)
def test_tree_is_pep_249s_and_the_standard_librarys(name: str) -> None:
    ours, theirs = getattr(pyrqlite, name), getattr(sqlite3, name)
    assert issubclass(ours, theirs)
    assert issubclass(ours, pyrqlite.Error)
    parent = theirs.__mro__[1].__name__
    if parent != "Exception":
        assert issubclass(ours, getattr(pyrqlite, parent))


def test_outcome_unknown_is_operational() -> None:
    assert issubclass(pyrqlite.OutcomeUnknownError, pyrqlite.OperationalError)
    assert issubclass(pyrqlite.Warning, sqlite3.Warning)


def test_errors_of_the_driver_itself_have_no_sqlite_code() -> None:
    error = pyrqlite.OperationalError("x")
    assert error.sqlite_errorname is None
    assert error.sqlite_errorcode is None
    assert (error.http_status, error.body, error.node) == (None, None, None)


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_can_be_sent_to_other_processes(again: object) -> None:
    error = http_error(503, "leader not found", "http://h:1")
    error.sqlite_errorname = "SQLITE_BUSY"
    twin = again(error)  # type: ignore[operator]
    assert (type(twin), str(twin), vars(twin)) == (type(error), str(error), vars(error))
