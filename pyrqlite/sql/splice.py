"""Changes SQL text at given places without joining tokens that were apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from pyrqlite.sql.parameters import Placeholders


class Edit(NamedTuple):
    """Put `text` in place of the characters from `start` to `stop`."""

    start: int
    stop: int
    text: str


def _glues(left: str, right: str) -> bool:
    """Whether two neighbours could be read as one token."""
    return bool(left and right) and _sticky(left) and _sticky(right)


def _sticky(character: str) -> bool:
    return character in "'\"`[$_" or character.isalnum() or not character.isascii()


def splice(text: str, edits: Iterable[Edit]) -> str:
    """`text` with these edits, which must not overlap; those at one place keep their order."""
    return splice_with_spans(text, edits)[0]


def splice_with_spans(text: str, edits: Iterable[Edit]) -> tuple[str, list[tuple[int, int]]]:
    """As `splice`, and where in the result each edit's text stands, in the order of the text."""
    pieces = _Pieces()
    spans: list[tuple[int, int]] = []
    end = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.stop)):
        pieces.add(text[end : edit.start])
        spans.append(pieces.add(edit.text))
        end = edit.stop
    pieces.add(text[end:])
    return "".join(pieces.texts), spans


class _Pieces:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.length = 0

    def add(self, piece: str) -> tuple[int, int]:
        if piece:
            if self.texts and _glues(self.texts[-1][-1], piece[0]):
                self.texts.append(" ")
                self.length += 1
            self.texts.append(piece)
            self.length += len(piece)
        return self.length - len(piece), self.length


def keep_numbers(
    placeholders: Placeholders, removed: Collection[int], added: Mapping[int, int]
) -> list[Edit]:
    """The edits that number placeholders explicitly, if SQLite would number them otherwise after a change.

    `removed` holds where the placeholders start that go, `added` gives the number of each new `?` by
    the place in the old text where it will stand.
    """
    kept = [
        (token.start, token.text, number)
        for number, token in placeholders.occurrences
        if token.start not in removed
    ]
    new = [(start, "?", number) for start, number in added.items()]
    if _numbered_naturally(sorted(kept + new)):
        return []
    return [Edit(start, start + len(text), f"?{number}") for start, text, number in kept]


def _numbered_naturally(occurrences: Iterable[tuple[int, str, int]]) -> bool:
    """Whether SQLite gives these placeholders, in the order of the text, the numbers beside them."""
    names: dict[str, int] = {}
    count = 0
    for _, text, wanted in occurrences:
        if text == "?":
            number = count + 1
        elif text[0] == "?":
            number = int(text[1:])
        else:
            number = names.setdefault(text, count + 1)
        if number != wanted:
            return False
        count = max(count, number)
    return True
