"""Many rows are few requests."""

from __future__ import annotations

import pandas
import pytest
from sqlalchemy import Engine, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.orm import Session

from tests.dialect.counting import requests
from tests.dialect.models import Author, Base, Book

MANY = 10_000


@pytest.fixture
def filled(engine: Engine) -> Engine:
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Author).values(id=1, name="ann"))
    return engine


def rows(count: int) -> list[dict[str, object]]:
    return [{"title": f"b{n}", "price": n / 2, "author_id": 1} for n in range(count)]


def check(engine: Engine, count: int) -> None:
    with engine.connect() as connection:
        seen = connection.execute(
            select(func.count(), func.count(Book.title.distinct()), func.sum(Book.price))
        ).one()
    assert tuple(seen) == (count, count, count * (count - 1) / 4)


def test_add_all(filled: Engine) -> None:
    books = [Book(**row) for row in rows(MANY)]
    with requests(filled) as sent, Session(filled) as session:
        session.add_all(books)
        session.flush()
        assert [book.id for book in books] == list(range(1, MANY + 1))
        session.commit()
    assert len(sent) < 20
    check(filled, MANY)
    with Session(filled) as session:
        assert [session.get_one(Book, book).title for book in (1, 5000, MANY)] == [
            "b0",
            "b4999",
            "b9999",
        ]


def test_add_all_with_children(filled: Engine) -> None:
    with requests(filled) as sent, Session(filled) as session:
        session.add_all(
            [
                Author(name=f"a{a}", books=[Book(title=f"{a}.{b}") for b in range(3)])
                for a in range(1000)
            ]
        )
        session.commit()
    assert len(sent) < 20
    with Session(filled) as session:
        for author in session.scalars(select(Author).where(Author.name.in_(["a7", "a999"]))):
            assert [book.title for book in author.books] == [
                f"{author.name[1:]}.{b}" for b in range(3)
            ]


def test_core_executemany(filled: Engine) -> None:
    with requests(filled) as sent, filled.begin() as connection:
        result = connection.execute(insert(Book), rows(MANY))
        assert result.rowcount == MANY
    assert len(sent) < 10
    check(filled, MANY)


def test_values(filled: Engine) -> None:
    with requests(filled) as sent, filled.begin() as connection:
        connection.execute(insert(Book).values(rows(MANY)))
    assert len(sent) < 10
    check(filled, MANY)


def test_bulk_insert_mappings(filled: Engine) -> None:
    with requests(filled) as sent, Session(filled) as session:
        session.bulk_insert_mappings(Book.__mapper__, rows(MANY))
        session.commit()
    assert len(sent) < 10
    check(filled, MANY)


def test_bulk_save_objects(filled: Engine) -> None:
    with requests(filled) as sent, Session(filled) as session:
        session.bulk_save_objects([Book(**row) for row in rows(MANY)])
        session.commit()
    assert len(sent) < 10
    check(filled, MANY)


def test_returning_of_many(filled: Engine) -> None:
    with requests(filled) as sent, filled.begin() as connection:
        found = connection.execute(
            insert(Book).returning(Book.id, Book.title, sort_by_parameter_order=True), rows(MANY)
        ).all()
    assert len(sent) < 20
    assert [tuple(row) for row in found] == [(n + 1, f"b{n}") for n in range(MANY)]


def test_updates_of_many(filled: Engine) -> None:
    with Session(filled, expire_on_commit=False) as session:
        session.bulk_insert_mappings(Book.__mapper__, rows(500))
        session.commit()
        books = session.scalars(select(Book)).all()
        for book in books:
            book.title += "!"
        with requests(filled) as sent:
            session.commit()
        assert len(sent) < 10
        assert session.scalar(select(func.count()).where(Book.title.endswith("!"))) == 500
        for book in books[:300]:
            session.delete(book)
        with requests(filled) as sent:
            session.commit()
        assert len(sent) < 10
        assert session.scalar(select(func.count(Book.id))) == 200


def test_counts_of_many(filled: Engine) -> None:
    with filled.begin() as connection:
        connection.execute(insert(Book), rows(10))
        assert filled.dialect.supports_sane_multi_rowcount
        cheaper = update(Book).where(Book.id < bindparam("below")).values(price=bindparam("now"))
        parameters = [{"below": 4, "now": 1}, {"below": 3, "now": 2}, {"below": 0, "now": 3}]
        assert connection.execute(cheaper, parameters).rowcount == 5
        assert connection.execute(delete(Book).where(Book.id > 7)).rowcount == 3


def test_upsert_of_many(filled: Engine) -> None:
    statement = upsert(Author)
    statement = statement.on_conflict_do_update(
        index_elements=[Author.name], set_={"name": statement.excluded.name + "!"}
    )
    with requests(filled) as sent, filled.begin() as connection:
        connection.execute(statement, [{"name": name} for name in ("ann", "bob", "cy")])
        found = connection.execute(
            statement.returning(Author.id, Author.name), [{"name": "bob"}, {"name": "dan"}]
        ).all()
    assert len(sent) < 10
    assert sorted(name for _, name in found) == ["bob!", "dan"]


def test_pandas_round_trip(filled: Engine) -> None:
    frame = pandas.DataFrame(
        {
            "name": [f"n{n}" for n in range(MANY)],
            "x": [n / 3 for n in range(MANY)],
            "n": range(MANY),
            "at": pandas.date_range("2026-01-01", periods=MANY, freq="min"),
        }
    )
    with requests(filled) as sent:
        frame.to_sql("frame", filled, index=False)
    assert len(sent) < 20
    with requests(filled) as sent:
        back = pandas.read_sql_table("frame", filled)
    assert len(sent) < 40
    pandas.testing.assert_frame_equal(back, frame, check_dtype=False)


@pytest.mark.parametrize("method", [None, "multi"])
def test_pandas_methods(filled: Engine, method: str | None) -> None:
    frame = pandas.DataFrame({"a": [1, 2, None], "b": ["x", None, "z"]})
    with requests(filled) as sent:
        frame.to_sql("frame", filled, index=False, method=method, if_exists="replace")
    assert len(sent) < 20
    back = pandas.read_sql("SELECT * FROM frame", filled)
    pandas.testing.assert_frame_equal(back, frame, check_dtype=False)
