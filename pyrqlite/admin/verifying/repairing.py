"""Repairs: writes what the leader holds through the log, so that every node holds it.

While a table is repaired, triggers note the rows that others write (touching.py), and the repair leaves those
alone until it has read them again.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyrqlite.admin.nodes import Access, Lost, Member, ask
from pyrqlite.admin.verifying import objects, touching
from pyrqlite.admin.verifying.asking import SchemaMoved
from pyrqlite.admin.verifying.comparing import Alone, Comparison, Handler, Settings, Watch
from pyrqlite.admin.verifying.layout import Layout, layout
from pyrqlite.admin.verifying.mending import mending
from pyrqlite.admin.verifying.planning import parents_first, refusal
from pyrqlite.admin.verifying.report import RepairReport, Report, SchemaReport, TableReport
from pyrqlite.admin.verifying.rows import RowRepair
from pyrqlite.admin.verifying.settling import Difference
from pyrqlite.admin.verifying.views import BagView, KeyedView, View
from pyrqlite.admin.verifying.writing import Failed, LogWriter
from pyrqlite.errors import OperationalError
from pyrqlite.flow.steps import Flow, Request
from pyrqlite.sql.schema import Table
from pyrqlite.wire.request import Item, item

_PASSES = 3


class _Walk(Comparison):
    """A comparison with one leader from its start to its end."""

    def lose(self, lost: Lost) -> Flow[None]:
        if lost.member.leader:
            raise OperationalError(
                f"the leader was lost ({lost}): the repair stops here; compare again"
            )
        yield from super().lose(lost)


class Repair:
    """Makes the nodes hold what the leader holds, where `checked` says that they do not."""

    def __init__(
        self, access: Access, settings: Settings, watch: Watch | None, checked: Report
    ) -> None:
        self._access = access
        self._settings = settings
        self._watch = watch
        self._checked = checked
        self._report = RepairReport()
        self._notes = touching.Notes(access)

    def run(self) -> Flow[Report]:
        """Repair, and compare everything once more: the new report says what is left."""
        checked = self._checked
        yield from self._notes.remove()
        for _ in range(_PASSES):
            walk = _Walk(self._access, self._settings, self._watch)
            yield from walk.gather()
            leader = _same_leader(self._checked, walk.members)
            del self._report.refused[:]
            before = self._report.written
            try:
                yield from _Pass(walk, leader, checked, self._report, self._notes).run()
            except Alone:
                break
            checked = yield from Comparison(self._access, self._settings, self._watch).run()
            if not checked.different or self._report.written == before:
                break
        yield from self.clean_up()
        yield from self._snapshots(checked)
        checked.repair = self._report
        return checked

    def clean_up(self) -> Flow[None]:
        """Remove what a repair needs while it goes on; for the caller, where it is interrupted."""
        yield from self._notes.end()

    def _snapshots(self, checked: Report) -> Flow[None]:
        """Let each node make a snapshot: what is in one is not executed again when the node restarts."""
        patience = self._settings.patience
        for member in checked.compared:
            request = Request("POST", "/snapshot", b"", True, patience.timeout)
            try:
                yield from ask(member, request, patience, lambda response: response, (200, 204))
            except Lost as lost:
                self._report.notes.append(f"{lost.member} made no snapshot: {lost.reason}")
            else:
                self._report.snapshots.append(member.id)


def _same_leader(checked: Report, members: Sequence[Member]) -> Member:
    """The leader, which must be the one whose rows were shown to the user."""
    shown = next((member.id for member in checked.nodes if member.leader), None)
    leader = next((member for member in members if member.leader), None)
    if leader is None or leader.id != shown:
        now = "none" if leader is None else leader.id
        raise OperationalError(
            f"the leader is not {shown} any more, but {now}: nothing more is repaired; compare again"
        )
    return leader


class _Pass:
    """One pass over everything that differs."""

    def __init__(
        self,
        walk: Comparison,
        leader: Member,
        checked: Report,
        report: RepairReport,
        notes: touching.Notes,
    ) -> None:
        self._walk = walk
        self._checked = checked
        self._report = report
        self._notes = notes
        self._writer = LogWriter(leader, walk.settings.patience, report)

    def run(self) -> Flow[None]:
        schema = yield from self._walk.compare_schema()
        made: set[str] = set()
        for each in objects.in_order(self._walk.report.schema):
            reason = objects.refusal(each, schema)
            if reason is not None:
                self._report.refuse(reason)
            elif (yield from self._mend_object(each)):
                made.add(each.table)
        if made:
            yield from self._walk.compare_schema()
        wanted = made | {table.name for table in self._checked.tables if table.differing}
        for table in parents_first(self._walk.tables()):
            if table.name in wanted:
                yield from self._mend_table(table)

    def _mend_object(self, each: SchemaReport) -> Flow[bool]:
        """Whether the object was written."""
        now = "SELECT sql FROM sqlite_schema WHERE type = ? AND name = ?"
        items: list[Item] = [item(now, (each.kind, each.name)), *objects.statements(each)]
        try:
            results = yield from self._writer.write(items)
        except Failed as failed:
            self._report.refuse(f"{each.kind} {each.name}: {failed}")
            return False
        if results is not None:
            sql = results[0].values[0][0] if results[0].values else None
            if sql != each.leader:
                self._report.collisions.append(
                    f"{each.kind} {each.name} was changed at the same moment; it had been: {sql}"
                )
        self._report.objects += 1
        return True

    def _mend_table(self, table: Table) -> Flow[None]:
        schema = self._walk.schema
        assert schema is not None
        plan = layout(table)
        found = TableReport(table.name, plan.key)
        self._walk.holders(table, found)
        reason = refusal(table, plan, schema, self._walk.report.schema)
        if reason is not None:
            self._report.refuse(reason)
            return
        rows = sum(each.count for each in self._checked.tables if each.name == table.name)
        rows = sum(each.count for each in self._checked.tables if each.name == table.name)
        self._walk.watch.begin(f"repairing {table.name}", rows)
        try:
            for view in _views(plan):
                yield from self._mend_view(table, view, found)
        except SchemaMoved:
            self._report.refuse(f"{table.name}: its definition changed meanwhile")
        except Failed as failed:
            self._report.refuse(f"{table.name}: {failed}")
        yield from self._notes.end()
        self._walk.watch.end()

    def _mend_view(self, table: Table, view: KeyedView | BagView, found: TableReport) -> Flow[None]:
        mender = mending(table, view)
        if mender.watched:
            yield from self._notes.begin(self._writer, table, mender.watched)
            schema = yield from self._walk.compare_schema()
            watched = schema.table(table.name)
            if watched is None or watched.sql != table.sql:
                raise SchemaMoved(table.name)
            mender = mending(watched, view)
        repair = RowRepair(
            self._walk, self._writer, self._report, mender.table, mender, self._notes
        )
        yield from self._walk.walk(view, _handler(repair, found), found)
        yield from self._notes.end()


def _handler(rows: RowRepair, found: TableReport) -> Handler:
    def handle(view: View, differences: Sequence[Difference]) -> Flow[None]:
        yield from rows.mend(differences, found)

    return handle


def _views(plan: Layout) -> list[KeyedView | BagView]:
    """How to walk through a table in order to repair it: never by rowids that a node may number anew."""
    if plan.bag is not None:
        return [plan.bag]
    return [view for view in (plan.view, plan.rest) if view is not None]
