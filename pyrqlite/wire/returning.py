"""RETURNING in the packed form: each row one JSON text, exact, the rowid of inserted rows beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pyrqlite.sql.insert import parse_insert
from pyrqlite.sql.names import ends_operand, fold, is_name
from pyrqlite.sql.queries import split_commas
from pyrqlite.sql.schema import Column, Schema, Table
from pyrqlite.sql.statement import Statement
from pyrqlite.sql.tokens import Kind, Token, quote_name
from pyrqlite.wire import packing
from pyrqlite.wire.bulk import is_deterministic
from pyrqlite.wire.response import Rows

_MOST_COLUMNS = 99  # SQLite's functions take 100 arguments, and the rowid is one of them


@dataclass(frozen=True)
class PackedReturning:
    """A statement whose RETURNING gives one packed text a row: `text` to send, names and declared types of
    its columns, and whether a rowid follows them. `star` is the table whose columns stand for a `*`."""

    text: str
    columns: tuple[tuple[str, str], ...]
    with_rowid: bool
    star: Table | None

    def rows(self, texts: Sequence[str]) -> tuple[Rows, int | None]:
        """The rows in these texts, and the rowid of the last one."""
        rows = packing.unpack_rows(f"[{','.join(texts)}]", 0)
        if not self.with_rowid:
            return rows, None
        return [row[:-1] for row in rows], rows[-1][-1] if rows else None


def pack_returning(statement: Statement, schema: Schema) -> PackedReturning | None:
    """How to ask for the rows of a RETURNING of plain columns; None where it has anything else."""
    key = (pack_returning, statement.text)
    if key not in schema.memo:
        schema.remember(key, _pack_returning(statement, schema))
    return schema.memo[key]  # type: ignore[no-any-return]


def _pack_returning(statement: Statement, schema: Schema) -> PackedReturning | None:
    assert statement.returning is not None
    place = target(statement)
    table = schema.table(statement.tokens[place].name) if place is not None else None
    if table is None or table.kind != "table":
        return None
    cells = _cells(statement, statement.returning + 1, table)
    if cells is None or len(cells) > _MOST_COLUMNS:
        return None
    values = [packing.exact(cell.sql) for cell in cells]
    rowid = _rowid_name(table) if makes_rowid(statement, schema) else None
    if rowid is not None:
        values.append(qualified(table, rowid))
    head = statement.text[: statement.tokens[statement.returning].start]
    columns = tuple((cell.name, cell.declared) for cell in cells)
    text = f"{head}RETURNING json_array({','.join(values)})"
    star = any(token.text == "*" for token in statement.tokens[statement.returning :])
    return PackedReturning(text, columns, rowid is not None, table if star else None)


def qualified(table: Table, column: str) -> str:
    """A column of the table, so that a name that is gone is an error, and not a text. RETURNING knows no
    aliases of the table."""
    return f"{quote_name(table.name)}.{quote_name(column)}"


def target(statement: Statement) -> int | None:
    """The index of the name of the table that is written to; None where there is none."""
    tokens = statement.tokens
    index = statement.main + 1
    if index + 1 < len(tokens) and tokens[index].keyword == "OR":
        index += 2
    if index < len(tokens) and tokens[index].keyword in ("INTO", "FROM"):
        index += 1
    if index + 2 < len(tokens) and tokens[index + 1].text == ".":
        index += 2
    if index >= len(tokens) or not is_name(tokens[index]):
        return None
    return index


def makes_rowid(statement: Statement, schema: Schema | None) -> bool:
    """Whether the last rowid that the server reports behind this statement is this statement's own."""
    insert = parse_insert(statement)
    if insert is None:
        return False
    if schema is None:
        return not insert.updates
    table = schema.table(insert.table)
    if table is None:
        return schema.view(insert.table) is None and not insert.updates
    return not table.without_rowid and not insert.updates


def _rowid_name(table: Table) -> str | None:
    """How to call the rowid; None where columns have all of its names."""
    if table.rowid_column is not None:
        return table.rowid_column.name
    return next((name for name in ("rowid", "_rowid_", "oid") if table.is_rowid(name)), None)


# With these an expression still gives the same when it is evaluated twice.
_WORDS = frozenset(
    {"AND", "AS", "BETWEEN", "CASE", "CAST", "COLLATE", "ELSE", "END", "ESCAPE", "GLOB", "IN", "IS", "ISNULL",
     "LIKE", "NOT", "NOTNULL", "NULL", "OR", "THEN", "WHEN"}
)  # fmt: skip


def _is_expression(tokens: Sequence[Token], begin: int, end: int) -> bool:
    """Whether this may be evaluated twice: no placeholders, no queries, functions that always agree."""
    return all(
        tokens[index].keyword in _WORDS
        or tokens[index].kind is Kind.OPERATOR
        or is_deterministic(tokens, index)
        or (is_name(tokens[index]) and (index + 1 == end or tokens[index + 1].text != "("))
        for index in range(begin, end)
    ) and all(token.kind is not Kind.PARAMETER for token in tokens[begin:end])


class _Cell(NamedTuple):
    name: str
    declared: str
    sql: str


def _cells(statement: Statement, start: int, table: Table) -> list[_Cell] | None:
    """The items of the list at `start`; None where one is neither a column nor a simple expression."""
    found: list[_Cell] = []
    tokens = statement.tokens
    for begin, end in split_commas(tokens, start, len(tokens)):
        if end == begin + 1 and tokens[begin].text == "*":
            found += [_column_cell(table, column) for column in table.columns if column.hidden != 1]
            continue
        name, behind = _alias(tokens, begin, end)
        column = _column(tokens[begin:behind], table)
        if behind == begin + 1 and column is None and table.is_rowid(tokens[begin].name):
            # Quoted, since the server's parser does not take the bare word.
            word = tokens[begin].name
            found.append(_Cell(name or word, "integer", qualified(table, word)))
        elif column is not None:
            found.append(_column_cell(table, column)._replace(name=name or column.name))
        elif behind > begin and _is_expression(tokens, begin, behind):
            text = statement.text[tokens[begin].start : tokens[behind - 1].end]
            found.append(_Cell(name or text, "", f"({text})"))
        else:
            return None
    return found


def _column_cell(table: Table, column: Column) -> _Cell:
    return _Cell(column.name, column.declared_type.lower(), qualified(table, column.name))


def _alias(tokens: Sequence[Token], begin: int, end: int) -> tuple[str, int]:
    """The name given to an item, or an empty text, and where what it names ends."""
    if end - begin > 2 and tokens[end - 2].keyword == "AS":
        return tokens[end - 1].name, end - 2
    if (
        end - begin > 1
        and is_name(tokens[end - 1])
        and tokens[end - 2].text != "."
        and ends_operand(tokens[end - 2])
    ):
        return tokens[end - 1].name, end - 1
    return "", end


def _column(item: Sequence[Token], table: Table) -> Column | None:
    if len(item) == 3 and item[1].text == "." and fold(item[0].name) == fold(table.name):
        item = item[2:]
    if len(item) != 1 or not is_name(item[0]):
        return None
    return table.rowid_column if table.is_rowid(item[0].name) else table.column(item[0].name)
