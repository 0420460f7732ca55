"""Many rows at once are stored as the same rows one by one are stored."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given

import pyrqlite
from pyrqlite import Connection
from tests.differential.driver.choices import Chooser, choosers
from tests.differential.driver.conftest import examples
from tests.differential.driver.reference import Reference
from tests.differential.driver.values import DECLARED, value
from tests.servers import fresh

CELLS = [
    *(
        "?",
        "?",
        "?",
        "?",
        "?",
        "1",
        "'x'",
        "NULL",
        "x'00ff'",
        "-?",
        "? || 'y'",
        "? + 1",
        "abs(?)",
        "upper(?)",
    ),
    *(
        "coalesce(?, 'd')",
        "hex(?)",
        "typeof(?)",
        "max(?, 3)",
        "max(?)",
        "min(?)",
        "ifnull(?, ?)",
        "(?)",
    ),
    *(
        "length(?)",
        "trim(?)",
        "nullif(?, 1)",
        "CAST(? AS TEXT)",
        "? IS NULL",
        "quote(?)",
        "json(?)",
        "iif(?, ?, 3)",
    ),
    *(
        "round(?)",
        "substr(?, 2)",
        "replace(?, 'a', 'b')",
        "(SELECT count(*) FROM t)",
        "(SELECT ?)",
        "unhex(?)",
    ),
    *(
        "CASE WHEN ? THEN ? END",
        "? COLLATE NOCASE",
        "+?",
        "~?",
        "? % 3",
        "sign(?)",
        "instr(?, 'a')",
        "char(65)",
    ),
]
STYLES = ["?", ":n", "@n", "$n", "?n"]
CONFLICTS = ["", "", "", "", " OR IGNORE", " OR REPLACE", " OR ABORT", " OR FAIL", " OR ROLLBACK"]
UPSERTS = [
    *("", "", "", " ON CONFLICT DO NOTHING", " ON CONFLICT(u) DO UPDATE SET n = n + 1"),
    *(" ON CONFLICT(u) DO UPDATE SET c0 = excluded.c0, n = n + 1 WHERE excluded.c0 IS NOT NULL",),
]
CONSTRAINTS = [
    "",
    "",
    " UNIQUE",
    " NOT NULL",
    " CHECK (typeof(c0) <> 'blob')",
    " DEFAULT 5",
    " NOT NULL DEFAULT 'd'",
]


@dataclass
class Work:
    """Tables, and an INSERT with the rows that it is to be given."""

    schema: list[str] = field(default_factory=list)
    sql: str = ""
    rows: list[Any] = field(default_factory=list)


def work(choose: Chooser) -> Work:
    columns = choose.between(1, 4)
    made = Work()
    definitions = ["u", "n INTEGER DEFAULT 0"]
    definitions += [
        f"c{number} {_declared(choose)}{choose.one(CONSTRAINTS) if number == 0 else ''}"
        for number in range(columns)
    ]
    key = choose.one(["", "id INTEGER PRIMARY KEY, ", "id INTEGER PRIMARY KEY AUTOINCREMENT, "])
    strict = ""
    made.schema = [
        f"CREATE TABLE t ({key}{', '.join(definitions)}){strict}",
        "CREATE TABLE log (a, b, c)",
    ]
    unique = choose.chance(60)
    if unique:
        made.schema.append("CREATE UNIQUE INDEX i ON t(u)")
    made.schema += choose.one(TRIGGERS)
    if choose.chance(20):
        made.schema.append("INSERT INTO t(u, c0) VALUES (1, 'first')")
    _insert(made, choose, columns, unique)
    return made


def _declared(choose: Chooser) -> str:
    declared = choose.one(DECLARED)
    return "TEXT" if "DEFAULT" in declared else declared


TRIGGERS = [
    [],
    [],
    [
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.rowid, new.c0, typeof(new.c0)); END"
    ],
    ["CREATE TRIGGER g BEFORE INSERT ON t WHEN new.c0 IS NULL BEGIN SELECT RAISE(IGNORE); END"],
    [
        "CREATE TRIGGER g AFTER INSERT ON t WHEN new.c0 = 1 BEGIN SELECT RAISE(ABORT, 'no ones'); END"
    ],
    [
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN "
        "UPDATE t SET n = (SELECT count(*) FROM t) WHERE rowid = new.rowid; END"
    ],
    ["CREATE TRIGGER g AFTER DELETE ON t BEGIN INSERT INTO log VALUES ('gone', old.c0, 0); END"],
]


def _insert(made: Work, choose: Chooser, columns: int, unique: bool) -> None:
    cells = [choose.one(CELLS) for _ in range(columns)]
    cells.insert(0, "?")
    names = ["u", *(f"c{number}" for number in range(columns))]
    verb = "REPLACE" if choose.chance(5) else f"INSERT{choose.one(CONFLICTS)}"
    upsert = choose.one(UPSERTS) if unique and verb == "INSERT" else ""
    text = ", ".join(cells)
    count = text.count("?")
    style = choose.one(STYLES)
    if style != "?":
        text = _numbered(text, style)
    comment = choose.one(["", "", "", " /* ? */ "])
    table = choose.one(["t", "main.t", "[t]"])
    made.sql = f"{verb} INTO {table} ({', '.join(names)}) VALUES{comment}({text}){upsert}"
    named = style not in ("?", "?n")
    pool = [value(choose) for _ in range(4)]
    for _ in range(choose.between(0, 6)):
        row = [choose.one(pool) if choose.chance(60) else value(choose) for _ in range(count)]
        row[0] = choose.below(8) if choose.chance(90) else row[0]
        made.rows.append({f"p{n}": each for n, each in enumerate(row)} if named else row)


def _numbered(text: str, style: str) -> str:
    pieces = text.split("?")
    marks = [f"?{n + 1}" if style == "?n" else f"{style[0]}p{n}" for n in range(len(pieces) - 1)]
    return "".join(a + b for a, b in zip(pieces, [*marks, ""], strict=True))


Stored = list[list[tuple[Any, ...]]]
Run = Callable[[str], list[tuple[Any, ...]]]


def stored(run: Run) -> Stored:
    """The contents of both tables: rowids, storage classes and exact values, as ASCII."""
    found = []
    for table in ("t", "log"):
        columns = [name for (name,) in run(f"SELECT name FROM pragma_table_info('{table}')")]
        exact = ", ".join(_EXACT.format(name) for name in columns)
        found.append(run(f"SELECT rowid, {exact} FROM {table} ORDER BY rowid"))
    return found


_EXACT = "typeof({0}) || CASE typeof({0}) WHEN 'real' THEN printf('%!.17g', {0}) ELSE hex({0}) END"


def stored_by(connection: Connection) -> Stored:
    return stored(lambda sql: connection.execute(sql).fetchall())


def one_by_one(made: Work) -> tuple[Stored, int | None]:
    """What SQLite stores of the rows, all or nothing; the count is None where a row fails."""
    reference = Reference()
    for sql in made.schema:
        reference.run(sql)
    reference.run("BEGIN")
    changed = 0
    try:
        for row in made.rows:
            reference.connection.execute(made.sql, row)
            changed += reference.connection.changes()
    except Exception:
        if reference.connection.in_transaction:
            reference.run("ROLLBACK")
        return stored(reference.run), None
    reference.run("COMMIT")
    return stored(reference.run), changed


@examples(60)
@given(choose=choosers())
def test_executemany(choose: Chooser, url: str) -> None:
    made = work(choose)
    expected, changed = one_by_one(made)
    fresh(url)
    connection = pyrqlite.connect(url, autocommit=True)
    for sql in made.schema:
        connection.execute(sql)
    cursor = connection.cursor()
    counted: int | None = None
    with contextlib.suppress(pyrqlite.Error):
        cursor.executemany(made.sql, made.rows)
        counted = cursor.rowcount
    assert counted == changed, made
    assert stored_by(connection) == expected, made
    connection.close()


@examples(40)
@given(choose=choosers())
def test_execute(choose: Chooser, url: str) -> None:
    """Single statements, each applied for itself."""
    made = work(choose)
    reference = Reference()
    fresh(url)
    connection = pyrqlite.connect(url, autocommit=True)
    for sql in made.schema:
        reference.run(sql)
        connection.execute(sql)
    cursor = connection.cursor()
    for row in made.rows:
        failed = False
        try:
            reference.connection.execute(made.sql, row)
        except Exception:
            failed = True
        try:
            cursor.execute(made.sql, row)
        except pyrqlite.Error:
            assert failed, (made, row)
        else:
            assert not failed, (made, row)
            assert cursor.rowcount == reference.connection.changes()
    assert stored_by(connection) == stored(reference.run), made
    connection.close()
