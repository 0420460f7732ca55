"""Frozen statements give what the original gives at that instant, whatever the clock says then."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrqlite.errors import NotSupportedError, ProgrammingError
from pyrqlite.sql.clock import Instant
from pyrqlite.sql.freeze import (
    ConnectionValues,
    Context,
    Frozen,
    freeze,
    freeze_rows,
    needs_freezing,
)
from pyrqlite.sql.impure import Meaning, meaning_of
from pyrqlite.sql.parameters import Value
from pyrqlite.sql.statement import parse
from pyrqlite.sql.tokens import Kind, significant, tokenize
from tests.unit.sql.sqlite_oracle import CLOCK, examples, schema_of

NOON = Instant(1_795_435_200_123)  # 2026-11-23 12:00:00.123


@pytest.fixture(scope="module", autouse=True)
def far_from_greenwich() -> Iterator[None]:
    """A local time that differs from UTC, for the modifiers that know it."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Kolkata"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def context(instant: Instant = NOON, seed: int = 1) -> Context:
    return Context(instant, random.Random(seed), ConnectionValues(7, 2, 9))


def frozen(sql: str, *values: Value) -> Frozen:
    return freeze(parse(sql), values, context())


def database() -> apsw.Connection:
    connection = apsw.Connection(":memory:", vfs=CLOCK.NAME)
    connection.execute("CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'now'), (2.5, '2020-01-31')")
    return connection


class Answer(NamedTuple):
    names: list[str]
    rows: list[tuple[object, ...]]


def ask(
    connection: apsw.Connection, milliseconds: int, sql: str, values: Sequence[Value]
) -> Answer | str:
    """The result, or the complaint, at this time."""
    CLOCK.milliseconds = milliseconds
    try:
        cursor = connection.execute(sql, tuple(values))
    except apsw.Error as error:
        return type(error).__name__
    try:
        names = [column[0] for column in cursor.get_description()]
    except apsw.ExecutionCompleteError:  # no rows, as of most writes
        names = []
    return Answer(names, list(cursor))


DATABASE = database()

# Date functions, with arguments of all kinds.

WORDS = [
    "now",
    "NOW",
    "nOw",
    "subsec",
    "SUBSECOND",
    "nowhere",
    " now",
    "2020-02-30 12:00",
    "12:00:01.5",
]
VALUES: list[Value] = [
    *WORDS,
    b"now",
    b"noW\0x",
    "now\0",
    b"subsec",
    None,
    5,
    2460000.5,
    "localtime",
]
LITERALS = st.sampled_from(
    [
        *(f"'{word}'" for word in WORDS),
        *(
            '"now"',
            '"Subsec"',
            "x'6e6f77'",
            "X'4e6f5700ff'",
            "('now')",
            "(( 'NOW' ))",
            "+'now'",
            "NULL",
        ),
        *("2460000.5", "'now' COLLATE nocase", "+(+('subsec'))", "'12:'||'00'", "1 + 2460000", "a"),
        *("date('now')", "CURRENT_TIME", "strftime('%Y-%m-%d', 'now', '-1 day')"),
        *("coalesce(NULL, '2020-01-01')", "CAST(2460000 AS TEXT)"),
    ]
)
MODIFIERS = st.sampled_from(
    [
        *(
            "'+1 day'",
            "'-1.5 seconds'",
            "'start of month'",
            "'weekday 0'",
            "'subsec'",
            "'SubSecond'",
        ),
        *("'localtime'", "'utc'", "'unixepoch'", "'auto'", "'julianday'", "'ceiling'", "'floor'"),
        *("'+0001-02-03'", "'nonsense'", "'now'", "NULL", "'+' || '1' || ' hour'"),
        "iif(1, '+1 month', '+2 days')",
    ]
)
FORMATS = st.sampled_from(["'%s'", "'%Y-%m-%d %H:%M:%f'", "'%J'", "'%w %j %W'", "'now'", "NULL"])


class Piece(NamedTuple):
    sql: str
    values: tuple[Value, ...]


def _call(name: str, arguments: Sequence[Piece]) -> Piece:
    inside = ", ".join(argument.sql for argument in arguments)
    return Piece(f"{name}({inside})", tuple(v for argument in arguments for v in argument.values))


def _plain(sql: str) -> Piece:
    return Piece(sql, ())


@st.composite
def calls(draw: st.DrawFn, modifiers: st.SearchStrategy[str] = MODIFIERS) -> Piece:
    """A call of a date function."""
    name = draw(
        st.sampled_from(
            [
                "date",
                "time",
                "datetime",
                "julianday",
                "unixepoch",
                "strftime",
                "timediff",
                "DateTime",
            ]
        )
    )
    times = st.one_of(
        LITERALS.map(_plain), st.sampled_from(VALUES).map(lambda value: Piece("?", (value,)))
    )
    if name == "timediff":
        arguments = [draw(times), draw(times)]
    else:
        arguments = [draw(FORMATS.map(_plain))] if name == "strftime" else []
        if draw(st.integers(0, 4)):
            arguments.append(draw(times))
            arguments += draw(st.lists(modifiers.map(_plain), max_size=2))
    quoted = draw(st.sampled_from(["{}", '"{}"', "[{}]", "`{}`", "{} ", "{}/* ( */"])).format(name)
    return _call(quoted, arguments)


CURRENT = st.sampled_from(
    [
        "CURRENT_TIMESTAMP",
        "current_date",
        "Current_Time",
        '"current_timestamp"()',
        "[CURRENT_DATE]()",
    ]
).map(_plain)
STATE = st.sampled_from(["1", "'CURRENT_TIMESTAMP'", "b", "'now'", "?"]).map(
    lambda sql: Piece(sql, ("now",) if sql == "?" else ())
)


@st.composite
def items(draw: st.DrawFn, impure: st.SearchStrategy[Piece]) -> Piece:
    """An entry of a SELECT list."""
    piece = draw(impure)
    shape = draw(
        st.sampled_from(
            ["{}"] * 4
            + [
                "{} AS x",
                "{} x",
                "{} 'x y'",
                "1 || {}",
                "({})",
                "{} IS NULL",
                "{} ISNULL",
                "typeof({})",
            ]
            + [
                "CASE WHEN {} > '2020' THEN 1 ELSE 'now' END",
                "(SELECT {})",
                "{} /* now */",
                "{} --c\n",
            ]
            + [
                "max({}, 'a')",
                "{} COLLATE nocase",
                "+{}",
                "{} NOT NULL",
                "b IN ({}, 'x')",
                "b = {}",
            ]
        )
    )
    return Piece(shape.format(piece.sql), piece.values)


QUERIES = [
    "SELECT {}",
    "SELECT {} FROM t",
    "SELECT {}, a, b FROM t WHERE {} IS NOT NULL ORDER BY a > {}, a",
    "SELECT DISTINCT {} FROM t GROUP BY a > {} HAVING {} > 0",
    "WITH x(p, q) AS (SELECT {}, {}) SELECT *, {} FROM x, t LIMIT 3",
    "SELECT * FROM (SELECT {}, a FROM t) JOIN t USING (a) WHERE b < {}",
    "VALUES ({}, 'now'), (1, {})",
    "SELECT {} UNION ALL SELECT {} FROM t",
    "SELECT count(*) FILTER (WHERE {} > b), {} FROM t",
    "SELECT row_number() OVER (ORDER BY {}, a), {} FROM t",
    "SELECT a IS NOT DISTINCT FROM {}, {} FROM t AS current_date",
    "SELECT {}, value FROM json_each(json_array({}, 'now'))",
]


@st.composite
def queries(draw: st.DrawFn) -> Piece:
    """A query with such expressions at its places."""
    shape = draw(st.sampled_from(QUERIES))
    sql = ""
    values: tuple[Value, ...] = ()
    for part in re.split(r"(\{\})", shape):
        if part == "{}":
            chosen = draw(items(st.one_of(calls(), calls(), CURRENT, STATE)))
            bare = re.sub(r"( AS x| x| 'x y')$", "", chosen.sql)
            sql += bare if not sql.endswith("SELECT ") else chosen.sql
            values += chosen.values
        else:
            sql += part
    return Piece(sql, values)


INSTANTS = st.one_of(
    st.integers(0, 4_102_444_800_000), st.integers(-30_000_000_000_000, 250_000_000_000_000)
)


@given(queries(), INSTANTS)
@examples(600)
def test_queries_give_what_they_give_at_that_instant(query: Piece, milliseconds: int) -> None:
    statement = parse(query.sql)
    result = freeze(statement, query.values, context(Instant(milliseconds)))
    wanted = ask(DATABASE, milliseconds, statement.text, query.values)
    for other in (milliseconds + 86_400_000_000, 0):
        assert ask(DATABASE, other, result.text, result.values) == wanted, result


@given(queries(), INSTANTS)
@examples(300)
def test_freezing_again_changes_nothing(query: Piece, milliseconds: int) -> None:
    once = freeze(parse(query.sql), query.values, context(Instant(milliseconds)))
    again = freeze(parse(once.text), once.values, context(NOON, seed=2))
    assert (again.text, list(again.values)) == (once.text, list(once.values))


def _kept(sql: str) -> list[str]:
    """The tokens that freezing must keep, comments and strings among them."""
    return [
        token.text
        for token in tokenize(sql)
        if token.text.isspace() is False
        and token.text not in ("(", ")", "+", "COLLATE", "nocase", "?")
        and meaning_of(token.name) is Meaning.OTHER
        and token.kind is not Kind.BLOB
        and not token.name.upper().startswith("CURRENT_")
    ]


@given(queries())
@examples(300)
def test_all_other_tokens_stay_in_their_order(query: Piece) -> None:
    statement = parse(query.sql)
    after = iter(_kept(freeze(statement, query.values, context()).text))
    assert all(text in after for text in _kept(statement.text))


# Writes.

PURE_MODIFIERS = st.sampled_from(
    ["'+1 day'", "'start of month'", "'subsec'", "'auto'", "'-1.5 seconds'"]
)
WRITES = [
    "INSERT INTO u VALUES ({}, {})",
    "INSERT INTO u(y, x) VALUES ({}, 1), ('now', {})",
    "INSERT INTO u SELECT {}, a FROM t WHERE b <> {}",
    "REPLACE INTO u DEFAULT VALUES RETURNING {}",
    "UPDATE t SET a = {}, b = {} WHERE b <> {}",
    "UPDATE t SET (a, b) = ({}, (SELECT {})) RETURNING {} AS x, a",
    "DELETE FROM t WHERE b < {}",
    "INSERT INTO k VALUES (1, {}) ON CONFLICT (x) DO UPDATE SET y = {} || excluded.y",
    "WITH w AS (SELECT {} AS p) INSERT INTO u SELECT p, {} FROM w",
    "CREATE TABLE made AS SELECT {}, {} AS y FROM t",
]


@st.composite
def writes(draw: st.DrawFn) -> Piece:
    """A write with such expressions at its places."""
    sql = ""
    values: tuple[Value, ...] = ()
    for part in re.split(r"(\{\})", draw(st.sampled_from(WRITES))):
        chosen = draw(st.one_of(calls(PURE_MODIFIERS), CURRENT)) if part == "{}" else _plain(part)
        sql += chosen.sql
        values += chosen.values
    return Piece(sql, values)


def _after(
    milliseconds: int, sql: str, values: Sequence[Value]
) -> tuple[Answer | str, list[tuple[object, Answer | str]]]:
    """The answer to a write at this time, and what the tables hold then."""
    connection = database()
    connection.execute(
        "CREATE TABLE u(x, y); CREATE TABLE k(x PRIMARY KEY, y); INSERT INTO k VALUES (1, 2)"
    )
    answer = ask(connection, milliseconds, sql, values)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema ORDER BY 1")]
    return answer, [
        (table, ask(connection, 0, f"SELECT * FROM {table} ORDER BY rowid", ()))
        for table in tables
        if not table.startswith("sqlite_")
    ]


@given(writes(), INSTANTS)
@examples(400)
def test_writes_do_what_they_do_at_that_instant(write: Piece, milliseconds: int) -> None:
    result = freeze(parse(write.sql), write.values, context(Instant(milliseconds)))
    wanted = _after(milliseconds, write.sql, write.values)
    assert _after(milliseconds + 86_400_000_000, result.text, result.values) == wanted, result


SAME = [
    "SELECT 'now', \"now\", x'6e6f77', datetime(a), date(a, '+1 day'), strftime('%s', a) FROM t",
    "SELECT 1 AS CURRENT_TIMESTAMP, t.current_date, 'CURRENT_TIME' -- CURRENT_TIME",
    'SELECT "CURRENT_TIMESTAMP", [current_date], `current_time` FROM t',
    "INSERT INTO t (current_date, b) VALUES (1, 'random()')",
    "INSERT INTO date (now, b) VALUES (1, 2)",
    "INSERT INTO main.time (a) VALUES (1)",
    "WITH date(a) AS (SELECT 1), time(b) AS MATERIALIZED (SELECT 2) SELECT * FROM date, time",
    "SELECT * FROM t JOIN u USING (current_date)",
    "SELECT * FROM current_date, current_time JOIN current_timestamp",
    "UPDATE t SET current_date = 1, b = date(b) WHERE time(a) > '12:00'",
    "CREATE TABLE x(a DEFAULT CURRENT_TIMESTAMP, b DEFAULT (random()), c AS (date(a)), CHECK (a > date('now')))",
    "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET a = CURRENT_TIMESTAMP, b = random(); END",
    "CREATE VIEW x AS SELECT CURRENT_TIMESTAMP, datetime('now')",
    "CREATE INDEX x ON date(time)",
    "EXPLAIN SELECT datetime('now')",
    "PRAGMA table_info(current_date)",
    "SELECT strftime()",
    "SELECT CAST(a AS current_date) FROM t",
]


@pytest.mark.parametrize("sql", SAME)
def test_what_reads_no_clock_stays_as_it_is(sql: str) -> None:
    values: list[Value] = ["now"]
    assert not needs_freezing(parse(sql))
    result = frozen(sql, *values)
    assert result.text == parse(sql).text
    assert list(result.values) == values


T = "2026-11-23 12:00:00.123Z"


@pytest.mark.parametrize(
    ("sql", "values", "text", "bound"),
    [
        # One placeholder, only a time: its value is replaced.
        ("SELECT datetime(?)", ["now"], "SELECT datetime(?)", [T]),
        ("SELECT datetime(:a), date(:a)", [b"NOW"], "SELECT datetime(:a), date(:a)", [T]),
        ("SELECT datetime(?)", ["2020-01-01"], "SELECT datetime(?)", ["2020-01-01"]),
        # And elsewhere too: the place is replaced, and the numbers stay.
        (
            "DELETE FROM t WHERE a > date(?1) OR b = ?1",
            ["now"],
            f"DELETE FROM t WHERE a > date('{T}') OR b = ?1",
            ["now"],
        ),
        (
            "DELETE FROM t WHERE a > date(:t) OR b = ? OR c = :t OR d = ?",
            ["now", 1, 2],
            f"DELETE FROM t WHERE a > date('{T}') OR b = ?2 OR c = ?1 OR d = ?3",
            ["now", 1, 2],
        ),
        # 'subsec' as a time is now with milliseconds.
        (
            "SELECT julianday(a, ?), unixepoch(?, 'auto') FROM t",
            ["x", "subsec"],
            "SELECT julianday(a, ?), unixepoch(?, 'auto', 'subsec') AS \"unixepoch(?, 'auto')\" FROM t",
            ["x", T],
        ),
        ("SELECT datetime('Subsec') AS x", [], f"SELECT datetime('{T}', 'subsec') AS x", []),
        # Tokens never grow together.
        ('INSERT INTO t SELECT"random"()', [], None, []),
        ("SELECT CURRENT_DATE'x'", [], "SELECT '2026-11-23' 'x'", []),
        ("SELECT 1,CURRENT_TIME FROM t", [], "SELECT 1,'12:00:00' AS \"CURRENT_TIME\" FROM t", []),
    ],
)
def test_texts_and_values(
    sql: str, values: list[Value], text: str | None, bound: list[Value]
) -> None:
    result = frozen(sql, *values)
    if text is not None:
        assert result.text == text
    assert list(result.values) == bound
    apsw.ext.query_info(DATABASE, "SELECT 1")
    assert all(token.kind is not Kind.ILLEGAL for token in significant(result.text))


# Random numbers.


def test_each_call_of_random_gets_a_number_of_its_own() -> None:
    connection = database()
    sql = 'INSERT INTO t VALUES (random(), abs(random())), ((SELECT random()), -"random"())'
    result = frozen(sql)
    connection.execute(result.text)
    stored = [
        value for row in connection.execute("SELECT a, b FROM t WHERE rowid > 2") for value in row
    ]
    assert len(set(stored)) == 4
    assert all(isinstance(value, int) for value in stored)
    assert result.text == frozen(sql).text  # the same source gives the same numbers
    assert not needs_freezing(parse(result.text))


@pytest.mark.parametrize(
    ("argument", "size"), [("4", 4), ("0", 1), ("-3", 1), ("0x10", 16), ("2.9", 2), ("+ 1_0", 10)]
)
def test_random_blobs_have_their_size(argument: str, size: int) -> None:
    connection = database()
    connection.execute(frozen(f"INSERT INTO t(a) VALUES (randomblob({argument}))").text)
    assert connection.execute("SELECT length(a), typeof(a) FROM t WHERE rowid = 3").fetchall() == [
        (size, "blob")
    ]


def test_random_numbers_are_never_the_smallest_integer() -> None:
    class Smallest:
        def randbytes(self, n: int, /) -> bytes:
            return b"\x80" + bytes(n - 1)

    result = freeze(parse("INSERT INTO t VALUES (abs(random()))"), (), Context(NOON, Smallest()))
    assert result.text == "INSERT INTO t VALUES (abs(0))"


RANDOM_ONCE = [
    "INSERT INTO t VALUES (random(), 1)",
    "INSERT INTO t VALUES (random(), 1), (hex(randomblob(2)), 2)",
    "INSERT INTO t SELECT random(), 1",
    "INSERT INTO t SELECT random(), 1 WHERE NOT EXISTS (SELECT 1 FROM t)",
    "INSERT INTO t VALUES ((SELECT random()), 1)",
    "INSERT INTO t SELECT 1, 2 UNION ALL SELECT random(), 2",
    "INSERT INTO k VALUES (1, 2) ON CONFLICT DO UPDATE SET y = random() RETURNING random()",
    "REPLACE INTO t VALUES (1, CASE WHEN random() > 0 THEN 'a' END)",
    "CREATE TABLE r AS SELECT random()",
]
RANDOM_OFTEN = [
    "INSERT INTO t SELECT random(), a FROM t",
    "INSERT INTO t SELECT a, b FROM t ORDER BY random() LIMIT 1",
    "INSERT INTO t VALUES ((SELECT random() FROM t), 1)",
    "INSERT INTO t VALUES ((SELECT a FROM t WHERE a > (SELECT random())), 1)",
    "INSERT INTO t SELECT * FROM (SELECT random(), 1)",
    "WITH r AS (SELECT random()) INSERT INTO t SELECT r.*, s.* FROM r, r AS s",
    "INSERT INTO t WITH r(x) AS (VALUES (random())) SELECT x, x FROM r",
    "INSERT INTO k VALUES (1, 2), (2, 3) ON CONFLICT DO UPDATE SET y = random()",
    "INSERT INTO t VALUES (1, 2), (3, 4) RETURNING random()",
    "UPDATE t SET a = random()",
    "UPDATE t SET a = 1 WHERE random() > 0",
    "UPDATE t SET a = (SELECT random())",
    "DELETE FROM t WHERE a = randomblob(2)",
    "CREATE TABLE r AS SELECT random() FROM t",
    "INSERT INTO t SELECT value, random() FROM json_each('[1]')",
]


@pytest.mark.parametrize("sql", RANDOM_ONCE)
def test_one_random_value_for_one_row_is_replaced(sql: str) -> None:
    result = frozen(sql)
    assert "random" not in result.text.replace('AS "random()"', "")
    assert not result.random
    first, second = _after(0, result.text, ()), _after(0, result.text, ())
    assert first == second
    assert isinstance(first[0], Answer)


@pytest.mark.parametrize("sql", RANDOM_OFTEN)
def test_one_random_value_for_many_rows_is_refused(sql: str) -> None:
    with pytest.raises(NotSupportedError, match="bind them"):
        frozen(sql)


@pytest.mark.parametrize(
    "sql", ["SELECT random(), date()", "SELECT a FROM t ORDER BY randomblob(3) LIMIT 2"]
)
def test_queries_stay_random(sql: str) -> None:
    result = frozen(sql)
    assert result.random
    assert "random" in result.text


# What is refused.


@pytest.mark.parametrize(
    ("sql", "values", "message"),
    [
        ("INSERT INTO t VALUES (datetime('now', 'localtime'))", [], "time zone"),
        ("UPDATE t SET a = strftime('%H', a, 'UTC')", [], "time zone"),
        ("DELETE FROM t WHERE a < datetime(b, ?)", ["LocalTime"], "time zone"),
        ("CREATE TABLE x AS SELECT date(a, 'localtime') FROM t", [], "time zone"),
        ("DELETE FROM t WHERE a < datetime(b, 'local' || 'time')", [], "time zone"),
        ("INSERT INTO t VALUES (datetime('n' || ?))", ["ow"], "put together"),
        ("INSERT INTO t VALUES (datetime(lower('NOW')))", [], "put together"),
        ("INSERT INTO t VALUES (date(CAST('now' AS TEXT)))", [], "put together"),
        ("INSERT INTO t VALUES (date((SELECT 'now')))", [], "put together"),
        ("INSERT INTO t VALUES (date(char(110, 111, 119)))", [], "put together"),
        ("INSERT INTO t VALUES (date(substr(?, 2)))", ["snow"], "put together"),
        ("INSERT INTO t VALUES (date(iif(1, 'subsec', 0)))", [], "put together"),
        ("UPDATE t SET a = date(coalesce(a, 'now'))", [], "put together"),
        ("UPDATE t SET a = date(datetime('n' || 'ow'))", [], "put together"),
        ("UPDATE t SET a = date(strftime('now', '2020-01-01'))", [], "put together"),
        ("INSERT INTO t VALUES (uuid4())", [], "bind it"),
        ("INSERT INTO t VALUES (randomblob(?))", [4], "os.urandom"),
        ("INSERT INTO t VALUES (randomblob(9999999))", [], "os.urandom"),
    ],
)
def test_what_cannot_be_made_constant_is_refused(
    sql: str, values: list[Value], message: str
) -> None:
    with pytest.raises(NotSupportedError, match=message):
        frozen(sql, *values)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("INSERT INTO t VALUES (datetime(replace(?, 'T', ' ')))", ["2020-01-01T12:00"]),
        ("INSERT INTO t VALUES (date(? || '-01'))", ["2020-01"]),
        ("INSERT INTO t VALUES (datetime(? / 1000, 'unixepoch'))", [1_700_000_000_000]),
        ("UPDATE t SET a = date(b || '-01', '+' || ? || ' minutes', ? || ' seconds')", [1, 2]),
        ("UPDATE t SET a = date(substr(b, 1, 10), printf('%+d days', a))", []),
        ("UPDATE t SET a = date(coalesce(a, b))", []),
        ("DELETE FROM t WHERE datetime(a) < datetime(?)", ["2020-01-01"]),
        ("UPDATE t SET a = date(datetime(b, '+1 day'))", []),
    ],
)
def test_expressions_that_cannot_become_now_pass(sql: str, values: list[Value]) -> None:
    result = frozen(sql, *values)
    assert (result.text, list(result.values)) == (sql, values)


def test_a_time_in_double_quotes_must_not_be_a_column_too() -> None:
    connection = database()
    connection.execute('CREATE TABLE n("now", x)')
    known = Context(NOON, random.Random(), schema=schema_of(connection))
    assert freeze(parse('SELECT datetime("now") AS now FROM t'), (), known).text.count(T) == 1
    for sql in (
        'SELECT datetime("now") FROM n',
        'WITH w AS (SELECT 1 AS x, 2 "now") SELECT datetime("now") FROM w',
        'DELETE FROM t WHERE datetime("now") > now',
    ):
        with pytest.raises(ProgrammingError, match="single quotes"):
            freeze(parse(sql), (), known)


# The connection's state.


def test_the_state_of_the_connection_is_what_the_driver_knows() -> None:
    sql = "SELECT last_insert_rowid(), changes() AS c FROM t ORDER BY total_changes(), a"
    answer = ask(DATABASE, 0, frozen(sql).text, ())
    assert answer == Answer(["last_insert_rowid()", "c"], [(7, 2), (7, 2)])
    assert (
        frozen("INSERT INTO t VALUES (last_insert_rowid(), 1)").text
        == "INSERT INTO t VALUES (7, 1)"
    )


def test_what_the_driver_does_not_know_is_refused() -> None:
    unknown = Context(NOON, random.Random(), ConnectionValues(None, None, None))
    with pytest.raises(NotSupportedError, match="pipeline"):
        freeze(parse("SELECT changes()"), (), unknown)


# Many rows.


def test_rows_share_the_instant_and_have_random_values_of_their_own() -> None:
    sql = "INSERT INTO t VALUES (?, CURRENT_TIMESTAMP), (random(), hex(randomblob(2)) || ?)"
    rows = freeze_rows(parse(sql), [[1, "a"], [2, "b"]], context())
    assert rows.text == "INSERT INTO t VALUES (?1, '2026-11-23 12:00:00'), (?3, hex(?4) || ?2)"
    connection = database()
    connection.executemany(rows.text, rows.rows)
    stored = connection.execute("SELECT a, b FROM t WHERE rowid > 2").fetchall()
    assert [row[0] for row in stored[::2]] == [1, 2]
    assert len({row[0] for row in stored[1::2]}) == 2
    assert [len(str(row[1])) for row in stored[1::2]] == [5, 5]


def test_random_values_behind_the_placeholders_need_no_numbers() -> None:
    rows = freeze_rows(parse("INSERT INTO t VALUES (?, random())"), [[1], [2]], context())
    assert rows.text == "INSERT INTO t VALUES (?, ?)"
    assert [len(row) for row in rows.rows] == [2, 2]


def test_a_value_that_is_now_is_replaced_row_by_row() -> None:
    rows = freeze_rows(
        parse("INSERT INTO t VALUES (datetime(?), ?)"),
        [["now", "now"], ["2020-01-01", 1]],
        context(),
    )
    assert rows.rows == [[T, "now"], ["2020-01-01", 1]]
    for sql, row in (
        ("INSERT INTO t VALUES (datetime(?1), ?1)", ["now"]),
        ("INSERT INTO t VALUES (datetime(?), 1)", ["subsec"]),
        ("INSERT INTO t VALUES (datetime(a, ?), 1)", ["localtime"]),
        ("INSERT INTO t VALUES (datetime('n' || ?), 1)", ["ow"]),
        ("UPDATE t SET a = random() WHERE b = ?", [1]),
    ):
        with pytest.raises(NotSupportedError):
            freeze_rows(parse(sql), [["2020-01-01"], row], context())


def test_rows_of_what_is_constant_already_stay() -> None:
    rows = freeze_rows(parse("INSERT INTO t VALUES (?, 'now')"), iter([["now"]]), context())
    assert rows.text == "INSERT INTO t VALUES (?, 'now')"
    assert rows.rows == [["now"]]
