"""Makes up writes that are guarded, and others near them, over tables with triggers and foreign keys."""

from __future__ import annotations

import random

from pyrqlite.sql.parameters import Value
from tests.unit.sql.query_maker import COLUMNS, STEADY, QueryMaker, pick

WRITTEN = """
CREATE TABLE p(
    id INTEGER PRIMARY KEY, parent REFERENCES p ON DELETE CASCADE, a, b UNIQUE, c TEXT COLLATE NOCASE UNIQUE
);
CREATE TABLE q(id INTEGER PRIMARY KEY, p_id REFERENCES p ON DELETE SET NULL, n INTEGER, UNIQUE (p_id, n));
CREATE TABLE l(id INTEGER PRIMARY KEY AUTOINCREMENT, what, created DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE r(a, b, v UNIQUE ON CONFLICT IGNORE);
CREATE TABLE s(k TEXT, n INTEGER CHECK (n < 4), x, PRIMARY KEY (k, n)) WITHOUT ROWID;
CREATE TABLE y(id INTEGER PRIMARY KEY, a, stamp DEFAULT CURRENT_TIMESTAMP UNIQUE);
CREATE TABLE v(id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c INTEGER, g AS (a + b) UNIQUE);
CREATE UNIQUE INDEX v_some ON v(c) WHERE b < 6; CREATE UNIQUE INDEX v_sum ON v(a * 100 + c);
CREATE TRIGGER q_log AFTER INSERT ON q BEGIN INSERT INTO l(what) VALUES (new.n); END;
CREATE TRIGGER q_skip BEFORE UPDATE ON q WHEN new.n = 3 BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER s_sum AFTER DELETE ON s BEGIN INSERT INTO l(what) SELECT n FROM s; END;
"""
WRITTEN_INDEXES = """
CREATE INDEX p_a ON p(a, b); CREATE INDEX p_parent ON p(parent DESC); CREATE INDEX q_n ON q(n);
CREATE INDEX r_a ON r(a); CREATE INDEX s_x ON s(x); CREATE INDEX y_a ON y(a);
CREATE INDEX v_a ON v(a DESC); CREATE INDEX v_c ON v(c, b DESC);
"""
NAMES = {
    "p": ["id", "parent", "a", "b", "c"],
    "q": ["id", "p_id", "n"],
    "l": ["id", "what", "created"],
    "r": ["a", "b", "v", "rowid"],
    "s": ["k", "n", "x"],
    "y": ["id", "a", "stamp"],
    "v": ["id", "a", "b", "c", "g"],
}
GENERATED = {"g"}
EQUAL = {**NAMES, "l": ["id", "what"], "r": ["a", "b", "v"], "y": ["id", "a"]}
COLUMNS.update(NAMES)
STEADY.update(EQUAL)


def written_rows(rng: random.Random, count: int) -> list[tuple[str, dict[str, Value]]]:
    """Rows for these tables, parents first."""
    found: list[tuple[str, dict[str, Value]]] = []
    for number in range(count):
        parent = rng.choice([None, *range(number)]) if number else None
        found.append(
            (
                "p",
                {
                    "id": number,
                    "parent": parent,
                    "a": pick(rng),
                    "b": number,
                    "c": f"c{number}",
                },
            )
        )
    for number in range(count):
        found.append(("q", {"id": number, "p_id": rng.randrange(count), "n": number}))
        found.append(("r", {"a": pick(rng), "b": pick(rng), "v": number}))
        found.append(("s", {"k": f"{rng.choice('abA')}{number}", "n": number % 4, "x": pick(rng)}))
        found.append(("y", {"id": number * 2, "a": pick(rng)}))
        found.append(("v", {"id": number, "a": number % 5, "b": number, "c": number % 7}))
    return found


class WriteMaker(QueryMaker):
    """Makes one write: its text and the values of its placeholders."""

    def write(self) -> tuple[str, list[Value]]:
        table = self.rng.choice(["p", "p", "q", "q", "r", "s", "y", "t", "u", "w", "l", "v", "v"])
        self.sources = [(table, "")]
        text = self.rng.choice([self.insert, self.insert, self.update, self.delete])(table)
        if self.chance(25):
            names = ", ".join(self.rng.sample(NAMES.get(table, COLUMNS[table]), 2))
            text += " RETURNING " + self.rng.choice([names, names, "*", "1"])
        return text, self.values

    def where(self) -> str:
        return f" WHERE {self.condition(0, 1)}" if self.chance(85) else ""

    def given(self, table: str) -> list[str]:
        """The columns that a write can give values to."""
        names = EQUAL.get(table, STEADY[table])
        return [name for name in names if name != "rowid" and name not in GENERATED]

    def delete(self, table: str) -> str:
        text = f"DELETE FROM {table}{self.where()}"
        return text + (" LIMIT 1" if self.chance(4) else "")

    def update(self, table: str) -> str:
        resolution = self.rng.choice([" OR IGNORE", " OR REPLACE"]) if self.chance(6) else ""
        columns = self.rng.sample(self.given(table), 1)
        if self.chance(5):
            columns = ["rowid"]
        sets = [f"{column} = {self.expression(table)}" for column in columns]
        source = " FROM u AS o" if self.chance(4) else ""
        where = self.where()
        if table == "v" and self.chance(60):
            where = f" WHERE {self.rng.choice('abc')} {self.operator()} {self.rng.randrange(8)}"
        return f"UPDATE{resolution} {table} SET {', '.join(sets)}{source}{where}"

    def expression(self, table: str) -> str:
        column = self.rng.choice(EQUAL.get(table, STEADY[table]))
        shapes = [
            f"{column} + 1",
            f"-{column}",
            f"coalesce({column}, 'x') || 'y'",
            f"CASE WHEN {column} > 1 THEN 2 ELSE {column} END",
            "(SELECT n FROM q LIMIT 1)",
            "(SELECT max(id) FROM q)",
            column,
            "json_extract('[1]', '$[0]')",
        ]
        if table == "v" and self.chance(60):
            return self.rng.choice([str(self.rng.randrange(9)), f"{column} + 1", f"5 - {column}"])
        return self.value() if self.chance(55) else self.rng.choice(shapes)

    def insert(self, table: str) -> str:
        resolution = (
            self.rng.choice(["OR IGNORE ", "OR REPLACE ", "OR ABORT "]) if self.chance(25) else ""
        )
        names = self.given(table)
        if self.chance(60):
            names = self.rng.sample(names, self.rng.randint(1, len(names)))
        if self.chance(5):
            names.append("rowid")
        head = f"INSERT {resolution}INTO {table}({', '.join(names)})"
        if self.chance(15):
            items = ", ".join(self.rng.choice(["a", "id", "id", "parent"]) for _ in names)
            order = self.rng.choice(["", " ORDER BY id", " ORDER BY a", " LIMIT 2"])
            return f"{head} SELECT {items} FROM p WHERE {self.rng.choice(['a > 1', 'id < 3', 'true'])}{order}"
        rows = [
            f"({', '.join(self.cell(name) for name in names)})"
            for _ in range(self.rng.choice([1, 1, 1, 2, 3]))
        ]
        text = f"{head} VALUES {', '.join(rows)}"
        if self.chance(25):
            update = f"DO UPDATE SET {names[0]} = {self.rng.choice(['excluded.' + names[0], self.value()])}"
            text += (
                f" ON CONFLICT {self.rng.choice(['DO NOTHING', update, update + ' WHERE true'])}"
            )
        return text

    def cell(self, name: str) -> str:
        if self.chance(50):
            self.values.append(self.rng.choice([None, 1, 2, 5, 7.5, 100, f"{name}1", "C2", "a1"]))
            return "?"
        return self.rng.choice(["NULL", "1", "3", "6", "101", "1.5", "'c3'", "'b2'", "lower('X')"])
