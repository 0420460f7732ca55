"""The statements that make all nodes hold the leader's rows.

They are executed on every node, and again on each that restarts, so they must lead to the same rows whatever
a node holds: values are set by key, and no statement asks whether a row differs. None touches a row that
another client has written since the leader's rows were read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyrqlite.admin.verifying.bags import count
from pyrqlite.admin.verifying.report import differing
from pyrqlite.admin.verifying.settling import Difference
from pyrqlite.admin.verifying.touching import KEYS, untouched
from pyrqlite.admin.verifying.values import Cell, RawText, Row, Sql, bound, join
from pyrqlite.admin.verifying.views import BagView, KeyedView, hex_arrays
from pyrqlite.sql.names import fold
from pyrqlite.sql.schema import Table
from pyrqlite.sql.tokens import quote_name

# SQLite takes 32,766 values in one statement.
_MOST_VALUES = 30_000

# A difference, and what the leader's row is now.
Now = tuple[Difference, Row | None]


def exactly(expression: str, cell: Cell) -> Sql:
    """A condition that holds for this very value, whatever collation and affinity call equal."""
    if cell is None:
        return Sql(f"{expression} IS NULL")
    if isinstance(cell, RawText):
        return Sql(
            f"(typeof({expression}) = 'text' AND CAST({expression} AS BLOB) = ?)", (cell.data,)
        )
    kind = {int: "integer", float: "real", str: "text", bytes: "blob"}[type(cell)]
    start = Sql(f"(typeof({expression}) = '{kind}' AND {expression} COLLATE BINARY = ")
    return start + bound(cell) + Sql(")")


@dataclass(frozen=True)
class KeyedMending:
    """Statements for a table with a key."""

    table: Table
    view: KeyedView

    @property
    def watched(self) -> tuple[str, ...]:
        """The columns by which to note what others write."""
        return tuple(self.view.names[index] for index in self.view.key)

    def noted(self, each: Difference) -> Row:
        """The values of these columns."""
        return each.key

    @property
    def at_once(self) -> int:
        """How many to repair in one transaction."""
        plain = all(column.collation is None for column in self.view.key_columns)
        return min(2_000, _MOST_VALUES // len(self.view.key)) if plain else 300

    def statements(self, rows: Sequence[Now]) -> list[Sql]:
        """What makes all nodes hold these rows. Values are made free before they are needed."""
        kinds = (self._delete, self._update, self._insert)
        return [sql for kind in kinds for each, row in rows for sql in kind(each, row)]

    def _delete(self, each: Difference, row: Row | None) -> Iterator[Sql]:
        if row is None:
            yield self._start("DELETE FROM") + self._where(each.key)

    def _update(self, each: Difference, row: Row | None) -> Iterator[Sql]:
        names = [] if row is None else self._written(each, row)
        if row is not None and names:
            cells = dict(zip(self.view.names, row, strict=True))
            values = (Sql(f"{quote_name(name)} = ") + bound(cells[name]) for name in names)
            start = self._start("UPDATE OR IGNORE") + Sql(" SET ")
            yield start + join(", ", values) + self._where(each.key)

    def _written(self, each: Difference, row: Row) -> list[str]:
        """The columns to be set: those in which any node's row differed from the leader's, then or now."""
        changed: dict[str, None] = {}
        for other in each.others.values():
            for leader in (each.leader, row):
                if other is not None and leader is not None:
                    changed.update(dict.fromkeys(differing(self.view.names, leader, other)))
        names = [name for name in changed if self._writable(name)]
        # Generated columns alone: any write makes SQLite compute them anew.
        return names or [name for name in self.view.names if self._writable(name)][: len(changed)]

    def _insert(self, each: Difference, row: Row | None) -> Iterator[Sql]:
        if row is None or None not in each.others.values():
            return
        cells = [
            (name, cell)
            for name, cell in zip(self.view.names, row, strict=True)
            if self._writable(name)
        ]
        names = ", ".join(quote_name(name) for name, _ in cells)
        values = join(", ", (bound(cell) for _, cell in cells))
        start = self._start("INSERT OR IGNORE INTO") + Sql(f" ({names}) SELECT ")
        yield start + values + Sql(" WHERE ") + untouched(each.key)

    def _start(self, verb: str) -> Sql:
        return Sql(f"{verb} {quote_name(self.table.name)}")

    def _where(self, key: Row) -> Sql:
        """A condition that an index serves, and that takes only this very key."""
        terms: list[Sql] = []
        for column, cell in zip(self.view.key_columns, key, strict=True):
            terms += (Sql(f"{column.ordered} = ") + bound(cell), exactly(column.expression, cell))
        return Sql(" WHERE ") + join(" AND ", [*terms, untouched(key)])

    def _writable(self, name: str) -> bool:
        column = self.table.column(name)
        return column is not None and not column.generated


@dataclass(frozen=True)
class BagMending:
    """Statements for rows without a key: each content gets the number that the leader has."""

    table: Table
    view: BagView

    @property
    def watched(self) -> tuple[str, ...]:
        """The columns by which to note what others write."""
        return self.view.columns

    def noted(self, each: Difference) -> Row:
        """The values of these columns."""
        return self.view.content(each.key[0])

    @property
    def at_once(self) -> int:
        """How many to repair in one transaction: each costs a look at the whole table."""
        return min(5_000, _MOST_VALUES // (len(self.view.columns) + 1))

    def statements(self, rows: Sequence[Now]) -> list[Sql]:
        """What makes all nodes hold each content as often as the leader does."""
        fewer = self._delete([(each.key[0], count(row)) for each, row in rows])
        numbers = [(self.view.content(each.key[0]), count(row)) for each, row in rows]
        wanted = [(content, number) for content, number in numbers if number]
        return [fewer, self._insert(wanted)] if wanted else [fewer]

    def _delete(self, wanted: Sequence[tuple[Cell, int]]) -> Sql:
        table, rowid = quote_name(self.table.name), self._rowid()
        values = join(", ", (Sql("(") + bound(r) + Sql(f", {number})") for r, number in wanted))
        return (
            Sql("WITH _pyrqlite_w(r, n) AS (VALUES ")
            + values
            + Sql(
                f") DELETE FROM {table} WHERE {rowid} IN (SELECT id FROM (SELECT id, r, row_number() OVER"
                f" (PARTITION BY r ORDER BY id) AS k FROM (SELECT {rowid} AS id, {self._content()} AS r"
                f" FROM {table} LIMIT -1) WHERE r IN (SELECT r FROM _pyrqlite_w)) AS x"
                f" JOIN _pyrqlite_w AS w ON w.r = x.r WHERE x.k > w.n AND x.r NOT IN ({KEYS}))"
            )
        )

    def _insert(self, wanted: Sequence[tuple[Row, int]]) -> Sql:
        table = quote_name(self.table.name)
        names = [f"c{number}" for number in range(1, len(self.view.columns) + 1)]
        places = ", ".join(names)
        values = (
            Sql("(") + join(", ", map(bound, content)) + Sql(f", {number})")
            for content, number in wanted
        )
        return (
            Sql(f"WITH RECURSIVE _pyrqlite_v({places}, n) AS (VALUES ")
            + join(", ", values)
            + Sql(
                f"), _pyrqlite_w AS (SELECT *, {hex_arrays(names)} AS r FROM _pyrqlite_v),"
                " _pyrqlite_h(r, h) AS (SELECT r, count(*) FROM"
                f" (SELECT {self._content()} AS r FROM {table} LIMIT -1)"
                " WHERE r IN (SELECT r FROM _pyrqlite_w) GROUP BY r),"
                " _pyrqlite_i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM _pyrqlite_i"
                " WHERE i < (SELECT max(n) FROM _pyrqlite_v))"
                f" INSERT INTO {table} ({', '.join(map(quote_name, self.view.columns))}) SELECT {places}"
                " FROM _pyrqlite_w AS w LEFT JOIN _pyrqlite_h AS h ON h.r = w.r"
                " JOIN _pyrqlite_i AS i ON i.i <= w.n - ifnull(h.h, 0)"
                f" WHERE w.r NOT IN ({KEYS})"
            )
        )

    def _content(self) -> str:
        return hex_arrays([quote_name(name) for name in self.view.columns])

    def _rowid(self) -> str:
        return next(name for name in ("rowid", "_rowid_", "oid") if self.table.column(name) is None)


@dataclass(frozen=True)
class SequenceMending:
    """Statements for sqlite_sequence: every node gets the highest number of all, so that no key of an
    AUTOINCREMENT is given twice, and a number that rises meanwhile is not taken back."""

    table: Table
    view: KeyedView

    @property
    def watched(self) -> tuple[str, ...]:
        """Nothing: SQLite allows no trigger on this table, and what only rises overwrites nothing."""
        return ()

    def noted(self, each: Difference) -> Row:
        """Nothing."""
        return ()

    @property
    def at_once(self) -> int:
        """How many to repair in one transaction."""
        return 1_000

    def statements(self, rows: Sequence[Now]) -> list[Sql]:
        """What raises the numbers."""
        found: list[Sql] = []
        for each, now in rows:
            [name] = each.key
            numbers = [row[1] for row in (now, *each.others.values()) if row is not None]
            highest = max((number for number in numbers if isinstance(number, int)), default=0)
            found += self._raise(name, highest)
        return found

    @staticmethod
    def _raise(name: Cell, number: int) -> Iterator[Sql]:
        is_name = Sql(" WHERE name = ") + bound(name)
        yield Sql(f"UPDATE sqlite_sequence SET seq = max(ifnull(seq, 0), {number})") + is_name
        yield (
            Sql("INSERT INTO sqlite_sequence(name, seq) SELECT ")
            + bound(name)
            + Sql(f", {number} WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence")
            + is_name
            + Sql(")")
        )


Mending = KeyedMending | BagMending | SequenceMending


def mending(table: Table, view: KeyedView | BagView) -> Mending:
    """How to mend the rows of this view."""
    if isinstance(view, BagView):
        return BagMending(table, view)
    if fold(table.name) == "sqlite_sequence":
        return SequenceMending(table, view)
    return KeyedMending(table, view)
