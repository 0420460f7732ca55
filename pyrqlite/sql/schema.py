"""A model of the database's schema, and the queries that load it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pyrqlite.sql.ddl import TableText, TriggerText, read_table, read_trigger
from pyrqlite.sql.impure import Source, sources_of
from pyrqlite.sql.names import fold
from pyrqlite.sql.tokens import Token, significant

# One JSON text each. The first makes a connection whose schema is old read it anew, so it stays the first;
# virtual tables and views are left out of the pragmas, because one that is broken would fail them all.
SCHEMA_QUERIES: tuple[str, ...] = (
    "SELECT json_group_array(json_array(type, name, tbl_name, sql)) FROM main.sqlite_schema",
    "SELECT json_array(schema_version) FROM pragma_schema_version",
    "SELECT json_group_array(json_array(name, type, wr, strict)) FROM pragma_table_list"
    " WHERE schema = 'main'",
    'SELECT json_group_array(json_array(t.name, c.cid, c.name, c.type, c."notnull", c.dflt_value, c.pk,'
    " c.hidden)) FROM pragma_table_list AS t, pragma_table_xinfo(t.name, 'main') AS c"
    " WHERE t.schema = 'main' AND t.type = 'table'",
    'SELECT json_group_array(json_array(t.name, i.name, i."unique", i.origin, i.partial, c.seqno, c.cid,'
    " c.name, c.coll)) FROM pragma_table_list AS t, pragma_index_list(t.name, 'main') AS i,"
    " pragma_index_xinfo(i.name, 'main') AS c WHERE t.schema = 'main' AND t.type = 'table' AND c.key",
)
_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_MOST_MEMOS = 4096


@dataclass(frozen=True)
class Column:
    """A column of an ordinary table. `default` is the text of its DEFAULT, without parentheses around
    it; `primary_key` its place in the primary key, from 1, or 0; `hidden` is 0, or 2 and 3 for
    virtual and stored generated columns."""

    name: str
    declared_type: str
    not_null: bool
    default: str | None
    primary_key: int
    hidden: int

    @property
    def generated(self) -> bool:
        """Whether its value is computed and cannot be given."""
        return self.hidden in (2, 3)

    @cached_property
    def stores_numbers(self) -> bool:
        """Whether a text that looks like a number is stored as one: its affinity is INTEGER, REAL or NUMERIC."""
        declared = self.declared_type.upper()
        if "INT" in declared:
            return True
        if declared in ("", "ANY"):  # in a STRICT table ANY has no affinity, elsewhere NUMERIC
            return False
        return not any(part in declared for part in ("CHAR", "CLOB", "TEXT", "BLOB"))

    @cached_property
    def default_source(self) -> Source:
        """What its DEFAULT reads beside constants."""
        return sources_of(self.default) if self.default is not None else Source.NONE


@dataclass(frozen=True)
class Index:
    """An index: its key columns (None for an expression) with their collations, both in order; `origin`
    is c (CREATE INDEX), u (UNIQUE) or pk; `sql` is empty for those that no CREATE INDEX has made."""

    name: str
    unique: bool
    origin: str
    partial: bool
    columns: tuple[str | None, ...]
    collations: tuple[str, ...]
    sql: str


@dataclass(frozen=True, eq=False)
class Trigger:
    """A trigger and the name of its table or view."""

    name: str
    table: str
    sql: str

    @cached_property
    def text(self) -> TriggerText:
        """What its text says."""
        return read_trigger(self.sql)

    @cached_property
    def sources(self) -> Source:
        """What it reads beside data."""
        return sources_of(self.sql)


@dataclass(frozen=True, eq=False)
class View:
    """A view."""

    name: str
    sql: str

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """The tokens of its text."""
        return tuple(significant(self.sql))

    @cached_property
    def sources(self) -> Source:
        """What it reads beside data."""
        return sources_of(self.sql)


@dataclass(frozen=True, eq=False)
class Table:
    """A table of the main database. `kind` is table, virtual or shadow; only those of the first kind
    have their columns and indexes here."""

    name: str
    kind: str
    sql: str
    without_rowid: bool
    strict: bool
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...]
    triggers: tuple[Trigger, ...]

    @cached_property
    def definition(self) -> str:
        """All that the table allows: its text, and those of its unique indexes by their names."""
        indexes = sorted(self.unique_indexes, key=lambda index: index.name)
        return "\n".join([self.sql, *(index.sql for index in indexes if index.sql)])

    @cached_property
    def _columns(self) -> Mapping[str, Column]:
        return {fold(column.name): column for column in self.columns}

    def column(self, name: str) -> Column | None:
        """The column of this name, however its case."""
        return self._columns.get(fold(name))

    @cached_property
    def text(self) -> TableText:
        """What its CREATE TABLE says beyond the pragmas."""
        return read_table(self.sql)

    @property
    def autoincrement(self) -> bool:
        """Whether its keys are never used again."""
        return self.text.autoincrement

    def collation(self, column: Column) -> str:
        """The collation that comparisons of the column use, in upper case."""
        return self.text.collations.get(fold(column.name), "BINARY")

    @cached_property
    def primary_key(self) -> tuple[Column, ...]:
        """The columns of the primary key in their order there."""
        key = [column for column in self.columns if column.primary_key]
        return tuple(sorted(key, key=lambda column: column.primary_key))

    @cached_property
    def rowid_column(self) -> Column | None:
        """The INTEGER PRIMARY KEY that is the rowid, if there is one.

        `INTEGER PRIMARY KEY DESC` is not, as its index of origin pk tells.
        """
        key = self.primary_key
        if (
            len(key) == 1
            and key[0].declared_type.upper() == "INTEGER"
            and not self.without_rowid
            and all(index.origin != "pk" for index in self.indexes)
        ):
            return key[0]
        return None

    def never_null(self, column: Column) -> bool:
        """Whether no row of the table can have a NULL there."""
        return column.not_null or column is self.rowid_column

    def is_rowid(self, name: str) -> bool:
        """Whether the name means the rowid: one of its three, if no column has it."""
        return (
            fold(name) in _ROWID_NAMES
            and self.kind == "table"
            and not self.without_rowid
            and self.column(name) is None
        )

    @cached_property
    def unique_indexes(self) -> tuple[Index, ...]:
        """The indexes that allow no duplicates."""
        return tuple(index for index in self.indexes if index.unique)

    def depends_on(self, index: Index) -> frozenset[str]:
        """The columns, folded, on which the entries of an index of this table depend; perhaps more."""
        waiting = {fold(name) for name in index.columns if name is not None}
        waiting |= {fold(token.name) for token in significant(index.sql)}
        found: set[str] = set()
        while waiting:
            found.add(name := waiting.pop())
            expression = self.text.generated.get(name, ())
            waiting |= {fold(token.name) for token in expression} - found
        return frozenset(name for name in found if self.column(name) is not None)

    @cached_property
    def keys(self) -> tuple[tuple[Column, ...], ...]:
        """The sets of columns of which no two rows have the same values, and none a NULL, in the
        collations of the columns. The rowid comes first."""
        found: list[tuple[Column, ...]] = (
            [(self.rowid_column,)] if self.rowid_column is not None else []
        )
        for index in self.unique_indexes:
            columns = [self.column(name) for name in index.columns if name is not None]
            if not index.partial and len(columns) == len(index.columns):
                key = tuple(column for column in columns if column is not None and column.not_null)
                collations = tuple(self.collation(column) for column in key)
                if collations == tuple(map(str.upper, index.collations)):
                    found.append(key)
        return tuple(found)

    @property
    def insertable(self) -> tuple[Column, ...]:
        """The columns that an INSERT without a list of columns fills."""
        return tuple(column for column in self.columns if not column.hidden)


@dataclass(frozen=True, eq=False)
class Schema:
    """The main database's tables, views and triggers, by folded names.

    `version` is SQLite's schema cookie, which nodes may count differently; `answers` are the texts from
    which all this was read. Schemas are equal only if they are the same object, so that they can
    be keys of caches. `memo` is for those who keep what they worked out about texts and this schema,
    `derived` for what follows from the schema alone.
    """

    version: int
    tables: Mapping[str, Table]
    views: Mapping[str, View]
    triggers: Mapping[str, Sequence[Trigger]]
    answers: tuple[str, ...] = field(default=(), repr=False)
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)
    derived: dict[Any, Any] = field(default_factory=dict, repr=False)

    def remember(self, key: Any, value: Any) -> None:
        """Keep something in the memo, which is emptied when it has grown large."""
        if len(self.memo) >= _MOST_MEMOS:
            self.memo.clear()
        self.memo[key] = value

    def table(self, name: str) -> Table | None:
        """The table of this name, however its case."""
        return self.tables.get(fold(name))

    def view(self, name: str) -> View | None:
        """The view of this name, however its case."""
        return self.views.get(fold(name))

    @cached_property
    def trigger_text(self) -> str | None:
        """The definitions of all triggers, by their names; None where there are none."""
        triggers = (trigger for group in self.triggers.values() for trigger in group)
        texts = [trigger.sql for trigger in sorted(triggers, key=lambda trigger: trigger.name)]
        return "\n".join(texts) if texts else None

    def triggers_on(self, name: str) -> Sequence[Trigger]:
        """The triggers on a table or view."""
        return self.triggers.get(fold(name), ())


def schema_from_rows(answers: Sequence[str], previous: Schema | None = None) -> Schema:
    """The schema from the answers to SCHEMA_QUERIES, each the one text that it gave.

    Where they are what they were for `previous`, that very object.
    """
    if previous is not None and previous.answers == tuple(answers):
        return previous
    objects, [version], listed, columns, indexes = map(json.loads, answers)
    triggers: dict[str, list[Trigger]] = {}
    views: dict[str, View] = {}
    texts: dict[str, str] = {}
    for kind, name, table, sql in objects:
        if kind == "trigger":
            triggers.setdefault(fold(table), []).append(Trigger(name, table, sql or ""))
        elif kind == "view":
            views[fold(name)] = View(name, sql or "")
        else:
            texts[name] = sql or ""
    columns_of = _columns(columns)
    indexes_of = _indexes(indexes, texts)
    tables = {
        fold(name): Table(
            name,
            kind,
            texts.get(name, ""),
            bool(without_rowid),
            bool(strict),
            tuple(columns_of.get(name, ())),
            tuple(indexes_of.get(name, ())),
            tuple(triggers.get(fold(name), ())),
        )
        for name, kind, without_rowid, strict in listed
        if kind != "view"
    }
    return Schema(version, tables, views, triggers, tuple(answers))


def _columns(rows: Iterable[Sequence[Any]]) -> dict[str, list[Column]]:
    found: dict[str, list[Column]] = {}
    for table, _, name, declared_type, not_null, default, key, hidden in sorted(
        rows, key=lambda row: (row[0], row[1])
    ):
        column = Column(name, declared_type or "", bool(not_null), default, key, hidden)
        found.setdefault(table, []).append(column)
    return found


def _indexes(rows: Iterable[Sequence[Any]], texts: Mapping[str, str]) -> dict[str, list[Index]]:
    keys: dict[tuple[str, str], list[Sequence[Any]]] = {}
    for row in rows:
        keys.setdefault((row[0], row[1]), []).append(row)
    found: dict[str, list[Index]] = {}
    for (table, name), key in keys.items():
        key.sort(key=lambda row: row[5])
        _, _, unique, origin, partial, *_ = key[0]
        index = Index(
            name,
            bool(unique),
            origin,
            bool(partial),
            tuple(row[7] for row in key),
            tuple(row[8] for row in key),
            texts.get(name, ""),
        )
        found.setdefault(table, []).append(index)
    return found
