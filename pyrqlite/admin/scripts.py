"""Is a file of SQL whole? Half of one would leave a transaction open on every node."""

from __future__ import annotations

import codecs
import mmap
import re
import sqlite3
from typing import BinaryIO

from pyrqlite.errors import ProgrammingError

_STRINGS = rb"""'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?(?:\*/|\Z)"""
# To the next semicolon outside of strings and comments; or to the opening of a string that never closes. A
# comment may be left open, for SQLite.
# In steps, since the matcher remembers each part.
_PARTS = re.compile(rb"""(?:[^;'"`\[/-]+|%s|[/-]){0,1000}(;)?""" % _STRINGS, re.DOTALL)
_LEAD = re.compile(
    rb"""(?:\s|--[^\n]*\n|/\*.*?(?:\*/|\Z)|\xef\xbb\xbf)*(\w+(?:\s+\w+){0,2})?""", re.DOTALL
)
_TRIGGER = re.compile(rb"CREATE(\s+TEMP|\s+TEMPORARY)?\s+TRIGGER", re.IGNORECASE)
_MIB = 1 << 20


def check_script(file: BinaryIO, name: str) -> bool:
    """Raise ProgrammingError where the SQL in this file cannot be whole; True where all of it is one transaction.

    `file` has a descriptor, and something in it.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        if text.find(b"\0") >= 0:
            raise ProgrammingError(f"{name} is neither an SQLite file nor SQL: it has a zero byte")
        _check_encoding(text, name)
        return _check_statements(text, name)


def _check_encoding(text: mmap.mmap, name: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(text), _MIB):
            decoder.decode(text[start : start + _MIB])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise ProgrammingError(
            f"{name} is neither an SQLite file nor SQL in UTF-8: {error.reason}"
        ) from None


class _Transactions:
    """What a script begins and ends."""

    def __init__(self) -> None:
        self.opened_by: str | None = None
        self._begun = 0
        self._outside = False

    @property
    def is_one(self) -> bool:
        """Whether all was in one transaction."""
        return self._begun == 1 and not self._outside

    def see(self, words: list[str]) -> None:
        """The next statement begins with these words."""
        verb = words[0] if words else ""
        if verb in ("BEGIN", "SAVEPOINT"):
            self._begun += self.opened_by is None
            self.opened_by = self.opened_by or verb
        elif self._ends(verb, words):
            self.opened_by = None
        elif verb and verb != "PRAGMA" and self.opened_by is None:
            self._outside = True

    def _ends(self, verb: str, words: list[str]) -> bool:
        if verb == "RELEASE":
            return self.opened_by == "SAVEPOINT"
        return verb in ("COMMIT", "END") or (verb == "ROLLBACK" and "TO" not in words)


def _check_statements(text: mmap.mmap, name: str) -> bool:
    position, transactions = 0, _Transactions()
    while position < len(text):
        end = _statement_end(text, position, name)
        transactions.see(_words(text, position, end))
        position = end
    if transactions.opened_by is not None:
        raise ProgrammingError(
            f"{name} begins a transaction and does not end it: perhaps its end is missing. Loaded, it would stay "
            "open on every node; nothing was sent."
        )
    return transactions.is_one


def _words(text: mmap.mmap, start: int, end: int) -> list[str]:
    lead = _LEAD.match(text, start, end)
    found = lead.group(1) if lead is not None else None
    return found.decode().upper().split() if found else []


def _statement_end(text: mmap.mmap, start: int, name: str) -> int:
    end = _part_end(text, start, name)
    lead = _LEAD.match(text, start, end)
    if lead is not None and lead.group(1) is not None and _TRIGGER.match(text, lead.start(1), end):
        while end < len(text) and not sqlite3.complete_statement(text[start:end].decode()):
            end = _part_end(text, end, name)
    return end


def _part_end(text: mmap.mmap, start: int, name: str) -> int:
    """Behind the next semicolon, or the end of the text."""
    end = start
    while end < len(text):
        parts = _PARTS.match(text, end)
        assert parts is not None
        if parts.end() == end:
            opening = text[end : end + 20].decode(errors="replace")
            raise ProgrammingError(
                f"{name} is not whole: what begins at byte {end} never ends: {opening!r}; nothing was sent"
            )
        end = parts.end()
        if parts.group(1) is not None:
            break
    return end
