"""Which results of a write every node can check for itself, and which writes do the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from pyrqlite.sql.effects import all_fired, fired, has_impure_check, writes_back, written_in_turn
from pyrqlite.sql.expressions import ColumnReason, expression_reason, is_constant, no_columns
from pyrqlite.sql.grammar import Query, Unparsed, parse_condition, parse_query
from pyrqlite.sql.impure import Source
from pyrqlite.sql.insert import Insert, parse_insert
from pyrqlite.sql.names import fold, is_name
from pyrqlite.sql.parameters import Value
from pyrqlite.sql.plan import plan_of, query_of_create
from pyrqlite.sql.queries import is_distinct_from, split_commas
from pyrqlite.sql.reads import (
    compared_numbers,
    literal_reason,
    numbers_by_place,
    ref_reason,
    rows_reason,
    values_reason,
)
from pyrqlite.sql.schema import Column, Index, Schema, Table
from pyrqlite.sql.statement import Statement, StatementKind, at_depth_zero
from pyrqlite.sql.steady import Steadiness, steadiness
from pyrqlite.sql.tokens import Kind, Token


@dataclass(frozen=True)
class Returning:
    """How the rows of a RETURNING can be checked: by reading the same `columns` of the rows with these
    values of the `key`. Those at the indexes `apart` are no part of the fact."""

    columns: tuple[Column, ...]
    apart: frozenset[int]
    key: tuple[Column, ...]
    before: bool  # look before the statement, which deletes the rows; else behind it


@dataclass(frozen=True)
class WriteVerdict:
    """What of a write's results every node can check, and why not more.

    `rowid` holds for the last rowid if the statement changed one row. `uniform` says whether the write
    surely does the same on every node: behind one that may not, nothing in the same transaction should be
    guarded. `tables` are those whose definitions all this relies on.
    """

    count: bool
    reason: str = ""
    rowid: bool = False
    returning: Returning | None = None
    returning_reason: str = ""
    uniform: bool = False
    uniform_reason: str = ""
    tables: tuple[Table, ...] = ()
    compared: tuple[int, ...] = field(default=(), repr=False)


EACH_STEP = "allows each step"


class _Refused(Exception):
    """Something cannot be guarded; the message says why."""


def judge_write(
    statement: Statement, schema: Schema, values: Sequence[Value], steady_times: bool = False
) -> WriteVerdict:
    """What of this write's results every node can check; before or behind freezing alike.

    `values` and `steady_times` are as for `judge_read`.
    """
    key = (judge_write, statement.text, steady_times)
    verdict: WriteVerdict | None = schema.memo.get(key)
    if verdict is None:
        verdict = _judge(statement, schema, steadiness(schema, steady_times))
        schema.remember(key, verdict)
    if verdict.compared:
        reason = values_reason(verdict.compared, values, steady_times)
        if reason is not None:
            return _nothing(reason)
    return verdict


def _nothing(reason: str) -> WriteVerdict:
    return WriteVerdict(False, reason, returning_reason=reason, uniform_reason=reason)


def _judge(statement: Statement, schema: Schema, steady: Steadiness) -> WriteVerdict:
    if statement.kind is not StatementKind.WRITE:
        if query_of_create(statement) is not None:
            return _nothing("its rows come from a query")
        return WriteVerdict(False, "it changes no rows", uniform=True)
    try:
        if statement.main:
            raise _Refused("it has a WITH clause")
        if any(site.sources() & Source.ZONE for site in plan_of(statement).sites):
            raise _Refused("it depends on the time zone of each node")
        insert = parse_insert(statement)
        if insert is not None:
            return _InsertJudge(statement, schema, steady, insert).verdict()
        if statement.verb in ("UPDATE", "DELETE"):
            return _ChangeJudge(statement, schema, steady).verdict()
        raise _Refused("its form is not known")
    except (_Refused, Unparsed) as refused:
        return _nothing(str(refused))


class _Judge:
    """What the judges of all writes have in common."""

    def __init__(self, statement: Statement, schema: Schema, steady: Steadiness) -> None:
        self.statement = statement
        self.tokens = statement.tokens
        self.schema = schema
        self.steady = steady
        self.end = statement.returning if statement.returning is not None else len(self.tokens)

    def table(self, database: str, name: str) -> Table:
        """The table that is written; refused if it is not one whose rows are known to be the same."""
        if database not in ("", "main"):
            raise _Refused(f"{database} is another database than main")
        table = self.schema.table(name)
        if table is None:
            raise _Refused(f"{name} is {'a view' if self.schema.view(name) else 'no known table'}")
        reason = self.steady.table_reason(table)
        if reason is not None:
            raise _Refused(reason)
        return table

    def check_ignoring(self, table: Table, *events: str) -> None:
        """Refused if a trigger can skip rows."""
        for trigger in fired(self.schema, table.name, *events):
            if trigger.text.timing == "BEFORE" and trigger.text.ignores:
                raise _Refused(f"trigger {trigger.name} can skip rows")

    def check_schema(self, table: Table, *events: str) -> None:
        """Refused if a CHECK, or a trigger that is fired in turn, may not do the same everywhere."""
        if "DELETE" not in events and has_impure_check(table):
            raise _Refused(f"a CHECK of {table.name} is not constant")
        for trigger in all_fired(self.schema, table.name, *events):
            reason = self.steady.trigger_reason(trigger)
            if reason is not None:
                raise _Refused(reason)
            if fold(trigger.table) in written_in_turn(
                self.schema, trigger.table, trigger.text.event
            ):
                raise _Refused(
                    f"a PRAGMA decides whether trigger {trigger.name} fires itself again"
                )

    def check_expression(self, tokens: Sequence[Token], table: Table, *qualifiers: str) -> None:
        """Refused if an expression over a row of the table may differ between nodes."""

        def column_reason(qualifier: str, name: str) -> str | None:
            if qualifier and qualifier not in qualifiers:
                return f"{qualifier} is no known table"
            column = table.column(name)
            if column is None:
                return f"{name} is no column of {table.name}"
            return self.steady.column_reason(table, column)

        reason = expression_reason(tokens, column_reason)
        if reason is not None:
            raise _Refused(reason)

    def check_rowid(self, table: Table, names: Iterable[str]) -> None:
        """Refused if one of these folded names is a rowid that each node can renumber: who knows what is in
        the way there."""
        if table.rowid_column is None and any(table.is_rowid(name) for name in names):
            raise _Refused(f"the rowid of {table.name} is no INTEGER PRIMARY KEY")

    def check_assignments(
        self, start: int, stop: int, table: Table, one_row: bool, *qualifiers: str
    ) -> None:
        """Refused if SET may store other values, or fail, elsewhere."""
        for begin, end in split_commas(self.tokens, start, stop):
            equals = next((i for i in range(begin, end) if self.tokens[i].text == "="), end)
            value = self.tokens[equals + 1 : end]
            self.check_expression(value, table, *qualifiers)
            names = {fold(token.name) for token in self.tokens[begin:equals]}
            self.check_rowid(table, names)
            if one_row:
                continue
            for index in table.unique_indexes:
                # Rows that are given the same value in a column are in each other's way before and behind.
                if is_constant(value) and _is_plain(table, index):
                    continue
                if not names.isdisjoint(table.depends_on(index)):
                    raise _Refused(
                        f"it depends on the order whether index {index.name} {EACH_STEP}"
                    )
            if is_constant(value):
                continue
            if table.rowid_column is not None and any(
                table.is_rowid(name) or table.column(name) is table.rowid_column for name in names
            ):
                raise _Refused(f"it depends on the order whether the key {EACH_STEP}")

    def returning(self, table: Table, *events: str) -> Returning:
        """How to check the rows of RETURNING; refused if there is no way."""
        assert self.statement.returning is not None
        if fired(self.schema, table.name, *events):
            raise _Refused("triggers can change the rows behind RETURNING")
        columns = tuple(self.returned(table, self.statement.returning + 1))
        key = next(
            (
                key
                for key in table.keys
                if all(
                    not column.generated and self.steady.column_reason(table, column) is None
                    for column in key
                )
            ),
            None,
        )
        if key is None:
            raise _Refused(f"{table.name} has no key by which to find the rows again")
        apart = frozenset(
            index
            for index, column in enumerate(columns)
            if self.steady.column_reason(table, column) is not None
        )
        return Returning(columns, apart, key, self.statement.verb == "DELETE")

    def returned(self, table: Table, start: int) -> Iterator[Column]:
        """The columns of the RETURNING list."""
        for begin, end in split_commas(self.tokens, start, len(self.tokens)):
            item = self.tokens[begin:end]
            if len(item) == 1 and item[0].text == "*":
                yield from (column for column in table.columns if column.hidden != 1)
                continue
            if len(item) > 2 and item[1].text == "." and fold(item[0].name) == fold(table.name):
                item = item[2:]
            aliased = len(item) == 3 and item[1].keyword == "AS"
            name = item[0].name if item and is_name(item[0]) else ""
            column = table.column(name)
            if column is None and table.is_rowid(name):
                column = table.rowid_column
            if column is None or not (len(item) == 1 or aliased):
                raise _Refused("RETURNING has more than columns")
            yield column

    def finish(
        self,
        table: Table,
        uniform_reason: str,
        events: Sequence[str],
        rowid: bool = False,
        compared: tuple[int, ...] = (),
    ) -> WriteVerdict:
        """The verdict on a write whose count can be guarded."""
        verdict = WriteVerdict(
            True,
            rowid=rowid,
            uniform=not uniform_reason,
            uniform_reason=uniform_reason,
            tables=(table,),
            compared=compared,
        )
        if self.statement.returning is None:
            return verdict
        try:
            if uniform_reason:
                raise _Refused(uniform_reason)
            return replace(verdict, returning=self.returning(table, *events))
        except _Refused as refused:
            return replace(verdict, returning_reason=str(refused))


def _is_plain(table: Table, index: Index) -> bool:
    """Whether all rows have entries, of columns that are stored as they are given."""
    columns = [table.column(name) for name in index.columns if name is not None]
    return (
        not index.partial
        and len(columns) == len(index.columns)
        and not any(column is None or column.generated for column in columns)
    )


class _InsertJudge(_Judge):
    def __init__(
        self, statement: Statement, schema: Schema, steady: Steadiness, insert: Insert
    ) -> None:
        super().__init__(statement, schema, steady)
        self.insert = insert

    def verdict(self) -> WriteVerdict:
        """The verdict on an INSERT."""
        insert = self.insert
        table = self.table(insert.schema, insert.table)
        if insert.resolution == "FAIL":
            raise _Refused("OR FAIL keeps the rows before the one that failed")
        self.check_rowid(table, insert.columns or ())
        events = ("INSERT", "UPDATE") if insert.updates else ("INSERT",)
        self.check_ignoring(table, *events)
        if insert.cores:
            return self.of_query(table, events)
        for opening, closing in insert.rows:
            reason = expression_reason(self.tokens[opening + 1 : closing], no_columns)
            if reason is not None:
                raise _Refused(reason)
        if insert.upsert and not insert.at_most_one_row:
            raise _Refused("it is an upsert of several rows")
        if self.resolves_conflicts(table):
            self.check_conflicts(table)
        rowid = table.rowid_column is not None and insert.at_most_one_row and not insert.updates
        return self.finish(table, self.uniform_reason(table, events), events, rowid)

    def resolves_conflicts(self, table: Table) -> bool:
        """Whether a row that is there already is more than an error."""
        return (
            self.insert.upsert
            or self.insert.resolution in ("IGNORE", "REPLACE")
            or table.text.resolves_conflicts
        )

    def check_conflicts(self, table: Table) -> None:
        """Refused if which rows conflict may differ between nodes."""
        if any(
            token.keyword == "WHERE"
            for index, token in self.statement.top_level(self.insert.source_end)
            if index < self.end
        ):
            raise _Refused("its upsert has a condition")
        for index in table.unique_indexes:
            columns = [table.column(name) for name in index.columns if name is not None]
            if index.partial or len(columns) != len(index.columns):
                raise _Refused(f"the unique index {index.name} is partial, or of expressions")
            for column in columns:
                reason = self.steady.column_reason(table, column) if column is not None else ""
                if reason is not None:
                    raise _Refused(reason)
        if self.insert.resolution == "IGNORE" and table.text.checks:
            raise _Refused(f"a PRAGMA decides whether the CHECKs of {table.name} count")

    def uniform_reason(self, table: Table, events: Sequence[str]) -> str:
        """Why the INSERT may not do the same everywhere, or nothing."""
        try:
            self.check_schema(table, *events)
            if self.insert.resolution == "REPLACE" and fired(self.schema, table.name, "DELETE"):
                raise _Refused("a PRAGMA decides whether REPLACE fires triggers")
            if self.insert.updates:
                start = self.statement.find("SET", start=self.insert.source_end)
                if start is not None:
                    qualifiers = (fold(table.name), "excluded")
                    self.check_assignments(start + 1, self.end, table, True, *qualifiers)
        except _Refused as refused:
            return str(refused)
        return ""

    def of_query(self, table: Table, events: Sequence[str]) -> WriteVerdict:
        """INSERT ... SELECT: its count is not guarded, but it may do the same everywhere."""
        reason = "its rows come from a query"
        verdict = WriteVerdict(False, reason, returning_reason=reason, tables=(table,))
        try:
            compared = self.check_query(table)
            uniform_reason = self.uniform_reason(table, events)
        except (_Refused, Unparsed) as refused:
            return replace(verdict, uniform_reason=str(refused))
        return replace(
            verdict,
            uniform=not uniform_reason,
            uniform_reason=uniform_reason,
            compared=compared,
        )

    def check_query(self, table: Table) -> tuple[int, ...]:
        """Refused if the query may give other rows, or their order decides what is stored. The numbers
        of the placeholders that its conditions compare with."""
        insert = self.insert
        core = insert.cores[0]
        if len(insert.cores) > 1 or core.items is None:
            raise _Refused("its rows come from a compound query")
        items = self.tokens[slice(*core.items)]
        if core.source is None:
            tokens = self.tokens[core.items[0] : core.stop]
            reason = expression_reason(
                [token for token in tokens if token.keyword != "WHERE"], no_columns
            )
            if reason is not None:
                raise _Refused(reason)
            return ()
        if self.tokens[core.start + 1].keyword == "DISTINCT":
            raise _Refused("DISTINCT takes one of several equal rows")
        if self.resolves_conflicts(table):
            raise _Refused("the order of its rows decides which of them conflict")
        query = parse_query((*_SELECT_ALL, *self.tokens[core.source : core.stop]), self.schema)
        reason = self.query_reason(query, items)
        if reason is not None:
            raise _Refused(reason)
        if table.rowid_column is not None and not self.gives_key(table.rowid_column, query):
            raise _Refused("the order of its rows decides their keys")
        return compared_numbers(query.predicate, numbers_by_place(self.statement))

    def gives_key(self, key: Column, query: Query) -> bool:
        """Whether each row surely brings its own key: a NULL would get an automatic one."""
        table = self.table(self.insert.schema, self.insert.table)
        names = self.insert.columns or tuple(fold(column.name) for column in table.insertable)
        wanted = fold(key.name)
        if wanted not in names or len(query.sources) != 1:
            return False
        place = names.index(wanted)
        source = query.sources[0].table
        core = self.insert.cores[0]
        items = split_commas(self.tokens, *core.items) if core.items is not None else []
        if [token.text for token in self.tokens[slice(*items[0])]] == ["*"]:
            ref = query.items[place].ref if place < len(query.items) else None
            column = ref.column if ref is not None else None
        else:
            item = self.tokens[slice(*items[place])] if place < len(items) else ()
            if len(item) > 2 and item[1].text == ".":
                item = item[2:]
            plain = len(item) == 1 or (len(item) == 3 and item[1].keyword == "AS")
            column = source.column(item[0].name) if plain and is_name(item[0]) else None
        return column is not None and (column.not_null or column is source.rowid_column)

    def query_reason(self, query: Query, items: Sequence[Token]) -> str | None:
        """Why rows of this query, or what is made of them, may differ between nodes."""
        if query.limit is not None:
            return "it has a LIMIT"
        reason = rows_reason(query, self.steady)
        if reason is not None:
            return reason
        starred = [token.text for token in items] == ["*"]
        for item in query.items if starred else ():
            reason = ref_reason(query, item.ref, self.steady) if item.ref is not None else None
            if reason is not None:
                return reason
        return literal_reason(query.predicate, self.steady.steady_times) or (
            None if starred else expression_reason(items, self.columns_of(query))
        )

    def columns_of(self, query: Query) -> ColumnReason:
        """How the columns of the query's sources differ between nodes."""

        def column_reason(qualifier: str, name: str) -> str | None:
            found = [
                (source.table, column)
                for source in query.sources
                if qualifier in ("", source.alias)
                and (column := source.table.column(name)) is not None
            ]
            if len(found) != 1:
                return f"{name} is not exactly one column"
            return self.steady.column_reason(*found[0])

        return column_reason


_SELECT_ALL = (
    Token(Kind.WORD, "SELECT", -1),
    Token(Kind.OPERATOR, "*", -1),
)


class _ChangeJudge(_Judge):
    """Judges UPDATE and DELETE."""

    def verdict(self) -> WriteVerdict:
        """The verdict on an UPDATE or DELETE of one table."""
        event = self.statement.verb
        index = self.statement.main + 1
        if event == "DELETE":
            index = self.step(index, "FROM")
        elif self.keyword(index) == "OR":
            raise _Refused("UPDATE OR decides row by row")
        database, index, name = "", index + 1, index
        if self.keyword(index) == ".":
            database, index, name = fold(self.tokens[name].name), index + 2, index + 1
        table = self.table(database, self.tokens[name].name if name < self.end else "")
        alias = fold(table.name)
        if self.keyword(index) == "AS" and index + 1 < self.end:
            alias, index = fold(self.tokens[index + 1].name), index + 2
        start = self.step(index, "SET") if event == "UPDATE" else index
        where = self.where(start)
        if event == "DELETE" and where != start:
            raise _Refused(f"{self.tokens[start].text} is outside of what can be guarded")
        self.check_ignoring(table, event)
        if writes_back(self.schema, table, event):
            raise _Refused(f"triggers or foreign keys can change further rows of {table.name}")
        if event == "UPDATE" and table.text.resolves_conflicts:
            raise _Refused(f"{table.name} has a constraint that can skip or replace rows")
        compared = self.condition(where, table, alias)
        reason = self.uniform_reason(start, where, table, alias)
        return self.finish(table, reason, (event,), compared=compared)

    def keyword(self, index: int) -> str:
        """The keyword or operator at this index; empty behind the end."""
        if index >= self.end:
            return ""
        return self.tokens[index].keyword or self.tokens[index].text

    def step(self, index: int, keyword: str) -> int:
        """The index behind this keyword, which must be here."""
        if self.keyword(index) != keyword:
            raise _Refused("its form is not known")
        return index + 1

    def where(self, start: int) -> int:
        """The index of WHERE, or the end without one; other clauses are refused."""
        for index, token in self.statement.top_level(start):
            if index >= self.end:
                break
            keyword = token.keyword
            if keyword == "WHERE":
                rest = self.statement.find("ORDER", "LIMIT", start=index)
                if rest is not None and rest < self.end:
                    raise _Refused("it has a LIMIT")
                return index
            if keyword in ("ORDER", "LIMIT"):
                raise _Refused("it has a LIMIT")
            if keyword == "FROM" and not is_distinct_from(self.tokens, index):
                raise _Refused("UPDATE ... FROM takes one of several matching rows")
        return self.end

    def condition(self, where: int, table: Table, alias: str) -> tuple[int, ...]:
        """Checks the condition: the numbers of the placeholders that it compares with."""
        if where == self.end:
            return ()
        predicate = parse_condition(self.tokens[where + 1 : self.end], self.schema, table, alias)
        reason = literal_reason(predicate, self.steady.steady_times)
        for ref in predicate.refs:
            if ref.column is None:
                reason = reason or f"the rowid of {table.name} is no INTEGER PRIMARY KEY"
            else:
                reason = reason or self.steady.column_reason(table, ref.column)
        if reason is not None:
            raise _Refused(reason)
        return compared_numbers(predicate, numbers_by_place(self.statement))

    def uniform_reason(self, start: int, where: int, table: Table, alias: str) -> str:
        """Why the statement may not do the same everywhere, or nothing."""
        try:
            self.check_schema(table, self.statement.verb)
            if self.statement.verb == "UPDATE":
                one_row = self.finds_one_row(where, table, alias)
                self.check_assignments(start, where, table, one_row, alias)
        except _Refused as refused:
            return str(refused)
        return ""

    def finds_one_row(self, where: int, table: Table, alias: str) -> bool:
        """Whether the condition, which has been parsed, surely asks for the value of a key and of no other."""
        tokens = self.tokens[where + 1 : self.end]
        if any(token.keyword == "OR" for _, token in at_depth_zero(tokens, 0)):
            return False
        given: set[Column | None] = set()
        start = 0
        for stop in (*_ands(tokens), len(tokens)):
            term = tokens[start:stop]
            start = stop + 1
            if len(term) == 5 and term[1].text == "." and fold(term[0].name) == alias:
                term = term[2:]
            if len(term) == 3 and term[1].text in ("=", "==") and is_constant(term[2:]):
                given.add(
                    table.rowid_column
                    if table.is_rowid(term[0].name)
                    else table.column(term[0].name)
                )
        return any(given.issuperset(key) for key in table.keys)


def _ands(tokens: Sequence[Token]) -> list[int]:
    return [index for index, token in at_depth_zero(tokens, 0) if token.keyword == "AND"]
