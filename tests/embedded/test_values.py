"""How values go in and come out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rqlite_embedded.durations import format_duration, parse_duration
from tests.embedded.asking import Ask


def raw_value(ask: Ask, *statement: Any, q: str = "") -> str:
    """The only value of a query, as it stands in the response."""
    body = ask.query(list(statement), q=q).body.decode()
    return body.partition('"values":[[')[2].removesuffix("]]}]}")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.0, "1"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (123456789012345678.0, "123456789012345680"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (1e-10, "1e-10"),
        (5e-324, "5e-324"),
        (9223372036854775807, "9223372036854775807"),
        (-9223372036854775808, "-9223372036854775808"),
        (True, "1"),
        (None, "null"),
        ("<a&b>\u2028", '"\\u003ca\\u0026b\\u003e\\u2028"'),
        ('"\\\b\f\n\r\t\x01\x7fé', '"\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7fé"'),
        ("a\0b", '"a\\u0000b"'),
        ("\ud800", '"\ufffd"'),
    ],
)
def test_values_that_are_bound(local: Ask, value: Any, shown: str) -> None:
    assert raw_value(local, "SELECT ?", value) == shown


@pytest.mark.parametrize(
    ("literal", "kind", "shown"),
    [
        ("12345678901234567890123", "real", "1.2345678901234568e+22"),
        ("9223372036854775808", "real", "9223372036854776000"),
        ("-0", "integer", "0"),
        ("1e2", "real", "100"),
        ("\"x'00ff'\"", "blob", '"\\u0000\\ufffd"'),
        ("\" X'' \"", "blob", '""'),
        ("\"x'0'\"", "text", "\"x'0'\""),
        ("[]", "blob", '""'),
        ("[72,105]", "blob", '"Hi"'),
    ],
)
def test_literals_that_are_bound(local: Ask, literal: str, kind: str, shown: str) -> None:
    reply = local("POST", "/db/query", f'[["SELECT typeof(?1), ?1", {literal}]]'.encode())
    assert f'[["{kind}",{shown}]]'.encode() in reply.body


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("2024-01-02", "2024-01-02T00:00:00Z"),
        ("2024-01-02 3:04", "2024-01-02T03:04:00Z"),
        ("2024-01-02 03:04:05.120", "2024-01-02T03:04:05.12Z"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02 03:04:05+02:00", "2024-01-02T03:04:05+02:00"),
        ("2024-01-02 03:04:05 +0200", "0001-01-01T00:00:00Z"),
        ("2023-02-29", "0001-01-01T00:00:00Z"),
        ("soon", "0001-01-01T00:00:00Z"),
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (1700000000123, "2023-11-14T22:13:20.123Z"),
        (253402300799, "9999-12-31T23:59:59Z"),
        (-62167219200, "0000-01-01T00:00:00Z"),
        (1.5, 1.5),
        (None, None),
    ],
)
def test_dates(local: Ask, stored: Any, shown: Any) -> None:
    local.execute(
        "CREATE TABLE t (d DATE, dt DateTime, ts TIMESTAMP, other DATETIME(6))",
        ["INSERT INTO t VALUES (?1, ?1, ?1, ?1)", stored],
    )
    (row,) = local.query("SELECT d, dt, ts, other, +d FROM t").values
    assert row == [shown, shown, shown, stored, stored]


def test_a_date_that_cannot_be_shown_fails_its_statement(local: Ask) -> None:
    local.execute("CREATE TABLE t (d DATE)", "INSERT INTO t VALUES (253402300800)")
    assert local.query("SELECT d FROM t", "SELECT 1").results[0] == {
        "error": "Time.MarshalText: year outside of range [0,9999]"
    }


def test_booleans(local: Ask) -> None:
    local.execute(
        "CREATE TABLE t (b BOOLEAN)", "INSERT INTO t VALUES (1),(0),(2),(-1),('x'),(NULL)"
    )
    assert [row[0] for row in local.query("SELECT b FROM t").values] == [
        True,
        False,
        True,
        False,
        "x",
        None,
    ]


def test_blobs_depend_on_the_declared_type(local: Ask) -> None:
    local.execute(
        "CREATE TABLE t (b BLOB, n INTEGER, v VARCHAR(9), u)",
        ["INSERT INTO t VALUES (?1, ?1, ?1, ?1)", [255, 65]],
    )
    assert local.query("SELECT * FROM t").values == [["/0E=", "/0E=", "\ufffdA", "\ufffdA"]]
    assert local.query("SELECT * FROM t", q="blob_array").values == [
        [[255, 65], [255, 65], "\ufffdA", "\ufffdA"]
    ]


def test_types_are_inferred_from_the_first_row(local: Ask) -> None:
    results = local.query(
        "SELECT 1, 1.5, 'x', x'00', NULL",
        "SELECT 1 WHERE 0",
        "SELECT 1 AS a UNION ALL SELECT x'ff'",
        "SELECT NULL AS a UNION ALL SELECT x'ff'",
    ).results
    assert results[0]["types"] == ["integer", "real", "text", "text", ""]
    assert results[1] == {"columns": ["1"], "types": [""]}
    assert results[2]["values"] == [[1], ["/w=="]]
    assert results[3]["values"] == [[None], ["\ufffd"]]


def test_text_that_is_not_utf8(local: Ask) -> None:
    """One mark for each byte, in queries of any kind that can be told again."""
    sql = "SELECT CAST(x'ff41e282' AS TEXT) AS t, 1 -- the end"
    reply = local.query(sql, "WITH c(x) AS (VALUES (CAST(x'fe' AS TEXT))) SELECT x FROM c;")
    assert rb'"values":[["\ufffdA\ufffd\ufffd",1]]' in reply.body
    assert reply.results[1]["values"] == [["\ufffd"]]
    local.execute("CREATE TABLE t (a TEXT)")
    assert (
        local.execute("INSERT INTO t VALUES (CAST(x'ff' AS TEXT)) RETURNING a")
        .results[0]["error"]
        .startswith("text is not UTF-8")
    )


def test_many_rows(local: Ask) -> None:
    """Long results take another way through the encoder."""
    rows = [[i, f"<{i}>", None] for i in range(100)]
    texts = local.query(
        ["SELECT value->>0, value->>1, value->>2 FROM json_each(?)", json.dumps(rows)]
    )
    assert texts.values == rows
    numbers = local.query(["SELECT value/2.0, x'00' FROM json_each(?)", json.dumps([1, 2])])
    assert numbers.values == [[0.5, "\0"], [1, "\0"]]


def test_an_infinity_breaks_the_response_after_the_write(local: Ask) -> None:
    local.execute("CREATE TABLE t (a)")
    reply = local.execute("INSERT INTO t VALUES (9e999) RETURNING a")
    assert reply.refusal == (
        500,
        "json: error calling MarshalJSON for type *http.DBResults: json: unsupported value: +Inf\n",
    )
    assert local.column("SELECT count(*) FROM t") == [1]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("300ms", 0.3), ("1.5s", 1.5), ("1h2m", 3720), ("-1µs", -1e-6), ("+.5s", 0.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", ".s", "1s1", "1 s", "1d", "9999999999h", "--1s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="^" + text[:0]):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (926e-6, "926µs"),
        (0.05, "50ms"),
        (1.5, "1.5s"),
        (3723.25, "1h2m3.25s"),
        (5e-9, "5ns"),
    ],
)
def test_durations_as_text(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
