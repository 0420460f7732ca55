"""Which expressions come out the same on every node, from the same row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyrqlite.sql.impure import CURRENT, FREEZABLE_FUNCTIONS
from pyrqlite.sql.names import fold, is_name, words
from pyrqlite.sql.tokens import Kind, Token

# Given a column, why it may differ between nodes; None if it does not. The first argument is the
# qualifier before it, folded, or empty.
ColumnReason = Callable[[str, str], str | None]

_FUNCTIONS = (
    words(
        """
        abs char coalesce concat concat_ws format hex ifnull iif if instr json json_array
        json_array_length json_extract json_insert json_object json_patch json_quote json_remove
        json_replace json_set json_type json_valid length likely lower ltrim max min nullif
        octet_length printf quote replace round rtrim sign substr substring trim typeof unhex
        unicode unlikely upper zeroblob
        """
    )
    | FREEZABLE_FUNCTIONS
)
# Of these only those of which no value makes an error, however strange.
_NEVER_FAIL = words(
    """
    char coalesce concat concat_ws hex ifnull iif if instr json_valid length likely lower ltrim max min
    nullif octet_length quote round rtrim sign substr substring trim typeof unhex unicode unlikely upper
    """
)
_WORDS = (
    words("AND BETWEEN CASE CAST ELSE END IN IS ISNULL NOT NOTNULL NULL OR THEN TRUE FALSE WHEN")
    | CURRENT
)


def no_columns(qualifier: str, name: str) -> str | None:
    """The ColumnReason of places where no column can stand."""
    return f"{name} is no literal"


def failing_reason(tokens: Sequence[Token], column_reason: ColumnReason) -> str | None:
    """Why the expression may be an error for some rows; None if it cannot."""
    if any(token.text in ("->", "->>") for token in tokens):
        return "it looks into JSON"
    return expression_reason(tokens, column_reason, _NEVER_FAIL)


def expression_reason(
    tokens: Sequence[Token],
    column_reason: ColumnReason,
    functions: frozenset[str] = _FUNCTIONS,
) -> str | None:
    """Why the expression may come out differently on some node; None if it cannot.

    Clocks and random numbers count as constant, because they are frozen before anything is sent.
    """
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.kind is Kind.ILLEGAL:
            return f"{token.text} is no SQL"
        if token.kind in (Kind.WORD, Kind.QUOTED) and token.keyword not in _WORDS:
            if token.keyword == "AS":  # the type of a CAST
                while index + 1 < len(tokens) and tokens[index + 1].kind is Kind.WORD:
                    index += 1
            else:
                index, reason = _named(tokens, index, column_reason, functions)
                if reason is not None:
                    return reason
        index += 1
    return None


def _named(
    tokens: Sequence[Token], index: int, column_reason: ColumnReason, functions: frozenset[str]
) -> tuple[int, str | None]:
    """A function or a column at `index`: the index of its last token, and why it is uncertain."""
    token = tokens[index]
    follower = tokens[index + 1].text if index + 1 < len(tokens) else ""
    if follower == "(":
        known = fold(token.name) in functions
        return index, None if known else f"it calls {token.name}()"
    if not is_name(token):
        return index, f"{token.text} is outside of what can be foreseen"
    if follower == "." and index + 2 < len(tokens):
        return index + 2, column_reason(fold(token.name), tokens[index + 2].name)
    return index, column_reason("", token.name)


def is_constant(tokens: Sequence[Token]) -> bool:
    """Whether the expression is a single literal or placeholder."""
    if len(tokens) == 2 and tokens[0].text in ("+", "-"):
        tokens = tokens[1:]
    return len(tokens) == 1 and (
        tokens[0].keyword == "NULL"
        or tokens[0].kind in (Kind.STRING, Kind.NUMBER, Kind.BLOB, Kind.PARAMETER)
    )
