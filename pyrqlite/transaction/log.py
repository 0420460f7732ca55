"""The log of a transaction: its statements, and the facts that were seen of their results."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pyrqlite.errors import ProgrammingError
from pyrqlite.flow.packed import Query
from pyrqlite.sql.names import fold
from pyrqlite.sql.parameters import Value
from pyrqlite.sql.reads import FactKind, ReadVerdict
from pyrqlite.sql.schema import Schema, Table
from pyrqlite.sql.statement import Statement, StatementKind
from pyrqlite.transaction import guards, replay
from pyrqlite.transaction.replay import Run
from pyrqlite.wire import packing
from pyrqlite.wire.request import Item, item
from pyrqlite.wire.response import Result


class Isolation(enum.Enum):
    """How far a transaction is shielded from others."""

    SERIALIZABLE = "SERIALIZABLE"
    READ_COMMITTED = "READ COMMITTED"


@dataclass(frozen=True)
class Fact:
    """Something that the application has seen: of which statement, what becomes of it, and why."""

    statement: str
    kind: FactKind
    reason: str = ""


@dataclass(frozen=True)
class ReadEntry:
    """A query and the packed text of its rows. `query` is as it was sent, `ordered` says whether its rows come
    in an order of its own, `parts` are the guards where it has others than that its rows are the same."""

    query: Query
    width: int
    apart: frozenset[int]
    form: packing.Form
    seen: str
    rows: int
    verdict: ReadVerdict
    ordered: bool
    parts: tuple[RowsGuard, ...] = ()

    is_fact = True
    uniform = True
    behind = ()

    @property
    def text(self) -> str:
        """The query, as the application wrote it."""
        return self.query.original.text

    @property
    def reason(self) -> str:
        """Why there is no guard."""
        return self.verdict.reason

    @property
    def guarded(self) -> bool:
        """Whether it has a guard."""
        return self.verdict.guarded

    @property
    def open(self) -> bool:
        """Whether something that was seen has no guard."""
        return self.verdict.kind is FactKind.CHECKED

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables on whose definitions the guard relies."""
        return self.verdict.tables

    @property
    def before(self) -> tuple[ReadEntry | RowsGuard, ...]:
        """What guards in its place look at: itself, or its parts."""
        if not self.guarded:
            return ()
        return self.parts or (self,)

    @property
    def again(self) -> Item:
        """The statement that gives the same text as long as the fact holds."""
        text = packing.rows_query(self.query.statement, self.width, self.apart, self.form)
        return item(text, self.query.values)

    def guard(self, number: int) -> Item:
        """The guard of this fact."""
        statement, values = self.query.statement, list(self.query.values)
        aggregates = self.verdict.aggregates
        if aggregates is not None and self.rows:
            [row] = packing.unpack_rows(self.seen, self.width)
            return guards.aggregates_guard(statement, values, aggregates, row, number)
        return guards.rows_guard(
            statement, values, self.width, self.apart, self.seen, self.rows, number
        )

    def finals(self, number: int, guarding: bool) -> list[Step]:
        """What it does in the commit: nothing."""
        return []

    def holds(self, result: Result) -> bool:
        """Whether `again` gave what was seen."""
        if result.error is not None or not result.values:
            return False
        now = result.values[0][0]
        return now == self.seen or (not self.ordered and _bag(now) == _bag(self.seen))


def _bag(text: str) -> list[str]:
    return sorted(map(json.dumps, json.loads(text)))


class Seen(NamedTuple):
    """What a speculation showed of one statement: what it changed, the rowid it made, the rows it returned."""

    changes: int
    rowid: int | None
    texts: tuple[str, ...]

    def same_as(self, other: Seen) -> bool:
        """Whether nothing has changed, but perhaps the order of rows."""
        return self[:2] == other[:2] and sorted(self.texts) == sorted(other.texts)


@dataclass(frozen=True)
class WriteEntry:
    """A write. `items` go into speculations, `final` into the commit; `seen` is None inside a pipeline, where
    nobody looked.

    `before` and `behind` are makers of guards. `counts` says that the count of each of `final` is guarded, with
    the last rowid where there is a `rowid`; `open` that a part of what was seen has no guard. `returned` makes
    of a row of RETURNING the text of what is a fact.
    """

    original: Statement
    statement: Statement
    items: tuple[Item, ...]
    final: tuple[Item, ...]
    seen: tuple[Seen, ...] | None
    makes_rowid: bool
    before: tuple[RowsGuard, ...] = ()
    behind: tuple[RowsGuard, ...] = ()
    counts: bool = False
    rowid: int | None = None
    open: bool = False
    uniform: bool = False
    tables: tuple[Table, ...] = ()
    reason: str = ""
    returned: Callable[[Sequence[Any]], str] = json.dumps

    @property
    def text(self) -> str:
        """The statement, as the application wrote it."""
        return self.original.text

    @property
    def changes_schema(self) -> bool:
        """Whether it is DDL."""
        return self.statement.kind is StatementKind.DEFINITION

    @property
    def is_fact(self) -> bool:
        """Whether somebody has looked at its results."""
        return self.seen is not None and self.statement.kind is StatementKind.WRITE

    @property
    def guarded(self) -> bool:
        """Whether any part of what was seen has a guard."""
        return bool(self.counts or self.before or self.behind)

    def look(self, result: Result) -> Seen:
        """What a result says, in the form to compare."""
        if self.statement.kind is not StatementKind.WRITE:
            return Seen(0, None, ())  # the server repeats the counts of an earlier statement
        if result.columns is not None:
            return Seen(len(result.values), None, tuple(map(self.returned, result.values)))
        rowid = result.last_insert_id if self.makes_rowid and result.rows_affected else None
        return Seen(result.rows_affected, rowid, ())

    def finals(self, number: int, guarding: bool) -> list[Step]:
        """The statements of the commit, each with the guard of its count behind it."""
        steps: list[Step] = []
        for place, final in enumerate(self.final):
            steps.append(Step(final, self, False))
            if guarding and self.counts and self.seen is not None:
                changes = self.seen[place].changes
                guard = guards.count_guard(changes, self.rowid, number + place)
                steps.append(Step(guard, self, True))
        return steps


@dataclass(frozen=True)
class RowsGuard:
    """That a query gives these `count` rows, whose packed text, without the columns `apart`, is `seen`."""

    statement: Statement
    values: tuple[Value, ...]
    width: int
    seen: str
    count: int
    apart: frozenset[int] = frozenset()

    def guard(self, number: int) -> Item:
        """The statement."""
        return guards.rows_guard(
            self.statement,
            list(self.values),
            self.width,
            self.apart,
            self.seen,
            self.count,
            number,
        )


Entry = ReadEntry | WriteEntry


class Step(NamedTuple):
    """One statement of a commit: whose it is, and whether it is a guard. The owner is None for a guard of a
    table's definition."""

    item: Item
    owner: Entry | None
    is_guard: bool


class Judged(NamedTuple):
    """An entry, and whether all writes before it, and all up to it, do the same on every node: only then may a
    guard look at what they have left."""

    entry: Entry
    steady_before: bool
    steady: bool

    @property
    def fact(self) -> Fact:
        """The fact for users."""
        entry = self.entry
        if entry.open:
            return Fact(entry.text, FactKind.CHECKED, entry.reason)
        if not entry.guarded:
            return Fact(entry.text, FactKind.NONE, entry.reason)
        if not self.steady:
            return Fact(
                entry.text,
                FactKind.CHECKED,
                "it stands behind a write that may differ between nodes",
            )
        return Fact(entry.text, FactKind.GUARDED)


@dataclass
class Log:
    """An open transaction: its `entries`, the `writes` among them, the `runs` in which these are run again (unless
    `packs` is false), and whether one of them is DDL.

    `explicit` says that BEGIN (or the savepoint `outermost`) has opened it; `failed` that only a rollback can
    follow; `dropped` that it was rolled back, which a statement that runs meanwhile has to notice. `undone` are
    the entries up to each end that ROLLBACK TO has cut off: what was seen there is not forgotten.
    """

    isolation: Isolation
    explicit: bool = False
    outermost: str | None = None
    entries: list[Entry] = field(default_factory=list)
    writes: list[WriteEntry] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    packs: bool = True
    changes_schema: bool = False
    marks: list[tuple[str, int]] = field(default_factory=list)
    undone: list[list[Entry]] = field(default_factory=list)
    failed: Exception | None = None
    dropped: bool = False
    # The triggers by which facts were judged, as one text for each schema that was known.
    trigger_texts: dict[str | None, None] = field(default_factory=dict)
    schema: Schema | None = None  # behind the transaction's own DDL

    @property
    def is_open(self) -> bool:
        """Whether the transaction has begun: by BEGIN, or by a statement."""
        return bool(self.explicit or self.entries or self.marks)

    @property
    def write_items(self) -> list[Item]:
        """The statements of all writes, as speculations send them."""
        return [item for entry in self.writes for item in entry.items]

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        self.entries.append(entry)
        if isinstance(entry, WriteEntry):
            self.writes.append(entry)
            replay.add(self.runs, entry)
            if entry.changes_schema:
                self.changes_schema, self.schema = True, None

    def judged(self) -> Iterator[Judged]:
        """The entries in order."""
        steady = True
        for entry in self.entries:
            before, steady = steady, steady and entry.uniform
            yield Judged(entry, before, steady)

    def facts(self) -> list[Fact]:
        """The facts, in order."""
        return [judged.fact for judged in self.judged() if judged.entry.is_fact]

    def fact(self, entry: Entry) -> Fact | None:
        """The fact of this entry, which may be undone; None where nobody looked."""
        if entry.is_fact and not any(own is entry for own in self.entries):
            return Fact(entry.text, FactKind.CHECKED, "it was undone, but seen")
        return next(
            (own.fact for own in self.judged() if own.entry is entry and entry.is_fact), None
        )

    # Savepoints.

    def savepoint(self, name: str) -> None:
        """Set a mark."""
        self.marks.append((fold(name), len(self.entries)))

    def _find(self, name: str) -> int:
        for index in range(len(self.marks) - 1, -1, -1):
            if self.marks[index][0] == fold(name):
                return index
        raise ProgrammingError(f"no such savepoint: {name}")

    def has_mark(self, name: str) -> bool:
        """Whether there is a savepoint of this name."""
        return any(mark == fold(name) for mark, _ in self.marks)

    def release(self, name: str) -> None:
        """Forget a mark and those behind it."""
        del self.marks[self._find(name) :]

    def rollback_to(self, name: str) -> None:
        """Cut the log back to a mark, which stays. Reads before the first write behind it stay in the log: they
        saw what the others saw too."""
        index = self._find(name)
        place = self.marks[index][1]
        while place < len(self.entries) and isinstance(self.entries[place], ReadEntry):
            place += 1
        if self.isolation is Isolation.SERIALIZABLE and any(
            e.is_fact for e in self.entries[place:]
        ):
            self.undone.append([*self.entries])
        kept = self.entries[:place]
        self.entries, self.writes, self.runs = [], [], []
        self.changes_schema, self.schema = False, None
        for entry in kept:
            self.add(entry)
        del self.marks[index + 1 :]

    # The commit.

    def steps(self, guarding: bool = True) -> Iterator[Step]:
        """The statements of the commit; `guarding` False leaves out all guards, for tests."""
        number = 0
        definitions = list(self._definitions()) if guarding else []
        for table in definitions:
            yield Step(guards.table_guard(table, number), None, True)
            number += 1
        for text in self.trigger_texts if definitions else ():
            yield Step(guards.triggers_guard(text, number), None, True)
            number += 1
        for entry, steady_before, steady in self.judged():
            for guard in entry.before if guarding and steady_before else ():
                yield Step(guard.guard(number), entry, True)
                number += 1
            finals = entry.finals(number, guarding and steady)
            yield from finals
            number += len(finals)
            for guard in entry.behind if guarding and steady else ():
                yield Step(guard.guard(number), entry, True)
                number += 1

    def _definitions(self) -> Iterable[Table]:
        """The tables on whose definitions guards rely, each definition once."""
        return {
            (table.name, table.definition): table
            for entry in self.entries
            if entry.guarded
            for table in entry.tables
        }.values()

    def checked(self) -> list[Entry]:
        """The entries to look at again just before the commit."""
        return [
            judged.entry
            for judged in self.judged()
            if judged.entry.is_fact and judged.fact.kind is FactKind.CHECKED
        ]

    def stand_behind_writes(self, entries: Sequence[Entry]) -> bool:
        """Whether one of these is a write, or has seen one of this transaction."""
        first = next((i for i, e in enumerate(self.entries) if isinstance(e, WriteEntry)), None)
        return first is not None and any(
            own is entry for own in self.entries[first:] for entry in entries
        )


def some_rows(seen: str, start: int, stop: int) -> str:
    """The packed text of the rows from `start` up to `stop` in a packed text, as the server wrote it."""
    ends, scanner = [0], json.JSONDecoder()
    for _ in range(stop):
        ends.append(scanner.raw_decode(seen, ends[-1] + 1)[1])  # behind the bracket or the comma
    return f"[{seen[ends[start] + 1 : ends[stop]]}]"
