"""The small grammar of queries whose results are the same under every plan of every node.

    SELECT items FROM table [[INNER | LEFT [OUTER] | CROSS] JOIN table ON pred]...
        [WHERE pred] [ORDER BY columns] [LIMIT k [OFFSET m]]
    SELECT EXISTS (the same)

It is parsed completely, with every name resolved; all else is `Unparsed`, with the reason.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pyrqlite.sql.names import KEYWORDS, fold, is_name
from pyrqlite.sql.schema import Column, Schema, Table
from pyrqlite.sql.tokens import Kind, Token


class Unparsed(Exception):
    """Outside of the grammar; the message says why."""


@dataclass(frozen=True)
class Source:
    """A table of the FROM clause under the name by which its columns are called there."""

    table: Table
    alias: str  # folded


@dataclass(frozen=True)
class Ref:
    """A column of a source. `column` is None for a rowid that is no column."""

    source: int
    column: Column | None


class ItemKind(enum.Enum):
    """What a column of the result is."""

    COLUMN = "a column of a source"
    CONSTANT = "a literal or a placeholder"
    COUNT = "count(*) or count(column)"
    EXTREME = "max(column) or min(column)"
    SUM = "sum(column)"

    @property
    def aggregates(self) -> bool:
        """Whether it stands for all rows."""
        return self not in (ItemKind.COLUMN, ItemKind.CONSTANT)


@dataclass(frozen=True)
class Item:
    """A column of the result. `ref` is None for constants and count(*)."""

    kind: ItemKind
    ref: Ref | None = None


@dataclass(frozen=True)
class Key:
    """A column that ORDER BY sorts by, and how."""

    ref: Ref
    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class Predicate:
    """What the conditions compare: columns, and the tokens of literals and placeholders."""

    refs: tuple[Ref, ...] = ()
    values: tuple[Token, ...] = ()


@dataclass(frozen=True)
class Query:
    """A query of the grammar, resolved. `named` are the columns of its list and its order. `limit` and `offset` are
    the indexes of their tokens, `start` that of FROM, `condition` those of the first token of WHERE's and of the
    one behind it; without WHERE both are where it would stand."""

    sources: tuple[Source, ...]
    items: tuple[Item, ...]
    named: frozenset[Ref]
    predicate: Predicate
    start: int
    condition: tuple[int, int]
    order: tuple[Key, ...]
    limit: int | None
    offset: int | None


@dataclass(frozen=True)
class _Name:
    """A column as written: perhaps a qualifier, a name, and how many sources were there when it stood
    in an ON clause, which may not look further."""

    qualifier: Token | None
    token: Token
    visible: int | None = None


@dataclass
class _Entry:
    """An entry of the list before the tables are known. `kind` is None for a star."""

    kind: ItemKind | None = None
    name: _Name | None = None
    star: Token | None = None  # of t.*, the t
    alias: str | None = None


@dataclass(frozen=True)
class _Key:
    """A Key before the tables are known."""

    name: _Name
    descending: bool
    nulls_first: bool


_AGGREGATES = {
    "COUNT": ItemKind.COUNT,
    "MAX": ItemKind.EXTREME,
    "MIN": ItemKind.EXTREME,
    "SUM": ItemKind.SUM,
}
_COMPARISONS = frozenset({"=", "==", "<>", "!=", "<", "<=", ">", ">="})
_LITERALS = (Kind.STRING, Kind.NUMBER, Kind.BLOB, Kind.PARAMETER)
_DEEPEST = 50
_EXPRESSIONS = frozenset({"CAST", "CASE", "EXISTS", "SELECT", "RAISE"})


def parse_query(tokens: Sequence[Token], schema: Schema) -> Query:
    """The query of these tokens; Unparsed with a reason, if it is not of the grammar."""
    return _Parser(tokens, schema).query()


def parse_condition(tokens: Sequence[Token], schema: Schema, table: Table, alias: str) -> Predicate:
    """The condition of a WHERE of one table."""
    parser = _Parser(tokens, schema)
    parser.sources.append(Source(table, alias))
    parser.condition(0)
    parser.expect_end()
    return parser.predicate()


@dataclass
class _Parser:
    tokens: Sequence[Token]
    schema: Schema
    index: int = 0
    sources: list[Source] = field(default_factory=list)
    names: list[_Name] = field(default_factory=list)
    values: list[Token] = field(default_factory=list)
    visible: int | None = None

    # Tokens.

    def peek(self, ahead: int = 0) -> Token | None:
        """The token that comes, or None at the end."""
        place = self.index + ahead
        return self.tokens[place] if place < len(self.tokens) else None

    def at(self, *words: str) -> bool:
        """Whether one of these keywords or operators comes."""
        token = self.peek()
        return token is not None and (token.keyword or token.text) in words

    def accept(self, *words: str) -> bool:
        """Step over one of these, if it comes."""
        found = self.at(*words)
        self.index += found
        return found

    def expect(self, *words: str) -> None:
        """Step over one of these, which must come."""
        if not self.accept(*words):
            raise self.unparsed()

    def expect_end(self) -> None:
        """Nothing may come any more."""
        if self.peek() is not None:
            raise self.unparsed()

    def unparsed(self) -> Unparsed:
        """The complaint about the token that comes."""
        token = self.peek()
        if token is None:
            return Unparsed("the statement ends too early")
        if token.text == "(" and self.index and is_name(self.tokens[self.index - 1]):
            return Unparsed(f"it calls {self.tokens[self.index - 1].text}()")
        return Unparsed(f"{token.text} is outside of what can be guarded")

    # The query.

    def query(self) -> Query:
        """SELECT items FROM sources [WHERE] [ORDER BY] [LIMIT], or SELECT EXISTS (such a query) [AS alias]."""
        self.expect("SELECT")
        if not self.accept("EXISTS"):
            query = self.select()
        else:
            self.expect("(")
            self.expect("SELECT")
            inner = self.select()
            self.expect(")")
            self.alias()
            if inner.limit is not None:
                raise Unparsed("it looks for a row with a LIMIT")
            if any(item.kind.aggregates for item in inner.items):
                raise Unparsed("it looks for the row of an aggregate, which is always there")
            query = replace(inner, items=(Item(ItemKind.CONSTANT),), order=())
        self.expect_end()
        return query

    def select(self) -> Query:
        """A query behind its SELECT."""
        entries = [self.entry()]
        while self.accept(","):
            entries.append(self.entry())
        start = self.index
        self.expect("FROM")
        self.source()
        while self.at("JOIN", "INNER", "LEFT", "CROSS"):
            self.join()
        filtered = self.index
        if self.accept("WHERE"):
            filtered = self.index
            self.condition(0)
        condition = (filtered, self.index)
        order = self.order_by() if self.accept("ORDER") else []
        limit, offset = self.limit() if self.accept("LIMIT") else (None, None)
        items = self.items(entries)
        keys = [
            Key(self.ordered(key.name, entries), key.descending, key.nulls_first) for key in order
        ]
        named = {item.ref for item in items if item.ref is not None} | {key.ref for key in keys}
        return Query(
            tuple(self.sources),
            tuple(items),
            frozenset(named),
            self.predicate(),
            start,
            condition,
            tuple(keys),
            limit,
            offset,
        )

    def entry(self) -> _Entry:
        """One entry of the list: *, t.*, a column, a constant, a count or an extreme, with its alias."""
        if self.accept("*"):
            return _Entry()
        first, second, third = self.peek(), self.peek(1), self.peek(2)
        follower = second.text if second is not None else ""
        if first is not None and follower == "." and third is not None and third.text == "*":
            if not is_name(first):
                raise self.unparsed()
            self.index += 3
            return _Entry(star=first)
        kind = _AGGREGATES.get(first.keyword) if first is not None else None
        if kind is not None and follower == "(":
            self.index += 2
            name = None if kind is ItemKind.COUNT and self.accept("*") else self.name()
            self.expect(")")
            return _Entry(kind, name, alias=self.alias())
        if first is not None and is_name(first):
            return _Entry(ItemKind.COLUMN, self.name(), alias=self.alias())
        self.constant()
        return _Entry(ItemKind.CONSTANT, alias=self.alias())

    def constant(self) -> None:
        """A literal or a placeholder, perhaps in parentheses; no condition looks at it."""
        if self.accept("("):
            self.constant()
            self.expect(")")
        else:
            self.literal()

    def alias(self) -> str | None:
        """[AS] name, folded."""
        if self.accept("AS"):
            token = self.peek()
            if token is None or not is_name(token):
                raise self.unparsed()
        else:
            token = self.peek()
            if token is None or not is_name(token) or token.keyword in KEYWORDS:
                return None
        self.index += 1
        return fold(token.name)

    def name(self) -> _Name:
        """A column, perhaps with its table's name before it."""
        first = self.peek()
        if first is None or not is_name(first):
            raise self.unparsed()
        self.index += 1
        if self.at("("):
            raise self.unparsed()
        if not self.accept("."):
            return _Name(None, first, self.visible)
        second = self.peek()
        if second is None or not is_name(second):
            raise self.unparsed()
        self.index += 1
        if self.at(".", "("):
            raise self.unparsed()
        return _Name(first, second, self.visible)

    def source(self) -> None:
        """[main.]table [[AS] alias]."""
        token = self.peek()
        if token is None or not is_name(token):
            raise self.unparsed()
        self.index += 1
        if self.accept("."):
            if fold(token.name) != "main":
                raise Unparsed(f"{token.name} is another database than main")
            token = self.peek()
            if token is None or not is_name(token):
                raise self.unparsed()
            self.index += 1
        if self.at("("):
            raise self.unparsed()
        table = self.schema.table(token.name)
        if table is None:
            what = "a view" if self.schema.view(token.name) else "no known table"
            raise Unparsed(f"{token.name} is {what}")
        if table.kind != "table":
            raise Unparsed(f"{token.name} is a {table.kind} table")
        alias = self.alias() or fold(token.name)
        if any(source.alias == alias for source in self.sources):
            raise Unparsed(f"two tables are called {alias}")
        self.sources.append(Source(table, alias))

    def join(self) -> None:
        """[INNER | LEFT [OUTER] | CROSS] JOIN source ON condition."""
        if self.accept("LEFT"):
            self.accept("OUTER")
        else:
            self.accept("INNER", "CROSS")
        self.expect("JOIN")
        self.source()
        self.expect("ON")
        self.visible = len(self.sources)
        self.condition(0)
        self.visible = None

    def order_by(self) -> list[_Key]:
        """BY column [ASC | DESC] [NULLS FIRST | LAST], ..."""
        self.expect("BY")
        keys = []
        while True:
            name = self.name()
            nulls_first = not (descending := self.accept("DESC"))
            if not descending:
                self.accept("ASC")
            if self.accept("NULLS"):
                nulls_first = self.at("FIRST")
                self.expect("FIRST", "LAST")
            keys.append(_Key(name, descending, nulls_first))
            if not self.accept(","):
                return keys

    def limit(self) -> tuple[int, int | None]:
        """k [OFFSET m], or m, k."""
        first = self.bound()
        if self.accept("OFFSET"):
            return first, self.bound()
        if self.accept(","):
            return self.bound(), first
        return first, None

    def bound(self) -> int:
        """The index of a number or placeholder."""
        token = self.peek()
        if token is None or token.kind not in (Kind.NUMBER, Kind.PARAMETER):
            raise self.unparsed()
        self.index += 1
        return self.index - 1

    # Conditions.

    def condition(self, depth: int) -> None:
        """Terms with AND, OR and NOT; the way they bind does not matter for what they compare."""
        if depth > _DEEPEST:
            raise Unparsed("its conditions are too deeply nested")
        while True:
            while self.accept("NOT"):
                pass
            if self.accept("("):
                self.condition(depth + 1)
                self.expect(")")
            else:
                self.comparison()
            if not self.accept("AND", "OR"):
                return

    def comparison(self) -> None:
        """column op value, value op column, column op column, IN (values), BETWEEN values, IS [NOT] NULL."""
        token = self.peek()
        if token is not None and token.keyword in _EXPRESSIONS:
            raise self.unparsed()
        if token is not None and token.kind in _LITERALS:
            # The column gives its affinity and its collation from either side.
            self.value()
            if not self.accept(*_COMPARISONS):
                self.expect("IS")
                self.accept("NOT")
            self.names.append(self.name())
            return
        self.names.append(self.name())
        if self.accept(*_COMPARISONS):
            self.operand()
        elif self.accept("IS"):
            self.accept("NOT")
            self.operand()
        else:
            self.accept("NOT")
            if self.accept("BETWEEN"):
                self.value()
                self.expect("AND")
                self.value()
            else:
                self.expect("IN")
                self.expect("(")
                self.value()
                while self.accept(","):
                    self.value()
                self.expect(")")

    def operand(self) -> None:
        """A value or a column."""
        token = self.peek()
        if token is not None and is_name(token):
            self.names.append(self.name())
        else:
            self.value()

    def value(self) -> None:
        """A literal or a placeholder that a condition compares with."""
        token = self.literal()
        if token is not None:
            self.values.append(token)

    def literal(self) -> Token | None:
        """A literal or a placeholder; None for NULL."""
        if self.accept("+", "-"):
            token = self.peek()
            if token is None or token.kind is not Kind.NUMBER:
                raise self.unparsed()
        elif self.accept("NULL"):
            return None
        token = self.peek()
        if token is None or token.kind not in _LITERALS:
            raise self.unparsed()
        self.index += 1
        return token

    # Names.

    def predicate(self) -> Predicate:
        """What the conditions compare, resolved."""
        return Predicate(tuple(self.resolve(name) for name in self.names), tuple(self.values))

    def resolve(self, name: _Name) -> Ref:
        """The column that a name means to SQLite; Unparsed where it is not exactly one."""
        qualifier = fold(name.qualifier.name) if name.qualifier is not None else None
        places = [
            place
            for place, source in enumerate(self.sources)
            if qualifier is None or source.alias == qualifier
        ]
        if qualifier is not None and not places:
            raise Unparsed(f"{qualifier} is no table of the query")
        found = [place for place in places if self.sources[place].table.column(name.token.name)]
        if len(found) > 1:
            raise Unparsed(f"the column {name.token.name} is ambiguous")
        if found:
            ref = Ref(found[0], self.sources[found[0]].table.column(name.token.name))
        else:
            ref = self.resolve_rowid(name, places)
        if name.visible is not None and ref.source >= name.visible:
            raise Unparsed("an ON clause looks at a table further to the right")
        return ref

    def resolve_rowid(self, name: _Name, places: Sequence[int]) -> Ref:
        """The rowid of the only table, or the one that is named."""
        if name.token.kind is Kind.QUOTED:
            raise Unparsed(f"{name.token.text} is no column, so perhaps a text")
        if len(places) == 1 and self.sources[places[0]].table.is_rowid(name.token.name):
            return Ref(places[0], self.sources[places[0]].table.rowid_column)
        raise Unparsed(f"there is no column {name.token.name}")

    def items(self, entries: Sequence[_Entry]) -> list[Item]:
        """The columns of the result."""
        kinds = {entry.kind or ItemKind.COLUMN for entry in entries}
        if ItemKind.COLUMN in kinds and any(kind.aggregates for kind in kinds):
            raise Unparsed("it mixes columns and what stands for all rows")
        items: list[Item] = []
        for entry in entries:
            if entry.kind is None:
                items.extend(self.starred(entry.star))
            else:
                ref = self.resolve(entry.name) if entry.name is not None else None
                items.append(Item(entry.kind, ref))
        return items

    def starred(self, qualifier: Token | None) -> list[Item]:
        """The columns of * or t.*."""
        alias = fold(qualifier.name) if qualifier is not None else None
        items = [
            Item(ItemKind.COLUMN, Ref(place, column))
            for place, source in enumerate(self.sources)
            if alias is None or source.alias == alias
            for column in source.table.columns
            if column.hidden != 1
        ]
        if not items:
            raise Unparsed(f"{alias} is no table of the query")
        return items

    def ordered(self, name: _Name, entries: Sequence[_Entry]) -> Ref:
        """The column to sort by. A bare name means an alias of the list before it means a column."""
        if name.qualifier is not None:
            return self.resolve(name)
        folded = fold(name.token.name)
        meant = []
        for entry in entries:
            if entry.kind is None:  # the columns of a star count as aliases
                meant += [
                    item.ref
                    for item in self.starred(entry.star)
                    if item.ref is not None
                    and item.ref.column is not None
                    and fold(item.ref.column.name) == folded
                ]
            elif entry.alias == folded:
                if entry.name is None or entry.kind is not ItemKind.COLUMN:
                    raise Unparsed("it sorts by what is no column")
                meant.append(self.resolve(entry.name))
        if len(set(meant)) > 1:
            raise Unparsed(f"the name {name.token.name} to sort by is ambiguous")
        return meant[0] if meant else self.resolve(name)
