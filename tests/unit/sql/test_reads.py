"""Which queries are guarded, and the reasons why others are not."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import pytest

from pyrqlite.sql.parameters import Value
from pyrqlite.sql.reads import FactKind, ReadVerdict, judge_read, text_reason
from pyrqlite.sql.statement import parse
from tests.unit.sql.sqlite_oracle import schema_of

DATABASE = apsw.Connection(":memory:")
DATABASE.execute("""
CREATE TABLE t(
    id INTEGER PRIMARY KEY, a, b TEXT COLLATE NOCASE, created DEFAULT CURRENT_TIMESTAMP, day DATE, g AS (a)
);
CREATE TABLE u(k TEXT PRIMARY KEY NOT NULL, n INTEGER, "key" INTEGER, "odd name" INTEGER, "true" INTEGER);
CREATE TABLE w(
    x TEXT COLLATE NOCASE NOT NULL, y NOT NULL, z NOT NULL UNIQUE, v UNIQUE, PRIMARY KEY (x, y)
) WITHOUT ROWID;
CREATE UNIQUE INDEX w_binary ON w(x COLLATE BINARY); CREATE UNIQUE INDEX w_part ON w(y) WHERE y > 0;
CREATE TABLE norow(a, b); CREATE TABLE trimmed(b COLLATE RTRIM);
CREATE TABLE descending(id INTEGER PRIMARY KEY DESC, a);
CREATE TABLE rand(id INTEGER PRIMARY KEY, token DEFAULT (randomblob(4)));
CREATE VIEW v AS SELECT id, a FROM t;
CREATE VIEW ages AS SELECT id, julianday('now') - julianday(created) AS age FROM t;
CREATE VIEW deeper AS SELECT * FROM ages;
CREATE VIRTUAL TABLE f USING fts5(body);
CREATE TABLE logged(id INTEGER PRIMARY KEY, a); CREATE TABLE log(id INTEGER PRIMARY KEY, what);
CREATE TABLE child(id INTEGER PRIMARY KEY, what REFERENCES log(what) ON DELETE CASCADE);
CREATE TABLE copies(id INTEGER PRIMARY KEY, a); CREATE TABLE fine(id INTEGER PRIMARY KEY, a);
CREATE TABLE computed(
    id INTEGER PRIMARY KEY, a TEXT, x TEXT AS (lower(a) || '.' || "y"), y AS (CAST(a AS INTEGER) + 1),
    z AS (a ->> 'z'),
    deep AS (x || z), stored AS (json_extract(a, '$')) STORED, created DEFAULT CURRENT_TIMESTAMP,
    late AS (created || a), local AS (z || 'x') STORED
);
CREATE TRIGGER l AFTER INSERT ON logged BEGIN INSERT INTO log(what) VALUES (new.a || CURRENT_TIME); END;
CREATE TRIGGER c AFTER INSERT ON t BEGIN INSERT INTO copies(a) VALUES (new.created); END;
CREATE TRIGGER o AFTER INSERT ON u BEGIN INSERT INTO fine(a) VALUES (new.n); END;
""")
SCHEMA = schema_of(DATABASE)


def judge(sql: str, *values: Value, steady_times: bool = False) -> ReadVerdict:
    return judge_read(parse(sql), SCHEMA, values, steady_times)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t",
        "select A, [b], `id` from T",
        'SELECT "t"."a" AS "x y" FROM "t" WHERE "t"."id" = 1',
        "SELECT * FROM t",
        "SELECT x.*, y.a FROM t AS x JOIN t y ON x.id = y.a",
        "SELECT count(*), count(a) AS n FROM t WHERE a IS NOT NULL",
        "SELECT a z FROM main.t WHERE a = 1 AND (b <> 'x' OR NOT id BETWEEN -5 AND +7.5)",
        "SELECT a FROM t WHERE a IN (1, ?, x'00', NULL) AND b NOT IN ('a') AND a NOT BETWEEN ? AND 3",
        "SELECT a FROM t WHERE a IS NULL OR a IS NOT NULL OR a IS 5 OR a IS NOT ? OR a IS b",
        "SELECT a FROM t WHERE NOT NOT ((a == 1)) AND a != 2 AND a <= id AND b > a",
        "SELECT t.id FROM t LEFT OUTER JOIN u ON t.id = u.n CROSS JOIN w ON u.k = w.x "
        "INNER JOIN rand ON rand.id = t.id",
        "SELECT id, a AS q FROM t ORDER BY q DESC, b ASC NULLS LAST, t.id",
        "SELECT rowid, oid, _rowid_ FROM t WHERE RowId > 5",
        "SELECT 1 AS a, 'x', (NULL) q, -1.5, x'00', ?, b FROM t WHERE a = ?",
        "SELECT max(a), MIN ( t.b ) AS m, count(*), 1 FROM t WHERE a > 1",
        "SELECT sum(id) s, count(b) FROM t WHERE a > 1",
        "SELECT EXISTS (SELECT * FROM t JOIN u ON id = n WHERE a > 1 ORDER BY b) AS anon_1",
        'SELECT key, "odd name", "true" FROM u WHERE key = 5 AND "true" = 1',
        "SELECT k FROM u",
        "SELECT a FROM fine",
        "SELECT a FROM norow",
        "SELECT id, x, y, stored FROM computed WHERE x = 'a' AND stored > 1 ORDER BY x, stored",
        "SELECT count(*) FROM computed",
        "SELECT EXISTS (SELECT x FROM computed WHERE a = 1)",
    ],
)
def test_guarded(sql: str) -> None:
    DATABASE.execute(sql, (1,) * parse(sql).placeholders.count)  # SQLite takes it too
    verdict = judge(sql, *(1,) * parse(sql).placeholders.count)
    assert verdict.guarded, verdict.reason


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT total(a) FROM t", "calls total"),
        ("SELECT sum(a), max(a) FROM t", "beside sums"),
        ("SELECT sum(a), 1 FROM t", "beside sums"),
        ("SELECT sum(a, b) FROM t", "outside"),
        ("SELECT sum(a) FROM t", "numbers as texts"),
        ("SELECT sum(b) FROM t", "numbers as texts"),
        ("SELECT EXISTS (SELECT 1 FROM t LIMIT 1)", "LIMIT"),
        ("SELECT EXISTS (SELECT sum(id) FROM t)", "aggregate"),
        ("SELECT sum(id) FROM t ORDER BY id LIMIT 1 OFFSET 1", "OFFSET"),
        ("SELECT EXISTS (SELECT 1 FROM t), 1", ", is outside"),
        ("SELECT NOT EXISTS (SELECT 1 FROM t)", "NOT is outside"),
        ("SELECT EXISTS (SELECT 1 FROM t WHERE day > 'x')", "declared DATE"),
        ("SELECT max(a, b) FROM t", "outside"),
        ("SELECT max(DISTINCT a) FROM t", "outside"),
        ("SELECT max(*) FROM t", "outside"),
        ("SELECT max(created) FROM t", "DEFAULT of t.created"),
        ("SELECT min(a) AS n FROM t ORDER BY n", "sorts by what is no column"),
        ("SELECT max(a), b FROM t", "mixes columns"),
        ("SELECT count(*), a FROM t", "mixes columns"),
        ("SELECT count(DISTINCT a) FROM t", "outside"),
        ("SELECT a + 1 FROM t", "outside"),
        ("SELECT DISTINCT a FROM t", "DISTINCT"),
        ("SELECT 1 + 1, a FROM t", "+ is outside"),
        ("SELECT 1 AS n FROM t ORDER BY n", "sorts by what is no column"),
        ("SELECT t.*, id AS a FROM t ORDER BY a LIMIT 1", "to sort by is ambiguous"),
        ("SELECT id AS a, * FROM t ORDER BY a LIMIT 1", "to sort by is ambiguous"),
        ("SELECT (SELECT 1) FROM t", "SELECT is outside"),
        ("SELECT a FROM t GROUP BY a", "GROUP"),
        ("SELECT a FROM t UNION SELECT a FROM t", "UNION"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "WITH"),
        ("VALUES (1), ((SELECT a FROM t))", "VALUES"),
        ("SELECT a FROM t, u", ", is outside"),
        ("SELECT a FROM t NATURAL JOIN u", "NATURAL"),
        ("SELECT a FROM t JOIN u USING (id)", "USING"),
        ("SELECT a FROM t JOIN u", "ends too early"),
        ("SELECT a FROM t RIGHT JOIN u ON t.id = u.n", "RIGHT"),
        ("SELECT a FROM (SELECT a FROM t)", "( is outside"),
        ("SELECT a FROM v", "v is a view"),
        ("SELECT body FROM f", "f is a virtual table"),
        ("SELECT id FROM f_data", "shadow"),
        ("SELECT name FROM sqlite_schema", "SQLite"),
        ("SELECT value FROM json_each('[1]')", "json_each"),
        ("SELECT a FROM unknown", "no known table"),
        ("SELECT a FROM temp.t", "another database"),
        ("SELECT a FROM t INDEXED BY i", "INDEXED"),
        ("SELECT a FROM t NOT INDEXED", "NOT"),
        ("SELECT nothing_here FROM t", "no column"),
        ('SELECT "text" FROM t', "perhaps a text"),
        ('SELECT a FROM t WHERE a = "text"', "perhaps a text"),
        ("SELECT id FROM t JOIN rand ON t.id = rand.id", "ambiguous"),
        ("SELECT t.a FROM t AS x", "no table of the query"),
        ("SELECT y.* FROM t AS x", "no table of the query"),
        ("SELECT x.a FROM t AS x JOIN u AS x ON x.a = 1", "two tables"),
        ("SELECT a FROM t JOIN u ON t.id = w.y JOIN w ON u.k = w.x", "further to the right"),
        ("SELECT main.t.a FROM t", "outside"),
        ("SELECT a FROM t WHERE a", "ends too early"),
        ("SELECT a FROM t WHERE 1 = 1", "1 is outside"),
        ("SELECT a FROM t WHERE a = b = 1", "= is outside"),
        ("SELECT a FROM t WHERE a + 1 = 2", "outside"),
        ("SELECT a FROM t WHERE a LIKE 'x'", "LIKE"),
        ("SELECT a FROM t WHERE abs(a) = 1", "calls abs"),
        ("SELECT a FROM t WHERE a = abs(1)", "calls abs"),
        ("SELECT a FROM t WHERE a = CAST(1 AS TEXT)", "outside"),
        ("SELECT a FROM t WHERE a = 'x' COLLATE NOCASE", "COLLATE"),
        ("SELECT a FROM t WHERE a IN (SELECT n FROM u)", "SELECT"),
        ("SELECT a FROM t WHERE a IN ()", "outside"),
        ("SELECT a FROM t WHERE a IN u", "outside"),
        ("SELECT a FROM t WHERE a IS TRUE", "TRUE"),
        ("SELECT a FROM t WHERE a IS NOT DISTINCT FROM 1", "DISTINCT"),
        ("SELECT a FROM t WHERE a ISNULL", "ISNULL"),
        ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u)", "outside"),
        ("SELECT a FROM t WHERE (a, b) = (1, 2)", "outside"),
        ("SELECT a FROM t WHERE a = -?", "outside"),
        ("SELECT a AS q FROM t WHERE q = 1", "no column q"),
        ("SELECT a FROM t ORDER BY 1", "outside"),
        ("SELECT a FROM t ORDER BY a COLLATE NOCASE", "COLLATE"),
        ("SELECT count(*) AS n FROM t ORDER BY n", "sorts by what is no column"),
        ("SELECT a FROM t LIMIT 1 + 1", "outside"),
        ("SELECT a FROM t LIMIT 1e1", "no whole number"),
        ("SELECT a FROM t LIMIT -1", "outside"),
        # Columns that may differ between nodes.
        ("SELECT a FROM t WHERE created > 'x'", "DEFAULT of t.created"),
        ("SELECT a FROM t WHERE day IS NULL", "declared DATE"),
        ("SELECT a FROM computed WHERE z = 1", "z is a generated column"),
        ("SELECT a FROM computed WHERE late > 'x'", "DEFAULT of computed.created"),
        ("SELECT a FROM computed WHERE local = 1", "z is a generated column"),
        ("SELECT count(created) FROM t", "DEFAULT of t.created"),
        ("SELECT id FROM rand WHERE token IS NOT NULL", "DEFAULT of rand.token"),
        ("SELECT a FROM norow WHERE rowid = 1", "rowid of norow"),
        ("SELECT a FROM descending WHERE rowid = 1", "rowid of descending"),
        ("SELECT rowid FROM w", "no column rowid"),
        ("SELECT id FROM log", "trigger l writes"),
        ("SELECT id FROM child", "foreign key"),
        ("SELECT id FROM copies", "trigger c writes"),
        ("SELECT a, z FROM computed", "computed.z is a generated column that may fail"),
        (
            "SELECT EXISTS (SELECT z FROM computed)",
            "computed.z is a generated column that may fail",
        ),
        ("SELECT a, deep FROM computed", "computed.deep is a generated column that may fail"),
        ("SELECT c.* FROM t JOIN computed AS c ON c.id = t.id", "computed.z is a generated"),
        ("SELECT t.a FROM t JOIN computed AS c ON c.id = t.id ORDER BY c.z", "computed.z"),
        ("SELECT " + "a" + " FROM t WHERE " + "(" * 60 + "a = 1" + ")" * 60, "deeply nested"),
    ],
)
def test_checked_with_a_reason(sql: str, reason: str) -> None:
    verdict = judge(sql, *(1,) * parse(sql).placeholders.count)
    assert verdict.kind is FactKind.CHECKED
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT 1", "no table"),
        ("SELECT CURRENT_TIMESTAMP, last_insert_rowid(), ? IS NOT DISTINCT FROM 1", "no table"),
        ("SELECT a FROM t ORDER BY random()", "random on purpose"),
        ("SELECT age FROM ages", "view ages changes"),
        ("SELECT age FROM deeper", "view ages changes"),
        ("PRAGMA table_info(t)", "no query"),
        ("EXPLAIN SELECT a FROM t", "no query"),
    ],
)
def test_no_fact_with_a_reason(sql: str, reason: str) -> None:
    verdict = judge(sql, *(1,) * parse(sql).placeholders.count)
    assert verdict.kind is FactKind.NONE
    assert reason in verdict.reason


def test_a_text_that_is_the_name_of_such_a_view_makes_no_difference() -> None:
    assert judge("SELECT a FROM t WHERE a = 'ages'").guarded
    assert judge("SELECT total(a) FROM t WHERE a = 'ages'").kind is FactKind.CHECKED


def test_reading_a_table_after_in_is_a_fact() -> None:
    assert judge("SELECT 1 IN u").kind is FactKind.CHECKED


def test_columns_that_may_differ_are_left_out() -> None:
    verdict = judge("SELECT created, a, day, rowid, * FROM t WHERE id = 1")
    assert verdict.guarded
    assert verdict.width == 10
    assert verdict.apart == {0, 2, 7, 8}
    assert judge("SELECT x, late, stored, local, created FROM computed").apart == {1, 3, 4}
    assert judge("SELECT rowid, a FROM norow").apart == {0}
    assert [table.name for table in judge("SELECT a FROM t JOIN u ON id = n").tables] == ["t", "u"]
    assert judge("SELECT count(*) FROM t").width == 1


def test_columns_far_to_the_right_are_computed_together() -> None:
    """By an automatic index that needs one of them."""
    database = apsw.Connection(":memory:")
    columns = ", ".join(f"c{number}" for number in range(61))
    database.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {columns})")
    for added, guarded in (("z AS (abs(c1))", True), ("last", True), ("y AS (abs(c1))", False)):
        database.execute(f"ALTER TABLE t ADD COLUMN {added}")
        assert judge_read(parse("SELECT c1 FROM t"), schema_of(database), []).guarded is guarded


def test_the_users_word_makes_declared_times_steady() -> None:
    sql = "SELECT day FROM t WHERE day > '2020-01-01 10:00'"
    assert not judge(sql).guarded
    verdict = judge(sql, steady_times=True)
    assert verdict.guarded
    assert verdict.apart == frozenset()
    assert not judge("SELECT a FROM t WHERE created > 'x'", steady_times=True).guarded


@pytest.mark.parametrize("text", ["2020-01-01 10:00", "at 2020-01-01T10:00:00.5Z!", "\ufffd"])
def test_texts_that_a_clock_may_have_given_are_not_compared(text: str) -> None:
    assert not judge("SELECT a FROM t WHERE a = ?", text).guarded
    assert not judge(f"SELECT a FROM t WHERE a IN (1, '{text}')").guarded
    assert judge("SELECT a FROM t WHERE a = ?", "2020-01-01").guarded
    assert text_reason(f'[["{text}",1]]') is not None
    assert text_reason('[["2020-01-01",1]]') is None
    assert text_reason('["\\ufffd"]', steady_times=True) is not None
    assert text_reason("2020-01-01 10:00", steady_times=True) is None


# LIMIT


@pytest.mark.parametrize(
    ("sql", "total"),
    [
        ("SELECT a FROM t ORDER BY id LIMIT 5", True),
        ("SELECT a FROM t ORDER BY b, a, rowid DESC LIMIT 5", True),
        ("SELECT id AS q, a FROM t ORDER BY q LIMIT 5", True),
        ("SELECT a AS id FROM t ORDER BY id LIMIT 5", False),
        ("SELECT a FROM t ORDER BY a LIMIT 5", False),
        ("SELECT a FROM t LIMIT 5", False),
        ("SELECT a FROM t ORDER BY created, id LIMIT 5", False),
        ("SELECT k FROM u ORDER BY k LIMIT 5", True),
        ("SELECT n FROM u ORDER BY n LIMIT 5", False),
        ("SELECT n FROM u ORDER BY rowid LIMIT 5", False),
        ("SELECT x FROM w ORDER BY y, x LIMIT 5", True),
        ("SELECT x FROM w ORDER BY z LIMIT 5", True),
        ("SELECT x FROM w ORDER BY v LIMIT 5", False),  # NULLs
        ("SELECT x FROM w ORDER BY x LIMIT 5", False),  # unique in another collation only
        ("SELECT x FROM w ORDER BY y LIMIT 5", False),  # unique in part
        ("SELECT id FROM descending ORDER BY id LIMIT 5", False),  # may be NULL
        ("SELECT t.id FROM t JOIN u ON id = n ORDER BY t.id LIMIT 5", False),
    ],
)
def test_an_order_is_total_by_the_keys_of_the_schema(sql: str, total: bool) -> None:
    limit = judge(sql).limit
    assert limit is not None
    assert (limit.k, limit.has_offset, limit.total_order) == (5, False, total)
    assert parse(sql).tokens[limit.index].text == "5"
    skipping = judge(sql.replace("LIMIT 5", "LIMIT 5 OFFSET 2"))
    assert skipping.guarded is total
    swapped = judge(sql.replace("LIMIT 5", "LIMIT 2, 5"))
    assert swapped.guarded is total
    assert swapped.limit is None or swapped.limit.k == 5


@pytest.mark.parametrize(
    "sql", ["SELECT 1 FROM t LIMIT 5", "SELECT 'x', ? FROM t ORDER BY a LIMIT 5"]
)
def test_no_order_matters_between_constants(sql: str) -> None:
    limit = judge(sql, 1).limit
    assert limit is not None
    assert limit.total_order
    assert judge(f"{sql} OFFSET 2", 1).guarded


def test_extremes_are_compared_by_the_collations_of_their_columns() -> None:
    aggregates = judge("SELECT max(x), min(y), count(*), 1 FROM w").aggregates
    assert aggregates is not None
    assert aggregates.collations == ("NOCASE", "BINARY", "BINARY", "BINARY")
    assert judge("SELECT count(*) FROM w").aggregates is None
    assert judge("SELECT x FROM w").aggregates is None


def test_sums_are_those_of_the_rows_behind_them() -> None:
    sql = "SELECT sum(id), count(*), count(q.\"b\") FROM t q WHERE a > ? OR b = 'x' ORDER BY id LIMIT 7"
    aggregates = judge(sql, 1).aggregates
    assert aggregates is not None
    assert aggregates.base is not None
    assert aggregates.base.text == ('SELECT "q"."id", 1, "q"."b" FROM t q WHERE a > ? OR b = \'x\'')
    assert aggregates.reason((3, 1, 1)) is None
    assert aggregates.reason((None, 0, 0)) is None
    assert aggregates.reason((3.0, 1, 1)) is not None


Parts = list[tuple[str, list[Value], int, int]] | None


class TestBoundaries:
    def parts(self, sql: str, values: Sequence[Value], *rows: tuple[Value, ...]) -> Parts:
        limit = judge(sql, *values).limit
        assert limit is not None
        assert limit.boundary is not None
        found = limit.boundary.parts(parse(sql), values, rows, len(rows) - 1)
        if found is None:
            return None
        return [(part.query.text, part.values, part.start, part.stop) for part in found]

    @pytest.mark.parametrize(
        ("order", "last", "condition", "nulls_first"),
        [
            ("b", "x", '"t"."b" <= ?2', True),
            ("b ASC, id DESC", "x", '"t"."b" <= ?2', True),
            ("b NULLS LAST", "x", '"t"."b" <= ?2', False),
            ("b DESC", "x", '"t"."b" >= ?2', False),
            ("b DESC NULLS FIRST", "x", '"t"."b" >= ?2', True),
            ("b DESC", "x'00'", '"t"."b" >= (+CAST(?2 AS TEXT))', False),
            ("b DESC", float("inf"), '"t"."b" >= (?2*9e999)', False),
        ],
    )
    def test_condition(self, order: str, last: Value, condition: str, nulls_first: bool) -> None:
        sql = f"SELECT a, B FROM t ORDER BY {order} LIMIT ?"
        parts = self.parts(sql, [2], (0, "w"), (0, last), (0, "y"))
        assert parts is not None
        text, values, *rows = parts.pop()
        assert text == f"SELECT a, B FROM t WHERE {condition}"
        assert len(values) == 2
        assert rows == [0, 2]
        nulls: Parts = [('SELECT a, B FROM t WHERE "t"."b" IS NULL', [], 0, 0)]
        assert parts == (nulls if nulls_first else [])

    def test_condition_in_addition_to_others(self) -> None:
        sql = "SELECT q.a FROM t q WHERE b = ? OR id > 1 /* or */ ORDER BY q.a LIMIT 3"
        text = "SELECT q.a FROM t q WHERE (b = ? OR id > 1) AND "
        assert self.parts(sql, ["x"], (None,), (None,), (3,), (4,)) == [
            (f'{text}"q"."a" IS NULL', ["x"], 0, 2),
            (f'{text}"q"."a" <= ?2', ["x", 3], 2, 3),
        ]

    def test_first_rows_without_a_value(self) -> None:
        sql = "SELECT a FROM t WHERE id > ? ORDER BY a LIMIT ?"
        text = 'SELECT a FROM t WHERE (id > ?) AND "t"."a" IS NULL'
        assert self.parts(sql, [7, 1], (None,), (4,)) == [(text, [7], 0, 1)]

    @pytest.mark.parametrize(
        ("sql", "parts"),
        [
            ("SELECT x FROM w ORDER BY x LIMIT 1", 1),
            ("SELECT id, n FROM u JOIN t ON n = a ORDER BY id LIMIT 1", 2),
            ("SELECT id FROM t LEFT JOIN u ON n = a ORDER BY rowid LIMIT 1", 1),
            ("SELECT k FROM t LEFT JOIN u ON n = a ORDER BY k LIMIT 1", 2),
        ],
    )
    def test_columns_that_are_never_null(self, sql: str, parts: int) -> None:
        sql = sql.replace("rowid", "t.rowid")
        found = self.parts(sql, [], (1, 1), (2, 2))
        assert found is not None
        assert len(found) == parts

    @pytest.mark.parametrize(
        ("column", "last", "behind"),
        [
            ("a", 1, 1.0),
            ("a", None, None),
            ("a", "x", "x"),
            ("a", b"x", b"x"),
            ("a", 2**53, 2.0**53),
            ("x", "Ab", "aB"),
            ("x", "a\0b", "A\0c"),  # NOCASE ends at a NUL
            ("b", "a", "a  "),
        ],
    )
    def test_rows_that_may_be_sorted_either_way(
        self, column: str, last: Value, behind: Value
    ) -> None:
        table = {"a": "t", "b": "trimmed", "x": "w"}[column]
        sql = f"SELECT {column} FROM {table} ORDER BY {column} LIMIT 1"
        assert self.parts(sql, [], (last,), (behind,)) is None

    @pytest.mark.parametrize(
        ("column", "last", "behind"),
        [
            ("a", 1, "1"),
            ("a", "A", "a"),
            ("a", "1", b"1"),
            ("a", 2**53, 2**53 + 1),
            ("a", 2**53 + 1, 2.0**53),
            ("x", "\u00e4", "\u00c4"),
            ("x", "a\0b", "a\0bc"),
            ("b", "a", " a"),
        ],
    )
    def test_rows_that_cannot(self, column: str, last: Value, behind: Value) -> None:
        table = {"a": "t", "b": "trimmed", "x": "w"}[column]
        sql = f"SELECT {column} FROM {table} ORDER BY {column} LIMIT 1"
        assert self.parts(sql, [], (last,), (behind,)) is not None

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT a FROM t LIMIT 1",
            "SELECT a FROM t ORDER BY b LIMIT 1",
            "SELECT a FROM t ORDER BY created LIMIT 1",
            "SELECT created FROM t ORDER BY created LIMIT 1",
            "SELECT x.a FROM t x JOIN t y ON x.id = y.id ORDER BY y.a LIMIT 1",
        ],
    )
    def test_there_is_none(self, sql: str) -> None:
        limit = judge(sql).limit
        assert limit is not None
        assert limit.boundary is None

    def test_nothing_was_shown(self) -> None:
        assert self.parts("SELECT a FROM t ORDER BY a LIMIT 0", [], (1,)) is None


@pytest.mark.parametrize(
    ("k", "guarded"),
    [
        (0, True),
        (2**63 - 2, True),
        (2**63 - 1, False),
        (-1, False),
        (1.0, False),
        ("1", False),
        (None, False),
    ],
)
def test_limits_are_whole_numbers_of_rows(k: Value, guarded: bool) -> None:
    verdict = judge("SELECT a FROM t WHERE a = ? LIMIT ?", 1, k)
    assert verdict.guarded is guarded
    if verdict.limit is not None:
        assert verdict.limit.k == k
    if isinstance(k, int) and k >= 0:
        assert judge(f"SELECT a FROM t LIMIT {k}").guarded is guarded


def test_a_changed_schema_is_judged_anew() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t(a)")
    statement = parse("SELECT a FROM t WHERE b = 1")
    before = schema_of(connection)
    assert not judge_read(statement, before, ()).guarded
    connection.execute("ALTER TABLE t ADD COLUMN b")
    assert judge_read(statement, schema_of(connection), ()).guarded
    assert not judge_read(statement, before, ()).guarded


@pytest.mark.parametrize("condition", ["1 = a", "'x' < a", "? = a", "1 IS NOT a AND 2 >= a"])
def test_guarded_with_the_value_first(condition: str) -> None:
    """As ORMs load what belongs to a row: WHERE ? = address.user_id."""
    statement = parse(f"SELECT a FROM t WHERE {condition}")
    values = [1] * statement.placeholders.count
    assert judge_read(statement, SCHEMA, values).kind is FactKind.GUARDED
