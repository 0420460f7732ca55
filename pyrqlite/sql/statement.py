"""What a statement is: its kind, its verb, its clauses and its placeholders, read from its tokens."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from pyrqlite.errors import ProgrammingError
from pyrqlite.sql.parameters import Placeholders
from pyrqlite.sql.tokens import Token, significant

P = ParamSpec("P")
T = TypeVar("T")


class StatementKind(enum.Enum):
    """How a statement has to be treated."""

    EMPTY = "empty"
    READ = "read"  # SELECT, VALUES
    WRITE = "write"  # INSERT, REPLACE, UPDATE, DELETE
    DEFINITION = "definition"  # CREATE, DROP, ALTER
    MAINTENANCE = "maintenance"  # ANALYZE, REINDEX, VACUUM
    PRAGMA = "pragma"
    EXPLAIN = "explain"
    CONTROL = "control"  # BEGIN, COMMIT, END, ROLLBACK, SAVEPOINT, RELEASE
    ATTACHMENT = "attachment"  # ATTACH, DETACH
    UNKNOWN = "unknown"  # not SQL as SQLite knows it: the server says what is wrong


_KINDS = {
    "SELECT": StatementKind.READ,
    "VALUES": StatementKind.READ,
    "INSERT": StatementKind.WRITE,
    "REPLACE": StatementKind.WRITE,
    "UPDATE": StatementKind.WRITE,
    "DELETE": StatementKind.WRITE,
    "CREATE": StatementKind.DEFINITION,
    "DROP": StatementKind.DEFINITION,
    "ALTER": StatementKind.DEFINITION,
    "ANALYZE": StatementKind.MAINTENANCE,
    "REINDEX": StatementKind.MAINTENANCE,
    "VACUUM": StatementKind.MAINTENANCE,
    "PRAGMA": StatementKind.PRAGMA,
    "EXPLAIN": StatementKind.EXPLAIN,
    "BEGIN": StatementKind.CONTROL,
    "COMMIT": StatementKind.CONTROL,
    "END": StatementKind.CONTROL,
    "ROLLBACK": StatementKind.CONTROL,
    "SAVEPOINT": StatementKind.CONTROL,
    "RELEASE": StatementKind.CONTROL,
    "ATTACH": StatementKind.ATTACHMENT,
    "DETACH": StatementKind.ATTACHMENT,
}
_COMPOUND = frozenset({"UNION", "EXCEPT", "INTERSECT"})
# Longer texts (a VALUES of thousands of rows) are parsed anew: they seldom come back, and would fill the cache.
_CACHED_LENGTH = 16_384


@dataclass(frozen=True, eq=False)  # compared by identity: parse() gives one object for one text
class Statement:
    """One SQL statement, without the blanks, comments and semicolons around it.

    `tokens` leave out spaces and comments and count their places from the start of `text`; `main` is the
    index of the verb among them (behind a WITH clause, if there is one).
    """

    text: str
    tokens: tuple[Token, ...]
    main: int
    verb: str
    kind: StatementKind
    placeholders: Placeholders
    returning: int | None
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def returns_rows(self) -> bool:
        """Whether the statement can answer with rows."""
        return self.returning is not None or self.kind in (
            StatementKind.READ,
            StatementKind.PRAGMA,
            StatementKind.EXPLAIN,
        )

    def top_level(self, start: int | None = None) -> Iterator[tuple[int, Token]]:
        """The tokens outside all parentheses, with their indexes, from `start` (default: behind the verb)."""
        return at_depth_zero(self.tokens, self.main + 1 if start is None else start)

    def find(self, *keywords: str, start: int | None = None) -> int | None:
        """The index of the first of these keywords outside parentheses, or None."""
        for index, token in self.top_level(start):
            if token.keyword in keywords:
                return index
        return None

    @property
    def is_compound(self) -> bool:
        """Whether this is a query with UNION, EXCEPT or INTERSECT at its top, or a VALUES."""
        return self.kind is StatementKind.READ and (
            self.verb == "VALUES" or self.find(*_COMPOUND) is not None
        )


def remembered(
    function: Callable[Concatenate[Statement, P], T],
) -> Callable[Concatenate[Statement, P], T]:
    """Keep what a function says of a statement as long as the statement itself is kept."""

    @wraps(function)
    def ask(statement: Statement, /, *args: P.args, **kwargs: P.kwargs) -> T:
        key: object = (function, args, tuple(kwargs.items())) if args or kwargs else function
        try:
            return statement.memo[key]  # type: ignore[no-any-return]
        except KeyError:
            value = statement.memo[key] = function(statement, *args, **kwargs)
            return value

    return ask


def at_depth_zero(tokens: Sequence[Token], start: int) -> Iterator[tuple[int, Token]]:
    """The tokens from `start` on that stand outside of parentheses opened there; ends with the group."""
    depth = 0
    for index in range(start, len(tokens)):
        token = tokens[index]
        if token.text == ")":
            depth -= 1
            if depth < 0:
                return
        if depth == 0:
            yield index, token
        if token.text == "(":
            depth += 1


def closing(tokens: Sequence[Token], opening: int) -> int:
    """The index of the parenthesis that closes the one at `opening`; len(tokens) when none does."""
    depth = 0
    for index in range(opening, len(tokens)):
        if tokens[index].text == "(":
            depth += 1
        elif tokens[index].text == ")":
            depth -= 1
            if depth == 0:
                return index
    return len(tokens)


def parse(sql: str) -> Statement:
    """Read the one statement in `sql`.

    Raises ProgrammingError when there are two, or a NUL character; UnicodeEncodeError for lone surrogates.
    """
    if len(sql) <= _CACHED_LENGTH:
        return _parse_cached(sql)
    return parse_once(sql)


def split(script: str) -> list[str]:
    """The statements of a script, each without the blanks, comments and semicolons around it."""
    _check_text(script)
    return [_text_of(script, tokens) for tokens in _statements(significant(script))]


def _text_of(sql: str, tokens: Sequence[Token]) -> str:
    return sql[tokens[0].start : tokens[-1].end]


def _check_text(sql: str) -> None:
    if "\0" in sql:
        raise ProgrammingError("the query contains a null character")
    if not sql.isascii():
        sql.encode()  # raises UnicodeEncodeError for lone surrogates, as the standard library's sqlite3 does


def parse_once(sql: str) -> Statement:
    """As `parse`, for a text that will not come back."""
    _check_text(sql)
    statements = _statements(significant(sql))
    if len(statements) > 1:
        raise ProgrammingError(
            "You can only execute one statement at a time. Use executescript() for several."
        )
    if not statements:
        return Statement("", (), 0, "", StatementKind.EMPTY, Placeholders(()), None)
    start = statements[0][0].start
    tokens = tuple(token._replace(start=token.start - start) for token in statements[0])
    text = _text_of(sql, statements[0])
    main = _main(tokens)
    verb = tokens[main].keyword if main < len(tokens) else ""
    kind = _KINDS.get(verb, StatementKind.UNKNOWN)
    returning = None
    if kind is StatementKind.WRITE:
        for index, token in at_depth_zero(tokens, main + 1):
            if token.keyword == "RETURNING":
                returning = index
                break
    return Statement(text, tokens, main, verb, kind, Placeholders(tokens), returning)


_parse_cached = lru_cache(maxsize=1024)(parse_once)


def _statements(tokens: Sequence[Token]) -> list[list[Token]]:
    """Cut at semicolons, but not at those inside of a trigger's body, which ends with `; END`."""
    found: list[list[Token]] = []
    current: list[Token] = []
    in_trigger = False
    for token in tokens:
        if token.text != ";":
            current.append(token)
            in_trigger = in_trigger or (token.keyword == "TRIGGER" and _creates_trigger(current))
            continue
        if in_trigger and not _body_ended(current):
            current.append(token)
            continue
        if current:
            found.append(current)
        current, in_trigger = [], False
    if current:
        found.append(current)
    return found


def _creates_trigger(head: Sequence[Token]) -> bool:
    words = [token.keyword for token in head]
    if words[:1] == ["EXPLAIN"]:
        words = words[3:] if words[1:3] == ["QUERY", "PLAN"] else words[1:]
    return words in (["CREATE", "TRIGGER"], ["CREATE", "TEMP", "TRIGGER"]) or (
        words == ["CREATE", "TEMPORARY", "TRIGGER"]
    )


def _body_ended(statement: Sequence[Token]) -> bool:
    return len(statement) > 1 and statement[-1].keyword == "END" and statement[-2].text == ";"


def _main(tokens: Sequence[Token]) -> int:
    """The index of the verb: the first token, or the one behind a WITH clause."""
    if tokens[0].keyword != "WITH":
        return 0
    index = 1
    if len(tokens) > 1 and tokens[1].keyword == "RECURSIVE":
        index = 2
    while index < len(tokens):
        index += 1  # the name of the table expression
        if index < len(tokens) and tokens[index].text == "(":  # its columns
            index = closing(tokens, index) + 1
        while index < len(tokens) and tokens[index].keyword in ("AS", "NOT", "MATERIALIZED"):
            index += 1
        if index >= len(tokens) or tokens[index].text != "(":
            return len(tokens)
        index = closing(tokens, index) + 1
        if index < len(tokens) and tokens[index].text == ",":
            index += 1
            continue
        return index
    return len(tokens)
