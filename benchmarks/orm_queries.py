"""How many of the queries that ORMs send are guarded: a pytest plugin for SQLAlchemy's own tests, and settings
for Django's.

Unpack SQLAlchemy's source distribution, and in its folder run, with this repository on PYTHONPATH:

    python -m pytest -p benchmarks.orm_queries --db sqlite test/orm/test_query.py test/orm/test_unitofwork.py

and in the folder tests/ of Django's source distribution

    python runtests.py --settings benchmarks.orm_queries --parallel 1 basic queries many_to_one

At the end it prints the share of SELECTs by what would become of them in a transaction, and the commonest
reasons for not being guarded.
"""

from __future__ import annotations

import atexit
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from pyrqlite.errors import Error
from pyrqlite.sql.reads import judge_read
from pyrqlite.sql.schema import SCHEMA_QUERIES, Schema, schema_from_rows
from pyrqlite.sql.statement import StatementKind, parse
from pyrqlite.sql.writes import judge_write

reads: Counter[str] = Counter()
writes: Counter[str] = Counter()
reasons: Counter[str] = Counter()
_known: dict[int, tuple[int, Schema]] = {}


@event.listens_for(Engine, "before_cursor_execute")
def judge(
    connection: Any, cursor: Any, sql: str, parameters: Any, context: Any, many: bool
) -> None:
    """Count one statement of SQLAlchemy's."""
    raw = getattr(cursor, "connection", None)
    if not many and isinstance(raw, sqlite3.Connection):
        count(raw, sql, parameters)


def count(raw: sqlite3.Connection, sql: str, parameters: Any) -> None:
    """Count one statement by its verdict."""
    try:
        statement = parse(sql)
    except Error:
        return
    if statement.kind not in (StatementKind.READ, StatementKind.WRITE):
        return
    schema = _schema(raw)
    values = list(parameters) if isinstance(parameters, (tuple, list)) else []
    if statement.kind is StatementKind.READ:
        read = judge_read(statement, schema, values)
        reads[read.kind.value] += 1
        if not read.guarded:
            reasons[read.reason] += 1
    else:
        writes["guarded" if judge_write(statement, schema, values).count else "checked"] += 1


def _schema(raw: sqlite3.Connection) -> Schema:
    """The schema of the test's database, loaded again only when it has changed."""
    version = raw.execute("PRAGMA schema_version").fetchone()[0]
    known = _known.get(id(raw))
    if known is None or known[0] != version:
        texts = [raw.execute(query).fetchone()[0] for query in SCHEMA_QUERIES]
        known = _known[id(raw)] = (version, schema_from_rows(texts))
    return known[1]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the shares."""
    for line in shares():
        terminalreporter.write_line(line)


def shares() -> Iterator[str]:
    """The shares, a line each."""
    for title, counts in (("SELECT", reads), ("INSERT, UPDATE, DELETE", writes)):
        total = sum(counts.values())
        parts = ", ".join(f"{kind} {number / total:.1%}" for kind, number in counts.most_common())
        yield f"{title}: {total} statements: {parts or 'none'}"
    for reason, number in reasons.most_common(8):
        yield f"  {number / max(sum(reads.values()), 1):.1%} {reason}"


# Django's settings.

DATABASES = {name: {"ENGINE": "django.db.backends.sqlite3"} for name in ("default", "other")}
SECRET_KEY = "benchmark"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False


def _listen_to_django() -> None:
    from django.db.backends.signals import connection_created

    def judged(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        raw = context["connection"].connection
        if not many:
            count(raw, sql if parameters is None else sql.replace("%s", "?"), parameters)
        return execute(sql, parameters, many, context)

    def created(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(judged)

    connection_created.connect(created, weak=False)
    atexit.register(lambda: print(*shares(), sep="\n"))


if "django" in sys.modules:
    _listen_to_django()
