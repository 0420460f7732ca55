"""The tokenizer cuts where SQLite cuts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pyrqlite.sql.names import words
from pyrqlite.sql.tokens import (
    Kind,
    Token,
    quote_name,
    quote_text,
    significant,
    tokenize,
    unquote,
)
from tests.unit.sql.sqlite_oracle import examples, module_arguments

TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30)
WORDS = words(
    r"""a ab _x x X select 1 12 0x1F 0x 1.5 .5 1. 1e5 1e 1E+3 1_0 1__0 5x ' '' 'it''s' '--' '/*' " ""
    "a""b" "a;b" ` `a``b` [ [a,b] ] x'00' X'0f' x'0' x'zz' ? ?1 ?12 :a @b $c $c::d $c(e) :f(g) @h::i :: : @ $
    # #a ( ) (a) (a,b) , ; . + - * / % = == < <= <> > >= >> << != ! | || & ~ -> ->> -- --c /* */ /*c*/ /**/
    \\ ^ { }"""
)
BEYOND_ASCII = [
    "\u00e9",
    "\u017f",
    "\uff00",
    "\u0663",
    "?\u0663",
    "1\u0663",
    "\xa0",
    "\ufeff",
    "\u2028",
]
PIECES = st.sampled_from([*sorted(WORDS), *BEYOND_ASCII, *" \n\t\r\f\v", "--c\n"])
NASTY = st.lists(PIECES, max_size=12).map("".join)


@given(TEXTS | NASTY)
@examples(500)
def test_joined_tokens_are_the_text(sql: str) -> None:
    tokens = tokenize(sql)
    assert "".join(token.text for token in tokens) == sql
    assert all(token.text == sql[token.start : token.end] for token in tokens)
    assert significant(sql) == [token for token in tokens if token.kind is not Kind.SPACE]


def _split(sql: str, tokens: Sequence[Token]) -> list[str] | None:
    """The arguments as SQLite would cut these tokens; None where parentheses do not match."""
    arguments: list[str] = []
    current: list[Token] = []
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth < 0:
            return None
        if token.text == "," and depth == 0:
            arguments.append(_text(sql, current))
            current = []
        else:
            current.append(token)
    if depth:
        return None
    arguments.append(_text(sql, current))
    return [argument for argument in arguments if argument]  # SQLite drops empty ones


def _text(sql: str, tokens: Sequence[Token]) -> str:
    return sql[tokens[0].start : tokens[-1].end] if tokens else ""


# SQLite complains about misplaced underscores in numbers when it parses, not when it cuts tokens.
_UNDERSCORES = re.compile(r"\d_(?!\d)|\d__|\d\._\d")


@given(NASTY)
@example("a /*,*/ , b --,\n , 'c,' , [d,] , \"e,\" , `f,`")
@example("1.5e3,.5,5.,0x1F")
@example("x'00ff', x'0', x")
@example("$a::b(c), d")
@examples(1500)
def test_tokens_end_where_they_end_in_sqlite(sql: str) -> None:
    tokens = significant(sql)
    wanted = _split(sql, tokens)
    assume(wanted is not None and not _UNDERSCORES.search(sql))
    found = module_arguments(sql)
    # An open comment or quote at the end would swallow the parenthesis behind the arguments.
    assume(found != "incomplete input")
    if any(token.kind is Kind.ILLEGAL for token in tokens):
        assert isinstance(found, str)
        assert "unrecognized token" in found
    else:
        assert list(found) == wanted


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        ("SELECT a", [Kind.WORD, Kind.WORD]),
        ("'a''b'", [Kind.STRING]),
        ('"a""b"', [Kind.QUOTED]),
        ("[a]", [Kind.QUOTED]),
        ("x'00'", [Kind.BLOB]),
        ("x'0'", [Kind.ILLEGAL, Kind.STRING]),
        ("1.5e-3", [Kind.NUMBER]),
        ("0x1F", [Kind.NUMBER]),
        ("1_000", [Kind.NUMBER]),
        ("12ab", [Kind.ILLEGAL]),
        ("?1", [Kind.PARAMETER]),
        (":a", [Kind.PARAMETER]),
        ("@a", [Kind.PARAMETER]),
        ("$a::b(c)", [Kind.PARAMETER]),
        ("a->>'$.b'", [Kind.WORD, Kind.OPERATOR, Kind.STRING]),
        ("-- c\n/* d */", []),
        ("/* open", []),
        ("'open", [Kind.ILLEGAL, Kind.WORD]),
    ],
)
def test_kinds(sql: str, kinds: list[Kind]) -> None:
    assert [token.kind for token in significant(sql)] == kinds


@given(TEXTS)
@examples(300)
def test_quoting_comes_back(text: str) -> None:
    for quoted in (quote_name(text), quote_text(text), f"`{text.replace('`', '``')}`"):
        [token] = tokenize(quoted)
        assert unquote(token.text) == token.name == text
