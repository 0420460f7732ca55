"""PEP 249's constructors and type objects, adapters, converters."""

from __future__ import annotations

import datetime
import decimal
import enum
import itertools
import sqlite3
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

import pyrqlite
from pyrqlite import types
from pyrqlite.flow.steps import Response
from pyrqlite.types import adapt, column_name, convert, converter_for
from tests.unit.local_node import LocalNode
from tests.unit.nodes import attempts


@pytest.fixture(autouse=True)
def _registries_as_before() -> Iterator[None]:
    adapters, converters = dict(types.adapters), dict(types.converters)
    yield
    types.adapters.clear()
    types.adapters.update(adapters)
    types.converters.clear()
    types.converters.update(converters)


class Colour(str, enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Real(float):
    pass


class Bytes(bytes):
    pass


class Conforms:
    def __init__(self, result: object) -> None:
        self.result = result

    def __conform__(self, protocol: object) -> object:
        return self.result if protocol is pyrqlite.PrepareProtocol else None


class TestAdapt:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (None, None),
            (5, 5),
            (True, 1),
            (False, 0),
            (1.5, 1.5),
            ("x", "x"),
            (b"x", b"x"),
            (bytearray(b"x"), b"x"),
            (memoryview(b"xyz")[1:], b"yz"),
            (memoryview(b"abcdef")[::2], b"ace"),
            (Colour.RED, "red"),
            (Level.HIGH, 3),
            (Real(2.5), 2.5),
            (Bytes(b"q"), b"q"),
            (datetime.date(2024, 1, 2), "2024-01-02"),
            (datetime.datetime(2024, 1, 2, 3, 4, 5), "2024-01-02 03:04:05"),
            (datetime.datetime(2024, 1, 2, 3, 4, 5, 60), "2024-01-02 03:04:05.000060"),
            (
                datetime.datetime(
                    2024, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2))
                ),
                "2024-01-02 00:00:00+02:00",
            ),
            (datetime.time(1, 2, 3), "01:02:03"),
            (decimal.Decimal("1.50"), "1.50"),
            (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (Conforms("c"), "c"),
            (Conforms(b"c"), b"c"),
        ],
    )
    def test_to_what_sqlite_has(self, value: object, expected: object) -> None:
        found = adapt(value)
        assert (found, type(found)) == (expected, type(expected))

    @pytest.mark.parametrize(
        "value",
        [
            object(),
            (1,),
            [1],
            {"a": 1},
            {1},
            1j,
            datetime.timedelta(1),
            Conforms(None),
            Conforms([1]),
        ],
    )
    def test_what_cannot_be_adapted(self, value: object) -> None:
        with pytest.raises(pyrqlite.ProgrammingError, match="register_adapter"):
            adapt(value)

    def test_registered_for_exactly_one_type(self) -> None:
        class Base:
            pass

        class Derived(Base):
            pass

        pyrqlite.register_adapter(Base, lambda value: "base")
        assert adapt(Base()) == "base"
        with pytest.raises(pyrqlite.ProgrammingError):
            adapt(Derived())

    def test_registered_goes_before_conform(self) -> None:
        pyrqlite.register_adapter(Conforms, lambda value: "registered")
        assert adapt(Conforms("conformed")) == "registered"

    def test_registered_replaces_the_drivers(self) -> None:
        pyrqlite.register_adapter(datetime.date, lambda value: value.toordinal())
        assert adapt(datetime.date(1, 1, 3)) == 3

    def test_its_own_errors_come_through(self) -> None:
        pyrqlite.register_adapter(complex, lambda value: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            adapt(1j)

    @pytest.mark.parametrize("kind", [int, float, str, bytes, bool])
    def test_of_basic_types(self, kind: type) -> None:
        """As in sqlite3, where an adapter for a basic type switches its short cut off."""
        pyrqlite.register_adapter(kind, lambda value: "adapted")
        local = LocalNode()
        connection = pyrqlite.connect(host="h", autocommit=True, retry=attempts(1))
        connection.session.cluster.transport = LocalTransport(local)
        try:
            assert connection.execute("SELECT ?", (kind(),)).fetchone() == ("adapted",)
        finally:
            connection.close()


class LocalTransport:
    """A transport to a local node."""

    def __init__(self, local: LocalNode) -> None:
        self._local = local

    def send(self, node: Any, request: Any) -> Any:
        reply = self._local(node, request)
        return Response(reply.status, reply.headers, reply.body, node)

    def close(self) -> None:
        """Nothing is open."""


class TestConverters:
    @pytest.mark.parametrize(
        ("name", "declared", "detect", "expected"),
        [
            ("a", "thing", pyrqlite.PARSE_DECLTYPES, "thing"),
            ("a", "thing(10)", pyrqlite.PARSE_DECLTYPES, "thing"),
            ("a", "thing with more", pyrqlite.PARSE_DECLTYPES, "thing"),
            ("a", "THING", pyrqlite.PARSE_DECLTYPES, "thing"),
            ("a", "things", pyrqlite.PARSE_DECLTYPES, None),
            ("a", "", pyrqlite.PARSE_DECLTYPES, None),
            ("a", "thing", 0, None),
            ("a", "thing", pyrqlite.PARSE_COLNAMES, None),
            ("a [other]", "thing", pyrqlite.PARSE_COLNAMES, "other"),
            ("a [OTHER]", "", pyrqlite.PARSE_COLNAMES, "other"),
            ("a[other]", "", pyrqlite.PARSE_COLNAMES, "other"),
            ("a [other]", "thing", pyrqlite.PARSE_DECLTYPES, "thing"),
            ("a [other]", "thing", 3, "other"),
            ("a [unknown]", "thing", 3, "thing"),
            ("a [", "thing", 3, "thing"),
        ],
    )
    def test_choice(self, name: str, declared: str, detect: int, expected: str | None) -> None:
        pyrqlite.register_converter("thing", lambda value: "thing")
        pyrqlite.register_converter("Other", lambda value: "other")
        found = converter_for(name, declared, detect)
        assert (None if found is None else found(b"")) == expected

    @pytest.mark.parametrize(
        ("name", "detect", "expected"),
        [
            ("a [x]", pyrqlite.PARSE_COLNAMES, "a"),
            ("a [x]", 0, "a [x]"),
            ("a [x]", pyrqlite.PARSE_DECLTYPES, "a [x]"),
            ("a b", pyrqlite.PARSE_COLNAMES, "a b"),
            ("[x]", pyrqlite.PARSE_COLNAMES, ""),
        ],
    )
    def test_names(self, name: str, detect: int, expected: str) -> None:
        assert column_name(name, detect) == expected

    @pytest.mark.parametrize(
        ("value", "given"),
        [("é", "é".encode()), (b"\xff", b"\xff"), (5, b"5"), (-7, b"-7"), (0.5, b"0.5"), ("", b"")],
    )
    def test_are_given_bytes(self, value: Any, given: bytes) -> None:
        assert convert(value, lambda data: data) == given

    def test_null_is_not_converted(self) -> None:
        assert convert(None, lambda data: 1 // 0) is None

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2024-01-02 03:04:05", datetime.datetime(2024, 1, 2, 3, 4, 5)),
            ("2024-01-02T03:04:05", datetime.datetime(2024, 1, 2, 3, 4, 5)),
            ("2024-01-02 03:04:05.1", datetime.datetime(2024, 1, 2, 3, 4, 5, 100000)),
            ("2024-01-02 03:04:05.123", datetime.datetime(2024, 1, 2, 3, 4, 5, 123000)),
            ("2024-01-02 03:04:05.1234567", datetime.datetime(2024, 1, 2, 3, 4, 5, 123456)),
            ("2024-01-02 03:04:05Z", datetime.datetime(2024, 1, 2, 3, 4, 5)),
            (
                "2024-01-02 03:04:05.5+02:00",
                datetime.datetime(
                    2024, 1, 2, 3, 4, 5, 500000, datetime.timezone(datetime.timedelta(hours=2))
                ),
            ),
            ("2024-01-02", datetime.datetime(2024, 1, 2)),
        ],
    )
    def test_timestamps(self, text: str, expected: datetime.datetime) -> None:
        assert types.converters["TIMESTAMP"](text.encode()) == expected

    def test_dates(self) -> None:
        assert types.converters["DATE"](b"2024-01-02") == datetime.date(2024, 1, 2)

    def test_by_a_connection(self) -> None:
        pyrqlite.register_converter("point", lambda data: tuple(map(int, data.split(b";"))))
        local = LocalNode(
            "CREATE TABLE t (id INTEGER, p point, d date)",
            "INSERT INTO t VALUES (1, '1;2', '2024-01-02'), (2, NULL, NULL), (3, x'313b32', '2024-01-03')",
        )
        connection = pyrqlite.connect(host="h", detect_types=3, autocommit=True, retry=attempts(1))
        connection.session.cluster.transport = LocalTransport(local)
        try:
            for _ in range(3):
                cursor = connection.execute("SELECT id, p, d FROM t")
                assert cursor.fetchall() == [
                    (1, (1, 2), datetime.date(2024, 1, 2)),
                    (2, None, None),
                    (3, (1, 2), datetime.date(2024, 1, 3)),
                ]
                cursor = connection.execute(
                    'SELECT \'3;4\' AS "x [point]", p AS "y [z]" FROM t LIMIT 1'
                )
                assert cursor.fetchone() == ((3, 4), (1, 2))
                assert [column[0] for column in cursor.description or ()] == ["x", "y"]
        finally:
            connection.close()


DECLARED = {
    "STRING": ["text", "varchar(20)", "nchar(5)", "clob", "json", "uuid", "character varying"],
    "BINARY": ["blob", "varbinary(5)"],
    "NUMBER": [
        "integer",
        "int",
        "bigint",
        "real",
        "double precision",
        "numeric",
        "decimal(10,2)",
        "boolean",
    ],
    "DATETIME": ["date", "datetime", "timestamp", "time", "timestamp with time zone"],
    "ROWID": ["integer"],
}


class TestTypeObjects:
    @pytest.mark.parametrize("name", DECLARED)
    def test_equal_their_declared_types(self, name: str) -> None:
        kind = getattr(pyrqlite, name)
        for declared in DECLARED[name]:
            assert kind == declared
            assert declared == kind
            assert kind == declared.upper()
        assert kind != None  # noqa: E711  (the comparison is what is tested)
        assert kind != ""
        assert kind != 5

    def test_differ_from_each_other(self) -> None:
        kinds = [getattr(pyrqlite, name) for name in DECLARED]
        assert all(
            (one == other) == (one is other) for one, other in itertools.product(kinds, repeat=2)
        )
        assert len({hash(kind) for kind in kinds}) == len(kinds)
        assert len(set(map(repr, kinds))) == len(kinds)

    def test_tell_declared_types_apart(self) -> None:
        for name, declared in DECLARED.items():
            others = set(DECLARED) - {name, "ROWID", "NUMBER"}
            if name in ("NUMBER", "ROWID"):
                continue
            assert not [
                (text, other)
                for text in declared
                for other in others
                if getattr(pyrqlite, other) == text
            ]


class TestConstructors:
    def test_pep249(self) -> None:
        assert pyrqlite.Date(2024, 1, 2) == datetime.date(2024, 1, 2)
        assert pyrqlite.Time(1, 2, 3) == datetime.time(1, 2, 3)
        assert pyrqlite.Timestamp(2024, 1, 2, 3, 4, 5) == datetime.datetime(2024, 1, 2, 3, 4, 5)
        assert pyrqlite.Binary(b"x") == b"x"
        with pytest.raises(TypeError):
            pyrqlite.Binary("x")  # type: ignore[arg-type]

    def test_from_ticks(self) -> None:
        ticks = time.mktime((2024, 7, 2, 3, 4, 5, 0, 0, -1))
        assert pyrqlite.DateFromTicks(ticks) == datetime.date(2024, 7, 2)
        assert pyrqlite.TimeFromTicks(ticks) == datetime.time(3, 4, 5)
        assert pyrqlite.TimestampFromTicks(ticks) == datetime.datetime(2024, 7, 2, 3, 4, 5)
        assert pyrqlite.TimestampFromTicks(ticks) == sqlite3.TimestampFromTicks(ticks)
