"""What a comparison found. `Report.as_json` is what `--json` prints; docs/replicas.md describes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyrqlite.admin.nodes import Member
from pyrqlite.admin.verifying.values import Row, row_as_json, same

CHANGED, MISSING, EXTRA = "changed", "missing", "extra"


@dataclass(frozen=True)
class RowReport:
    """A row that differs: its key, the leader's row, and the other nodes' where they are different.

    None stands for no such row. `names` are the names of the rows' values. `exact` says that all were read
    at one log entry; otherwise others were writing, and the difference was seen several times in a row.
    """

    key: Mapping[str, Any]
    names: tuple[str, ...]
    leader: Row | None
    others: Mapping[str, Row | None]
    exact: bool

    def kind(self, node: str) -> str:
        """How the row of this node differs: `changed`, `missing` or `extra`."""
        return kind(self.leader, self.others[node])

    def columns(self, node: str) -> list[str]:
        """The columns that differ on this node; all of them where a row is missing on one side."""
        return differing(self.names, self.leader, self.others[node])

    def as_json(self) -> dict[str, Any]:
        """Of a changed row the columns that differ, of others, and of those without a key, the whole row."""
        names = [
            name
            for name in self.names
            if not self.key or any(name in self.columns(node) for node in self.others)
        ]
        return {
            "key": dict(self.key),
            "leader": self._chosen(self.leader, names),
            "nodes": {
                node: {"kind": self.kind(node), "row": self._chosen(row, names)}
                for node, row in self.others.items()
            },
            "exact": self.exact,
        }

    def _chosen(self, row: Row | None, names: list[str]) -> dict[str, Any] | None:
        if row is None:
            return None
        whole = row_as_json(self.names, row)
        return {name: whole[name] for name in names}


def kind(leader: Row | None, other: Row | None) -> str:
    """How a node's row differs from the leader's."""
    if leader is None:
        return EXTRA
    return MISSING if other is None else CHANGED


def differing(names: tuple[str, ...], leader: Row | None, other: Row | None) -> list[str]:
    """The names of the values that differ."""
    if leader is None or other is None:
        return list(names)
    return [name for name, one, two in zip(names, leader, other, strict=True) if not same(one, two)]


@dataclass
class TableReport:
    """A table: how many rows the leader has, and what differs.

    `nodes` counts the rows by node and kind, `columns` those that are changed by column; `rows` holds
    the first of them. `restless` are rows that changed all the time, `too_large` those that are too
    large to be sent: neither could be compared. `left_out` are nodes whose table is another.
    """

    name: str
    key: str
    count: int = 0
    differing: int = 0
    nodes: dict[str, Counter[str]] = field(default_factory=dict)
    columns: Counter[str] = field(default_factory=Counter)
    causes: dict[str, str] = field(default_factory=dict)
    rows: list[RowReport] = field(default_factory=list)
    restless: int = 0
    too_large: int = 0
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all rows could be compared on all nodes."""
        return not (self.restless or self.too_large or self.left_out)

    def add(self, row: RowReport, most: int) -> None:
        """Count a row that differs; show it if it is one of the first `most`."""
        self.differing += 1
        changed: set[str] = set()
        for node in row.others:
            kind = row.kind(node)
            self.nodes.setdefault(node, Counter())[kind] += 1
            if kind == CHANGED:
                changed.update(row.columns(node))
        self.columns.update(changed)
        if len(self.rows) < most:
            self.rows.append(row)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "key": self.key,
            "rows": self.count,
            "differing": self.differing,
            "nodes": {node: dict(counts) for node, counts in self.nodes.items()},
            "columns": dict(self.columns),
            "causes": self.causes,
            "shown": [row.as_json() for row in self.rows],
            "restless": self.restless,
            "too_large": self.too_large,
            "left_out": self.left_out,
            "notes": self.notes,
        }


@dataclass(frozen=True)
class SchemaReport:
    """A table, index, view or trigger that differs: its SQL on the leader and on the nodes where it is
    another; None where there is none."""

    kind: str
    name: str
    table: str
    leader: str | None
    others: Mapping[str, str | None]

    def as_json(self) -> dict[str, Any]:
        return {
            "type": self.kind,
            "name": self.name,
            "table": self.table,
            "leader": self.leader,
            "nodes": dict(self.others),
        }


@dataclass
class RepairReport:
    """What a repair did. `rows` and `objects` are those that were written; `collisions` are changes that
    other clients made at the same moment and that it may have overwritten; `refused` says what it left alone
    and why; `snapshots` are the nodes that made one at the end."""

    rows: int = 0
    objects: int = 0
    collisions: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)

    @property
    def written(self) -> int:
        """How much was written, of rows and objects together."""
        return self.rows + self.objects

    def refuse(self, reason: str) -> None:
        """Note what was left alone."""
        if reason not in self.refused:
            self.refused.append(reason)

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class Report:
    """What the nodes hold, compared with what the leader holds.

    `index` is a log entry that all compared nodes had applied before the comparison began.
    """

    nodes: list[Member] = field(default_factory=list)
    index: int = 0
    schema: list[SchemaReport] = field(default_factory=list)
    tables: list[TableReport] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    repair: RepairReport | None = None

    @property
    def compared(self) -> list[Member]:
        """The nodes that could be compared."""
        return [member for member in self.nodes if member.problem is None]

    @property
    def nothing_to_compare(self) -> bool:
        """Whether the cluster is a single node."""
        return len(self.nodes) < 2

    @property
    def complete(self) -> bool:
        """Whether everything could be compared on every node."""
        return len(self.compared) == len(self.nodes) and all(
            table.complete for table in self.tables
        )

    @property
    def different(self) -> bool:
        """Whether anything differs."""
        return bool(self.schema) or any(table.differing for table in self.tables)

    @property
    def equal(self) -> bool:
        """Whether all nodes are known to hold the same; True for a single node."""
        return self.nothing_to_compare or (self.complete and not self.different)

    def as_json(self) -> dict[str, Any]:
        """The report in JSON's types."""
        return {
            "equal": self.equal,
            "complete": self.complete,
            "raft_index": self.index,
            "nodes": [
                {
                    "id": member.id,
                    "address": None if member.node is None else str(member.node),
                    "leader": member.leader,
                    "voter": member.voter,
                    "problem": member.problem,
                }
                for member in self.nodes
            ],
            "schema": [each.as_json() for each in self.schema],
            "tables": [table.as_json() for table in self.tables],
            "skipped": self.skipped,
            "repair": None if self.repair is None else self.repair.as_json(),
        }
