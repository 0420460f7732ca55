"""Makes a statement mean the same at every time and on every node.

rqlite replicates statements, and every node executes them by itself, again after each restart. So what
reads a clock, a random source or the state of a connection is replaced by what it stands for, once, before
the statement leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from pyrqlite.errors import NotSupportedError, ProgrammingError
from pyrqlite.sql.clock import Instant
from pyrqlite.sql.impure import (
    TIME_MEANINGS,
    ZONE_MEANINGS,
    Argument,
    Meaning,
    Site,
    SiteKind,
    sites_are_random,
)
from pyrqlite.sql.names import fold
from pyrqlite.sql.parameters import Value
from pyrqlite.sql.plan import Plan, plan_of
from pyrqlite.sql.schema import Schema
from pyrqlite.sql.splice import Edit, keep_numbers, splice
from pyrqlite.sql.statement import Statement
from pyrqlite.sql.tokens import Kind, quote_name, quote_text

# A literal has to fit into the text of a statement, and the text into memory several times over.
_LARGEST_BLOB = 1 << 20


class RandomSource(Protocol):
    """Where random bytes come from: `random.Random` and `random.SystemRandom` fit."""

    def randbytes(self, n: int, /) -> bytes:
        """`n` random bytes."""


@dataclass(frozen=True)
class ConnectionValues:
    """What `last_insert_rowid()`, `changes()` and `total_changes()` give; None where nobody knows, as
    inside a pipeline."""

    last_insert_rowid: int | None = 0
    changes: int | None = 0
    total_changes: int | None = 0


@dataclass(frozen=True)
class Context:
    """Where the values come from that are put into a statement. The schema, if it is known, tells
    columns from strings in double quotes."""

    instant: Instant
    random: RandomSource
    connection: ConnectionValues = ConnectionValues()
    schema: Schema | None = None


@dataclass(frozen=True)
class Frozen:
    """A statement that means the same everywhere, and its values.

    `random` says that it is a query that stays random, as whoever wrote it wanted.
    """

    text: str
    values: Sequence[Value]
    random: bool = False


@dataclass(frozen=True)
class FrozenRows:
    """One text for many rows of values."""

    text: str
    rows: list[Sequence[Value]]


def needs_freezing(statement: Statement) -> bool:
    """Whether freezing can change the statement, or refuse it; answered from a cache."""
    return bool(plan_of(statement).sites)


def freeze(
    statement: Statement,
    values: Sequence[Value],
    context: Context,
    zones_allowed: Sequence[tuple[int, int]] = (),
) -> Frozen:
    """`statement` and the values of its placeholders, in the order of their numbers, made constant.

    A local time zone is let pass within the ranges `zones_allowed` of the text (a column's default).
    Raises NotSupportedError for what cannot be made constant; the message says what to do instead.
    """
    plan = plan_of(statement)
    if not plan.sites:
        return Frozen(statement.text, values)
    work = _Freezer(statement, plan, context, zones_allowed)
    times = list(work.times(values))
    edits = work.constants() + work.randoms(work.random_literal)
    frozen = list(values)
    removed: set[int] = set()
    for site, argument, shown in times:
        if argument.number is not None and argument.number in work.only_times:
            frozen[argument.number - 1] = work.now
        else:
            edits.append(work.replace(argument))
            removed.update(work.placeholders_in(argument))
        edits += work.show_milliseconds(site) if shown else []
    edits += keep_numbers(statement.placeholders, removed, {})
    work.check_zones(values)
    return Frozen(splice(statement.text, edits + work.labels(edits)), frozen, work.stays_random)


def freeze_rows(
    statement: Statement,
    rows: Iterable[Sequence[Value]],
    context: Context,
    zones_allowed: Sequence[tuple[int, int]] = (),
) -> FrozenRows:
    """`statement` for many rows of values, made constant.

    All rows share one instant; each gets random values of its own, as further values behind those it
    has. Raises NotSupportedError for what cannot be made constant.
    """
    plan = plan_of(statement)
    if not plan.sites:
        return FrozenRows(statement.text, list(rows))
    work = _Freezer(statement, plan, context, zones_allowed)
    draws: list[Site] = []
    marks: dict[int, int] = {}

    def mark(site: Site) -> str:
        draws.append(site)
        marks[statement.tokens[site.start].start] = statement.placeholders.count + len(draws)
        return "?"

    randoms = work.randoms(mark)
    numbering = keep_numbers(statement.placeholders, (), marks)
    if numbering:
        randoms = [edit._replace(text=f"?{marks[edit.start]}") for edit in randoms]
    edits = work.constants() + randoms + numbering
    for site, argument, shown in work.times(None):
        edits.append(work.replace(argument))
        edits += work.show_milliseconds(site) if shown else []
    work.check_zones(None)
    text = splice(statement.text, edits + work.labels(edits))
    return FrozenRows(text, [[*work.row(values), *map(work.draw, draws)] for values in rows])


_RANDOM_KINDS = (SiteKind.RANDOM, SiteKind.RANDOM_BLOB, SiteKind.FOREIGN)


class _Freezer:
    """The steps of freezing one statement."""

    def __init__(
        self,
        statement: Statement,
        plan: Plan,
        context: Context,
        zones_allowed: Sequence[tuple[int, int]],
    ) -> None:
        self.statement = statement
        self.tokens = statement.tokens
        self.plan = plan
        self.context = context
        self.zones_allowed = zones_allowed
        self.now = context.instant.time_value
        self.time_sites = [site for site in plan.sites if site.kind is SiteKind.TIME]
        self.stays_random = not plan.replicated and sites_are_random(plan.sites)

    @cached_property
    def only_times(self) -> frozenset[int]:
        """The numbers of the placeholders that stand nowhere but as times."""
        times = {
            start
            for site in self.time_sites
            for argument in site.times
            if argument.number is not None
            for start in self.placeholders_in(argument)
        }
        occurrences = self.statement.placeholders.occurrences
        others = {number for number, token in occurrences if token.start not in times}
        return frozenset(number for number, _ in occurrences if number not in others)

    def placeholders_in(self, argument: Argument) -> list[int]:
        """Where the placeholders in an argument start."""
        tokens = self.tokens[argument.start : argument.stop]
        return [token.start for token in tokens if token.kind is Kind.PARAMETER]

    # What does not depend on values.

    def constants(self) -> list[Edit]:
        """CURRENT_TIMESTAMP and its like, the connection's state, and times that are left out."""
        edits = []
        for site in self.plan.sites:
            if site.kind is SiteKind.CURRENT:
                edits.append(self._replace_site(site, self.context.instant.literal(site.name)))
            elif site.kind is SiteKind.STATE:
                edits.append(self._replace_site(site, self._state(site)))
            elif site.insertion is not None:
                place = self.tokens[site.insertion].start
                comma = ", " if site.comma else ""
                edits.append(Edit(place, place, comma + quote_text(self.now)))
        return edits

    def _state(self, site: Site) -> str:
        value: int | None = getattr(self.context.connection, site.name)
        if value is None:
            raise NotSupportedError(
                f"{site.name}() is not known here, because no answer has come yet: end the pipeline first"
            )
        return self._integer(value)

    def _integer(self, value: int) -> str:
        if self.plan.ordered:
            return f"({value}+0)"  # no bare integer: ORDER BY 1 means the first column
        return f"({value})" if value < 0 else str(value)

    def _replace_site(self, site: Site, text: str) -> Edit:
        return Edit(self.tokens[site.start].start, self.tokens[site.stop - 1].end, text)

    # Random numbers.

    def randoms(self, render: Callable[[Site], str]) -> list[Edit]:
        """The random numbers of a write, each rendered by itself; those of a query stay."""
        if not self.plan.replicated:
            return []
        edits = []
        for site in self.plan.sites:
            if site.kind in _RANDOM_KINDS:
                self._check_random(site)
                edits.append(self._replace_site(site, render(site)))
        return edits

    def _check_random(self, site: Site) -> None:
        if site.kind is SiteKind.FOREIGN:
            raise NotSupportedError(
                f"{site.name}() would give another value on every node: "
                "make the value in the program (with uuid.uuid4(), say) and bind it"
            )
        if site in self.plan.repeated:
            raise NotSupportedError(
                f"{site.name}() would give other values on every node here, where it may be evaluated for "
                "many rows: make the values in the program and bind them, one row at a time or with "
                "executemany()"
            )
        if site.kind is SiteKind.RANDOM_BLOB and (site.size is None or site.size > _LARGEST_BLOB):
            raise NotSupportedError(
                "randomblob() would give another value on every node; it can be replaced only with a "
                f"literal size up to {_LARGEST_BLOB}: bind os.urandom(n) instead"
            )

    def draw(self, site: Site) -> int | bytes:
        """A value as random() or randomblob() would give."""
        if site.size is not None:
            return self.context.random.randbytes(site.size)
        number = int.from_bytes(self.context.random.randbytes(8), "big", signed=True)
        # As in SQLite, so that abs(random()) never overflows.
        return -(number & _LARGEST_INTEGER) if number < 0 else number

    def random_literal(self, site: Site) -> str:
        """A random value as a literal."""
        value = self.draw(site)
        return f"x'{value.hex()}'" if isinstance(value, bytes) else self._integer(value)

    # Times.

    def times(self, values: Sequence[Value] | None) -> Iterator[tuple[Site, Argument, bool]]:
        """The time arguments that stand for the instant, and whether they also ask for its milliseconds
        to be shown. Without values, those that need none."""
        for site in self.time_sites:
            for argument in site.times:
                if values is None and argument.depends_on_values:
                    continue
                meaning = argument.meaning(values or (), TIME_MEANINGS)
                if meaning is Meaning.DOUBTFUL:
                    self._refuse_doubtful(site, argument)
                elif meaning is not Meaning.OTHER:
                    if argument.quoted:
                        self._check_no_column(argument)
                    yield site, argument, meaning is not Meaning.NOW and site.name != "timediff"

    def _refuse_doubtful(self, site: Site, argument: Argument) -> None:
        if self.plan.replicated:
            raise NotSupportedError(
                f"the time {self._source(argument)} given to {site.name}() is put together in SQL and could "
                "come out as 'now', which differs on every node: compute the time in the program and bind it"
            )

    def _source(self, argument: Argument) -> str:
        first, last = self.tokens[argument.start], self.tokens[argument.stop - 1]
        return self.statement.text[first.start : last.end]

    def _check_no_column(self, argument: Argument) -> None:
        """A text in double quotes is a column, if there is one of this name."""
        name = fold(argument.text or "")
        arguments = {a.start for site in self.time_sites for a in (*site.times, *site.modifiers)}
        schema = self.context.schema
        for index, token in enumerate(self.tokens):
            if token.kind not in (Kind.WORD, Kind.QUOTED):
                continue
            table = schema.table(token.name) if schema is not None else None
            if (table is not None and table.column(name) is not None) or (
                fold(token.name) == name
                and index not in arguments
                and self.tokens[index - 1].keyword != "AS"
            ):
                raise ProgrammingError(
                    f"{self._source(argument)} may be a column or the text {name!r} here: "
                    "write a text in single quotes, and the table's name before a column"
                )

    def show_milliseconds(self, site: Site) -> list[Edit]:
        """The modifier that does it, as the last one: some others have to be the first."""
        place = self.tokens[site.stop - 1].start
        return [Edit(place, place, ", 'subsec'")]

    def replace(self, argument: Argument) -> Edit:
        """The instant in place of an argument."""
        first, last = self.tokens[argument.start], self.tokens[argument.stop - 1]
        return Edit(first.start, last.end, quote_text(self.now))

    def check_zones(self, values: Sequence[Value] | None) -> None:
        """Refuse time zones in what is replicated: they are those of each node."""
        if not self.plan.replicated:
            return
        for site in self.time_sites:
            place = self.tokens[site.start].start
            if any(start <= place < stop for start, stop in self.zones_allowed):
                continue
            for argument in site.modifiers:
                if values is None and argument.depends_on_values:
                    continue
                if argument.meaning(values or (), ZONE_MEANINGS) is not Meaning.OTHER:
                    raise NotSupportedError(
                        f"{site.name}() with the modifier {self._source(argument)} depends on the time "
                        "zone of each node: convert the time in the program and bind it"
                    )

    def row(self, values: Sequence[Value]) -> Sequence[Value]:
        """One of many rows: texts such as 'now' can only be replaced where they are values of their own."""
        found = list(self.times(values))
        self.check_zones(values)
        frozen = list(values)
        for _, argument, shown in found:
            if not argument.depends_on_values:
                continue
            if shown or argument.number is None or argument.number not in self.only_times:
                raise NotSupportedError(
                    f"a value of {self._source(argument)} would be read as the current time of every node: "
                    "bind the time itself"
                )
            frozen[argument.number - 1] = self.now
        return frozen

    def labels(self, edits: Sequence[Edit]) -> list[Edit]:
        """Keeps the names of result columns whose expressions change."""
        return [
            Edit(label.stop, label.stop, f" AS {quote_name(label.text)}")
            for label in self.plan.labels
            if any(label.start <= edit.start < label.stop for edit in edits)
        ]


_LARGEST_INTEGER = 2**63 - 1
