"""What is stored comes back, by each of SQLAlchemy's types."""

from __future__ import annotations

import datetime as dt
import enum
import math
import uuid
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Column, Engine, MetaData, Table, func, insert, select, text
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError, NotSupportedError, ProgrammingError, StatementError
from sqlalchemy.orm import Session

from tests.dialect.conftest import MakeEngine
from tests.dialect.models import Author, Base, Book


class Colour(enum.Enum):
    """For the Enum type."""

    RED = "r"
    GREEN = "g"


BERLIN = dt.timezone(dt.timedelta(hours=1))
STORED = [
    (sa.Integer, -(2**63)),
    (sa.BigInteger, 2**63 - 1),
    (sa.SmallInteger, 0),
    (sa.Float, 0.1 + 0.2),
    (sa.Float, 1.0),
    (sa.Float, math.inf),
    (sa.Float, -math.inf),
    (sa.Float, 5e-324),
    (sa.Double, 1.7976931348623157e308),
    (sa.Numeric(12, 2), Decimal("1234567890.12")),
    (sa.String(5), "longer than five"),
    (sa.Text, ""),
    (sa.Text, "a\x00b"),
    (sa.Text, "x'00'"),
    (sa.Text, "2026-11-23 12:00:00"),
    (sa.Unicode, "\U0001f600 äß\u202e 'quoted' \"double\" \\ % :name ?"),
    (sa.Text, "long " * 200_000),
    (sa.LargeBinary, b""),
    (sa.LargeBinary, bytes(range(256))),
    (sa.LargeBinary, b"\xff" * 1_000_000),
    (sa.Boolean, True),
    (sa.Boolean, False),
    (sa.Date, dt.date(1, 1, 1)),
    (sa.Date, dt.date(9999, 12, 31)),
    (sa.Time, dt.time(23, 59, 59, 999999)),
    (sa.DateTime, dt.datetime(2026, 11, 23, 12, 0, 0, 1)),
    (sa.DateTime, dt.datetime(1, 1, 1)),
    (sa.TIMESTAMP, dt.datetime(2026, 11, 23, 12)),
    (sa.Interval, dt.timedelta(days=400, microseconds=1)),
    (sa.Uuid, uuid.UUID(int=5)),
    (sa.Uuid(native_uuid=False), uuid.UUID(int=2**128 - 1)),
    (sa.Enum(Colour), Colour.GREEN),
    (sa.JSON, {"a": [1, 2.5, None, "ü", {"b": True}]}),
    (sa.JSON, None),
    (sa.JSON, "text"),
    (sa.JSON, 2**60),
    (sa.PickleType, {"a": (1, b"2")}),
]


@pytest.mark.parametrize(("kind", "value"), STORED, ids=lambda value: repr(value)[:40])
def test_round_trip(engine: Engine, kind: Any, value: Any) -> None:
    table = Table("t", MetaData(), Column("id", sa.Integer, primary_key=True), Column("v", kind))
    table.create(engine)
    with engine.connect() as connection:
        returned = connection.scalar(insert(table).returning(table.c.v), {"v": value})
        connection.execute(insert(table), [{"v": value}, {"v": value}])
        many = connection.scalars(insert(table).returning(table.c.v), [{"v": value}] * 2).all()
        before = connection.scalars(select(table.c.v)).all()
        connection.commit()
        after = connection.scalars(select(table.c.v)).all()
    assert [returned, *many, *before, *after] == [value] * 13
    assert {type(found) for found in after} == {type(value)}


def test_reads_of_what_others_wrote(engine: Engine) -> None:
    table = Table("t", MetaData(), Column("at", sa.DateTime), Column("on", sa.Date))
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(text("INSERT INTO t VALUES ('2026-11-23T12:00:00', '2026-11-23')"))
        assert tuple(connection.execute(select(table)).one()) == (
            dt.datetime(2026, 11, 23, 12),
            dt.date(2026, 11, 23),
        )


@pytest.mark.parametrize("query", ["?detect_types=3", "?detect_types=1"])
def test_dates_of_the_driver(make_engine: MakeEngine, query: str) -> None:
    engine = make_engine(query)
    table = Table(
        "t", MetaData(), Column("d", sa.Date), Column("t", sa.TIMESTAMP), Column("dt", sa.DateTime)
    )
    values = (dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, 3, 4, 5), dt.datetime(2026, 1, 2))
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(insert(table).values(values))
        assert tuple(connection.execute(select(table)).one()) == values


def test_too_large_integers(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises((OverflowError, StatementError)):
        connection.execute(select(sa.literal(2**63)))


def test_nan_is_null_as_in_sqlite(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(DBAPIError):
        connection.execute(select(sa.literal(math.nan)))


class TestJSON:
    @pytest.fixture
    def table(self, engine: Engine) -> Table:
        table = Table(
            "doc", MetaData(), Column("id", sa.Integer, primary_key=True), Column("d", sa.JSON)
        )
        table.create(engine)
        with engine.begin() as connection:
            connection.execute(
                insert(table),
                [{"d": {"n": n, "tags": ["a", n], "deep": {"x": str(n)}}} for n in range(3)],
            )
        return table

    def test_paths(self, engine: Engine, table: Table) -> None:
        with engine.connect() as connection:
            assert connection.scalars(
                select(table.c.id).where(table.c.d["n"].as_integer() >= 1)
            ).all() == [2, 3]
            assert connection.scalars(
                select(table.c.d[("deep", "x")].as_string()).order_by(table.c.id)
            ).all() == ["0", "1", "2"]
            assert connection.scalars(select(table.c.d["tags"]).order_by(table.c.id)).all() == [
                ["a", 0],
                ["a", 1],
                ["a", 2],
            ]


class TestUpsert:
    def test_on_conflict(self, engine: Engine) -> None:
        Base.metadata.create_all(engine)
        statement = upsert(Author).values(name="ann")
        with engine.begin() as connection:
            connection.execute(statement)
            ignored = connection.execute(statement.on_conflict_do_nothing())
            assert ignored.rowcount == 0
            updated = connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["name"], set_={"name": "zoe"}
                ).returning(Author.id, Author.name)
            ).all()
        assert [tuple(row) for row in updated] == [(1, "zoe")]

    def test_in_a_session(self, engine: Engine) -> None:
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            found = session.scalars(
                insert(Author).returning(Author, sort_by_parameter_order=True),
                [{"name": "ann"}, {"name": "bob"}],
            ).all()
            assert [(author.id, author.name) for author in found] == [(1, "ann"), (2, "bob")]


class TestKeys:
    def test_lastrowid_and_inserted_primary_key(self, engine: Engine) -> None:
        Base.metadata.create_all(engine)
        with engine.begin() as connection:
            result = connection.execute(insert(Author).values(name="ann"))
            assert (result.lastrowid, result.inserted_primary_key, result.rowcount) == (1, (1,), 1)
            result = connection.execute(insert(Author).values(id=7, name="bob"))
            assert result.inserted_primary_key == (7,)
            connection.execute(insert(Book).values(title="t", author_id=1))
            assert connection.execute(sa.update(Book).values(price=2)).rowcount == 1
            assert connection.execute(sa.delete(Author).where(Author.id == 99)).rowcount == 0

    def test_autoincrement_never_gives_a_key_twice(self, engine: Engine) -> None:
        table = Table(
            "t", MetaData(), Column("id", sa.Integer, primary_key=True), sqlite_autoincrement=True
        )
        table.create(engine)
        with engine.begin() as connection:
            for key in (1, 2):
                assert connection.execute(insert(table)).inserted_primary_key == (key,)
                connection.execute(sa.delete(table))

    def test_uuid_keys(self, engine: Engine) -> None:
        table = Table(
            "t",
            MetaData(),
            Column("id", sa.Uuid, primary_key=True, default=uuid.uuid4),
            Column("n", sa.Integer),
        )
        table.create(engine)
        with engine.begin() as connection:
            connection.execute(insert(table), [{"n": n} for n in range(100)])
            assert connection.scalar(select(func.count(table.c.id.distinct()))) == 100


class TestFunctions:
    def test_missing_ones_name_the_flag(self, engine: Engine) -> None:
        with engine.connect() as connection:
            with pytest.raises(NotSupportedError, match="-extensions-path"):
                connection.execute(select(sa.literal("x").regexp_match("y")))
            with pytest.raises(ProgrammingError, match="-extensions-path"):
                connection.execute(select(func.sqrt(4)))

    @pytest.mark.parametrize(
        ("left", "right"), [(7.5, 2), (-7.5, 2), (7, 2.5), (-4.0, 2), (0.0, 3), (1e15, 0.5)]
    )
    def test_floor_division(self, engine: Engine, left: float, right: float) -> None:
        with engine.connect() as connection:
            quotient = sa.literal(left, sa.Float) // sa.literal(right, sa.Float)
            assert connection.scalar(select(quotient)) == left // right
            assert connection.scalar(select(sa.literal(-7) // sa.literal(2))) == -3  # as in SQLite

    def test_now_and_random_are_frozen(self, engine: Engine) -> None:
        table = Table("t", MetaData(), Column("at", sa.DateTime), Column("n", sa.BigInteger))
        with engine.begin() as connection:
            table.create(connection)
            row = connection.execute(
                insert(table).values(at=func.now(), n=func.random()).returning(*table.c)
            ).one()
            assert connection.execute(select(table)).one() == row
        with engine.connect() as connection:
            assert connection.execute(select(table)).one() == row
