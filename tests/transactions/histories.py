"""Histories of list appends, and a check that some serial order explains them.

After Kingsbury and Alvaro, Elle (2020): every element is appended once, so that what was read tells which version
of a list it was, and the transactions' dependencies follow: a cycle among them is an anomaly.
"""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Elements = tuple[int, ...]


class Anomaly(Exception):
    """No serial order explains a history."""


@dataclass
class Transaction:
    """What one did, in order; `start` and `end` are instants of one clock, before its first statement and
    behind its commit."""

    number: int
    start: float
    end: float = 0.0
    committed: bool = False
    appends: list[tuple[int, int]] = field(default_factory=list)
    reads: list[tuple[int, Elements, Elements]] = field(default_factory=list)

    def read(self, key: int, seen: Elements) -> None:
        """Note what was read, and what of that was its own."""
        own = tuple(element for other, element in self.appends if other == key)
        self.reads.append((key, seen, own))


def check(history: Sequence[Transaction], final: Mapping[int, Elements]) -> int:
    """The number of dependencies between the committed transactions; raises Anomaly."""
    committed = [transaction for transaction in history if transaction.committed]
    writers = {
        append: transaction.number for transaction in committed for append in transaction.appends
    }
    stored = [(key, element) for key, elements in final.items() for element in elements]
    if sorted(stored) != sorted(writers):
        raise Anomaly(f"lost or aborted appends: {set(stored) ^ set(writers)}")
    graph: dict[int, set[int]] = {transaction.number: set() for transaction in committed}
    for before, after in itertools.chain(
        _by_versions(final, writers), _by_reads(committed, final, writers), _by_time(committed)
    ):
        if before != after:
            graph[after].add(before)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        raise Anomaly(f"a cycle of transactions: {error.args[1]}") from None
    return sum(map(len, graph.values()))


Writers = Mapping[tuple[int, int], int]


def _by_versions(final: Mapping[int, Elements], writers: Writers) -> Iterator[tuple[int, int]]:
    for key, elements in final.items():
        for first, second in itertools.pairwise(elements):
            yield writers[key, first], writers[key, second]


def _by_reads(
    committed: Sequence[Transaction], final: Mapping[int, Elements], writers: Writers
) -> Iterator[tuple[int, int]]:
    for transaction in committed:
        for key, seen, own in transaction.reads:
            others = seen[: len(seen) - len(own)]
            if seen[len(others) :] != own:
                raise Anomaly(f"{transaction.number} does not see its own appends: {seen}, {own}")
            if final[key][: len(others)] != others:
                raise Anomaly(f"{transaction.number} read {seen}, never a version of {final[key]}")
            if others:
                yield writers[key, others[-1]], transaction.number
            following = [e for e in final[key][len(others) :] if e not in own]
            if following:
                yield transaction.number, writers[key, following[0]]


def _by_time(committed: Sequence[Transaction]) -> Iterator[tuple[int, int]]:
    for first, second in itertools.permutations(committed, 2):
        if first.end < second.start:
            yield first.number, second.number
