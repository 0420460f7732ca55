"""Functions that Django's SQLite backend writes in Python: here they are SQL, with the same answers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.backends.sqlite3 import _functions as python
from django.db.utils import NotSupportedError
from hypothesis import assume, given
from hypothesis import strategies as st

from django_rqlite.functions import WAYS, template_of
from tests.django.values import Asker

TEXT = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
COUNT = st.one_of(st.none(), st.integers(-5, 20))
WHOLE = st.integers(-(2**53), 2**53)
REAL = st.floats(-1e15, 1e15, allow_subnormal=False)
NUMBER = st.one_of(st.none(), WHOLE, REAL)
EXTENSIONS = frozenset({"crypto_md5", "crypto_sha256", "regexp", "sqrt", "power", "tan", "log"})


@pytest.fixture(scope="module")
def ask() -> Iterator[Asker]:
    asker = Asker()
    yield asker
    asker.close()


def call(ask: Asker, name: str, *arguments: object) -> Any:
    """The function of plain SQL: of parameters, and of columns."""
    template = template_of(name, EXTENSIONS if name in ("MD5", "SHA256", "COT") else ())
    marks = ",".join(["%s"] * len(arguments))
    of_parameters = ask.value(template % {"expressions": marks, "distinct": ""}, arguments)
    columns = ",".join(f"{{{name}}}" for name in "abcdef"[: len(arguments)])
    sql = template % {"expressions": columns, "distinct": ""}
    assert ask.of_columns(sql, arguments) == of_parameters
    return of_parameters


@given(TEXT, COUNT, TEXT)
def test_pads(ask: Asker, text: str | None, count: int | None, fill: str | None) -> None:
    assert call(ask, "LPAD", text, count, fill) == python._sqlite_lpad(text, count, fill)
    assert call(ask, "RPAD", text, count, fill) == python._sqlite_rpad(text, count, fill)


@given(TEXT, COUNT)
def test_repeat_and_reverse(ask: Asker, text: str | None, count: int | None) -> None:
    assert call(ask, "REPEAT", text, count) == python._sqlite_repeat(text, count)
    assert call(ask, "REVERSE", text) == python._sqlite_reverse(text)


@given(NUMBER)
def test_of_one_number(ask: Asker, x: float | None) -> None:
    functions: dict[str, Callable[[Any], Any]] = {
        "CEILING": python._sqlite_ceiling,
        "FLOOR": python._sqlite_floor,
        "DEGREES": python._sqlite_degrees,
        "RADIANS": python._sqlite_radians,
    }
    for name, function in functions.items():
        assert call(ask, name, x) == function(x), name


@given(st.one_of(WHOLE, REAL), st.one_of(WHOLE, REAL))
def test_remainder(ask: Asker, x: float, y: float) -> None:
    assume(y != 0)
    assert call(ask, "MOD", x, y) == math.fmod(x, y)


def test_remainder_without_an_answer(ask: Asker) -> None:
    assert call(ask, "MOD", 5.5, 0) is None
    assert call(ask, "MOD", None, 2) is None
    assert ask.value(template_of("MOD", ()) % {"expressions": "9e999,%s"}, [2]) is None
    assert ask.value(template_of("MOD", ()) % {"expressions": "%s,9e999"}, [2.5]) == 2.5


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_bits(ask: Asker, x: int, y: int) -> None:
    assert call(ask, "BITXOR", x, y) == x ^ y


@given(st.floats(0, 1e300, allow_subnormal=False))
def test_root(ask: Asker, x: float) -> None:
    assert math.isclose(call(ask, "SQRT", x), math.sqrt(x), rel_tol=1e-15)


def test_root_of_whole_and_negative_numbers(ask: Asker) -> None:
    assert [call(ask, "SQRT", x) for x in (0, 4, 10**10, 2, -1, None)] == [
        0.0,
        2.0,
        10.0**5,
        pytest.approx(math.sqrt(2), rel=1e-15),
        None,
        None,
    ]


@given(st.lists(st.one_of(st.integers(-1000, 1000), st.floats(-1e6, 1e6)), min_size=2, max_size=8))
def test_statistics(ask: Asker, values: list[float]) -> None:
    expected = {
        "VAR_POP": statistics.pvariance,
        "VAR_SAMP": statistics.variance,
        "STDDEV_POP": statistics.pstdev,
        "STDDEV_SAMP": statistics.stdev,
    }
    for name, function in expected.items():
        for functions in ((), EXTENSIONS):
            sql = template_of(name, functions) % {"expressions": "x", "distinct": ""}
            found = ask.over_rows(sql, [*values, None])
            assert found == pytest.approx(function(values), rel=1e-9, abs=1e-9), name


@pytest.mark.parametrize("name", ["VAR_POP", "VAR_SAMP", "STDDEV_POP", "STDDEV_SAMP", "BIT_AND"])
def test_aggregates_of_nothing_are_null(ask: Asker, name: str) -> None:
    sql = template_of(name, ()) % {"expressions": "x", "distinct": ""}
    assert ask.over_rows(sql, []) is None
    assert ask.over_rows(sql, [None]) is None


def test_aggregates_of_bits(ask: Asker) -> None:
    found = [
        ask.over_rows(
            template_of(name, ()) % {"expressions": "x", "distinct": ""}, [12, None, 10, 7]
        )
        for name in ("BIT_AND", "BIT_OR", "BIT_XOR")
    ]
    assert found == [12 & 10 & 7, 12 | 10 | 7, 12 ^ 10 ^ 7]


def test_random_numbers(ask: Asker) -> None:
    found = [ask.value(WAYS["RAND"][0].template, []) for _ in range(50)]
    assert all(0 <= number < 1 for number in found)
    assert len(set(found)) == 50


def test_hashes(ask: Asker) -> None:
    for text in ("", "Köln", None):
        assert call(ask, "MD5", text) == python._sqlite_md5(text)
        assert call(ask, "SHA256", text) == python._sqlite_sha256(text)


def test_what_needs_an_extension_says_so() -> None:
    with pytest.raises(
        NotSupportedError, match=r"MD5 .*crypto_md5\(\).*-extensions-path.*'crypto'"
    ):
        template_of("MD5", ())
    with pytest.raises(NotSupportedError, match=r"LN .*ln\(\).*-extensions-path.*'math'"):
        template_of("LN", ())
