"""What the text of a CREATE TABLE or CREATE TRIGGER tells beyond SQLite's pragmas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyrqlite.sql.names import fold
from pyrqlite.sql.statement import at_depth_zero, closing
from pyrqlite.sql.tokens import Token, significant

Tokens = tuple[Token, ...]

_TABLE_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})


@dataclass(frozen=True)
class ForeignKey:
    """A REFERENCES clause: its parent, folded, and whether deleting or updating a parent row
    writes child rows."""

    parent: str
    on_delete: bool
    on_update: bool


@dataclass(frozen=True)
class TableText:
    """`collations`, `generated` (the expressions of generated columns) and `replaces_null` (NOT NULL ON
    CONFLICT REPLACE) go by folded column name; `checks` are the expressions of the CHECK constraints;
    `resolves_conflicts` says whether a constraint has an ON CONFLICT clause of its own."""

    collations: Mapping[str, str]
    generated: Mapping[str, Tokens]
    replaces_null: frozenset[str]
    checks: tuple[Tokens, ...]
    resolves_conflicts: bool
    autoincrement: bool
    foreign_keys: tuple[ForeignKey, ...]


def read_table(sql: str) -> TableText:
    """Read the text of an ordinary table as `sqlite_schema` holds it."""
    tokens = tuple(significant(sql))
    collations: dict[str, str] = {}
    generated: dict[str, Tokens] = {}
    replaces_null: set[str] = set()
    checks: list[Tokens] = []
    for start, stop in _definitions(tokens):
        piece = tokens[start:stop]
        checks.extend(_checks(piece))
        if piece[0].keyword in _TABLE_CONSTRAINTS:
            continue
        name = fold(piece[0].name)
        words = [token.keyword for _, token in at_depth_zero(piece, 0)]
        for index, token in at_depth_zero(piece, 0):
            if token.keyword == "COLLATE" and index + 1 < len(piece):
                collations[name] = piece[index + 1].name.upper()
            elif token.keyword == "AS" and piece[index + 1 : index + 2]:
                generated[name] = piece[index + 2 : closing(piece, index + 1)]
        if _contains(words, ["NOT", "NULL", "ON", "CONFLICT", "REPLACE"]):
            replaces_null.add(name)
    words = [token.keyword for token in tokens]
    return TableText(
        collations,
        generated,
        frozenset(replaces_null),
        tuple(checks),
        _contains(words, ["ON", "CONFLICT"]),
        "AUTOINCREMENT" in words,
        tuple(_foreign_keys(tokens)),
    )


def _definitions(tokens: Tokens) -> Iterator[tuple[int, int]]:
    """The token ranges of the columns and table constraints."""
    opening = next((i for i, token in enumerate(tokens) if token.text == "("), len(tokens))
    start = opening + 1
    stop = closing(tokens, opening)
    for index, token in at_depth_zero(tokens, start):
        if token.text == ",":
            if index > start:
                yield start, index
            start = index + 1
    if start < stop:
        yield start, stop


def _checks(piece: Tokens) -> Iterator[Tokens]:
    for index, token in at_depth_zero(piece, 0):
        if token.keyword == "CHECK" and piece[index + 1 : index + 2]:
            yield piece[index + 2 : closing(piece, index + 1)]


def _contains(words: list[str], wanted: list[str]) -> bool:
    size = len(wanted)
    return any(words[i : i + size] == wanted for i in range(len(words) - size + 1))


_WRITING_ACTIONS = frozenset({"CASCADE", "SET"})


def _foreign_keys(tokens: Tokens) -> Iterator[ForeignKey]:
    for index, token in enumerate(tokens):
        if token.keyword != "REFERENCES" or index + 1 >= len(tokens):
            continue
        actions = {"DELETE": False, "UPDATE": False}
        for i, following in at_depth_zero(tokens, index + 2):
            if following.text == "," or following.keyword == "REFERENCES":
                break
            if following.keyword in actions and tokens[i - 1].keyword == "ON":
                action = tokens[i + 1].keyword if i + 1 < len(tokens) else ""
                actions[following.keyword] = action in _WRITING_ACTIONS
        yield ForeignKey(fold(tokens[index + 1].name), actions["DELETE"], actions["UPDATE"])


@dataclass(frozen=True)
class TriggerText:
    """`timing` is BEFORE, AFTER or INSTEAD; `event` INSERT, UPDATE or DELETE; `writes` are the folded
    names of the tables that the body writes, `replaces` whether by INSERT OR REPLACE; `ignores` says
    whether it can skip a row with RAISE(IGNORE), `queries` whether the body reads any table."""

    timing: str
    event: str
    tokens: Tokens
    writes: frozenset[str]
    ignores: bool
    queries: bool


def read_trigger(sql: str) -> TriggerText:
    """Read the text of a trigger as `sqlite_schema` holds it."""
    tokens = tuple(significant(sql))
    words = [token.keyword for token in tokens]
    head = words[: words.index("ON")] if "ON" in words else words
    timing = next((word for word in head[2:] if word in ("AFTER", "INSTEAD")), "BEFORE")
    event = next((word for word in head[2:] if word in ("INSERT", "UPDATE", "DELETE")), "")
    begin = words.index("BEGIN", len(head)) if "BEGIN" in words[len(head) :] else len(words)
    writes = {fold(tokens[index].name) for index in _targets(words, begin)}
    reads = any(
        word == "FROM" and words[index - 1] not in ("DELETE", "DISTINCT")
        for index, word in enumerate(words)
    )
    return TriggerText(
        timing,
        event,
        tokens,
        frozenset(writes),
        _contains_raise_ignore(tokens),
        reads or "JOIN" in words,
    )


def _targets(words: list[str], begin: int) -> Iterator[int]:
    """The indexes of the names of the tables that the body's statements write."""
    for index in range(begin, len(words) - 1):
        word = words[index]
        if word == "INTO" or (word == "FROM" and words[index - 1] == "DELETE"):
            yield index + 1
        elif word == "UPDATE" and words[index - 1] != "DO":
            yield index + 3 if words[index + 1] == "OR" and index + 3 < len(words) else index + 1


def _contains_raise_ignore(tokens: Tokens) -> bool:
    return any(
        token.keyword == "RAISE"
        and [t.text.upper() for t in tokens[i + 1 : i + 3]] == ["(", "IGNORE"]
        for i, token in enumerate(tokens)
    )
