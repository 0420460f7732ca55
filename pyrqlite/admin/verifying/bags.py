"""Differences of tables without a key, told as far as possible as changes of rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from pyrqlite.admin.verifying.report import RowReport
from pyrqlite.admin.verifying.settling import Difference
from pyrqlite.admin.verifying.values import Row, identity
from pyrqlite.admin.verifying.views import BagView

Projection = tuple[object, ...]


@dataclass
class _Extras:
    """The rows that a node has beyond the leader's, by the values of their steady columns."""

    by_projection: dict[Projection, list[Row]] = field(default_factory=dict)

    def add(self, projection: Projection, row: Row, times: int) -> None:
        self.by_projection.setdefault(projection, []).extend([row] * times)

    def take(self, projection: Projection) -> Row | None:
        rows = self.by_projection.get(projection)
        return rows.pop() if rows else None

    def left(self) -> Iterator[Row]:
        for rows in self.by_projection.values():
            yield from rows


def rows_of(
    view: BagView, differences: Sequence[Difference], unsteady: Collection[str]
) -> Iterator[RowReport]:
    """The rows behind these differences.

    A row of the leader and one of a node that differ in nothing but columns known as unsteady are
    taken for one row that is changed.
    """
    steady = [at for at, name in enumerate(view.columns) if name not in unsteady]

    def projection(row: Row) -> Projection:
        return identity(tuple([row[at] for at in steady]))

    extras: dict[str, _Extras] = {}
    for each in differences:
        row = view.content(each.key[0])
        for node, more in _surplus(each, sign=-1):
            extras.setdefault(node, _Extras()).add(projection(row), row, more)
    for each in differences:
        row = view.content(each.key[0])
        missing = dict(_surplus(each, sign=1))
        for number in range(max(missing.values(), default=0)):
            nodes = [node for node, times in missing.items() if times > number]
            others = {
                node: extras[node].take(projection(row)) if node in extras else None
                for node in nodes
            }
            yield RowReport({}, view.columns, row, others, each.exact)
    exact = all(each.exact for each in differences)
    for node, found in extras.items():
        for row in found.left():
            yield RowReport({}, view.columns, None, {node: row}, exact)


def count(row: Row | None) -> int:
    """How often a content occurs, by its row in a BagView."""
    if row is None:
        return 0
    assert isinstance(row[1], int)
    return row[1]


def _surplus(difference: Difference, sign: int) -> Iterator[tuple[str, int]]:
    """The nodes that have fewer (sign 1) or more (sign -1) of a content than the leader, and how many."""
    leader = count(difference.leader)
    for node, row in difference.others.items():
        more = sign * (leader - count(row))
        if more > 0:
            yield node, more
