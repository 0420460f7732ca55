"""Compares what the nodes hold, table by table, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pyrqlite.admin.nodes import Access, Lost, Member, Patience, find_leader, find_members
from pyrqlite.admin.verifying.asking import Asker, SchemaMoved, Texts, TooLarge
from pyrqlite.admin.verifying.bags import rows_of
from pyrqlite.admin.verifying.causes import explain
from pyrqlite.admin.verifying.layout import (
    LAYOUT_QUERIES,
    SCHEMA_VIEW,
    Layout,
    is_catalogue,
    layout,
    read_schema,
    skipped,
)
from pyrqlite.admin.verifying.report import Report, RowReport, SchemaReport, TableReport
from pyrqlite.admin.verifying.settling import Difference, settle
from pyrqlite.admin.verifying.values import Row, row_as_json
from pyrqlite.admin.verifying.views import BagView, Limits, Part, Span, View
from pyrqlite.cluster.pool import NodePool
from pyrqlite.errors import ProgrammingError
from pyrqlite.flow.steps import Flow
from pyrqlite.sql.names import fold
from pyrqlite.sql.schema import Schema, Table
from pyrqlite.sql.steady import steadiness

_RESTARTS = 3


class Watch(Protocol):
    """Is told how a comparison goes on."""

    def begin(self, table: str, rows: int) -> None:
        """A table is begun that has so many rows on the leader."""

    def advance(self, rows: int) -> None:
        """So many more rows have been compared."""

    def end(self) -> None:
        """The table is done."""


class NoWatch:
    """Tells nobody."""

    def begin(self, table: str, rows: int) -> None: ...

    def advance(self, rows: int) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class Settings:
    """How to compare: which tables (none: all), how many differing rows of each to show, how long to wait
    for a node, whether to ask the cluster for its nodes."""

    tables: tuple[str, ...] = ()
    most_rows: int = 20
    patience: Patience = Patience()
    discover: bool = True


class Alone(Exception):
    """Fewer than two nodes are left to be compared."""


class Comparison:
    """One comparison of a cluster. Its methods are flows, apart from those that end up in the report."""

    def __init__(self, access: Access, settings: Settings, watch: Watch | None = None) -> None:
        self.access = access
        self.settings = settings
        self.watch = watch or NoWatch()
        self.asker = Asker(access, settings.patience)
        self.report = Report()
        self.schema: Schema | None = None

    @property
    def members(self) -> list[Member]:
        """The nodes that take part."""
        return self.report.compared

    def run(self) -> Flow[Report]:
        """Compare everything."""
        yield from self.gather()
        if not self.report.nothing_to_compare:
            try:
                yield from self.compare_schema()
                yield from self.compare_tables()
            except Alone:
                pass
        return self.report

    def gather(self) -> Flow[None]:
        """Find the nodes, and wait until all have come as far as the log is now."""
        patience, discover = self.settings.patience, self.settings.discover
        found = yield from find_members(self.access, patience, discover=discover)
        self.report.nodes = found
        up = [member.node for member in found if member.problem is None and member.node is not None]
        if up and discover:
            # From now on the log can be asked by way of any node, not only of those that the user named.
            self.access.cluster.nodes = NodePool(up)
        if len(found) < 2:
            return
        self.report.index = yield from self.asker.barrier()
        yield from self._catch_up(self.report.index)

    def _catch_up(self, index: int) -> Flow[None]:
        for member in self.members:
            try:
                yield from self.asker.wait(member, index)
            except Lost as lost:
                yield from self.lose(lost)

    def compare_schema(self) -> Flow[Schema]:
        """Compare the schemas, and read that of the leader. Alone."""
        yield from self._catch_up((yield from self.asker.barrier()))
        self.report.schema = []
        yield from self.walk(SCHEMA_VIEW, self._note_schema)
        answer = yield from self.asker.log(LAYOUT_QUERIES)
        self.schema = read_schema([result.check().values[0][0] for result in answer.results])
        return self.schema

    def _note_schema(self, view: View, differences: Sequence[Difference]) -> Flow[None]:
        for each in differences:
            kind, name, *_ = map(str, each.key)
            table = next(str(row[2]) for row in (each.leader, *each.others.values()) if row)
            if self._wanted(table):
                others = {node: _sql(row) for node, row in each.others.items()}
                self.report.schema.append(
                    SchemaReport(kind, name, table, _sql(each.leader), others)
                )
        return
        yield  # a flow that asks nothing

    def _wanted(self, table: str) -> bool:
        wanted = self.settings.tables
        return not wanted or fold(table) in map(fold, wanted)

    def compare_tables(self) -> Flow[None]:
        """Compare the rows of all tables. Alone."""
        assert self.schema is not None
        self._check_names(self.schema)
        done: set[str] = set()
        while True:
            waiting = [table for table in self.tables() if fold(table.name) not in done]
            if not waiting:
                return
            done.add(fold(waiting[0].name))
            yield from self._compare_table(waiting[0].name)

    def tables(self) -> list[Table]:
        """The tables that are to be compared; notes the others in the report."""
        assert self.schema is not None
        found: list[Table] = []
        for _, table in sorted(self.schema.tables.items()):
            if is_catalogue(table) or not self._wanted(table.name):
                continue
            reason = skipped(table)
            if reason is None:
                found.append(table)
            else:
                self.report.skipped[table.name] = reason
        for view in self.schema.views.values():
            if self._wanted(view.name):
                self.report.skipped[view.name] = "a view"
        return found

    def _check_names(self, schema: Schema) -> None:
        known = {*schema.tables, *schema.views, *(fold(each.table) for each in self.report.schema)}
        for name in self.settings.tables:
            if fold(name) not in known:
                raise ProgrammingError(f"there is no table {name} on any node")

    def _compare_table(self, name: str) -> Flow[None]:
        """Compare one table; begins again where its definition changes meanwhile."""
        for _ in range(_RESTARTS):
            assert self.schema is not None
            table = self.schema.table(name)
            if table is None:
                return  # dropped meanwhile
            try:
                yield from self._compare_now(table)
                return
            except SchemaMoved:
                self.watch.end()
                yield from self.compare_schema()
        report = TableReport(name, "", left_out=[member.id for member in self.members])
        report.notes.append("its definition changed again and again while it was compared")
        self.report.tables.append(report)

    def _compare_now(self, table: Table) -> Flow[None]:
        plan = layout(table)
        report = TableReport(table.name, plan.key)
        members = self.holders(table, report)
        assert self.schema is not None
        if len(members) >= 2:
            report.count = yield from self.asker.count(members[0], table.name)
            self.watch.begin(f"comparing {table.name}", report.count)
            yield from self._compare_views(plan, report)
            self.watch.end()
            explain(report, table, self.schema)
        self.report.tables.append(report)

    def _compare_views(self, plan: Layout, report: TableReport) -> Flow[None]:
        collector = Collector(report, self.settings.most_rows, self.unsteady(plan.table))
        if plan.bag is None:
            yield from self.walk(plan.view, collector, report)
        else:
            try:
                yield from self.walk(plan.view, _stop, report)
                return
            except _RowidsDiffer:
                pass
            report.restless = 0
            yield from self.walk(plan.bag, collector, report)
            if not report.differing:
                report.notes.append("the rows are equal, but some have other rowids")
        if plan.rest is not None:
            yield from self.walk(plan.rest, collector, report)

    def unsteady(self, table: Table) -> set[str]:
        """The columns that other clients let differ, by their names."""
        assert self.schema is not None
        known = steadiness(self.schema)
        return {c.name for c in table.columns if known.column_reason(table, c) is not None}

    def holders(self, table: Table, report: TableReport) -> list[Member]:
        """The nodes that have this table as the leader has it; the others are noted in the report."""
        report.left_out = [
            node
            for each in self.report.schema
            if each.kind == "table" and fold(each.name) == fold(table.name)
            for node in each.others
        ]
        return self._with_leader_first(report.left_out)

    def walk(self, view: View, handle: Handler, report: TableReport | None = None) -> Flow[None]:
        """Go through a view from its start to its end and hand on the differences. Alone, SchemaMoved."""
        lower: Row | None = None
        limits = view.limits
        while True:
            members = self.present(report)
            try:
                piece = yield from self._piece(members[:1], view, Span(lower), limits)
                equal = yield from self._equal(members, view, piece.span)
                if not equal:
                    piece = yield from self._piece(members, view, piece.span, limits)
                    yield from self._settle(members, view, piece.span, handle, report)
            except Lost as lost:
                yield from self.lose(lost)
                continue
            except TooLarge:
                if limits.rows > 1:
                    limits = Limits(1, 1)
                    continue
                assert report is not None
                report.too_large += 1
            if report is not None:
                self.watch.advance(piece.rows)
            if piece.span.upper is None:
                return
            lower, limits = piece.span.upper, view.limits

    def lose(self, lost: Lost) -> Flow[None]:
        """Go on without a node; where it was the leader, find the next one."""
        lost.member.problem = lost.reason
        if lost.member.leader and self.members:
            lost.member.leader = False
            yield from find_leader(self.members, self.settings.patience, gone=lost.member.id)

    def present(self, report: TableReport | None) -> list[Member]:
        """The nodes that are compared, the leader first. Alone."""
        members = self._with_leader_first(report.left_out if report is not None else ())
        if len(members) < 2:
            raise Alone
        return members

    def _with_leader_first(self, left_out: Collection[str]) -> list[Member]:
        members = [member for member in self.members if member.id not in left_out]
        return sorted(members, key=lambda member: not member.leader)

    def _piece(
        self, members: Iterable[Member], view: View, span: Span, limits: Limits
    ) -> Flow[_Piece]:
        """As much of a span as is within the limits on all of these nodes."""
        rows = 0
        for member in members:
            bound = yield from self.asker.bound(member, view, span, limits)
            rows = bound.rows
            if not bound.complete:
                span = Span(span.lower, bound.last)
        return _Piece(span, rows)

    def _equal(self, members: Iterable[Member], view: View, part: Span) -> Flow[bool]:
        """Whether all hold the same at first sight."""
        first: Texts | None = None
        for member in members:
            found = yield from self.asker.texts(member, view, part)
            if found.moved or (first is not None and found != first):
                return False
            first = found
        return True

    def _settle(
        self,
        members: Sequence[Member],
        view: View,
        part: Part,
        handle: Handler,
        report: TableReport | None,
    ) -> Flow[None]:
        settled = yield from settle(self.asker, members, view, part)
        for lost in settled.lost:
            yield from self.lose(lost)
        if report is not None:
            report.restless += len(settled.restless)
        yield from handle(view, settled.differences)


class _Piece(NamedTuple):
    """A span that is small enough, and about how many rows it has."""

    span: Span
    rows: int


Handler = Callable[[View, Sequence[Difference]], Flow[None]]


class _RowidsDiffer(Exception):
    """Nodes number the rows of a table without a key differently, or their rows differ."""


def _stop(view: View, differences: Sequence[Difference]) -> Flow[None]:
    if differences:
        raise _RowidsDiffer
    return
    yield  # a flow that asks nothing


class Collector:
    """Puts differences into the report of a table."""

    def __init__(self, report: TableReport, most: int, unsteady: Collection[str]) -> None:
        self._report = report
        self._most = most
        self._unsteady = unsteady

    def __call__(self, view: View, differences: Sequence[Difference]) -> Flow[None]:
        for row in self._rows(view, differences):
            self._report.add(row, self._most)
        return
        yield  # a flow that asks nothing

    def _rows(self, view: View, differences: Sequence[Difference]) -> Iterable[RowReport]:
        if isinstance(view, BagView):
            yield from rows_of(view, differences, self._unsteady)
            return
        names = [view.names[index] for index in view.key]
        for each in differences:
            key = row_as_json(names, each.key)
            yield RowReport(key, view.names, each.leader, each.others, each.exact)


def _sql(row: Row | None) -> str | None:
    return None if row is None else str(row[SCHEMA_VIEW.names.index("sql")])
