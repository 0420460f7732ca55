"""How each table is looked at: what its key is, which tables are left out and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pyrqlite.admin.verifying import touching
from pyrqlite.admin.verifying.views import BagView, KeyedView, Limits
from pyrqlite.sql.names import fold
from pyrqlite.sql.schema import SCHEMA_QUERIES, Column, Index, Schema, Table, schema_from_rows
from pyrqlite.sql.tokens import quote_name

_STATISTICS = ("sqlite_stat1", "sqlite_stat2", "sqlite_stat3", "sqlite_stat4")
_CATALOGUES = ("sqlite_schema", "sqlite_master", "sqlite_temp_schema", "sqlite_temp_master")
_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_STORED_GENERATED = 3

# The tables behind virtual ones are ordinary in all but their kind.
_SHADOW_QUERIES = (
    'SELECT json_group_array(json_array(t.name, c.cid, c.name, c.type, c."notnull", c.dflt_value, c.pk,'
    " c.hidden)) FROM pragma_table_list AS t, pragma_table_xinfo(t.name, 'main') AS c"
    " WHERE t.schema = 'main' AND t.type = 'shadow'",
    'SELECT json_group_array(json_array(t.name, i.name, i."unique", i.origin, i.partial, c.seqno, c.cid,'
    " c.name, c.coll)) FROM pragma_table_list AS t, pragma_index_list(t.name, 'main') AS i,"
    " pragma_index_xinfo(i.name, 'main') AS c WHERE t.schema = 'main' AND t.type = 'shadow' AND c.key",
)
LAYOUT_QUERIES = (*SCHEMA_QUERIES, *_SHADOW_QUERIES)

SCHEMA_VIEW = KeyedView(
    "sqlite_schema",
    None,
    ("type", "name", "tbl_name", "sql"),
    ('"type"', '"name"', '"tbl_name"', '"sql"'),
    (0, 1),
    (None, None),
    "sql IS NOT NULL AND name NOT GLOB 'sqlite_stat[0-9]'",
)


def read_schema(answers: Sequence[str]) -> Schema:
    """The schema from the answers to LAYOUT_QUERIES, with the columns of shadow tables too."""
    *main, shadow_columns, shadow_indexes = answers
    main[3] = json.dumps(json.loads(main[3]) + json.loads(shadow_columns))
    main[4] = json.dumps(json.loads(main[4]) + json.loads(shadow_indexes))
    return schema_from_rows(main)


@dataclass(frozen=True)
class Layout:
    """How to compare a table: `view` is its rows by key, `rest` those without one. Where `view` goes by
    rowids that a node may number anew, `bag` is to be asked when they differ."""

    table: Table
    view: KeyedView | BagView
    rest: BagView | None = None
    bag: BagView | None = None

    @property
    def key(self) -> str:
        """The key for people to read."""
        if isinstance(self.view, BagView):
            return "none: rows are compared by content"
        if self.bag is not None:
            return "none: rows are compared by rowid, and by content where rowids differ"
        return ", ".join(self.view.names[index] for index in self.view.key)


def stored_columns(table: Table) -> list[Column]:
    """The columns whose values are in the file."""
    return [column for column in table.columns if column.hidden in (0, _STORED_GENERATED)]


def skipped(table: Table) -> str | None:
    """Why this table is not compared; None if it is."""
    name = fold(table.name)
    if name in _STATISTICS:
        return "statistics, which each node gathers by itself"
    if name == touching.NAME:
        return "a note of a repair that is going on, or was interrupted: the next one removes it"
    if table.kind == "virtual":
        return "a virtual table; the tables behind it are compared"
    if not table.columns:
        return "its columns cannot be told"
    return None


def is_catalogue(table: Table) -> bool:
    """Whether this is the schema itself, which is compared apart."""
    return fold(table.name) in _CATALOGUES


def layout(table: Table) -> Layout:
    """How to compare this table."""
    if fold(table.name) == "sqlite_sequence":
        return Layout(table, _keyed(table, ["name"], [None]))
    rowid = table.rowid_column
    if rowid is not None:
        return Layout(table, _keyed(table, [rowid.name], [None]))
    for index in sorted(table.indexes, key=_preference):
        columns = _ordinary(table, index)
        if columns is None or not _orders(table, index, columns):
            continue
        names = [column.name for column in columns]
        collations = [
            None if table.collation(column) == collation.upper() else collation
            for column, collation in zip(columns, index.collations, strict=True)
        ]
        nullable = [quote_name(c.name) for c in columns if not (c.not_null or table.without_rowid)]
        if not nullable:
            return Layout(table, _keyed(table, names, collations))
        present = " AND ".join(f"{name} IS NOT NULL" for name in nullable)
        missing = " OR ".join(f"{name} IS NULL" for name in nullable)
        view = _keyed(table, names, collations, present)
        return Layout(table, view, rest=_bag(table, f"({missing})"))
    return _without_key(table)


def _preference(index: Index) -> int:
    return ("pk", "u", "c").index(index.origin) if index.origin in ("pk", "u", "c") else 3


def _ordinary(table: Table, index: Index) -> list[Column] | None:
    """The columns of an index if it has no expressions."""
    columns = [table.column(name) for name in index.columns if name is not None]
    found = [column for column in columns if column is not None]
    return found if len(found) == len(index.columns) else None


def _orders(table: Table, index: Index, columns: Sequence[Column]) -> bool:
    """Whether each row can be told by this index, on every node: one made by CREATE INDEX may be missing."""
    if not index.unique or index.partial or index.origin not in ("pk", "u"):
        return False
    stored = all(column.hidden in (0, _STORED_GENERATED) for column in columns)
    return stored and (index.origin == "pk" or all(column.not_null for column in columns))


def _without_key(table: Table) -> Layout:
    bag = _bag(table)
    rowid = next((name for name in _ROWID_NAMES if table.column(name) is None), None)
    if rowid is None:
        return Layout(table, bag)
    names = [column.name for column in stored_columns(table)]
    view = KeyedView(
        table.name,
        table.sql,
        (rowid, *names),
        (rowid, *map(quote_name, names)),
        (0,),
        (None,),
    )
    return Layout(table, view, bag=bag)


def _keyed(
    table: Table, key: Sequence[str], collations: Sequence[str | None], where: str = ""
) -> KeyedView:
    names = [column.name for column in stored_columns(table)]
    return KeyedView(
        table.name,
        table.sql,
        tuple(names),
        tuple(map(quote_name, names)),
        tuple(map(names.index, key)),
        tuple(collations),
        where,
    )


def _bag(table: Table, where: str = "") -> BagView:
    columns = tuple(column.name for column in table.columns if column.hidden == 0)
    # A bag with a condition is what is left over beside a key: a few rows, as a rule.
    limits = Limits(2_000, 1 << 20) if where else BagView.limits
    return BagView(table.name, table.sql, columns, where, limits)
