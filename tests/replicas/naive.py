"""The rules switched off: guards as one would write them without knowing better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pyrqlite.flow import transacting
from pyrqlite.sql.parameters import Value
from pyrqlite.sql.reads import FactKind, ReadVerdict
from pyrqlite.sql.statement import Statement
from pyrqlite.sql.writes import WriteVerdict
from pyrqlite.transaction import guards
from pyrqlite.wire import packing
from pyrqlite.wire.request import Item, item


def switch_off_rules(monkeypatch: pytest.MonkeyPatch, apart: frozenset[int] = frozenset()) -> None:
    """Guard every read, in the order in which it came, clocks and all, but for the columns `apart`; and every
    count and rowid, whatever made it."""

    def judge_read(*_: Any) -> ReadVerdict:
        return ReadVerdict(FactKind.GUARDED, apart=apart)

    def judge_write(statement: Statement, *_: Any) -> WriteVerdict:
        return WriteVerdict(True, rowid=statement.verb == "INSERT", uniform=True)

    monkeypatch.setattr(transacting, "judge_read", judge_read)
    monkeypatch.setattr(transacting, "judge_write", judge_write)
    monkeypatch.setattr(transacting, "text_reason", lambda *_: None)
    monkeypatch.setattr(guards, "rows_guard", _rows_guard)


def _rows_guard(
    statement: Statement,
    values: Sequence[Value],
    width: int,
    apart: frozenset[int],
    seen: str,
    count: int,
    number: int,
) -> Item:
    first = statement.placeholders.count + 1
    columns = ", ".join(f"c{number}" for number in range(1, width + 1))
    text = (
        f"SELECT CASE WHEN (WITH _pyrqlite_q({columns}) AS ({statement.text}) "
        f"SELECT json_group_array({packing.row_array(width, apart)}) FROM _pyrqlite_q) "
        f"IS NOT ?{first} THEN json_extract('{{}}', ?{first + 1}) END"
    )
    return item(text, [*values, seen, guards.conflict_tag(number)])


def guard_last_rowid(monkeypatch: pytest.MonkeyPatch, rowid: int) -> None:
    """Guard `last_insert_rowid()` behind every write, even one that has made none: it is then that of an
    earlier request."""
    original = guards.count_guard

    def count_guard(changes: int, last_insert_rowid: int | None, number: int) -> Item:
        return original(changes, rowid if last_insert_rowid is None else last_insert_rowid, number)

    monkeypatch.setattr(guards, "count_guard", count_guard)
