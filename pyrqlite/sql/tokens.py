"""A tokenizer that cuts SQL where SQLite cuts it.

It is a safety boundary: whatever decides by the text of a statement (its kind, its placeholders, where it
ends) decides by these tokens, never by a search for substrings.
Source of the rules: https://www.sqlite.org/src/file/src/tokenize.c
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple


class Kind(enum.Enum):
    """What a token is."""

    WORD = "word"  # a keyword or a bare identifier
    QUOTED = "quoted"  # "x", `x` or [x]: an identifier, or with double quotes perhaps a string
    STRING = "string"  # 'x'
    BLOB = "blob"  # x'00ff'
    NUMBER = "number"
    PARAMETER = "parameter"  # ?, ?1, :a, @a, $a
    OPERATOR = "operator"
    SPACE = "space"  # white space and comments
    ILLEGAL = "illegal"  # what SQLite calls an unrecognized token


class Token(NamedTuple):
    """One token: what it is, its text as written, and where in the SQL it starts."""

    kind: Kind
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the token ends: the index behind its last character."""
        return self.start + len(self.text)

    @property
    def keyword(self) -> str:
        """The word in upper case; empty for all that is not a bare word, and for words beyond ASCII, which
        SQLite never takes for keywords."""
        return self.text.upper() if self.kind is Kind.WORD and self.text.isascii() else ""

    @property
    def name(self) -> str:
        """The identifier that the token stands for, without its quotes."""
        return unquote(self.text) if self.kind is not Kind.WORD else self.text


# SQLite's identifiers: letters, digits, underscore, dollar (not first) and everything beyond ASCII.
_ID_START = r"A-Za-z_\u0080-\U0010ffff"
_ID = _ID_START + r"0-9$"

_TOKEN = re.compile(
    rf"""
    (?P<SPACE>     [ \t\n\f\r][ \t\n\v\f\r]* | \ufeff | --[^\n]* | /\*(?=.)(?:.*?\*/|.*) )
  | (?P<BLOB>      [xX]'(?:[0-9a-fA-F]{{2}})*' )
  | (?P<WORD>      (?!\ufeff)(?![xX]')[{_ID_START}][{_ID}]* )
  | (?P<STRING>    '(?:[^']|'')*' )
  | (?P<QUOTED>    "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
  | (?P<NUMBER>    (?: 0[xX][0-9a-fA-F]+(?:_[0-9a-fA-F]+)*
                     | (?: [0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?|(?!\.)) | \.[0-9]+(?:_[0-9]+)* )
                       (?:[eE][+-]?[0-9]+(?:_[0-9]+)*)? ) (?![{_ID}]) )
  | (?P<PARAMETER> \?[0-9]* | [:@$\#](?:::)*[{_ID}](?:[{_ID}]|::)*(?:\([^)\s]*\))? )
  | (?P<OPERATOR>  ->> | -> | \|\| | << | >> | <> | <= | >= | == | != | [-+*/%=<>&|~(),;.] )
  | (?P<ILLEGAL>   (?:[0-9.][{_ID}.]+ | .) )
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS = {kind.name: kind for kind in Kind}


def tokenize(sql: str) -> list[Token]:
    """All tokens of `sql`, spaces and comments included: joined, their texts are `sql` again."""
    return [
        Token(_KINDS[match.lastgroup or ""], match.group(), match.start())
        for match in _TOKEN.finditer(sql)
    ]


def significant(sql: str) -> list[Token]:
    """The tokens that mean something: all but spaces and comments."""
    return [token for token in tokenize(sql) if token.kind is not Kind.SPACE]


def unquote(text: str) -> str:
    """The identifier or string inside quotes of any of SQLite's styles; a bare word as it is."""
    quote = text[:1]
    if quote == "[":
        return text[1:-1]
    if quote in "\"'`" and quote:
        return text[1:-1].replace(quote * 2, quote)
    return text


def quote_name(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """`text` as an SQL string literal. A NUL cannot stand in SQL text: the caller binds such values."""
    return "'" + text.replace("'", "''") + "'"
