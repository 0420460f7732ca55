"""Random databases, and random queries over them.

What is not determined by SQL (the order without ORDER BY, which of several rows LIMIT keeps, sums of REALs
over a join) is left out or compared as a bag, since two versions of SQLite may run a query differently.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.differential.driver.choices import Chooser
from tests.differential.driver.values import DECLARED, Value, literal, value

NAMES = [
    "a",
    "b",
    "c1",
    "Key",
    "value",
    "a b",
    "sel'ect",
    "É",
    'q"q',
    "select",
    "window",
    "rowid_",
    "x.y",
]


def quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


@dataclass
class Table:
    """A table or view: its columns by name and declared type; `key` says that `id` is unique."""

    name: str
    columns: list[tuple[str, str]]
    key: bool = True


@dataclass
class Database:
    """The statements that make it, each with its values, and the tables that are there then."""

    statements: list[tuple[str, list[Value]]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def database(choose: Chooser) -> Database:
    """Two to three tables of up to eight rows, perhaps a view, an index, texts that are no UTF-8."""
    made = Database()
    invalid = choose.chance(10)
    for number in range(choose.between(1, 3)):
        _add_table(made, choose, f"t{number}", invalid)
    if choose.chance(30):
        base = choose.one(made.tables)
        name, declared = choose.one(base.columns)
        made.statements.append(
            (
                f"CREATE VIEW v AS SELECT id, {quoted(name)} AS w, {quoted(name)}||'' AS e FROM {base.name}",
                [],
            )
        )
        made.tables.append(Table("v", [("w", declared), ("e", "")]))
    return made


def _add_table(made: Database, choose: Chooser, name: str, invalid: bool) -> None:
    names: list[str] = []
    for column in choose.some(NAMES, 1, 4):
        if column.lower() not in (known.lower() for known in names):
            names.append(column)
    columns = [(column, choose.one(DECLARED)) for column in names]
    definitions = ", ".join(f"{quoted(column)} {declared}" for column, declared in columns)
    suffix = " WITHOUT ROWID" if choose.chance(10) else ""
    made.statements.append(
        (f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, {definitions}){suffix}", [])
    )
    marks = ", ".join("?" * len(columns))
    for row in range(choose.between(0, 7)):
        values = [value(choose) for _ in columns]
        values = [
            "" if each is None and "NOT NULL" in columns[n][1] else each
            for n, each in enumerate(values)
        ]
        made.statements.append((f"INSERT INTO {name} VALUES ({row + 1}, {marks})", values))
    if invalid:
        cells = ", CAST(x'ff41' AS TEXT)" * len(columns)
        made.statements.append((f"INSERT INTO {name} VALUES (100{cells})", []))
    if choose.chance(20):
        made.statements.append((f"CREATE INDEX i_{name} ON {name} ({quoted(names[0])})", []))
    made.tables.append(Table(name, columns))


@dataclass(frozen=True)
class Query:
    """A query, its values, and whether the order of its rows is determined.

    `dressed` has comments and semicolons around it, which SQLite would put into the names of columns.
    """

    sql: str
    values: list[Value]
    dressed: str
    ordered: bool = False


class _Builder:
    """Builds one query."""

    def __init__(self, made: Database, choose: Chooser) -> None:
        self.made = made
        self.choose = choose
        self.values: list[Value] = []

    def constant(self) -> str:
        """A literal or a placeholder."""
        chosen = value(self.choose)
        if self.choose.chance(30):
            self.values.append(chosen)
            return "?"
        return literal(chosen)

    def plain_column(self, scope: list[tuple[str, Table]]) -> str:
        if not scope:
            return self.constant()
        alias, table = self.choose.one(scope)
        name = quoted(self.choose.one([*table.columns, ("id", "INTEGER")])[0])
        return f"{alias}.{name}" if len(scope) > 1 or self.choose.chance(20) else name

    def expression(self, scope: list[tuple[str, Table]], depth: int = 0) -> str:
        """Any scalar expression."""
        kind = self.choose.below(14 if depth < 3 else 3)
        if kind <= 1:
            return self.plain_column(scope)
        if kind == 2:
            return self.constant()
        if kind == 3:
            return self.choose.one(_CONSTANT_CALLS)
        if kind == 4:
            table = self.choose.one(self.made.tables)
            condition = self.expression([(table.name, table)], depth + 2)
            return f"(SELECT max(id) FROM {table.name} WHERE {condition})"
        form = self.choose.one(_FORMS[kind - 5])
        # One by one, so that placeholders come in the order of their values.
        return form.format(*(self.expression(scope, depth + 1) for _ in range(form.count("{}"))))

    def item(self, scope: list[tuple[str, Table]]) -> str:
        """One item of a select list."""
        text = self.plain_column(scope) if self.choose.chance(40) else self.expression(scope)
        return text + self.alias()

    def alias(self) -> str:
        kind = self.choose.below(6)
        return "" if kind < 4 else f" {'AS ' if kind == 4 else ''}{quoted(self.choose.one(NAMES))}"

    def source(self, depth: int = 0) -> tuple[str, list[tuple[str, Table]]]:
        """A FROM clause without the word, and what can be named in it."""
        choose = self.choose
        kind = choose.below(8 if depth == 0 else 3)
        table = choose.one(self.made.tables)
        if kind <= 2:
            return table.name, [(table.name, table)]
        if kind <= 5:
            other = choose.one(self.made.tables)
            join = choose.one(["JOIN", "LEFT JOIN", "CROSS JOIN", ",", "RIGHT JOIN", "FULL JOIN"])
            scope = [("l", table), ("r", other)]
            on = "" if join in (",", "CROSS JOIN") else f" ON {self.condition(scope)}"
            return f"{table.name} AS l {join} {other.name} AS r{on}", scope
        if kind == 6:
            before = len(self.values)
            inner, inner_scope = self.source(depth + 1)
            inner_values = self.values[before:]
            del self.values[before:]
            columns = [self.expression(inner_scope) for _ in range(choose.between(1, 2))]
            self.values += inner_values
            where = f" WHERE {self.condition(inner_scope)}" if choose.chance(40) else ""
            parts = ", ".join([f"{text} AS s{n}" for n, text in enumerate(columns)])
            made = Table("s", [(f"s{n}", "") for n in range(len(columns))])
            return f"(SELECT {inner_scope[0][0]}.id, {parts} FROM {inner}{where}) AS s", [
                ("s", made)
            ]
        rows = ", ".join(f"({n}, {self.constant()})" for n in range(choose.between(1, 3)))
        return f"(SELECT column1 AS id, column2 AS w FROM (VALUES {rows})) AS x", [
            ("x", Table("x", [("w", "")]))
        ]

    def condition(self, scope: list[tuple[str, Table]]) -> str:
        if self.choose.chance(40) and len(scope) == 2:
            return f"{scope[0][0]}.id = {scope[1][0]}.id"
        return self.expression(scope, 1)

    def select(self, width: int | None = None) -> str:
        """A SELECT without ORDER BY and LIMIT."""
        choose = self.choose
        if choose.chance(8):
            count = width or choose.between(1, 3)
            return f"SELECT {', '.join(self.expression([]) for _ in range(count))}"
        before = len(self.values)
        source, scope = self.source()
        source_values = self.values[before:]
        del self.values[before:]
        star = width is None and choose.chance(15)
        if star:
            items = [choose.one(["*", f"{scope[0][0]}.*", f"{self.plain_column(scope)}, *"])]
        else:
            items = [self.item(scope) for _ in range(width or choose.between(1, 4))]
        # The FROM clause was made first, but stands behind the items: so do its values.
        self.values += source_values
        where = f" WHERE {self.condition(scope)}" if choose.chance(50) else ""
        distinct = "DISTINCT " if choose.chance(15) else choose.one(["", "", "", "ALL "])
        return f"SELECT {distinct}{', '.join(items)} FROM {source}{where}"

    def aggregate(self) -> str:
        """Aggregates over one table, perhaps by groups."""
        choose = self.choose
        table = choose.one(self.made.tables)
        scope = [(table.name, table)]
        by = self.plain_column(scope)
        items = [
            choose.one(_AGGREGATES).format(self.plain_column(scope)) + self.alias()
            for _ in range(choose.between(1, 3))
        ]
        if choose.chance(50):
            having = (
                f" HAVING {choose.one(['count(*) > 1', 'max(id) > 2', '1'])}"
                if choose.chance(30)
                else ""
            )
            return f"SELECT {by}, {', '.join(items)} FROM {table.name} GROUP BY {by}{having}"
        return f"SELECT {', '.join(items)} FROM {table.name}"

    def window(self) -> str:
        choose = self.choose
        table = choose.one(self.made.tables)
        column = self.plain_column([(table.name, table)])
        call = choose.one(_WINDOWS).format(column)
        if choose.chance(30):
            return f"SELECT id, {call} OVER w, {column} FROM {table.name} WINDOW w AS (ORDER BY id)"
        frame = choose.one(
            ["ORDER BY id", f"PARTITION BY {column} ORDER BY id", "ORDER BY id DESC"]
        )
        return f"SELECT id, {call} OVER ({frame}){self.alias()}, {column} FROM {table.name}"

    def compound(self) -> str:
        width = self.choose.between(1, 3)
        arms = [self.select(width)]
        for _ in range(self.choose.between(1, 2)):
            arms.append(self.choose.one(["UNION ALL", "UNION", "EXCEPT", "INTERSECT"]))
            arms.append(self.values_clause(width) if self.choose.chance(15) else self.select(width))
        return " ".join(arms)

    def values_clause(self, width: int) -> str:
        rows = (
            f"({', '.join(self.constant() for _ in range(width))})"
            for _ in range(self.choose.between(1, 3))
        )
        return f"VALUES {', '.join(rows)}"


_BINARY = [
    *("+", "-", "*", "/", "%", "||", "&", "|", "<<", "=", "<", ">=", "<>", "IS", "IS NOT"),
    *("IS DISTINCT FROM", "AND", "OR", "->>"),
]
_POSTFIX = ["ISNULL", "NOTNULL", "IS NULL", "IS NOT NULL", "IS TRUE", "COLLATE NOCASE", "NOT NULL"]
_ONE_ARGUMENT = [
    *(
        "typeof({})",
        "length({})",
        "upper({})",
        "hex({})",
        "quote({})",
        "abs({})",
        "-{}",
        "+{}",
        "~{}",
    ),
    *("json_array({})", "json_quote({})", "json_group_array({})", "coalesce({}, 1)", "unicode({})"),
    *(
        "json_object('a', {})",
        "json({})",
        "round({}, 2)",
        "trim({})",
        "unhex({})",
        "date({})",
        "datetime({})",
    ),
    *(
        "julianday({})",
        "count({})",
        "octet_length({})",
        "json_valid({})",
        "jsonb({})",
        "likely({})",
    ),
]
_TWO_ARGUMENTS = [
    *("ifnull({}, {})", "nullif({}, {})", "max({}, {})", "min({}, {})", "iif({}, {}, 'z')"),
    *(
        "instr({}, {})",
        "json_array({}, {})",
        "substr({}, 2)",
        "CAST({} AS TEXT) LIKE CAST({} AS TEXT)",
        "printf('%s|%s', {}, {})",
        "({}, {}) = (1, 2)",
    ),
    *("concat({}, {})", "{} BETWEEN {} AND 5", "json_extract({}, {})", "strftime({}, {})"),
]
_FORMS = [
    [f"({{}} {operator} {{}})" for operator in _BINARY],
    [f"({{}} {operator} {{}})" for operator in _BINARY],
    [f"CAST({{}} AS {declared})" for declared in ("INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC")],
    ["CASE WHEN {} THEN {} ELSE {} END", "CASE {} WHEN {} THEN {} END"],
    _ONE_ARGUMENT,
    _TWO_ARGUMENTS,
    [f"{{}} {operator}" for operator in _POSTFIX],
    ["({} IN ({}, {}))", "({} NOT IN ({}))"],
    ["(NOT {})", "(-{})"],
]
_CONSTANT_CALLS = [
    *(
        "json('[1,2]')",
        "zeroblob(3)",
        "x'ff00'",
        "json_extract('[1,\"x\",2.0,null,true]', '$[1]')",
        "9e999",
    ),
    *(
        "json_extract('{\"a\":[1]}', '$.a')",
        "CAST(x'ff' AS TEXT)",
        "char(0, 65, 65533)",
        "date('2024-01-02')",
    ),
    *("1.0", "true", "-9223372036854775807 - 1", "1e400 - 1e400", "'a'", "jsonb('[1]')", "-0.0"),
]
_AGGREGATES = [
    *(
        "count(*)",
        "count({})",
        "sum({})",
        "total({})",
        "avg({})",
        "min({})",
        "max({})",
        "group_concat({})",
    ),
    *(
        "json_group_array({})",
        "count(DISTINCT {})",
        "sum({}) FILTER (WHERE id > 2)",
        "max({}) || 'x'",
    ),
    *("json_group_object(id, {})", "group_concat({}, '-' ORDER BY id)"),
]
_WINDOWS = [
    *("row_number()", "rank()", "sum({})", "lag({})", "lead({}, 2, 'none')", "first_value({})"),
    *(
        "count({})",
        "max({})",
        "ntile(2)",
        "nth_value({}, 2)",
        "json_group_array({})",
    ),
]


def query(made: Database, choose: Chooser) -> Query:
    """A query over the database."""
    builder = _Builder(made, choose)
    kind = choose.below(12)
    if kind < 6:
        sql = builder.select()
    elif kind == 6:
        sql = builder.aggregate()
    elif kind == 7:
        sql = builder.window()
    elif kind < 10:
        sql = builder.compound()
    elif kind == 10:
        sql = builder.values_clause(choose.between(1, 3))
    else:
        sql = _with(builder, choose)
    ordered = False
    if kind < 6 and not sql.startswith("SELECT DISTINCT") and " FROM " in sql and choose.chance(20):
        table = choose.one(made.tables)
        sql = f"SELECT {builder_columns(table)} FROM {table.name} ORDER BY {choose.one(['id', 'id DESC'])}"
        builder.values = []
        ordered = True
        sql += _limit(builder, choose)
    elif kind in (8, 9) and not sql.rpartition("VALUES")[1] and choose.chance(30):
        sql += " ORDER BY 1"
    return Query(sql, builder.values, _dressed(sql, choose), ordered)


def builder_columns(table: Table) -> str:
    return ", ".join(["id", *(quoted(name) for name, _ in table.columns)])


def _limit(builder: _Builder, choose: Chooser) -> str:
    kind = choose.below(6)
    if kind == 0:
        return ""
    count = choose.one([0, 1, 2, 5, -1])
    if kind == 1:
        return f" LIMIT {count}"
    if kind == 2:
        return f" LIMIT {count} OFFSET 1"
    if kind == 3:
        return f" LIMIT 1, {count}"
    if kind == 4:
        builder.values += [count, 1]
        return " LIMIT ? OFFSET ?"
    builder.values.append(count)
    return " LIMIT ?+1"


def _with(builder: _Builder, choose: Chooser) -> str:
    if choose.chance(30):
        return (
            "WITH RECURSIVE n(i, x) AS (SELECT 1, "
            f"{builder.constant()} UNION ALL SELECT i + 1, x || 'y' FROM n WHERE i < 5) SELECT i, x FROM n"
        )
    inner = builder.select(2)
    if " UNION" in inner:
        inner = f"SELECT * FROM ({inner})"
    materialized = choose.one(["", " MATERIALIZED", " NOT MATERIALIZED"])
    items = choose.one(["m, n", "*", "n", "m || 1, n", "q.n, m"])
    return f"WITH q(m, n) AS{materialized} ({inner}) SELECT {items} FROM q"


def _dressed(sql: str, choose: Chooser) -> str:
    """With what may stand around a statement."""
    kind = choose.below(12)
    if kind < 7:
        return sql
    return [
        f"{sql};",
        f"  {sql} ; ",
        f"-- first\n{sql} -- last",
        f"/* first */ {sql}\n/* last */;",
        f"{sql} -- ; not the end",
    ][kind - 7]
