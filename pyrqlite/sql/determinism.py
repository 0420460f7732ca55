"""Warns of what the driver cannot cure: writes that may do something else on another node, in every client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyrqlite.sql.complete import complete, fires_default_for_null
from pyrqlite.sql.ddl import read_table
from pyrqlite.sql.effects import all_fired, has_impure_check
from pyrqlite.sql.expressions import expression_reason
from pyrqlite.sql.grammar import Unparsed, parse_query
from pyrqlite.sql.impure import Source, find_sites, sources_of
from pyrqlite.sql.insert import Insert, parse_insert
from pyrqlite.sql.names import fold, is_name
from pyrqlite.sql.queries import is_distinct_from, split_commas
from pyrqlite.sql.reads import is_total
from pyrqlite.sql.schema import Schema, Table
from pyrqlite.sql.statement import Statement, StatementKind, at_depth_zero
from pyrqlite.sql.steady import Steadiness, mentioned, steadiness
from pyrqlite.sql.tokens import Token, significant
from pyrqlite.sql.writes import EACH_STEP, judge_write


class DeterminismWarning(UserWarning):
    """A statement can have other effects on another node, or when a node replays its log."""


@dataclass(frozen=True)
class Cause:
    """Why, and under which key to warn only once."""

    key: tuple[str, ...]
    message: str


_EVERYTHING = significant("SELECT *")
_VARIES = Source.CLOCK | Source.RANDOM | Source.ZONE
_INSTEAD = "make the value in the program and bind it"


def write_causes(
    statement: Statement, schema: Schema, steady_times: bool = False
) -> tuple[Cause, ...]:
    """The causes for a DeterminismWarning in this write or definition, before it is completed. The caller
    warns once for each key."""
    if statement.kind not in (StatementKind.WRITE, StatementKind.DEFINITION):
        return ()
    key = (write_causes, statement.text, steady_times)
    found: tuple[Cause, ...] | None = schema.memo.get(key)
    if found is None:
        if statement.kind is StatementKind.WRITE:
            finder = _Finder(statement, schema, steadiness(schema, steady_times))
            causes = [*finder.causes(), *_step_causes(statement, schema)]
            found = tuple({cause.key: cause for cause in causes}.values())
        else:
            found = tuple(_definition_causes(statement))
        schema.remember(key, found)
    return found


def _step_causes(statement: Statement, schema: Schema) -> Iterator[Cause]:
    """An UPDATE that moves several rows along a unique index: in another order a step may be in the way."""
    if statement.verb == "UPDATE":
        verdict = judge_write(statement, schema, [None] * statement.placeholders.count)
        if EACH_STEP in verdict.uniform_reason:
            yield Cause(
                ("steps", statement.text),
                f"{verdict.uniform_reason}: on a node with another plan the whole transaction may fail, and be "
                "missing there; update row by row, or move the values out of the way first",
            )


def _definition_causes(statement: Statement) -> Iterator[Cause]:
    """What a CREATE brings into the schema that will differ between nodes."""
    tokens = statement.tokens
    words = [token.keyword for token in tokens[:3]]
    if words[:1] != ["CREATE"]:
        return
    name = next((t for t in tokens[1:] if t.keyword not in _HEAD), None)
    label = name.name if name is not None else ""
    if "TRIGGER" in words and sources_of(statement.text) & _VARIES:
        yield _trigger(label)
    elif "VIEW" in words and sources_of(statement.text) & _VARIES:
        yield _view(label)
    elif "TABLE" in words:
        checks = read_table(statement.text).checks
        if any(next(find_sites(check, {}), None) is not None for check in checks):
            yield _check(label)


_HEAD = frozenset({"UNIQUE", "TABLE", "TRIGGER", "VIEW", "IF", "NOT", "EXISTS"})


def _trigger(name: str) -> Cause:
    return Cause(
        ("trigger", fold(name)),
        f"trigger {name} reads a clock, a random source or a time zone, and so writes other values on every "
        f"node, and others again when a node restarts: {_INSTEAD}",
    )


def _view(name: str) -> Cause:
    return Cause(
        ("view", fold(name)),
        f"view {name} reads a clock, a random source or a time zone: what is written from it differs between "
        "nodes",
    )


def _check(name: str) -> Cause:
    return Cause(
        ("check", fold(name)),
        f"a CHECK of {name} reads a clock, a random source or a time zone, and so may refuse on one node what "
        "another takes",
    )


class _Finder:
    """Finds the causes in one write."""

    def __init__(self, statement: Statement, schema: Schema, steady: Steadiness) -> None:
        self.statement = statement
        self.tokens = statement.tokens
        self.schema = schema
        self.steady = steady
        self.insert = parse_insert(statement)
        self.name = self._target()

    def _target(self) -> str:
        """The name of the table or view that is written."""
        if self.insert is not None:
            return self.insert.table
        index = self.statement.main + 1
        if self._keyword(index) == "OR":
            index += 2
        if self._keyword(index) == "FROM":
            index += 1
        if self._keyword(index + 1) == ".":
            index += 2
        return self.tokens[index].name if index < len(self.tokens) else ""

    def _keyword(self, index: int) -> str:
        if index >= len(self.tokens):
            return ""
        return self.tokens[index].keyword or self.tokens[index].text

    def causes(self) -> Iterator[Cause]:
        """All causes, some perhaps twice."""
        yield from self.of_schema()
        yield from self.of_plan()
        table = self.schema.table(self.name)
        if self.insert is not None and table is not None:
            yield from self.of_defaults(self.insert, table)
        yield from self.of_copies()
        yield from self.of_rowids()

    def of_schema(self) -> Iterator[Cause]:
        """Triggers, CHECKs and views that read a clock."""
        events = {"INSERT"} if self.insert is not None else {self.statement.verb}
        if self.insert is not None and self.insert.updates:
            events.add("UPDATE")
        if self.insert is not None and self.insert.resolution == "REPLACE":
            events.add("DELETE")
        for trigger in all_fired(self.schema, self.name, *events):
            if trigger.sources & _VARIES or self._fires_default(
                trigger.text.tokens, trigger.text.writes
            ):
                yield _trigger(trigger.name)
        table = self.schema.table(self.name)
        if table is not None and self.statement.verb != "DELETE" and has_impure_check(table):
            yield _check(table.name)
        for name in mentioned(self.tokens, self.schema):
            view = self.schema.view(name)
            if view is not None and view.sources & _VARIES:
                yield _view(view.name)

    def _fires_default(self, tokens: Sequence[Token], writes: frozenset[str]) -> bool:
        """Whether a trigger inserts rows without a column whose DEFAULT reads a clock."""
        words = {token.keyword for token in tokens}
        if not words & {"INSERT", "REPLACE"}:
            return False
        names = {fold(token.name) for token in tokens}
        return any(
            column.default_source and fold(column.name) not in names
            for table in filter(None, map(self.schema.table, writes))
            for column in table.insertable
        )

    def of_defaults(self, insert: Insert, table: Table) -> Iterator[Cause]:
        """Defaults in a time zone, and those that REPLACE puts in place of a NULL from a query."""
        for column in complete(self.statement, self.schema).columns:
            if column.default_source & Source.ZONE:
                yield Cause(
                    ("zone", fold(table.name), fold(column.name)),
                    f"the DEFAULT of {table.name}.{column.name} depends on the time zone of each node: "
                    f"{_INSTEAD}",
                )
        for column in table.columns:
            if insert.cores and fires_default_for_null(table, column, insert.resolution):
                yield Cause(
                    ("default", fold(table.name), fold(column.name)),
                    f"a NULL for {table.name}.{column.name} would be replaced by its DEFAULT, which differs on "
                    "every node",
                )

    def of_plan(self) -> Iterator[Cause]:
        """Effects that depend on the order in which a node's plan finds the rows."""
        table = self.schema.table(self.name)
        name = fold(self.name)
        if self.insert is not None and self.insert.cores and not self.insert.at_most_one_row:
            resolving = self.insert.upsert or self.insert.resolution in ("IGNORE", "REPLACE")
            if (resolving or self._makes_keys(self.insert, table)) and not self._is_ordered(
                self.insert
            ):
                yield Cause(
                    ("order", name),
                    f"INSERT ... SELECT into {self.name} takes its rows in the order of each node's plan, which "
                    "decides their keys or which of them conflict: ORDER BY a unique key, or give the keys",
                )
        if self.statement.verb == "UPDATE" and any(
            token.keyword == "FROM" and not is_distinct_from(self.tokens, index)
            for index, token in self.statement.top_level()
        ):
            yield Cause(
                ("from", name),
                f"UPDATE {self.name} ... FROM takes one of several matching rows, by each node's plan: "
                "make sure that no more than one matches",
            )
        if any(token.keyword == "LIMIT" for token in self.tokens) and not self._is_limit_ordered():
            yield Cause(
                ("limit", name),
                f"a LIMIT in a write to {self.name} takes those rows that each node's plan finds first: "
                "choose them by their keys",
            )

    def _makes_keys(self, insert: Insert, table: Table | None) -> bool:
        """Whether the rows get automatic keys."""
        if table is None or table.rowid_column is None:
            return False
        return insert.columns is not None and fold(table.rowid_column.name) not in insert.columns

    def _is_ordered(self, insert: Insert) -> bool:
        """Whether the query sorts its rows by a unique key."""
        try:
            query = parse_query(self._order_alone(insert), self.schema)
        except Unparsed:
            return False
        return is_total(query, self.steady)

    def _order_alone(self, insert: Insert) -> Sequence[Token]:
        """The query with a * for its list and without its WHERE, if neither has a say in the order of the rows."""
        tokens, whole = self.tokens, self.tokens[insert.source : insert.source_end]
        core = insert.cores[0]
        if len(insert.cores) != 1 or core.items is None or core.source is None:
            return whole
        clauses = {t.keyword: i for i, t in at_depth_zero(tokens, core.source) if i < core.stop}
        order = clauses.get("ORDER", core.stop)
        where = clauses.get("WHERE", order)
        bare = {
            fold(tokens[i].name)
            for i in range(order + 2, core.stop)
            if is_name(tokens[i]) and "." not in (self._keyword(i - 1), self._keyword(i + 1))
        }
        parts = [*split_commas(tokens, *core.items), (where + 1, order)]
        if self._keyword(core.start + 1) == "DISTINCT" or not all(
            self._is_of_one_row(tokens[start:stop], bare) for start, stop in parts
        ):
            return whole
        return [*_EVERYTHING, *tokens[core.source : where], *tokens[order : core.stop]]

    def _is_of_one_row(self, part: Sequence[Token], ordered_by: set[str]) -> bool:
        """Whether this is computed from one row, and has none of the names to order by, which may be its own."""
        names = {fold(token.name) for token in part}
        if names & {"max", "min"} or (len(part) > 1 and names & ordered_by):
            return False
        if [token.keyword for token in part[-2:-1]] == ["AS"]:
            part = part[:-2]
        return expression_reason(part, lambda qualifier, name: None) is None

    def _is_limit_ordered(self) -> bool:
        """Whether the only LIMIT is that of an INSERT's query that is sorted by a unique key."""
        limits = [token for token in self.tokens if token.keyword == "LIMIT"]
        return (
            len(limits) == 1
            and self.insert is not None
            and bool(self.insert.cores)
            and self._is_ordered(self.insert)
        )

    def of_copies(self) -> Iterator[Cause]:
        """Values of columns that may differ already, which a write copies into others."""
        copied = self._copied()
        # END closes a CASE: it is no column, though one may be called "end".
        names = mentioned([t for t in copied if not t.keyword or is_name(t)], self.schema)
        starred = any(
            token.text == "*" and copied[index - 1].keyword in ("SELECT", "DISTINCT", "ALL")
            for index, token in enumerate(copied)
        )
        tables = names if self.insert is not None else mentioned(self.tokens, self.schema)
        for table in filter(None, map(self.schema.table, sorted(tables))):
            for column in table.columns:
                reason = self.steady.value_reason(table, column)
                if reason is not None and (starred or fold(column.name) in names):
                    yield Cause(
                        ("copy", fold(table.name), fold(column.name)),
                        f"a write to {self.name} copies {table.name}.{column.name}, which may differ "
                        f"between nodes already: {reason}",
                    )

    def of_rowids(self) -> Iterator[Cause]:
        """Rowids that each node can number in its own way."""
        named = [token for token in self.tokens[: self.statement.returning] if is_name(token)]
        tables = [
            table
            for table in map(self.schema.table, sorted(mentioned(self.tokens, self.schema)))
            if table is not None and table.kind == "table"
        ]
        for name in {fold(token.name) for token in named}:
            if any(table.column(name) is not None for table in tables):
                continue
            with_rowids = [table for table in tables if table.is_rowid(name)]
            if with_rowids and all(table.rowid_column is None for table in with_rowids):
                called = with_rowids[0].name
                yield Cause(
                    ("rowid", fold(called)),
                    f"a write to {self.name} uses the {name} of {called}, which is no INTEGER PRIMARY KEY: each "
                    "node can number these rows anew (VACUUM), and may then write others, or fail; give the "
                    "table a key",
                )

    def _copied(self) -> Sequence[Token]:
        """The tokens of what is stored: an INSERT's query, or what an UPDATE sets."""
        if self.insert is not None:
            return (
                self.tokens[self.insert.source : self.insert.source_end]
                if self.insert.cores
                else ()
            )
        if self.statement.verb != "UPDATE":
            return ()
        start = self.statement.find("SET")
        if start is None:
            return ()
        stop = next(
            (i for i, token in self.statement.top_level(start) if token.keyword in _BEHIND_SET),
            len(self.tokens),
        )
        return [
            self.tokens[i]
            for i in range(start + 1, stop)
            if self._keyword(i + 1) != "="  # the column that is set
        ]


_BEHIND_SET = frozenset({"FROM", "WHERE", "ORDER", "LIMIT", "RETURNING"})
