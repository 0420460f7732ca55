"""Makes up queries of the guarded grammar, and near it, over tables of mixed values."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from pyrqlite.sql.parameters import Value

TABLES = """
CREATE TABLE t(id INTEGER PRIMARY KEY, a, b TEXT COLLATE NOCASE, c REAL, d INTEGER, e BLOB, UNIQUE (d, id));
CREATE TABLE u(k TEXT NOT NULL, n INTEGER, a NUMERIC, b TEXT COLLATE RTRIM, PRIMARY KEY (k)) WITHOUT ROWID;
CREATE TABLE w(a, b TEXT COLLATE NOCASE NOT NULL UNIQUE, v INTEGER, created DATETIME DEFAULT CURRENT_TIMESTAMP,
    g AS (a || b));
CREATE TABLE j(id INTEGER PRIMARY KEY, x COLLATE NOCASE, doc TEXT, n INT);
"""
# Added behind the rows, of which some make it fail.
FAILING = "ALTER TABLE j ADD COLUMN f INT AS (json_extract(doc, '$.f'))"
COLUMNS = {
    "t": ["id", "a", "b", "c", "d", "e", "rowid"],
    "u": ["k", "n", "a", "b"],
    "w": ["a", "b", "v", "created", "g", "rowid"],
    "j": ["id", "x", "n", "f"],
}
STEADY = {
    "t": ["id", "a", "b", "c", "d", "e", "rowid"],
    "u": ["k", "n", "a", "b"],
    "w": ["a", "b", "v", "g"],
    "j": ["id", "x", "n"],
}
INTEGERS = [0, 1, -1, 2, 3, 5, 9007199254740993, 2**63 - 1, -(2**63)]
VALUES: list[Value] = [
    *INTEGERS,
    *(None, 1.0, 0.5, 2.0, -0.0, 1e300, 9007199254740993.0, 9.2233720368547758e18),
    *(
        "",
        "a",
        "A",
        "a ",
        "b",
        "B",
        "1",
        "1.0",
        " 1",
        "1e0",
        "0x1",
        "01",
        "9223372036854775807",
        "\u00e4",
        "\u00c4",
        "A\0c",
    ),
    *(b"", b"a", b"1", b"\0"),
]


# Equal by some affinity or collation, and yet not the same.
CLOSE: list[Value] = [
    None,
    0,
    1,
    1.0,
    2,
    2.0,
    "1",
    "1.0",
    "a",
    "A",
    "a ",
    "b",
    "B",
    b"a",
    -1,
    3,
    "a\0b",
]


def pick(rng: random.Random) -> Value:
    """A value, often one of those that are close to others."""
    return rng.choice(CLOSE if rng.random() < 0.7 else VALUES)


def literal(value: Value) -> str:
    """`value` as an SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str) and "\0" in value:
        return f"CAST(x'{value.encode().hex()}' AS TEXT)"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value).replace("inf", "9e999")


def rows(rng: random.Random, table: str, count: int) -> list[dict[str, Value]]:
    """Rows of mixed values for a table."""
    found = []
    for number in range(count):
        row = {name: pick(rng) for name in STEADY[table] if name not in ("id", "rowid", "k", "g")}
        if table == "t":
            row |= {"id": number * 3 - 5}
        elif table == "j":
            doc = rng.choice(['{"f": 1}', "{}", "{}", "[1", None])
            row |= {"id": number, "n": rng.choice(INTEGERS), "doc": doc}
        elif table == "u":
            row |= {"k": f"{rng.choice('abAB1 ')}{number}"}
        else:
            row |= {"b": f"{rng.choice('abc1')}{number}"}
        found.append(row)
    return found


# Conditions that are not of the grammar.
OUTSIDE = [
    *(
        "a LIKE 'a%'",
        "a",
        "a + 1 = 2",
        "a IN (SELECT n FROM u)",
        "abs(d) = 1",
        "a COLLATE nocase = 'A'",
    ),
    *("a ISNULL", "a IS TRUE", 'a = "text"', "1 = a", "a = b = 1", "d IS NOT DISTINCT FROM 1"),
]


class QueryMaker:
    """Makes one query: its text and the values of its placeholders."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.values: list[Value] = []
        self.sources: list[tuple[str, str]] = []  # table, alias
        self.shown: list[str] = []  # columns among the items

    def chance(self, percent: int) -> bool:
        return self.rng.random() * 100 < percent

    def query(self) -> tuple[str, list[Value]]:
        for _ in range(self.rng.choice([1, 1, 1, 2, 2, 3])):
            table = self.rng.choice("tuwj")
            alias = self.rng.choice(["", "", "x", "y", '"z z"'])
            if any(alias == other or (not alias and not other) for _, other in self.sources):
                alias = f"s{len(self.sources)}"
            self.sources.append((table, alias))
        items = self.items()
        sources = self.source(0)
        for index in range(1, len(self.sources)):
            kind = self.rng.choice(
                ["JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "CROSS JOIN"]
            )
            if self.chance(3):
                kind = self.rng.choice(["NATURAL JOIN", "RIGHT JOIN", ",", "FULL JOIN"])
            sources += f" {kind} {self.source(index)}"
            if self.chance(95):
                sources += f" ON {self.join_condition(index)}"
        text = f"SELECT {items} FROM {sources}"
        if self.chance(75):
            text += f" WHERE {self.condition(0, len(self.sources))}"
        if self.chance(5):
            text += self.rng.choice([" GROUP BY a", " HAVING 1", " GROUP BY id"])
        text += self.order() + self.limit()
        if self.chance(7):
            text = f"SELECT EXISTS ({text})"
        return text, self.values

    def source(self, index: int) -> str:
        table, alias = self.sources[index]
        name = self.rng.choice([table, table, f'"{table}"', f"main.{table}", table.upper()])
        if not alias:
            return name
        return f"{name}{self.rng.choice([' AS ', ' '])}{alias}"

    def items(self) -> str:
        if self.chance(12):
            return "*"
        if self.chance(12):
            return ", ".join(self.aggregate() for _ in range(self.rng.choice([1, 1, 2])))
        if self.chance(5):
            return ", ".join(self.value() for _ in range(self.rng.choice([1, 1, 2])))
        found = []
        for _ in range(self.rng.choice([1, 2, 3])):
            if self.chance(8):
                table, alias = self.rng.choice(self.sources)
                found.append(f"{alias or table}.*")
            elif self.chance(3):
                found.append(
                    self.rng.choice(
                        ["1", "max(a)", "a + 1", "a || b", "'a'", "(SELECT 1)", "lower(b)"]
                    )
                )
            else:
                column = self.column()
                self.shown.append(column)
                found.append(
                    column + self.rng.choice(["", "", " AS a", " p", ' AS "q q"', " AS id"])
                )
        return ("DISTINCT " if self.chance(2) else "") + ", ".join(found)

    def aggregate(self) -> str:
        column = self.column(steady=self.chance(80))
        name = self.rng.choice(["count", "max", "min", "MAX", "sum", "sum"])
        if self.chance(10):
            return self.value()
        return self.rng.choice(
            [f"{name}({column})", f"{name}({column})", f"{name}({column}) AS z", "count(*)"]
        )

    def column(self, visible: int = 0, steady: bool = False) -> str:
        sources = self.sources[: visible or None]
        table, alias = self.rng.choice(sources)
        name = self.rng.choice((STEADY if steady else COLUMNS)[table])
        if self.chance(10):
            name = f'"{name}"'
        elif self.chance(5):
            name = self.rng.choice([f"[{name}]", f"`{name}`", name.upper()])
        if len(self.sources) > 1 and self.chance(90):
            return f"{alias or table}.{name}"
        return name if self.chance(70) else f"{alias or table}.{name}"

    def value(self) -> str:
        value = pick(self.rng)
        if self.chance(50) or (isinstance(value, str) and "\0" in value):
            self.values.append(value)
            return "?"
        return literal(value)

    def join_condition(self, index: int) -> str:
        table, alias = self.sources[index]
        other, other_alias = self.rng.choice(self.sources[:index])
        left = f"{alias or table}.{self.rng.choice(STEADY[table])}"
        right = f"{other_alias or other}.{self.rng.choice(STEADY[other])}"
        text = f"{left} {self.operator()} {right}"
        if self.chance(25):
            text += f" {self.rng.choice(['AND', 'OR'])} {self.condition(2, index + 1)}"
        return text

    def operator(self) -> str:
        return self.rng.choice(
            ["=", "=", "=", "=", "==", "<", "<=", ">", ">=", "<>", "!=", "IS", "IS NOT"]
        )

    def condition(self, depth: int, visible: int) -> str:
        if depth < 3 and self.chance(45):
            left, right = self.condition(depth + 1, visible), self.condition(depth + 1, visible)
            joined = f"{left} {self.rng.choice(['AND', 'AND', 'OR'])} {right}"
            return f"({joined})" if self.chance(60) else joined
        if self.chance(12):
            return f"NOT {self.condition(depth + 1, visible)}"
        if self.chance(3):
            return self.rng.choice(OUTSIDE)
        column = self.column(visible, steady=self.chance(92))
        shapes: Sequence[Callable[[], str]] = [
            lambda: f"{column} {self.operator()} {self.value()}",
            lambda: f"{self.value()} {self.operator()} {column}",
            lambda: f"{column} {self.operator()} {self.column(visible, steady=True)}",
            lambda: f"{column} {self.negation()}IN ({self.list_of_values()})",
            lambda: f"{column} {self.negation()}BETWEEN {self.value()} AND {self.value()}",
            lambda: f"{column} IS {self.negation()}NULL",
        ]
        return self.rng.choice(shapes)()

    def list_of_values(self) -> str:
        return ", ".join(self.value() for _ in range(self.rng.choice([1, 2, 4])))

    def negation(self) -> str:
        return "NOT " if self.chance(35) else ""

    def order(self) -> str:
        if not self.chance(50):
            return ""
        keys = [self.column(steady=self.chance(80)) for _ in range(self.rng.choice([1, 2]))]
        if self.shown and self.chance(60):
            return f" ORDER BY {self.rng.choice(self.shown)}{self.rng.choice(['', ' DESC'])}"
        if len(self.sources) == 1 and self.chance(60):
            keys.append({"t": "id", "u": "k", "w": "b", "j": "id"}[self.sources[0][0]])
        suffixes = ["", "", " ASC", " DESC", " DESC NULLS FIRST", " NULLS LAST"]
        if self.chance(3):
            suffixes = [" COLLATE nocase", " COLLATE binary"]
        return " ORDER BY " + ", ".join(key + self.rng.choice(suffixes) for key in keys)

    def limit(self) -> str:
        if not self.chance(35):
            return ""
        k = self.rng.choice([0, 1, 1, 2, 2, 3, 21, -1, 2**63 - 2])
        if self.chance(50):
            self.values.append(k)
            text = " LIMIT ?"
        else:
            text = f" LIMIT {k}"
        if self.chance(20):
            text += f" OFFSET {self.rng.choice([0, 1, 2])}"
        return text
