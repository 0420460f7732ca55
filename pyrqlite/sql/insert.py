"""The parts of an INSERT or REPLACE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyrqlite.sql.names import fold
from pyrqlite.sql.queries import Core, cores
from pyrqlite.sql.statement import Statement, at_depth_zero, closing, remembered
from pyrqlite.sql.tokens import Token


@dataclass(frozen=True)
class Insert:
    """An INSERT by token indexes. Names are folded.

    `resolution` is the word behind OR (REPLACE for REPLACE INTO), or empty. `columns` is None without
    a list of columns, else `columns_end` is its closing parenthesis. Of `rows` and `cores` one is
    filled: rows are the parentheses of a plain VALUES, cores belong to a query whose verb is at
    `source`; DEFAULT VALUES has neither. The source ends at `source_end`; `updates` says whether an
    upsert clause behind it has a DO UPDATE.
    """

    resolution: str
    schema: str
    table: str
    columns: tuple[str, ...] | None
    columns_end: int
    source: int
    source_end: int
    rows: tuple[tuple[int, int], ...]
    cores: tuple[Core, ...]
    upsert: bool
    updates: bool

    @property
    def at_most_one_row(self) -> bool:
        """Whether by its form it can insert no more than one row."""
        if self.cores:
            core = self.cores[0]
            return len(self.cores) == 1 and core.source is None and len(core.rows) <= 1
        return len(self.rows) <= 1


@remembered
def parse_insert(statement: Statement) -> Insert | None:
    """The parts of `statement`; None when it is no INSERT, or none that SQLite would accept."""
    tokens = statement.tokens
    if statement.verb not in ("INSERT", "REPLACE"):
        return None
    index = statement.main + 1
    resolution = "REPLACE" if statement.verb == "REPLACE" else ""
    if _keyword(tokens, index) == "OR":
        resolution = _keyword(tokens, index + 1)
        index += 2
    if _keyword(tokens, index) != "INTO" or index + 1 >= len(tokens):
        return None
    index += 1
    schema, table = "", fold(tokens[index].name)
    index += 1
    if index + 1 < len(tokens) and tokens[index].text == ".":
        schema, table = table, fold(tokens[index + 1].name)
        index += 2
    if _keyword(tokens, index) == "AS":
        index += 2
    columns, columns_end = None, index
    if index < len(tokens) and tokens[index].text == "(":
        columns_end = closing(tokens, index)
        columns = tuple(
            fold(token.name) for token in tokens[index + 1 : columns_end] if token.text != ","
        )
        index = columns_end + 1
    return _with_source(
        statement,
        Insert(resolution, schema, table, columns, columns_end, index, 0, (), (), False, False),
    )


def _with_source(statement: Statement, head: Insert) -> Insert | None:
    tokens = statement.tokens
    if _keyword(tokens, head.source) == "WITH":
        verb = statement.find("SELECT", "VALUES", start=head.source)
        if verb is None:
            return None
        head = replace(head, source=verb)
    end, upsert, updates = _tail(tokens, head.source)
    head = replace(head, source_end=end, upsert=upsert, updates=updates)
    verb_word = _keyword(tokens, head.source)
    if verb_word == "DEFAULT":
        return head if head.columns is None else None
    if verb_word not in ("SELECT", "VALUES"):
        return None
    found = cores(tokens, head.source, end)
    rows = found[0].rows
    plain = verb_word == "VALUES" and len(found) == 1 and rows and rows[-1][1] + 1 == end
    return replace(head, rows=rows) if plain else replace(head, cores=tuple(found))


def _tail(tokens: Sequence[Token], source: int) -> tuple[int, bool, bool]:
    """Where the rows' source ends, whether an upsert clause follows, and whether with a DO UPDATE."""
    end, upsert, updates = len(tokens), False, False
    for index, token in at_depth_zero(tokens, source):
        if not upsert and token.keyword == "ON" and _is_upsert(tokens, index):
            end, upsert = index, True
        elif token.keyword == "RETURNING":
            end = min(end, index)
            break
        elif upsert and token.keyword == "UPDATE" and tokens[index - 1].keyword == "DO":
            updates = True
    return end, upsert, updates


def _is_upsert(tokens: Sequence[Token], index: int) -> bool:
    follower = tokens[index + 2] if index + 2 < len(tokens) else None
    return _keyword(tokens, index + 1) == "CONFLICT" and (
        follower is not None and (follower.text == "(" or follower.keyword == "DO")
    )


def _keyword(tokens: Sequence[Token], index: int) -> str:
    return tokens[index].keyword if index < len(tokens) else ""
