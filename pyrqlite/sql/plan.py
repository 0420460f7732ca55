"""What freezing a statement takes, worked out once for each text."""

from __future__ import annotations

from dataclasses import dataclass

from pyrqlite.sql.impure import Site, find_sites, may_be_impure
from pyrqlite.sql.insert import parse_insert
from pyrqlite.sql.names import ends_operand
from pyrqlite.sql.queries import Outline, Outliner, split_commas
from pyrqlite.sql.statement import Statement, StatementKind, closing
from pyrqlite.sql.tokens import Kind, Token


@dataclass(frozen=True)
class Label:
    """An entry of a list of results without a name of its own, between two places in the text.

    SQLite names its column `text`, and would name it otherwise after a change.
    """

    start: int
    stop: int
    text: str


@dataclass(frozen=True)
class Plan:
    """The impure sites of a statement; `repeated` are those that may stand for more than one row.

    `replicated` says whether the statement changes the database; `ordered` whether a bare integer could
    be taken for the number of a column.
    """

    sites: tuple[Site, ...] = ()
    repeated: frozenset[Site] = frozenset()
    labels: tuple[Label, ...] = ()
    replicated: bool = False
    ordered: bool = False


_NOTHING = Plan()
_plans: dict[str, Plan] = {}
_MOST_PLANS = 2048
_LONGEST_TEXT = 16_384  # longer texts seldom come back


def plan_of(statement: Statement) -> Plan:
    """The plan for `statement`, from a cache that goes by its text."""
    plan = _plans.get(statement.text)
    if plan is None:
        plan = _make(statement)
        if len(statement.text) <= _LONGEST_TEXT:
            if len(_plans) >= _MOST_PLANS:
                _plans.clear()
            _plans[statement.text] = plan
    return plan


def _make(statement: Statement) -> Plan:
    if not may_be_impure(statement.text):
        return _NOTHING
    outline = _outline(statement)
    if outline is None:
        return _NOTHING
    tokens = statement.tokens
    first = query_of_create(statement) or 0
    numbers = {token.start: number for number, token in statement.placeholders.occurrences}

    def is_operand(index: int) -> bool:
        return index >= first and _can_be_operand(tokens, outline, index)

    sites = tuple(find_sites(tokens, numbers, is_operand))
    if not sites:
        return _NOTHING
    return Plan(
        sites,
        frozenset(site for site in sites if outline.repeated[site.start]),
        tuple(_labels(statement, outline, sites)),
        statement.kind is not StatementKind.READ,
        any(token.keyword in ("ORDER", "GROUP") for token in tokens),
    )


def query_of_create(statement: Statement) -> int | None:
    """The index of the query of a CREATE TABLE ... AS, or None."""
    words = [token.keyword for token in statement.tokens[:3]]
    if statement.verb != "CREATE" or "TABLE" not in words:
        return None
    index = statement.find("AS")
    if index is None or any(token.text == "(" for _, token in _until(statement, index)):
        return None  # a column's GENERATED ALWAYS AS, or worse
    return index + 1


def _until(statement: Statement, stop: int) -> list[tuple[int, Token]]:
    return [(index, token) for index, token in statement.top_level() if index < stop]


def _outline(statement: Statement) -> Outline | None:
    """None for statements in which nothing is evaluated."""
    walk = Outliner(statement.tokens)
    stop = len(statement.tokens)
    if statement.kind is StatementKind.READ:
        walk.query(0, stop, repeated=False)
    elif statement.kind is StatementKind.WRITE:
        walk.with_clause(1, statement.main)
        insert = parse_insert(statement)
        if insert is None:
            walk.expressions(statement.main + 1, stop, repeated=True)
        else:
            columns = insert.columns_end
            if insert.columns is not None:
                opening = next(i for i in range(columns) if closing(statement.tokens, i) == columns)
                walk.mark_names(opening, columns)
            walk.with_clause(columns + 1, insert.source)
            if insert.cores:
                walk.query(insert.source, insert.source_end, repeated=False, named=False)
            else:
                walk.expressions(insert.source, insert.source_end, repeated=False)
            walk.expressions(insert.source_end, stop, repeated=not insert.at_most_one_row)
        if statement.returning is not None:
            walk.outline.items.extend(split_commas(statement.tokens, statement.returning + 1, stop))
    else:
        query = query_of_create(statement)
        if query is None:
            return None
        walk.query(query, stop, repeated=False)
    return walk.outline


_BEFORE_NAME = frozenset({"AS", "COLLATE", "INTO", "JOIN", "SET", "TABLE", "UPDATE"})


def _can_be_operand(tokens: tuple[Token, ...], outline: Outline, index: int) -> bool:
    """Whether an expression can begin at this token."""
    if outline.names[index]:
        return False
    before = tokens[index - 1]
    return not (before.text == "." or before.keyword in _BEFORE_NAME or ends_operand(before))


def _labels(statement: Statement, outline: Outline, sites: tuple[Site, ...]) -> list[Label]:
    tokens = statement.tokens
    labels = []
    for start, stop in outline.items:
        if not any(start <= site.start < stop for site in sites) or _has_alias(tokens, start, stop):
            continue
        # SQLite's name for an expression reaches to the next token, comments included.
        end = tokens[stop].start if stop < len(tokens) else len(statement.text)
        text = statement.text[tokens[start].start : end].rstrip(" \t\n\v\f\r")
        labels.append(Label(tokens[start].start, tokens[stop - 1].end, text))
    return labels


def _has_alias(tokens: tuple[Token, ...], start: int, stop: int) -> bool:
    if stop - start < 2 or tokens[stop - 1].kind not in (Kind.WORD, Kind.QUOTED, Kind.STRING):
        return False
    last, before = tokens[stop - 1], tokens[stop - 2]
    if before.keyword == "AS":
        return True
    if last.keyword in ("END", "NULL", "ISNULL", "NOTNULL"):
        return False
    return ends_operand(before)
