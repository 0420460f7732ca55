"""What SQLite tells of a statement before it runs, and how arguments meet its parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import apsw

from .body import Statement
from .values import Value

CACHEABLE = 8192  # characters; longer texts are hardly ever sent twice
_BLANKS = " \t\n\v\f\r\x85\xa0"
_KEYWORD = re.compile(r"(?:\s|;|--[^\n]*(?:\n|$)|/\*.*?(?:\*/|$))*([A-Za-z]*)", re.DOTALL)
_DATA_KEYWORDS = frozenset(("SELECT", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH"))
_DISALLOWED_PRAGMA = re.compile(
    r"\s*PRAGMA\s+(?:(?:\w+\.)?(?:journal_mode|synchronous|query_only)\s*="
    r"|wal_autocheckpoint\s*=|(?:\w+\.)?wal_checkpoint)",
    re.IGNORECASE | re.ASCII,
)


class Plan(NamedTuple):
    """The first statement of a text. ``tail`` is the text after it; a comment alone is empty."""

    sql: str
    tail: str
    parameters: int
    names: Sequence[str | None]
    readonly: bool
    empty: bool
    data_only: bool
    returning: bool


def describe(text: str, cursor: apsw.Cursor) -> Plan:
    """The plan of the first statement in ``text``, which ``cursor`` has prepared."""
    sql = cursor.sql
    if not cursor.has_vdbe or sql is None:
        return Plan(text, "", 0, (), True, True, False, False)
    tail = text[len(sql) :].strip(_BLANKS)
    readonly = cursor.is_readonly
    keyword = _keyword(sql)
    handles_data = keyword in _DATA_KEYWORDS
    return Plan(
        sql,
        tail,
        cursor.bindings_count,
        cursor.bindings_names,
        readonly,
        empty=False,
        data_only=handles_data and not tail,
        returning=handles_data and not readonly and bool(cursor.get_description()),
    )


def _keyword(sql: str) -> str:
    """The first word of a statement, in capitals."""
    match = _KEYWORD.match(sql)
    return "" if match is None else match[1].upper()


def bind(plan: Plan, statement: Statement, offset: int) -> Sequence[Value]:
    """The values of the plan's parameters, from the arguments at ``offset`` and all named ones."""
    count = plan.parameters
    args = statement.args
    if not statement.names:
        own = args[offset : offset + count]
        return own if len(own) == count else own + (None,) * (count - len(own))
    values: list[Value] = [None] * count
    ordinal = 0
    for i, (name, value) in enumerate(zip(statement.names, args, strict=True)):
        inside = offset <= i < offset + count
        if name:
            for place, parameter in enumerate(plan.names):
                if parameter == name:
                    values[place] = value
        elif inside:
            values[ordinal] = value
        ordinal += inside
    return values


def wrap_as_blobs(sql: str, width: int) -> str:
    """A query that gives, for each row of ``sql``, which values are texts, then all as BLOBs."""
    names = [f"c{i}" for i in range(width)]
    kinds = [f"typeof({name})='text'" for name in names]
    values = [
        f"CASE typeof({name}) WHEN 'text' THEN CAST({name} AS BLOB) ELSE {name} END"
        for name in names
    ]
    body = sql.rstrip(_BLANKS + ";")
    return f"WITH q({','.join(names)}) AS (\n{body}\n) SELECT {','.join(kinds + values)} FROM q"


def is_plain(sql: str) -> bool:
    """Whether the text is surely one statement that reads or changes rows, and nothing else."""
    return _is_plain_cached(sql) if len(sql) <= CACHEABLE else _is_plain(sql)


def _is_plain(sql: str) -> bool:
    return ";" not in sql.rstrip(_BLANKS + ";") and _keyword(sql) in _DATA_KEYWORDS


_is_plain_cached = lru_cache(maxsize=1024)(_is_plain)


def is_explain(sql: str) -> bool:
    """Whether the text begins with EXPLAIN."""
    return _keyword(sql) == "EXPLAIN"


def is_disallowed(sql: str) -> bool:
    """Whether the text is a PRAGMA that would undermine the server."""
    return _DISALLOWED_PRAGMA.match(sql) is not None
