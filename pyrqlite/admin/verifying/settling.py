"""Is a difference real, or has one node only not come as far as the other?

Each node says how far it has come in the log. If all say the same, before they are read and afterwards, what
differs differs. Otherwise barriers are needed: entries in the log, of which the index is known. All nodes are
read between two of them, each when it has applied the first; if nothing else was logged between the two, all
were read at one entry. If others write all the time, the leader's rows are read before the other nodes and
once more behind them, with barriers between. Where the leader's row was the same both times, and the node's
is another, they differ, unless the leader's has changed and changed back in between: so that has to be seen
several times, and never that they are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyrqlite.admin.nodes import Lost, Member
from pyrqlite.admin.verifying.asking import Asker, Rows, SchemaMoved
from pyrqlite.admin.verifying.values import Row, identity
from pyrqlite.admin.verifying.views import Keys, Part, View, key_of, unpacked
from pyrqlite.flow.steps import Flow, Sleep

_CONFIRMATIONS = 5
_LOOKS_AT_ALL = 6
_LOOKS_AT_SOME = 24
_KEYS_AT_ONCE = 20

Identity = tuple[object, ...]


@dataclass(frozen=True)
class Difference:
    """A row that is not the leader's on some nodes: `leader` and `others` (by node id) hold the row, or
    None where there is none. `exact` says that all were read at the same log entry."""

    key: Row
    leader: Row | None
    others: Mapping[str, Row | None]
    exact: bool


@dataclass
class Settled:
    """What is known of a part: the differences, the keys of rows that never stood still, lost nodes."""

    differences: list[Difference] = field(default_factory=list)
    restless: list[Row] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)


@dataclass(frozen=True)
class _Look:
    """What was seen: the leader's rows before and behind those of the nodes."""

    before: Rows
    after: Rows
    nodes: Mapping[str, Rows]
    exact: bool

    def identities(self) -> Iterator[Identity]:
        yield from {
            name: None for rows in (self.before, self.after, *self.nodes.values()) for name in rows
        }

    def any_row(self, name: Identity) -> Row:
        """Any version of the row."""
        found = (
            rows[name] for rows in (self.after, self.before, *self.nodes.values()) if name in rows
        )
        return next(found)

    def others(self, name: Identity) -> dict[str, Row | None]:
        """The nodes where the row is not the leader's."""
        leader = self.after.get(name)
        return {
            node: rows.get(name)
            for node, rows in self.nodes.items()
            if not same_row(rows.get(name), leader)
        }

    def equal(self, name: Identity) -> bool:
        """Whether the row is the same everywhere."""
        return same_row(self.before.get(name), self.after.get(name)) and not self.others(name)


@dataclass
class _Candidate:
    """A row that may differ, and how often it did while the leader's stood still."""

    key: Row
    times: int = 0


Candidates = dict[Identity, _Candidate]


def settle(asker: Asker, members: Sequence[Member], view: View, part: Part) -> Flow[Settled]:
    """Compare what nodes hold of a part with what the first of them, the leader, holds.

    Lost if that is the leader itself; SchemaMoved, TooLarge.
    """
    return (yield from _Settling(asker, members[0], list(members[1:]), view).settle(part))


class _Settling:
    def __init__(self, asker: Asker, leader: Member, others: list[Member], view: View) -> None:
        self._asker = asker
        self._leader = leader
        self._others = others
        self._view = view
        self._found = Settled()

    def settle(self, part: Part) -> Flow[Settled]:
        candidates: Candidates = {}
        for kind_of_look in (self._glance, self._short_look):
            look = yield from kind_of_look(part)
            candidates = {
                name: _Candidate(key_of(self._view, look.any_row(name)))
                for name in look.identities()
                if not look.equal(name)
            }
            if look.exact or not candidates:
                self._judge(look, candidates)
                return self._found
        yield from self._settle_slowly(part, candidates)
        return self._found

    def _settle_slowly(self, part: Part, candidates: Candidates) -> Flow[None]:
        """Look at the whole part a few times, and then, more closely, at what was never at rest."""
        still_open = yield from self._looks(part, candidates, _LOOKS_AT_ALL)
        for batch in _batches(still_open):
            keys = Keys(tuple(candidate.key for candidate in batch.values()))
            rest = yield from self._looks(keys, batch, _LOOKS_AT_SOME)
            self._found.restless += [candidate.key for candidate in rest.values()]

    def _looks(self, part: Part, candidates: Candidates, most: int) -> Flow[Candidates]:
        """Look until nothing is open any more, or `most` times; gives what still is."""
        for number in range(most):
            if number:
                yield Sleep(min(0.002 * 2**number, 0.05))
            look = yield from self._long_look(part)
            candidates = self._judge(look, candidates)
            if not candidates:
                break
        return candidates

    def _glance(self, part: Part) -> Flow[_Look]:
        leader, reached = yield from self._rows_as_they_are(self._leader, part)
        nodes: dict[str, Rows] = {}
        for member in list(self._others):
            try:
                nodes[member.id], indexes = yield from self._rows_as_they_are(member, part)
            except Lost as lost:
                self._lose(lost)
            else:
                reached |= indexes
        return _Look(leader, leader, nodes, exact=len(reached) == 1)

    def _rows_as_they_are(self, member: Member, part: Part) -> Flow[tuple[Rows, set[int]]]:
        """The rows, and how far the node had come before they were read and afterwards."""
        before = yield from self._asker.applied(member)
        rows = yield from self._read(member, part)
        after = yield from self._asker.applied(member)
        return rows, {before, after}

    def _short_look(self, part: Part) -> Flow[_Look]:
        first = yield from self._asker.barrier()
        leader = yield from self._rows(self._leader, first, part)
        nodes = yield from self._rows_of_others(first, part)
        last = yield from self._asker.barrier()
        return _Look(leader, leader, nodes, exact=last == first + 1)

    def _long_look(self, part: Part) -> Flow[_Look]:
        first = yield from self._asker.barrier()
        before = yield from self._rows(self._leader, first, part)
        second = yield from self._asker.barrier()
        nodes = yield from self._rows_of_others(second, part)
        third = yield from self._asker.barrier()
        after = yield from self._rows(self._leader, third, part)
        last = yield from self._asker.barrier()
        return _Look(before, after, nodes, exact=last == first + 3)

    def _rows(self, member: Member, barrier: int, part: Part) -> Flow[Rows]:
        yield from self._asker.wait(member, barrier)
        return (yield from self._read(member, part))

    def _read(self, member: Member, part: Part) -> Flow[Rows]:
        found = yield from self._asker.texts(member, self._view, part)
        if found.moved:
            raise SchemaMoved(self._view.table)
        return unpacked(self._view, found.texts)

    def _rows_of_others(self, barrier: int, part: Part) -> Flow[dict[str, Rows]]:
        found: dict[str, Rows] = {}
        for member in list(self._others):
            try:
                found[member.id] = yield from self._rows(member, barrier, part)
            except Lost as lost:
                self._lose(lost)
        return found

    def _lose(self, lost: Lost) -> None:
        self._others.remove(lost.member)
        self._found.lost.append(lost)

    def _judge(self, look: _Look, candidates: Candidates) -> Candidates:
        """Keep what is settled; gives the rows that have to be looked at again."""
        still_open: Candidates = {}
        for name, candidate in candidates.items():
            leader, others = look.after.get(name), look.others(name)
            still = same_row(look.before.get(name), leader)
            if still and not others:
                continue
            candidate.times += still
            seen_enough = still and candidate.times >= _CONFIRMATIONS
            if others and (look.exact or seen_enough):
                found = Difference(candidate.key, leader, others, look.exact)
                self._found.differences.append(found)
            else:
                still_open[name] = candidate
        return still_open


def same_row(one: Row | None, other: Row | None) -> bool:
    """Whether both are the same row, to the storage class, or none."""
    if one is None or other is None:
        return one is other
    return one == other and identity(one) == identity(other)


def _batches(candidates: Candidates) -> Iterator[Candidates]:
    names = list(candidates)
    for start in range(0, len(names), _KEYS_AT_ONCE):
        yield {name: candidates[name] for name in names[start : start + _KEYS_AT_ONCE]}
