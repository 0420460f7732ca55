"""The outline of a statement: its SELECTs and VALUES, what stands where a name stands, and what
is evaluated for more than one row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pyrqlite.sql.statement import at_depth_zero, closing
from pyrqlite.sql.tokens import Kind, Token

COMPOUND = frozenset({"UNION", "EXCEPT", "INTERSECT"})
_BEHIND_LIST = frozenset({"WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "RETURNING"}) | COMPOUND
_QUERY = frozenset({"SELECT", "VALUES", "WITH"})


@dataclass(frozen=True)
class Core:
    """One SELECT or VALUES between UNION, EXCEPT and INTERSECT, by token indexes.

    `items` is the range of a SELECT's list, `source` the index of its FROM; `rows` are the
    parentheses (opening, closing) of a VALUES.
    """

    start: int
    stop: int
    items: tuple[int, int] | None
    source: int | None
    rows: tuple[tuple[int, int], ...]


def is_distinct_from(tokens: Sequence[Token], index: int) -> bool:
    """Whether this FROM belongs to IS [NOT] DISTINCT FROM."""
    return (
        index > 1
        and tokens[index - 1].keyword == "DISTINCT"
        and tokens[index - 2].keyword in ("IS", "NOT")
    )


def split_commas(tokens: Sequence[Token], start: int, stop: int) -> list[tuple[int, int]]:
    """The ranges between the commas of a list."""
    ranges = []
    for index, token in at_depth_zero(tokens, start):
        if index >= stop:
            break
        if token.text == ",":
            ranges.append((start, index))
            start = index + 1
    ranges.append((start, stop))
    return ranges


def cores(tokens: Sequence[Token], start: int, stop: int) -> list[Core]:
    """The cores of the query between two indexes; `start` is the verb of the first."""
    found = []
    begin = start
    for index, token in at_depth_zero(tokens, start):
        if index >= stop:
            break
        if token.keyword in COMPOUND:
            found.append(_core(tokens, begin, index))
            begin = index + 1
        elif index == begin and token.keyword == "ALL":
            begin = index + 1
    found.append(_core(tokens, begin, stop))
    return found


def _core(tokens: Sequence[Token], start: int, stop: int) -> Core:
    if start < stop and tokens[start].keyword == "VALUES":
        return Core(start, stop, None, None, tuple(_rows(tokens, start + 1, stop)))
    begin = start + 1
    if begin < stop and tokens[begin].keyword in ("DISTINCT", "ALL"):
        begin += 1
    end, source = stop, None
    for index, token in at_depth_zero(tokens, begin):
        if index >= stop:
            break
        keyword = token.keyword
        if keyword == "FROM" and not is_distinct_from(tokens, index):
            source = index
        if source is not None or keyword in _BEHIND_LIST or _opens_window(tokens, index):
            end = index
            break
    return Core(start, stop, (begin, end), source, ())


def _opens_window(tokens: Sequence[Token], index: int) -> bool:
    return tokens[index].keyword == "WINDOW" and (
        [token.keyword for token in tokens[index + 2 : index + 3]] == ["AS"]
    )


def _rows(tokens: Sequence[Token], start: int, stop: int) -> Iterator[tuple[int, int]]:
    index = start
    while index < stop and tokens[index].text == "(":
        end = closing(tokens, index)
        yield index, end
        index = end + 1
        if index < stop and tokens[index].text == ",":
            index += 1


@dataclass
class Outline:
    """`repeated[i]` says whether token i may be evaluated for more than one row (or more than once),
    `names[i]` whether it stands where only a name can; `items` are the ranges of all entries of
    SELECT and RETURNING lists."""

    repeated: bytearray
    names: bytearray
    items: list[tuple[int, int]] = field(default_factory=list)


class Outliner:
    """Walks over the clauses of a statement and notes what kind of place each token stands at."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.outline = Outline(bytearray(len(tokens)), bytearray(len(tokens)))

    def with_clause(self, start: int, stop: int) -> None:
        """A WITH clause: bodies of table expressions are evaluated nobody knows how often."""
        for index, token in at_depth_zero(self.tokens, start):
            if index >= stop:
                break
            if token.text != "(":
                continue
            end = closing(self.tokens, index)
            if self._keyword(index - 1) in ("AS", "MATERIALIZED"):
                self.query(index + 1, end, repeated=True)
            else:
                self.mark_names(index, end)

    def query(self, start: int, stop: int, repeated: bool, named: bool = True) -> None:
        """A whole query, perhaps with a WITH clause; `named` says whether its columns' names matter."""
        if self._keyword(start) == "WITH":
            verb = next(
                (
                    index
                    for index, token in at_depth_zero(self.tokens, start + 1)
                    if token.keyword in ("SELECT", "VALUES")
                ),
                stop,
            )
            self.with_clause(start + 1, verb)
            start = verb
        for core in cores(self.tokens, start, stop):
            often = repeated or core.source is not None
            if core.items is not None and named:
                self.outline.items.extend(split_commas(self.tokens, *core.items))
            self.expressions(core.start, core.stop, often)

    def expressions(self, start: int, stop: int, repeated: bool) -> None:
        """Clauses of a query or another statement, with the subqueries inside."""
        in_source = False
        index = start
        while index < stop:
            keyword = self._keyword(index)
            if keyword == "FROM" and not is_distinct_from(self.tokens, index):
                in_source = True
            elif in_source and keyword in _BEHIND_LIST:
                in_source = False
            self.outline.repeated[index] = repeated
            if self.tokens[index].text == "(":
                end = min(closing(self.tokens, index), stop)
                self._parenthesis(index, end, repeated, in_source)
                index = end
                continue
            if in_source and self._is_table_place(index):
                self.outline.names[index] = True
            index += 1

    def _parenthesis(self, opening: int, end: int, repeated: bool, in_source: bool) -> None:
        if self._keyword(opening + 1) in _QUERY:
            self.query(opening + 1, end, repeated)
        elif self._keyword(opening - 1) == "USING":
            self.mark_names(opening, end)
        elif in_source and self._is_table_place(opening):
            self.expressions_of_source(opening + 1, end, repeated)
        else:
            self.expressions(opening + 1, end, repeated)

    def expressions_of_source(self, start: int, stop: int, repeated: bool) -> None:
        """Tables in parentheses: FROM (a JOIN b ON ...)."""
        if start < stop and self.tokens[start].kind in (Kind.WORD, Kind.QUOTED, Kind.STRING):
            self.outline.names[start] = True
        self.expressions(start, stop, repeated)

    def _is_table_place(self, index: int) -> bool:
        before = self.tokens[index - 1]
        return before.text == "," or before.keyword in ("FROM", "JOIN")

    def mark_names(self, start: int, stop: int) -> None:
        """A list of names, where no expression can stand."""
        for index in range(start, stop):
            self.outline.names[index] = True

    def _keyword(self, index: int) -> str:
        return self.tokens[index].keyword if 0 <= index < len(self.tokens) else ""
