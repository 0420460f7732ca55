"""JSON by orjson and by the standard library: the same values, and the same errors."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyrqlite.wire.json as fast


def _standard() -> ModuleType:
    """The same module as it is where there is no orjson."""
    spec = importlib.util.find_spec("pyrqlite.wire.json")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    present = sys.modules.get("orjson")
    sys.modules["orjson"] = None  # type: ignore[assignment]
    try:
        spec.loader.exec_module(module)
    finally:
        if present is None:
            del sys.modules["orjson"]
        else:
            sys.modules["orjson"] = present
    return module


STANDARD = _standard()
each_way = pytest.mark.parametrize("module", [fast, STANDARD], ids=["orjson", "standard library"])


def test_there_are_two() -> None:
    assert vars(STANDARD)["orjson"] is None
    assert vars(fast)["orjson"] is not None


def same(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return isinstance(other, float) and (one, math.copysign(1, one)) == (
            other,
            math.copysign(1, other),
        )
    return type(one) is type(other) and bool(one == other)


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)


@given(st.lists(VALUES | st.lists(VALUES)))
def test_what_goes_out_means_the_same(values: list[Any]) -> None:
    bodies = [fast.dumps(values), STANDARD.dumps(values)]
    for body in bodies:
        for read in (fast.loads, STANDARD.loads, json.loads):
            assert same(read(body), values)
            assert same(read(body.decode()), values)


@each_way
class TestEachWay:
    def test_compact(self, module: ModuleType) -> None:
        assert (
            module.dumps(["a", ["b", 1, None, True, "ä\u2028"]])
            == '["a",["b",1,null,true,"ä\u2028"]]'.encode()
        )

    def test_whole_reals_keep_their_point(self, module: ModuleType) -> None:
        for number in (1.0, -0.0, 1e15, 1e16, 1e22, 1e300, 2.0**63):
            text = module.dumps([number]).decode()
            assert not text.strip("[]-").isdigit(), text

    def test_control_characters_are_escaped(self, module: ModuleType) -> None:
        text = "".join(map(chr, range(0x20))) + '"\\\x7f'
        body = module.dumps(text)
        assert all(byte >= 0x20 for byte in body)
        assert json.loads(body) == text

    @pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc00\ud800"])
    def test_lone_surrogates(self, module: ModuleType, text: str) -> None:
        with pytest.raises(UnicodeEncodeError):
            module.dumps([text])

    @pytest.mark.parametrize("value", [object(), {1, 2}, b"x", 1j])
    def test_values_that_json_has_not(self, module: ModuleType, value: object) -> None:
        with pytest.raises(TypeError):
            module.dumps([value])

    def test_sqlites_infinities(self, module: ModuleType) -> None:
        assert module.loads("[9.0e+999,-9.0e+999,9e999]") == [math.inf, -math.inf, math.inf]
        assert module.loads(b'{"a":[1,9.0e+999,"x"]}') == {"a": [1, math.inf, "x"]}

    def test_large_integers_stay_whole_or_are_the_nearest_real(self, module: ModuleType) -> None:
        assert module.loads("[9223372036854775807,-9223372036854775808]") == [2**63 - 1, -(2**63)]
        assert float(module.loads("[100000000000000000000]")[0]) == 1e20
        assert float(module.loads("[9223372036854775808]")[0]) == 2.0**63

    def test_numbers_to_the_last_bit(self, module: ModuleType) -> None:
        texts = [
            "0.1",
            "0.30000000000000004",
            "5e-324",
            "1.7976931348623157e308",
            "2.2250738585072011e-308",
        ]
        texts += ["9007199254740993", "123456789012345678", "0.1000000000000000055511151231257827"]
        assert module.loads(f"[{','.join(texts)}]") == [json.loads(text) for text in texts]

    @pytest.mark.parametrize(
        "text", ["", "{", "[1,]", "nope", "[1] x", "'a'", b"\xff", b'["\xff"]']
    )
    def test_what_is_no_json(self, module: ModuleType, text: str | bytes) -> None:
        with pytest.raises(ValueError, match=r".*"):
            module.loads(text)

    def test_what_is_nested_deeper_than_python_reads(self, module: ModuleType) -> None:
        with pytest.raises(ValueError, match="nested too deeply"):
            module.loads("[" * 100_000)
