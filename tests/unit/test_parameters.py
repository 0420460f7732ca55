"""Placeholders of all styles, and the values that go with them."""

from __future__ import annotations

import re
from collections import ChainMap, OrderedDict, UserDict, UserList, defaultdict, deque
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrqlite import ProgrammingError
from pyrqlite.sql.parameters import apply_templates, bind
from pyrqlite.sql.statement import parse
from pyrqlite.types import adapt


def arranged(sql: str, parameters: Any) -> list[Any]:
    """The values in the order in which SQLite numbers them."""
    return list(parse(sql).placeholders.arrange(parameters))


class Pair(NamedTuple):
    a: int
    b: int


class OwnSequence:
    """The least that can be asked for its items."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        return [7, 8][index]


class OwnMapping(Mapping[str, int]):
    """The least that can be asked by name."""

    def __getitem__(self, key: str) -> int:
        return {"a": 1, "b": 2}[key]

    def __iter__(self) -> Iterator[str]:
        return iter("ab")

    def __len__(self) -> int:
        return 2


class TestSequences:
    @pytest.mark.parametrize(
        ("sql", "parameters", "expected"),
        [
            ("SELECT 1", None, []),
            ("SELECT 1", (), []),
            ("SELECT ?, ?", (1, 2), [1, 2]),
            ("SELECT ?, ?", [1, 2], [1, 2]),
            ("SELECT ?, ?", Pair(1, 2), [1, 2]),
            ("SELECT ?, ?", range(2), [0, 1]),
            ("SELECT ?, ?", UserList([1, 2]), [1, 2]),
            ("SELECT ?, ?", deque([1, 2]), [1, 2]),
            ("SELECT ?, ?", OwnSequence(), [7, 8]),
            ("SELECT ?2, ?1", (1, 2), [1, 2]),
            ("SELECT ?1, ?1, ?", (1, 2), [1, 2]),
            ("SELECT ?3", (1, 2, 3), [1, 2, 3]),
            ("SELECT ?, ?5, ?", (1, 2, 3, 4, 5, 6), [1, 2, 3, 4, 5, 6]),
            ("SELECT :2, :1", ("a", "b"), ["b", "a"]),
            ("SELECT :1, :1, :2", ("a", "b"), ["a", "b"]),
            ("SELECT :3, :1", ("a", "b", "c"), ["c", "a"]),
            ("SELECT '?', \"?\", [?], `?`, ? -- ?", (1,), [1]),
            ("SELECT ? /* ? */, x'3f', '?''?'", (1,), [1]),
        ],
    )
    def test_fit(self, sql: str, parameters: Any, expected: list[Any]) -> None:
        assert arranged(sql, parameters) == expected

    @pytest.mark.parametrize(
        ("sql", "parameters"),
        [
            ("SELECT ?", None),
            ("SELECT ?", ()),
            ("SELECT ?", (1, 2)),
            ("SELECT 1", (1,)),
            ("SELECT ?2", (1,)),
            ("SELECT ?2", (1, 2, 3)),
            ("SELECT :1", ()),
            ("SELECT :1", (1, 2)),
            ("SELECT :2", (1,)),
            ("SELECT :0", (1,)),
            ("SELECT :0", ()),
            ("SELECT :0, :1", (5,)),
            ("SELECT :99999999999999999999", (1,)),
            ("SELECT :a", (1,)),
            ("SELECT :a", None),
            ("SELECT @a, $b", (1, 2)),
            ("SELECT ?, :a", (1, 2)),
            ("SELECT ?", "x"),
            ("SELECT ?", b"x"),
            ("SELECT ?", 5),
            ("SELECT ?", {1}),
            ("SELECT ?", iter([1])),
            ("SELECT ?", object()),
        ],
    )
    def test_do_not_fit(self, sql: str, parameters: Any) -> None:
        with pytest.raises(ProgrammingError):
            arranged(sql, parameters)

    def test_message_says_how_many(self) -> None:
        with pytest.raises(ProgrammingError, match=r"uses 2, and there are 3"):
            arranged("SELECT ?, ?", (1, 2, 3))

    @pytest.mark.parametrize("sql", ["SELECT ?0", "SELECT ?32767", "SELECT ?99999999999"])
    def test_numbers_that_sqlite_has_not(self, sql: str) -> None:
        with pytest.raises(ProgrammingError, match="32766"):
            arranged(sql, ())

    def test_highest_number(self) -> None:
        assert len(arranged("SELECT ?32766", [0] * 32766)) == 32766


class TestMappings:
    @pytest.mark.parametrize(
        "parameters",
        [
            {"a": 1, "b": 2},
            {"b": 2, "a": 1, "more": 3},
            OrderedDict(a=1, b=2),
            UserDict(a=1, b=2),
            ChainMap({"a": 1}, {"b": 2}),
            MappingProxyType({"a": 1, "b": 2}),
            defaultdict(lambda: 2, a=1),
            OwnMapping(),
        ],
    )
    def test_of_any_kind(self, parameters: Any) -> None:
        for sql in ("SELECT :a, :b, :a", "SELECT @a, @b", "SELECT $a, $b", "SELECT :a, @b"):
            assert arranged(sql, parameters) == [1, 2]

    @pytest.mark.parametrize(
        ("sql", "parameters", "expected"),
        [
            (":a, @a, $a", {"a": 1}, [1, 1, 1]),
            (":a_1, :a", {"a": 1, "a_1": 2}, [2, 1]),
            (":é, :日本", {"é": 1, "日本": 2}, [1, 2]),
            (":A, :a", {"A": 1, "a": 2}, [1, 2]),
            (":1, :x", {"1": 1, "x": 2}, [1, 2]),
            ("?1, :x", {"1": 1, "x": 2}, [1, 2]),
            (":a", {"a": None}, [None]),
            ("':a', :b -- :c", {"b": 1}, [1]),
            ("1", {}, []),
            ("1", {"a": 1}, []),
        ],
    )
    def test_names(self, sql: str, parameters: dict[str, Any], expected: list[Any]) -> None:
        assert arranged(f"SELECT {sql}", parameters) == expected

    @pytest.mark.parametrize(
        ("sql", "parameters"),
        [
            (":a", {}),
            (":a", {"b": 1}),
            (":a", {":a": 1}),
            ("?", {"a": 1}),
            ("?, :a", {"a": 1}),
            (":a, ?5", {"a": 1, "5": 2}),
            (":a", {"A": 1}),
        ],
    )
    def test_that_do_not_fit(self, sql: str, parameters: dict[str, Any]) -> None:
        with pytest.raises(ProgrammingError):
            arranged(f"SELECT {sql}", parameters)

    def test_message_names_what_is_missing(self) -> None:
        with pytest.raises(ProgrammingError, match=":b"):
            arranged("SELECT :a, :b", {"a": 1})


class TestTemplates:
    def test_stand_at_every_occurrence(self) -> None:
        statement = parse("SELECT ?1, ?2, '?1', ?1 + 1 -- ?1")
        text = apply_templates(statement.text, statement.placeholders, {1: "f({})"})
        assert text == "SELECT f(?1), ?2, '?1', f(?1) + 1"

    def test_none(self) -> None:
        statement = parse("SELECT ?, {}, '{0}'")
        assert apply_templates(statement.text, statement.placeholders, {}) == statement.text

    @given(st.text(st.sampled_from("xX'6h0 \t\n\u00a0\u2003a"), max_size=12))
    def test_every_text_that_the_server_takes_for_a_blob_has_one(self, text: str) -> None:
        taken = re.fullmatch(r"[xX]'(?:[0-9a-fA-F]{2})*'", text.strip()) is not None
        assert bool(bind([text], adapt).templates) == taken

    @given(
        st.lists(
            st.sampled_from([None, 1, 1.5, "a", b"b", "x'00'", float("inf"), -float("inf"), True]),
            min_size=1,
            max_size=8,
        )
    )
    def test_number_of_values_never_changes(self, values: list[Any]) -> None:
        bound = bind(values, adapt)
        assert len(bound.values) == len(values)
        assert set(bound.templates) == {
            number
            for number, value in enumerate(values, 1)
            if value == "x'00'" or value in (float("inf"), -float("inf"))
        }
