"""PRAGMAs: which only read, which write into the database, and which cannot work over rqlite."""

from __future__ import annotations

import enum

from pyrqlite.sql.statement import Statement


class PragmaKind(enum.Enum):
    """What a PRAGMA does."""

    READ = "read"
    WRITE = "write"  # changes the database file, the same on every node
    TRANSACTION = "transaction"  # holds until the end of the transaction, by SQLite's own care
    CONNECTION_STATE = "connection state"  # changes one of the server's connections, and is lost


# With an argument these read: it names what to read of, or how much.
_READ_WITH_ARGUMENT = frozenset(
    {"foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo", "integrity_check",
     "quick_check", "table_info", "table_list", "table_xinfo"}
)  # fmt: skip
_OF_TRANSACTION = frozenset({"defer_foreign_keys"})
_SEEING_WRITES = (
    frozenset({"foreign_key_check", "integrity_check", "quick_check"}) | _OF_TRANSACTION
)
_WRITE_WITH_ARGUMENT = frozenset({"application_id", "user_version"})
_WRITE = frozenset({"optimize", "incremental_vacuum"})
# Settings of the file, by rqlited's flags, or by SQLite: all of a server's connections have the same.
_SHARED = frozenset({"foreign_keys", "journal_mode", "legacy_alter_table"})
_WORDS = {"on": "1", "yes": "1", "true": "1", "off": "0", "no": "0", "false": "0"}
_STATE_WITHOUT_ARGUMENT = frozenset({"shrink_memory", "wal_checkpoint"})


def pragma_name(statement: Statement) -> str:
    """The PRAGMA's name in lower case; empty where there is none."""
    tokens = statement.tokens[statement.main + 1 :]
    if len(tokens) > 2 and tokens[1].text == ".":
        tokens = tokens[2:]
    return tokens[0].name.lower() if tokens else ""


def pragma_kind(statement: Statement) -> PragmaKind:
    """What this PRAGMA does, by its name and by whether it has an argument."""
    name = pragma_name(statement)
    has_argument = any(token.text in ("=", "(") for token in statement.tokens)
    if name in _WRITE or (has_argument and name in _WRITE_WITH_ARGUMENT):
        return PragmaKind.WRITE
    if has_argument and name in _OF_TRANSACTION:
        return PragmaKind.TRANSACTION
    if has_argument and name not in _READ_WITH_ARGUMENT:
        return PragmaKind.CONNECTION_STATE
    if name in _STATE_WITHOUT_ARGUMENT:
        return PragmaKind.CONNECTION_STATE
    return PragmaKind.READ


def wished(statement: Statement) -> str | None:
    """The value, as the PRAGMA shows it, that a setting of all connections shall have; None for other PRAGMAs.

    There is nothing to do where it has that value already.
    """
    name = pragma_name(statement)
    texts = [token.text for token in statement.tokens]
    place = next((index for index, text in enumerate(texts) if text in ("=", "(")), None)
    if name not in _SHARED or place is None:
        return None
    value = statement.tokens[place + 1].name.lower() if place + 1 < len(texts) else ""
    return _WORDS.get(value, value)


def sees_writes(statement: Statement) -> bool:
    """Whether this is a PRAGMA whose answer depends on what the transaction has done."""
    return statement.verb == "PRAGMA" and pragma_name(statement) in _SEEING_WRITES


def advice(name: str) -> str:
    """Why a PRAGMA of the kind CONNECTION_STATE is refused, and what to do instead."""
    if name == "foreign_keys":
        return (
            "PRAGMA foreign_keys cannot be set over rqlite: it would reach one of the server's connections "
            "and be lost. Start rqlited with -fk to enforce foreign keys on every node; a server in this process "
            "by embedded={'fk': True}."
        )
    return (
        f"PRAGMA {name} cannot be set over rqlite: it would change one of the server's connections, on one "
        "node, until that is closed. Use rqlited's flags for settings that shall last."
    )
