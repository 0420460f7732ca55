"""The schema as SQLite tells it."""

from __future__ import annotations

import json
import sqlite3
import time

import apsw
import pytest

from pyrqlite.sql.ddl import ForeignKey, read_table, read_trigger
from pyrqlite.sql.impure import Source
from pyrqlite.sql.schema import SCHEMA_QUERIES, Schema, Table, schema_from_rows
from tests.unit.sql.sqlite_oracle import schema_of

DEFINITIONS = """
CREATE TABLE plain(id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'it''s', "odd ""name"" x" VARCHAR(10));
CREATE TABLE descending(id INTEGER PRIMARY KEY DESC, x);
CREATE TABLE constraint_descending(id INTEGER, x, PRIMARY KEY (id DESC));
CREATE TABLE int_key(id INT PRIMARY KEY, x);
CREATE TABLE pair(a INTEGER, b TEXT COLLATE NOCASE, PRIMARY KEY (b, a)) WITHOUT ROWID;
CREATE TABLE strict_one(id INT PRIMARY KEY, x ANY) STRICT;
CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, rowid TEXT);
CREATE TABLE generated(a, b AS (a + 1), c AS (a + 2) STORED, d);
CREATE TABLE "Tábla"(x UNIQUE);
CREATE TABLE keys(
    a NOT NULL UNIQUE, b UNIQUE, c TEXT COLLATE NOCASE NOT NULL UNIQUE, d NOT NULL, e NOT NULL,
    UNIQUE (d, e)
);
CREATE UNIQUE INDEX keys_partial ON keys(d) WHERE d > 1;
CREATE UNIQUE INDEX keys_expression ON keys(lower(e));
CREATE UNIQUE INDEX keys_other_collation ON keys(e COLLATE NOCASE);
CREATE INDEX keys_plain ON keys(a DESC, b);
CREATE TABLE defaults(
    a DEFAULT CURRENT_TIMESTAMP, b DEFAULT (datetime('now', 'localtime')), c DEFAULT (random()),
    d DEFAULT 'CURRENT_TIMESTAMP', e DEFAULT (date('2020-01-01')), f DEFAULT now, g DEFAULT "now",
    h DEFAULT (strftime('%s') -- seconds
    ), i DEFAULT -5, j DEFAULT (hex(randomblob(4))), k DEFAULT (last_insert_rowid()), l DEFAULT NULL
);
CREATE VIEW seen AS SELECT a, b FROM keys;
CREATE VIEW clocked AS SELECT CURRENT_TIMESTAMP AS now;
CREATE TRIGGER stamp AFTER UPDATE OF name ON plain BEGIN
    UPDATE plain SET name = datetime('now') WHERE id = new.id;
END;
CREATE TRIGGER through INSTEAD OF INSERT ON seen BEGIN INSERT INTO keys(a, b) VALUES (new.a, new.b); END;
CREATE VIRTUAL TABLE texts USING fts5(body);
"""


@pytest.fixture(scope="module")
def schema() -> Schema:
    connection = apsw.Connection(":memory:")
    connection.execute(DEFINITIONS)
    return schema_of(connection)


def _table(schema: Schema, name: str) -> Table:
    table = schema.table(name)
    assert table is not None
    return table


def _rowid_column(table: Table) -> str | None:
    return table.rowid_column.name if table.rowid_column is not None else None


def test_names_are_found_however_their_ascii_case(schema: Schema) -> None:
    assert _table(schema, "PLAIN").name == "plain"
    assert schema.table("tábla") is not None
    assert schema.table("TÁBLA") is None  # SQLite knows the cases of ASCII only
    assert schema.view("SEEN") is not None
    assert schema.table("seen") is None
    assert schema.table("nothing") is None


def test_columns_are_as_defined(schema: Schema) -> None:
    plain = _table(schema, "plain")
    assert [(c.name, c.declared_type, c.not_null, c.default) for c in plain.columns] == [
        ("id", "INTEGER", False, None),
        ("name", "TEXT", True, "'it''s'"),
        ('odd "name" x', "VARCHAR(10)", False, None),
    ]
    generated = _table(schema, "generated")
    assert [c.generated for c in generated.columns] == [False, True, True, False]
    assert [c.name for c in generated.insertable] == ["a", "d"]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("plain", "id"),
        ("descending", None),
        ("constraint_descending", "id"),
        ("int_key", None),
        ("pair", None),
        ("counted", "id"),
        ("generated", None),
    ],
)
def test_the_rowid_is_a_column_where_sqlite_makes_it_one(
    schema: Schema, table: str, column: str | None
) -> None:
    assert _rowid_column(_table(schema, table)) == column


def test_rowid_names_mean_the_rowid_unless_a_column_has_them(schema: Schema) -> None:
    assert _table(schema, "plain").is_rowid("RowId")
    assert _table(schema, "plain").is_rowid("oid")
    assert not _table(schema, "counted").is_rowid("rowid")
    assert _table(schema, "counted").is_rowid("_rowid_")
    assert not _table(schema, "pair").is_rowid("rowid")


def test_kinds_and_options(schema: Schema) -> None:
    assert _table(schema, "pair").without_rowid
    assert _table(schema, "strict_one").strict
    assert _table(schema, "counted").autoincrement
    assert not _table(schema, "plain").autoincrement
    assert _table(schema, "texts").kind == "virtual"
    assert _table(schema, "texts_data").kind == "shadow"
    assert [c.name for c in _table(schema, "pair").primary_key] == ["b", "a"]


def test_collations_come_from_the_definition(schema: Schema) -> None:
    pair = _table(schema, "pair")
    assert [pair.collation(c) for c in pair.columns] == ["BINARY", "NOCASE"]


def test_keys_have_no_nulls_no_conditions_and_the_columns_collations(schema: Schema) -> None:
    def keys(name: str) -> set[tuple[str, ...]]:
        return {tuple(c.name for c in key) for key in _table(schema, name).keys}

    assert keys("keys") == {("a",), ("c",), ("d", "e")}
    assert keys("plain") == {("id",)}
    assert keys("pair") == {("b", "a")}
    assert keys("int_key") == set()
    assert keys("strict_one") == {("id",)}


def test_what_defaults_read(schema: Schema) -> None:
    sources = {c.name: c.default_source for c in _table(schema, "defaults").columns}
    assert sources == {
        "a": Source.CLOCK,
        "b": Source.CLOCK | Source.ZONE,
        "c": Source.RANDOM,
        "h": Source.CLOCK,
        "j": Source.RANDOM,
        "k": Source.STATE,
        **dict.fromkeys("defgil", Source.NONE),
    }


def test_triggers_and_views(schema: Schema) -> None:
    [stamp] = _table(schema, "plain").triggers
    assert (stamp.text.timing, stamp.text.event, stamp.sources) == ("AFTER", "UPDATE", Source.CLOCK)
    assert stamp.text.writes == {"plain"}
    [through] = schema.triggers_on("Seen")
    assert (through.text.timing, through.text.event) == ("INSTEAD", "INSERT")
    assert through.text.writes == {"keys"}
    clocked = schema.view("clocked")
    assert clocked is not None
    assert clocked.sources == Source.CLOCK


def test_the_same_answers_give_the_same_schema() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(DEFINITIONS)
    first = schema_of(connection)
    answers = [connection.execute(query).get for query in SCHEMA_QUERIES]
    assert schema_from_rows(answers, first) is first
    connection.execute("CREATE TABLE more(a)")
    answers = [connection.execute(query).get for query in SCHEMA_QUERIES]
    changed = schema_from_rows(answers, first)
    assert changed is not first
    assert changed.version != first.version


def test_broken_views_and_unknown_modules_do_not_hide_the_rest() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE TABLE a(x); CREATE TABLE b(x); CREATE VIEW broken AS SELECT x FROM b; DROP TABLE b;"
        "PRAGMA writable_schema = 1;"
        "INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING absent()');"
        "PRAGMA writable_schema = RESET"
    )
    schema = schema_of(connection)
    assert [c.name for c in _table(schema, "a").columns] == ["x"]
    assert _table(schema, "v").kind == "virtual"


def test_the_standard_librarys_sqlite_gives_the_same_schema() -> None:
    if sqlite3.sqlite_version_info < (3, 37):
        pytest.skip("SQLite before 3.37 has no pragma_table_list")
    old, new = sqlite3.connect(":memory:"), apsw.Connection(":memory:")
    old.executescript(DEFINITIONS)
    new.execute(DEFINITIONS)
    answers = [old.execute(query).fetchone()[0] for query in SCHEMA_QUERIES]
    of_old, of_new = schema_from_rows(answers), schema_of(new)
    old.close()

    def summary(schema: Schema) -> object:
        return {
            name: (t.kind, t.sql, t.columns, sorted(t.indexes, key=lambda index: index.name))
            for name, t in schema.tables.items()
        }

    assert summary(of_old) == summary(of_new)


@pytest.mark.slow
def test_five_hundred_tables_are_no_burden() -> None:
    connection = apsw.Connection(":memory:")
    for number in range(500):
        connection.execute(
            f"CREATE TABLE t{number}(id INTEGER PRIMARY KEY, a DEFAULT CURRENT_TIMESTAMP, b, c UNIQUE, d, e, f);"
            f"CREATE INDEX i{number} ON t{number}(b, c)"
        )
    started = time.perf_counter()
    schema = schema_of(connection)
    assert len(schema.tables) >= 500
    # Some 20 ms; a bound that only a mistake in the joins would break.
    assert time.perf_counter() - started < 2


# The texts themselves.


def test_reading_a_create_table() -> None:
    text = read_table(
        """CREATE TABLE "t x" (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            a TEXT COLLATE rtrim DEFAULT ('x' COLLATE nocase) CHECK (a <> ','),
            "b" NOT NULL ON CONFLICT REPLACE DEFAULT CURRENT_TIME REFERENCES p(x) ON DELETE CASCADE,
            c INTEGER REFERENCES q ON UPDATE SET NULL ON DELETE NO ACTION COLLATE "nocase",
            CONSTRAINT k CHECK (b > 1 AND (c < 2)) CHECK (1),
            FOREIGN KEY (a, b) REFERENCES "R" (x, y) ON DELETE SET DEFAULT ON UPDATE RESTRICT DEFERRABLE
        )"""
    )
    assert text.collations == {"a": "RTRIM", "c": "NOCASE"}
    assert text.replaces_null == {"b"}
    assert [" ".join(t.text for t in check) for check in text.checks] == [
        "a <> ','",
        "b > 1 AND ( c < 2 )",
        "1",
    ]
    assert text.resolves_conflicts
    assert text.autoincrement
    assert text.foreign_keys == (
        ForeignKey("p", True, False),
        ForeignKey("q", False, True),
        ForeignKey("r", True, False),
    )


@pytest.mark.parametrize(
    ("sql", "timing", "event", "writes", "ignores", "queries"),
    [
        ("t INSERT ON a BEGIN SELECT 1; END", "BEFORE", "INSERT", set(), False, False),
        ("t AFTER DELETE ON a BEGIN DELETE FROM B; END", "AFTER", "DELETE", {"b"}, False, False),
        (
            "t BEFORE UPDATE OF x, y ON a WHEN new.x IS NOT DISTINCT FROM 1 BEGIN "
            "SELECT RAISE(IGNORE) WHERE new.x; UPDATE OR IGNORE c SET x = 1; END",
            "BEFORE",
            "UPDATE",
            {"c"},
            True,
            False,
        ),
        (
            'main.t INSTEAD OF INSERT ON v FOR EACH ROW BEGIN INSERT OR REPLACE INTO "d" SELECT x FROM e; '
            "REPLACE INTO f VALUES (1) ON CONFLICT DO UPDATE SET x = 1; UPDATE g SET x = 1; END",
            "INSTEAD",
            "INSERT",
            {"d", "f", "g"},
            False,
            True,
        ),
    ],
)
def test_reading_a_create_trigger(
    sql: str, timing: str, event: str, writes: set[str], ignores: bool, queries: bool
) -> None:
    text = read_trigger(f"CREATE TRIGGER {sql}")
    assert (text.timing, text.event, set(text.writes)) == (timing, event, writes)
    assert (text.ignores, text.queries) == (ignores, queries)


def test_answers_are_json_texts() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE a(x DEFAULT '\u00e9\"\\\n')")
    for query in SCHEMA_QUERIES:
        [[text]] = connection.execute(query)
        assert isinstance(text, str)
        json.loads(text)
    default = _table(schema_of(connection), "a").columns[0].default
    assert default == "'\u00e9\"\\\n'"
