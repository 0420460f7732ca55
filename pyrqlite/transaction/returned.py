"""RETURNING inside a transaction: guards that the same rows are written, and that they are then what was shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyrqlite.flow.session import Outcome
from pyrqlite.sql.insert import Insert, parse_insert
from pyrqlite.sql.names import fold
from pyrqlite.sql.parameters import Value, apply_templates, bind_stored
from pyrqlite.sql.queries import split_commas
from pyrqlite.sql.schema import Column, Schema, Table
from pyrqlite.sql.statement import Statement, parse
from pyrqlite.sql.tokens import Kind, quote_name
from pyrqlite.sql.writes import WriteVerdict
from pyrqlite.transaction.guards import compares_bags
from pyrqlite.transaction.log import RowsGuard
from pyrqlite.wire import packing
from pyrqlite.wire.response import Result
from pyrqlite.wire.returning import PackedReturning, pack_returning, qualified, target

_MOST_ROWS = 200
_MOST_COLUMNS = 99  # SQLite's functions take 100 arguments


class RowGuards(NamedTuple):
    """The guards before a write and behind it, and the rowid to compare with the last one."""

    before: tuple[RowsGuard, ...] = ()
    behind: tuple[RowsGuard, ...] = ()
    rowid: int | None = None


@dataclass(frozen=True)
class GuardedReturning:
    """A statement whose RETURNING gives, for each row, its packed values, those that are facts, and its key.

    `matched` is the rest of a query behind FROM that gives the rows that an UPDATE or DELETE will write; None
    for an INSERT, whose last rowid tells its row where it `makes_one`.
    """

    text: str
    statement: Statement
    schema: Schema
    table: Table
    key: tuple[Column, ...]
    shown: tuple[tuple[str, str], ...]
    steady: tuple[Column, ...]
    with_rowid: bool
    matched: str | None
    makes_one: bool

    @staticmethod
    def fact(row: Sequence[Any]) -> str:
        """What of a row, as the server gives it, is a fact."""
        return json.dumps(row[1:])

    def outcome(self, result: Result) -> Outcome:
        """The rows, as the application asked for them."""
        texts = f"[{','.join(row[0] for row in result.values)}]"
        rows = packing.unpack_rows(texts, 0)
        if not self.with_rowid:
            return Outcome(list(self.shown), rows, len(rows))
        lastrowid = rows[-1][-1] if rows else None
        return Outcome(list(self.shown), [row[:-1] for row in rows], len(rows), lastrowid)

    def guards(self, result: Result, values: Sequence[Value]) -> RowGuards | None:
        """The guards, beside that of the count; None where the rows cannot be guarded."""
        rows = result.values
        if not rows:
            return RowGuards()
        if len(rows) > _MOST_ROWS or (len(rows) > 1 and not compares_bags(self.schema)):
            return None
        steady = f"[{','.join(row[1] for row in rows)}]"
        if self.statement.verb == "DELETE":
            return RowGuards((self._matching(self.steady, values, steady, len(rows)),))
        keys = [json.loads(row[2]) for row in rows]
        behind = (self._by_key(keys, self.steady, steady, len(rows)),) if self.steady else ()
        if self.matched is not None:
            texts = f"[{','.join(row[2] for row in rows)}]"
            return RowGuards((self._matching(self.key, values, texts, len(rows)),), behind)
        return self._of_insert(keys, result, values, behind)

    def _of_insert(
        self,
        keys: Sequence[Sequence[Any]],
        result: Result,
        values: Sequence[Value],
        behind: tuple[RowsGuard, ...],
    ) -> RowGuards | None:
        """That the rows are this INSERT's own, and not another client's under the same keys."""
        insert = parse_insert(self.statement)
        assert insert is not None
        if self.makes_one and len(keys) == 1:
            return RowGuards((), behind, keys[0][0])
        replaces = insert.resolution == "REPLACE" or self.table.text.resolves_conflicts
        if replaces and len(keys) > 1:
            return None  # one of the rows may have replaced another
        if insert.updates:
            found = self._is_found_by_value(insert, json.loads(result.values[0][1]), values)
            return RowGuards((), behind) if found else None
        if insert.resolution == "REPLACE":
            return RowGuards((), behind) if self.key != (self.table.rowid_column,) else None
        return RowGuards((self._by_key(keys, self.key, "[]", 0),), behind)

    def _is_found_by_value(
        self, insert: Insert, row: Sequence[Any], values: Sequence[Value]
    ) -> bool:
        """Whether an upsert's row is known by values that the statement itself gives."""
        shown = {column.name: value for column, value in zip(self.steady, row, strict=True)}
        if any(
            all(name is not None and shown.get(name) is not None for name in index.columns)
            for index in self.table.unique_indexes
        ):
            return True
        return all(_gives(self.statement, insert, self.table, key, values) for key in self.key)

    def _matching(
        self, columns: Sequence[Column], values: Sequence[Value], seen: str, count: int
    ) -> RowsGuard:
        """The rows that the statement's own condition finds."""
        alias = quote_name(self._alias())
        items = ", ".join(f"{alias}.{quote_name(column.name)}" for column in columns)
        query = parse(f"SELECT {items} FROM {self.matched}")
        used = tuple(values[: query.placeholders.count])
        return RowsGuard(query, used, len(columns), seen, count)

    def _alias(self) -> str:
        place = target(self.statement)
        assert place is not None
        tokens = self.statement.tokens
        if place + 2 < len(tokens) and tokens[place + 1].keyword == "AS":
            return tokens[place + 2].name
        return self.table.name

    def _by_key(
        self, keys: Sequence[Sequence[Any]], columns: Sequence[Column], seen: str, count: int
    ) -> RowsGuard:
        """The rows with these keys."""
        items = ", ".join(qualified(self.table, column.name) for column in columns)
        names = [qualified(self.table, column.name) for column in self.key]
        one = f"({' AND '.join(f'{name} IS ?' for name in names)})"
        query = parse(
            f"SELECT {items} FROM {quote_name(self.table.name)} WHERE {' OR '.join([one] * len(keys))}"
        )
        bound = bind_stored([value for key in keys for value in map(_value, key)])
        if bound.templates:
            query = parse(apply_templates(query.text, query.placeholders, bound.templates))
        return RowsGuard(query, tuple(bound.values), len(columns), seen, count)


def _value(packed: Any) -> Any:
    return bytes.fromhex(packed[0]) if isinstance(packed, list) else packed


def guard_returning(
    statement: Statement, schema: Schema, verdict: WriteVerdict
) -> GuardedReturning | None:
    """How to ask for a RETURNING of plain columns so that it can be guarded; None where it cannot."""
    returning = verdict.returning
    packed = pack_returning(statement, schema)
    place = target(statement)
    table = schema.table(statement.tokens[place].name) if place is not None else None
    if returning is None or packed is None or table is None or statement.returning is None:
        return None
    steady = [column for i, column in enumerate(returning.columns) if i not in returning.apart]
    insert = parse_insert(statement)
    deletes = statement.verb == "DELETE"
    if (insert is None and not deletes) or (insert is not None and insert.updates):
        found_by = [*returning.key, *(_unique_columns(table) if insert is not None else ())]
        if any(column.generated for column in found_by) or _assigns(
            statement, found_by, insert.source_end if insert is not None else None
        ):
            return None
    if insert is not None and insert.updates:
        # Else another row could have come under the value that this one was found by.
        steady += _unique_columns(table)
    facts = tuple(dict.fromkeys([*steady, *returning.key] if deletes else steady))
    if len(facts) > _MOST_COLUMNS:
        return None
    marker = statement.tokens[statement.returning].start
    shown = packed.text[marker + len("RETURNING ") :]
    texts = (shown, _array(table, facts), _array(table, returning.key))
    return GuardedReturning(
        f"{statement.text[:marker]}RETURNING {', '.join(texts)}",
        statement,
        schema,
        table,
        returning.key,
        packed.columns,
        facts,
        packed.with_rowid,
        _matched(statement) if insert is None else None,
        verdict.rowid and returning.key == (table.rowid_column,),
    )


def _matched(statement: Statement) -> str:
    """An UPDATE's or DELETE's table and condition, its placeholders numbered as they are there."""
    assert statement.returning is not None
    tokens = statement.tokens
    first = statement.main + (2 if statement.verb == "DELETE" else 1)
    ranges = [(tokens[first].start, tokens[statement.returning].start)]
    assigned = statement.find("SET") if statement.verb == "UPDATE" else None
    if assigned is not None:
        where = statement.find("WHERE", start=assigned)
        ranges = [(tokens[first].start, tokens[assigned].start)]
        if where is not None:
            ranges.append((tokens[where].start, tokens[statement.returning].start))
    return "".join(_numbered(statement, start, end) for start, end in ranges)


def _numbered(statement: Statement, start: int, end: int) -> str:
    pieces: list[str] = []
    for number, token in statement.placeholders.occurrences:
        if start <= token.start < end:
            pieces += (statement.text[start : token.start], f"?{number}")
            start = token.end
    return "".join([*pieces, statement.text[start:end]])


def _assigns(statement: Statement, columns: Sequence[Column], start: int | None) -> bool:
    """Whether SET, behind `start`, gives new values to one of these columns, under whatever name."""
    names = {fold(column.name) for column in columns} | {"rowid", "_rowid_", "oid"}
    return not names.isdisjoint(_assigned(statement, start))


def _assigned(statement: Statement, start: int | None) -> Iterator[str]:
    """The names on the left sides of SET, folded, with what else stands there."""
    opening = statement.find("SET", start=start)
    if opening is None:
        return
    end = statement.find("WHERE", "RETURNING", start=opening)
    for begin, stop in split_commas(statement.tokens, opening + 1, end or len(statement.tokens)):
        for token in statement.tokens[begin:stop]:
            if token.text == "=":
                break
            yield fold(token.name)


def _gives(
    statement: Statement, insert: Insert, table: Table, column: Column, values: Sequence[Value]
) -> bool:
    """Whether an INSERT of one row gives this column a value, which is not NULL."""
    names = insert.columns or tuple(fold(own.name) for own in table.insertable)
    if len(insert.rows) != 1 or fold(column.name) not in names:
        return False
    opening, closing = insert.rows[0]
    items = list(split_commas(statement.tokens, opening + 1, closing))
    begin, end = items[names.index(fold(column.name))]
    token = statement.tokens[begin]
    if end != begin + 1:
        return False
    if token.kind is not Kind.PARAMETER:
        return token.kind in (Kind.NUMBER, Kind.STRING, Kind.BLOB)
    number = next(
        n for n, place in statement.placeholders.occurrences if place.start == token.start
    )
    return values[number - 1] is not None


def _unique_columns(table: Table) -> list[Column]:
    names = [name for index in table.unique_indexes for name in index.columns if name is not None]
    found = [table.column(name) for name in names]
    return [column for column in found if column is not None]


def _array(table: Table, columns: Sequence[Column]) -> str:
    cells = (packing.exact(qualified(table, column.name)) for column in columns)
    return f"json_array({','.join(cells)})"


def without_rowid(packed: PackedReturning, row: Sequence[Any]) -> str:
    """What of a packed row of RETURNING is a fact, where the rowid behind the values is none."""
    return json.dumps(json.loads(row[0])[: len(packed.columns)])
