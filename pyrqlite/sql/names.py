"""Names and keywords: how SQLite compares the first, and which words are not names."""

from __future__ import annotations

import re

from pyrqlite.sql.tokens import Kind, Token

_UPPER = re.compile("[A-Z]+")


def fold(name: str) -> str:
    """`name` in the form in which SQLite compares names: only ASCII letters have two cases."""
    if name.isascii():
        return name.lower()
    return _UPPER.sub(lambda match: match.group().lower(), name)


def words(text: str) -> frozenset[str]:
    """The words of `text`, as a set."""
    return frozenset(text.split())


KEYWORDS = words(
    """
    ABORT ACTION ADD AFTER ALL ALTER ALWAYS ANALYZE AND AS ASC ATTACH AUTOINCREMENT BEFORE BEGIN
    BETWEEN BY CASCADE CASE CAST CHECK COLLATE COLUMN COMMIT CONFLICT CONSTRAINT CREATE CROSS CURRENT
    CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DATABASE DEFAULT DEFERRABLE DEFERRED DELETE DESC DETACH
    DISTINCT DO DROP EACH ELSE END ESCAPE EXCEPT EXCLUDE EXCLUSIVE EXISTS EXPLAIN FAIL FILTER FIRST
    FOLLOWING FOR FOREIGN FROM FULL GENERATED GLOB GROUP GROUPS HAVING IF IGNORE IMMEDIATE IN INDEX
    INDEXED INITIALLY INNER INSERT INSTEAD INTERSECT INTO IS ISNULL JOIN KEY LAST LEFT LIKE LIMIT MATCH
    MATERIALIZED NATURAL NO NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON OR ORDER OTHERS OUTER OVER
    PARTITION PLAN PRAGMA PRECEDING PRIMARY QUERY RAISE RANGE RECURSIVE REFERENCES REGEXP REINDEX RELEASE
    RENAME REPLACE RESTRICT RETURNING RIGHT ROLLBACK ROW ROWS SAVEPOINT SELECT SET TABLE TEMP TEMPORARY
    THEN TIES TO TRANSACTION TRIGGER UNBOUNDED UNION UNIQUE UPDATE USING VACUUM VALUES VIEW VIRTUAL WHEN
    WHERE WINDOW WITH WITHOUT
    """
)

# Keywords that SQLite takes for a name wherever a name can stand, and that mean nothing else there.
_HARMLESS = words(
    """
    ACTION AFTER ALWAYS BEFORE CASCADE COLUMN CONFLICT CURRENT DATABASE DEFERRED EACH FIRST FOLLOWING FOR
    GENERATED GROUPS IF IGNORE IMMEDIATE KEY LAST NO OF OTHERS PARTITION PLAN PRECEDING QUERY RANGE
    RELEASE RENAME REPLACE RESTRICT ROW ROWS TEMP TIES TRIGGER VIEW
    """
)
_NOT_NAMES = (KEYWORDS - _HARMLESS) | {"TRUE", "FALSE"}


def is_name(token: Token) -> bool:
    """Whether the token is surely an identifier where one can stand; a string in double quotes may be
    one too."""
    if token.kind is Kind.WORD:
        return token.keyword not in _NOT_NAMES
    return token.kind is Kind.QUOTED


# Behind these words an expression begins, or a name: no operand ends with them.
_BEFORE_OPERAND = words(
    """
    ALL AND AS BETWEEN BY CASE COLLATE CROSS DELETE DISTINCT ELSE ESCAPE EXCEPT EXISTS FILTER FROM GLOB
    GROUP HAVING IN INSERT INTERSECT INTO IS JOIN LIKE LIMIT MATCH NOT OFFSET ON OR ORDER OVER RECURSIVE
    REGEXP RETURNING SELECT SET THEN UNION UPDATE USING VALUES WHEN WHERE WITH
    """
)


def ends_operand(token: Token) -> bool:
    """Whether an operand of an expression can end with this token."""
    if token.kind is Kind.WORD:
        return token.keyword not in _BEFORE_OPERAND
    return token.text == ")" or token.kind not in (Kind.OPERATOR, Kind.SPACE, Kind.ILLEGAL)
