"""The texts of packed reads, run by SQLite itself."""

from __future__ import annotations

import math
from typing import Any

import apsw
import apsw.ext
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrqlite import OperationalError
from pyrqlite.sql.statement import parse
from pyrqlite.wire import packing, plain
from pyrqlite.wire.packing import Form, columns_query, count_columns, names_query, rows_query


def database() -> apsw.Connection:
    made = apsw.Connection(":memory:")
    made.execute(
        """
        CREATE TABLE t (id INTEGER PRIMARY KEY, a, b REAL, c TEXT);
        INSERT INTO t VALUES (1, 'x', 1.0, '[1]'), (2, x'00ff', NULL, 'é"\\'), (3, 2, 9e999, ''),
            (4, NULL, -0.5, char(0, 65533)), (5, x'', 1e300, x'31');
        """
    )
    return made


QUERIES = [
    *("SELECT * FROM t", "SELECT a, b, c FROM t ORDER BY id DESC", "SELECT a FROM t LIMIT 2"),
    *(
        "SELECT a FROM t LIMIT 1 OFFSET 2",
        "SELECT a FROM t ORDER BY id LIMIT 3, 1",
        "SELECT 1",
        "VALUES (1), (x'61')",
    ),
    *("SELECT a FROM t UNION SELECT b FROM t", "SELECT id FROM t UNION ALL VALUES (1.5), ('z')"),
    *(
        "SELECT b FROM t EXCEPT SELECT 1",
        "SELECT id, b FROM t UNION ALL SELECT b, id FROM t ORDER BY 1, 2",
    ),
    *(
        "SELECT a FROM t INTERSECT SELECT a FROM t WHERE id < 3",
        "SELECT c COLLATE NOCASE FROM t UNION SELECT 'É'",
    ),
    *(
        "WITH q(x, y) AS (SELECT a, c FROM t) SELECT y, x FROM q",
        "SELECT count(*), max(a), group_concat(id) FROM t",
    ),
    *(
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT i, i / 2.0 FROM n",
    ),
    *(
        "SELECT DISTINCT typeof(a) FROM t",
        "SELECT a FROM t WHERE id IN (VALUES (1), (2))",
        "SELECT json('[1]'), json_array(1)",
    ),
    *(
        "SELECT id, sum(id) OVER (ORDER BY id) FROM t",
        "SELECT l.a, r.* FROM t AS l JOIN t AS r USING (id)",
    ),
    *(
        "SELECT id AS x, a AS x FROM t -- comment",
        "SELECT a /* ; */ FROM t;",
        "SELECT a FROM t WHERE 0",
    ),
    *("SELECT (SELECT a FROM t LIMIT 1), EXISTS (SELECT 1)", "SELECT 9e999, -9e999, 1e400 - 1e400"),
]


@pytest.mark.parametrize("sql", QUERIES)
def test_rows_names_and_types(sql: str) -> None:
    connection = database()
    statement = parse(sql)
    info = apsw.ext.query_info(connection, statement.text)
    expected = connection.execute(statement.text).fetchall()
    width = len(info.description)
    assert count_columns(statement) in (None, width)
    names = apsw.ext.query_info(connection, names_query(statement, width))
    assert names.description == info.description
    assert connection.execute(names_query(statement, width)).fetchall() == []
    for form in (Form.EXACT, Form.HEX):
        (texts,) = connection.execute(columns_query(statement, width, form))
        assert unpacked(texts, width, form) == expected
        (whole,) = connection.execute(rows_query(statement, width, form=form))
        columns = [f"c{number}" for number in range(width)]
        assert packing.unpack_parts(whole, columns, frozenset()) == expected


def unpacked(texts: tuple[Any, ...], width: int, form: Form) -> list[tuple[Any, ...]]:
    if form is Form.HEX:
        return packing.unpack_hex(texts, [""] * width)
    try:
        return packing.unpack_columns(texts)
    except packing.InvalidUtf8:
        return unpacked_again(texts)


def unpacked_again(texts: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """With U+FFFD, which the database of these tests really holds."""
    mark = "\ue000"
    rows = packing.unpack_columns(tuple(text.replace("\ufffd", mark) for text in texts))
    return [
        tuple(v.replace(mark, "\ufffd") if isinstance(v, str) else v for v in row) for row in rows
    ]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", 1),
        ("SELECT a, b", 2),
        ("SELECT (a, b), f(c, d), 'x, y', \"p, q\", [r, s]", 5),
        ("SELECT DISTINCT a, b FROM t", 2),
        ("SELECT ALL a FROM t", 1),
        ("SELECT CASE a WHEN 1 THEN (2, 3) END, b FROM t", 2),
        ("SELECT *", None),
        ("SELECT a, t.* FROM t", None),
        ("SELECT a.b.* FROM t", None),
        ("SELECT DISTINCT * FROM t", None),
        ("SELECT a * b, 2*3, count(*) FROM t", 3),
        ("SELECT -a, ~b, +c, NOT d", 4),
        ("SELECT a FROM t, u, v", 1),
        ("SELECT a, b UNION SELECT 1, 2", 2),
        ("VALUES (1, 2, (3)), (4, 5, 6)", 3),
        ("VALUES (1)", 1),
        ("WITH x AS (SELECT 1, 2) SELECT a, b, c FROM x", 3),
    ],
)
def test_widths(sql: str, expected: int | None) -> None:
    assert count_columns(parse(sql)) == expected


@pytest.mark.parametrize("width", [1, 99, 100, 101, 250, 1000])
def test_wide_rows(width: int) -> None:
    connection = database()
    statement = parse(f"SELECT {', '.join(['?'] * width)}")
    values = [bytes([number % 256]) if number % 3 == 0 else number for number in range(width)]
    (texts,) = connection.execute(columns_query(statement, width, Form.EXACT), values)
    assert packing.unpack_columns(texts) == [tuple(values)]
    (whole,) = connection.execute(rows_query(statement, width), values)
    assert packing.unpack_parts(whole, [""] * width, frozenset()) == [tuple(values)]


VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\ufffd"))
    | st.binary()
)


@given(st.lists(st.tuples(VALUES, VALUES), max_size=20))
def test_any_values(rows: list[tuple[Any, Any]]) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE v (a, b)")
    connection.executemany("INSERT INTO v VALUES (?, ?)", rows)
    statement = parse("SELECT a, b FROM v ORDER BY rowid")
    for form in (Form.EXACT, Form.HEX):
        (texts,) = connection.execute(columns_query(statement, 2, form))
        found = (
            packing.unpack_hex(texts, ["a", "b"])
            if form is Form.HEX
            else packing.unpack_columns(texts)
        )
        assert len(found) == len(rows)
        for found_row, row in zip(found, rows, strict=True):
            assert all(
                type(one) is type(other) and one == other
                for one, other in zip(found_row, row, strict=True)
            )


def test_texts_that_are_no_utf8() -> None:
    with pytest.raises(packing.InvalidUtf8):
        packing.unpack_columns(['["a\ufffd"]'])
    with pytest.raises(OperationalError, match=r"UTF-8.*'name'.*\\xff"):
        packing.unpack_hex(['[["41FF",0]]'], ["name"])
    assert packing.unpack_hex(['[["EFBFBD",0],["FF"],null,9.0e+999]'], ["name"]) == [
        ("\ufffd",),
        (b"\xff",),
        (None,),
        (math.inf,),
    ]


@pytest.mark.parametrize(
    ("sql", "packs"),
    [
        ("SELECT a, b AS x, t.c 'y' FROM t", True),
        ("SELECT a FROM t WHERE b = 1 ORDER BY c LIMIT 5", True),
        ("SELECT main.t.a FROM t", True),
        ('SELECT "a" FROM t', True),
        ("SELECT a ISNULL FROM t", False),
        ("SELECT a NOTNULL FROM t", False),
        ("SELECT a + 1 FROM t", False),
        ("SELECT a COLLATE NOCASE FROM t", False),
        ("SELECT f(a) FROM t", False),
        ("SELECT 1, a FROM t", False),
        ("SELECT * FROM t", False),
        ("SELECT DISTINCT a FROM t", False),
        ("SELECT a FROM t GROUP BY a", False),
        ("SELECT a FROM t HAVING 1", False),
        ("SELECT a FROM t UNION SELECT b FROM t", False),
        ("SELECT a IS NULL FROM t", False),
        ("SELECT NULL FROM t", False),
        ("SELECT TRUE, a FROM t", False),
        ("SELECT CURRENT_TIMESTAMP FROM t", False),
        ("VALUES (a)", False),
        ("SELECT (a) FROM t", False),
        ("SELECT -a FROM t", False),
        ("SELECT ? FROM t", False),
    ],
)
def test_typed_form_is_for_columns_alone(sql: str, packs: bool) -> None:
    assert (plain.typed_query(parse(sql)) is not None) == packs


def test_probe_tells_exact_servers() -> None:
    connection = apsw.Connection(":memory:")
    assert connection.execute(packing.PROBE).get in packing.PROBE_ANSWERS
    assert "[0.3,Inf,-Inf]" not in packing.PROBE_ANSWERS
