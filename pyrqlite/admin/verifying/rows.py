"""Repairing rows: notes what others write, reads the leader's rows, writes them, looks whether that helped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyrqlite.admin.nodes import Member
from pyrqlite.admin.verifying.asking import SchemaMoved, packed_texts
from pyrqlite.admin.verifying.comparing import Comparison
from pyrqlite.admin.verifying.mending import Mending
from pyrqlite.admin.verifying.report import RepairReport, TableReport
from pyrqlite.admin.verifying.settling import Difference, same_row, settle
from pyrqlite.admin.verifying.touching import TOUCHED, Notes, touched_ones
from pyrqlite.admin.verifying.values import Row, Sql, identity, shown
from pyrqlite.admin.verifying.views import Keys, View, packed_item, unpacked
from pyrqlite.admin.verifying.writing import Failed, LogWriter, results_of, without_triggers
from pyrqlite.flow.steps import Flow, Sleep
from pyrqlite.sql.schema import Table
from pyrqlite.wire.request import Item, item
from pyrqlite.wire.response import Result

_ATTEMPTS = 8
_SPLIT = 8


class RowRepair:
    """Repairs the rows of one view. The table's triggers are to be those of `touching` and its own."""

    def __init__(
        self,
        walk: Comparison,
        writer: LogWriter,
        report: RepairReport,
        table: Table,
        mending: Mending,
        notes: Notes,
    ) -> None:
        self._walk = walk
        self._writer = writer
        self._report = report
        self._table = table
        self._mending = mending
        self._notes = notes
        self._view: View = mending.view

    def mend(self, differences: Sequence[Difference], table: TableReport) -> Flow[None]:
        """Repair these rows as far as that is possible; what is left, the next comparison finds."""
        size = self._mending.at_once
        for start in range(0, len(differences), size):
            yield from self._mend(differences[start : start + size], table)

    def _mend(self, differences: Sequence[Difference], table: TableReport) -> Flow[None]:
        members = self._walk.present(table)
        left, failure = differences, None
        for attempt in range(_ATTEMPTS):
            if attempt:
                yield Sleep(0.01 * attempt)
            try:
                left = yield from self._write(members[0], left)
            except Failed as failed:
                failure = str(failed)
            if not left or failure is not None:
                break
        settled = yield from settle(self._walk.asker, members, self._view, _keys(differences))
        for lost in settled.lost:
            yield from self._walk.lose(lost)
        still = settled.differences
        self._report.rows += len(differences) - len(still)
        if len(still) == len(differences) > 1:
            # One row that fails takes all of its transaction with it, and perhaps on one node only.
            size = -(-len(still) // _SPLIT)
            for start in range(0, len(still), size):
                yield from self._mend(still[start : start + size], table)
        elif still and failure is not None:
            self._report.refuse(f"{self._table.name}: {failure}")

    def _write(
        self, leader: Member, differences: Sequence[Difference]
    ) -> Flow[Sequence[Difference]]:
        """Write the leader's rows; gives those that others wrote at the same moment. Failed, SchemaMoved."""
        keys = _keys(differences)
        if self._mending.watched:
            yield from self._notes.clear(self._writer, self._table)
        # What is not noted from here on is still as it is read now, when it is written.
        texts = yield from self._walk.asker.texts(leader, self._view, keys)
        if texts.moved:
            raise SchemaMoved(self._table.name)
        rows = unpacked(self._view, texts.texts)
        now = [(each, rows.get(identity(each.key))) for each in differences]
        shown_rows = packed_item(self._view, keys, text_as_hex=True)
        items = [shown_rows, *_items(self._mending.statements(now)), shown_rows]
        if self._mending.watched:
            items.append(TOUCHED)
        results = yield from self._writer.write(without_triggers(self._table, items))
        if results is None or not self._mending.watched:
            return []
        *_, after, touched = mine = results_of(self._table, results, len(items))
        self._check(differences, mine[0], after)
        noted = touched_ones(touched)
        return [each for each in differences if identity(self._mending.noted(each)) in noted]

    def _check(self, differences: Sequence[Difference], before: Result, after: Result) -> None:
        """Look whether the leader's rows are what they were, as they should be."""
        were, are = (unpacked(self._view, packed_texts(result)) for result in (before, after))
        for each in differences:
            was = were.get(identity(each.key))
            if not same_row(was, are.get(identity(each.key))):
                self._overwritten(each.key, was)

    def _overwritten(self, key: Row, was: Row | None) -> None:
        """Say that a row of the leader was changed, which no repair should do."""
        name = ", ".join(map(shown, key))
        row = "there was none" if was is None else f"it was ({', '.join(map(shown, was))})"
        self._report.collisions.append(f"{self._table.name}, row {name}: {row}")


def _keys(differences: Sequence[Difference]) -> Keys:
    return Keys(tuple(each.key for each in differences))


def _items(statements: Sequence[Sql]) -> Iterator[Item]:
    for sql in statements:
        yield item(sql.text, sql.values)
