"""Refuses what lives in one connection of one node, or of every node until that restarts, and in nothing
that is replicated."""

from __future__ import annotations

from pyrqlite.errors import NotSupportedError
from pyrqlite.sql.names import fold, words
from pyrqlite.sql.statement import Statement, StatementKind


def admit(statement: Statement) -> None:
    """Refuse attached databases and TEMP objects: NotSupportedError with what to do instead."""
    if statement.kind is StatementKind.ATTACHMENT:
        raise NotSupportedError(
            "ATTACH and DETACH change one connection of a node, and rqlite has one database: "
            "use a cluster of its own for each database"
        )
    if _is_temporary(statement):
        raise NotSupportedError(
            "TEMP objects belong to one connection, and are gone when a node restarts: use an ordinary "
            "table, or keep the data in the program"
        )


_BEFORE_TABLE = words("EXISTS FROM INDEX INTO JOIN TABLE TRIGGER UPDATE VIEW")


def _is_temporary(statement: Statement) -> bool:
    """Whether the statement makes, changes or copies something of the TEMP database."""
    if statement.kind not in (StatementKind.WRITE, StatementKind.DEFINITION):
        return False
    tokens = statement.tokens
    if [token.keyword for token in tokens[:2]] in (["CREATE", "TEMP"], ["CREATE", "TEMPORARY"]):
        return True
    for index in range(1, len(tokens) - 1):
        if tokens[index + 1].text == "." and fold(tokens[index].name) == "temp":
            before = tokens[index - 1].keyword
            if (
                before in _BEFORE_TABLE or tokens[index - 2].keyword == "OR"
            ):  # UPDATE OR IGNORE temp.t
                return True
    return False
