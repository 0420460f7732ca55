"""Values that have gone wrong somewhere, and declared types that have made them go wrong."""

from __future__ import annotations

import math
from typing import Any

from tests.differential.driver.choices import Chooser

Value = None | int | float | str | bytes

INTEGERS: list[Value] = [
    0,
    1,
    -1,
    2,
    10,
    2**31,
    2**53 + 1,
    -(2**53) - 1,
    2**63 - 1,
    -(2**63),
    1700000000,
]
REALS: list[Value] = [
    *(0.0, 1.0, -0.0, 0.5, 0.1, 0.1 + 0.2, -2.0, 1e15, 1e16, 1e20, 1e21, 1e22, 1e300, 1.7e308),
    *(5e-324, 2.2250738585072014e-308, 1e-6, 1e-7, 2**53 + 2.0, 9.2e18, 2.0**63, -(2.0**63), 1e19),
    *(123456789012345.67, 1 / 3, math.pi, math.inf, -math.inf),
]
TEXTS: list[Value] = [
    *(
        "",
        "a",
        "text",
        "A",
        "é",
        "日本",
        "\U0001f600",
        " ",
        "\n",
        "\t",
        '"',
        "\\",
        "'",
        "a\0b",
        "\0",
    ),
    *("1", "1.0", "-5", " 7 ", "1e3", "0x10", "9223372036854775808", "inf", "nan", "null", "true"),
    *(
        "[1]",
        '{"a":[1,2]}',
        '["41"]',
        '[["41"]]',
        "[]",
        '"x"',
        "\ufffd",
        "x\ufffdy",
        "\x7f\x01\x1f",
    ),
    *("x'6869'", "X''", " x'00' ", "x'6", "x'zz'", "\u2003x'00'\u00a0", "x'00'\n"),
    *("2024-01-02", "2024-01-02 03:04:05", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05.678+02:00"),
    *(
        "0001-01-01T00:00:00Z",
        "12:30",
        "not a date",
        "<&>\u2028\u2029",
        "?",
        ":a",
        "$1",
        "%s",
        "--",
        "/*",
    ),
    "long " * 300,
]
BLOBS: list[Value] = [
    *(
        b"",
        b"\0",
        b"\xff\xfe",
        b"a",
        b"abc",
        b"[1]",
        b"x'00'",
        b"\xef\xbf\xbd",
        b"1",
        b"41",
        b"\xc3",
    ),
    bytes(range(256)),
]
POOLS: list[list[Value]] = [[None], INTEGERS, REALS, TEXTS, BLOBS]

DECLARED = [
    *(
        "",
        "INTEGER",
        "TEXT",
        "REAL",
        "BLOB",
        "NUMERIC",
        "INT",
        "BIGINT",
        "DOUBLE PRECISION",
        "FLOAT",
    ),
    *("DOUBLE", "DECIMAL(10,2)", "BOOLEAN", "DATE", "DATETIME", "TIMESTAMP", "TIME", "VARCHAR(20)"),
    *("CLOB", "JSON", "UUID", "NCHAR(5)", "TEXT COLLATE NOCASE", "date", "datetime(6)", "ANY"),
    *(
        "timestamp with time zone",
        "STRING",
        "VARYING CHARACTER(9)",
        "Boolean",
        "TEXT NOT NULL DEFAULT 'd'",
    ),
]


def value(choose: Chooser) -> Value:
    """Any value, each storage class as often as the others."""
    kind = choose.below(6)
    if kind < 5:
        return choose.one(POOLS[kind])
    return _made_up(choose)


def _made_up(choose: Chooser) -> Value:
    kind = choose.below(4)
    if kind == 0:
        return choose.between(-(2**63), 2**63 - 1)
    if kind == 1:
        mantissa = choose.between(-(2**53), 2**53)
        return math.ldexp(mantissa, choose.between(-1074, 970))
    if kind == 2:
        return "".join(chr(choose.one(_CODES) + choose.below(16)) for _ in range(choose.below(12)))
    return bytes(choose.below(256) for _ in range(choose.below(12)))


_CODES = [0x61, 0x30, 0x20, 0x00, 0x22, 0x27, 0x50, 0x80, 0xE0, 0x2020, 0xFFF0, 0x1F600, 0xD7F0]


def literal(value: Value) -> str:
    """`value` in SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        if "\0" in value:
            return f"CAST(x'{value.encode().hex()}' AS TEXT)"
        quoted = value.replace("'", "''")
        return f"'{quoted}'"
    if isinstance(value, float) and math.isinf(value):
        return "9e999" if value > 0 else "-9e999"
    if value == -(2**63) and isinstance(value, int):
        return "(-9223372036854775807-1)"
    return repr(value)


def same(one: Any, other: Any) -> bool:
    """Whether two values are of one type and equal; -0.0, which SQLite's JSON has not, counts as 0.0."""
    return type(one) is type(other) and one == other


def shown(row: Any) -> tuple[str, ...]:
    """A row for comparing and sorting, where 1, 1.0 and '1' differ."""
    return tuple(repr(each + 0.0 if isinstance(each, float) else each) for each in row)
