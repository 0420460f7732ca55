"""What well-meaning tests leave out."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
import sqlalchemy as sa
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    Table,
    case,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError, IntegrityError, InvalidRequestError, OperationalError
from sqlalchemy.orm import Session, aliased, selectinload, sessionmaker, subqueryload
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.pool import NullPool, SingletonThreadPool, StaticPool

import pyrqlite
from sqlalchemy_rqlite import run_transaction
from tests.dialect.conftest import MakeEngine
from tests.dialect.models import Author, Base, Book


@pytest.fixture
def filled(engine: Engine) -> Engine:
    Base.metadata.create_all(engine)
    return engine


class TestKeysOfManyRows:
    def test_largest_key_is_in_use(self, filled: Engine) -> None:
        for level in ("AUTOCOMMIT", "SERIALIZABLE"):
            with Session(filled.execution_options(isolation_level=level)) as session:
                session.merge(Author(id=2**63 - 1, name="last"))
                session.commit()
                session.add_all([Author(name=f"{level}{n}") for n in range(10)])
                with pytest.raises(InvalidRequestError, match="do not ascend"):
                    session.flush()
                session.rollback()

    def test_gaps_and_given_keys(self, filled: Engine) -> None:
        with Session(filled) as session:
            session.add_all([Author(id=50, name="x"), *(Author(name=f"n{n}") for n in range(9))])
            session.flush()
            session.execute(delete(Author).where(Author.id == 55))
            more = [Author(name=f"m{n}") for n in range(9)]
            session.add_all(more)
            session.commit()
            for author in more:
                assert (
                    session.scalar(select(Author.id).where(Author.name == author.name)) == author.id
                )

    def test_upsert_in_the_order_of_its_parameters(self, filled: Engine) -> None:
        upserted = upsert(Author)
        statement = upserted.on_conflict_do_update(
            index_elements=["name"], set_={"name": upserted.excluded.name}
        ).returning(Author.id, Author.name, sort_by_parameter_order=True)
        with filled.begin() as connection:
            connection.execute(insert(Author), [{"name": "ann"}, {"name": "bob"}])
            rows = connection.execute(statement, [{"name": n} for n in ("zoe", "bob", "ann")]).all()
        assert [tuple(row) for row in rows] == [(3, "zoe"), (2, "bob"), (1, "ann")]

    def test_triggers_that_insert_into_the_same_table(self, filled: Engine) -> None:
        with filled.begin() as connection:
            connection.execute(
                text(
                    "CREATE TRIGGER twin AFTER INSERT ON author WHEN new.name NOT LIKE '%twin' BEGIN "
                    "INSERT INTO author (name) VALUES (new.name || 'twin'); END"
                )
            )
        with Session(filled) as session:
            authors = [Author(name=f"n{n}") for n in range(20)]
            session.add_all(authors)
            session.commit()
            for author in authors:
                assert (
                    session.scalar(select(Author.name).where(Author.id == author.id)) == author.name
                )


class TestNames:
    NAMES = (
        "select",
        "a b",
        'quo"te',
        "per%cent",
        "co:lon",
        "?",
        "ü\U0001f600",
        "x'00'",
        "c.d",
        "[b]",
    )

    def test_odd_columns_and_tables(self, engine: Engine) -> None:
        for name in self.NAMES:
            table = Table(
                name,
                MetaData(),
                Column("id", sa.Integer, primary_key=True),
                *(Column(n, sa.Text) for n in self.NAMES),
            )
            with engine.begin() as connection:
                table.create(connection)
                values = dict.fromkeys(self.NAMES, name)
                key = connection.execute(insert(table), values).inserted_primary_key
                connection.execute(insert(table), [values, values])
                rows = connection.execute(
                    update(table)
                    .values({table.c[name]: name * 2})
                    .where(table.c[name] == name)
                    .returning(table.c[name])
                ).all()
                assert (key, [tuple(row) for row in rows]) == ((1,), [(name * 2,)] * 3)
            reflected = Table(name, MetaData(), autoload_with=engine)
            assert [column.name for column in reflected.columns] == ["id", *self.NAMES]

    def test_many_columns(self, engine: Engine) -> None:
        table = Table(
            "wide",
            MetaData(),
            Column("id", sa.Integer, primary_key=True),
            *(Column(f"c{n}", sa.Integer) for n in range(300)),
        )
        table.create(engine)
        with engine.begin() as connection:
            row = {f"c{n}": n for n in range(300)}
            returned = connection.execute(insert(table).returning(*table.c), [row] * 100).all()
            connection.execute(insert(table), [row] * 100)
            stored = connection.execute(select(table)).all()
        assert len(stored) == 200
        assert {tuple(found)[1:] for found in [*returned, *stored]} == {tuple(range(300))}


class TestSavepoints:
    def test_deeply_nested_with_failures(self, filled: Engine) -> None:
        with Session(filled) as session:

            def descend(depth: int) -> None:
                if depth == 15:
                    return
                with session.begin_nested() as savepoint:
                    session.add(Author(name=f"kept{depth}"))
                    session.flush()
                    descend(depth + 1)
                    inner = session.begin_nested()
                    session.add(Author(name=f"kept{depth}"))
                    with pytest.raises(IntegrityError):
                        session.flush()
                    inner.rollback()
                    if depth % 5 == 4:
                        savepoint.rollback()

            descend(0)
            session.commit()
            names = set(session.scalars(select(Author.name)))
        assert names == {f"kept{depth}" for depth in range(4)}

    def test_after_a_conflict_the_session_goes_on(self, filled: Engine) -> None:
        with filled.begin() as connection:
            connection.execute(insert(Author), [{"name": "ann"}])
        with Session(filled) as session:
            author = session.scalars(select(Author)).one()
            with filled.begin() as other:
                other.execute(update(Author).values(name="zoe"))
            author.name = "bob"
            with pytest.raises((OperationalError, StaleDataError)):
                session.commit()
            session.rollback()
            assert author.name == "zoe"
            author.name = "bob"
            session.commit()
            assert author.name == "bob"


class TestConcurrency:
    def test_sessions_in_threads(self, filled: Engine) -> None:
        sessions = sessionmaker(filled)
        numbers = count()
        lock = threading.Lock()

        def work(session: Session) -> None:
            with lock:
                number = next(numbers)
            author = session.scalars(
                select(Author).where(Author.name == f"a{number % 3}")
            ).one_or_none() or Author(name=f"a{number % 3}")
            author.books.append(Book(title=f"b{number}"))
            session.add(author)

        def patiently() -> None:
            for _ in range(50):
                try:
                    return run_transaction(sessions, work)
                except IntegrityError:  # both made the same author
                    continue
            raise AssertionError("never got through")

        with ThreadPoolExecutor(6) as pool:
            for future in [pool.submit(patiently) for _ in range(30)]:
                future.result()
        with sessions() as session:
            authors = session.scalars(select(Author).options(selectinload(Author.books))).all()
            assert sorted(author.name for author in authors) == ["a0", "a1", "a2"]
            assert sum(len(author.books) for author in authors) == 30

    def test_versions(self, engine: Engine) -> None:
        metadata = MetaData()
        table = Table(
            "v",
            metadata,
            Column("id", sa.Integer, primary_key=True),
            Column("n", sa.Integer),
            Column("version", sa.Integer, nullable=False),
        )
        metadata.create_all(engine)
        registry = sa.orm.registry()

        class Versioned:
            n: int

        registry.map_imperatively(Versioned, table, version_id_col=table.c.version)
        with Session(engine) as one:
            mine = Versioned()
            mine.n = 1
            one.add(mine)
            one.commit()
            assert mine.n == 1
            one.rollback()
            with Session(engine) as other:
                theirs = other.get_one(Versioned, 1)
                theirs.n = 2
                other.commit()
            one.expire_on_commit = False
            sa.orm.attributes.set_committed_value(mine, "version", 1)
            mine.n = 3
            with pytest.raises(StaleDataError):
                one.commit()

    @pytest.mark.parametrize("pool", [NullPool, StaticPool, SingletonThreadPool])
    def test_other_pools(self, make_engine: MakeEngine, pool: type[sa.Pool]) -> None:
        engine = make_engine(poolclass=pool)
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add(Author(name="ann"))
            session.commit()
            assert session.scalar(select(func.count(Author.id))) == 1

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
    @pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
    def test_fork(self, filled: Engine) -> None:
        with filled.connect() as connection:
            connection.execute(select(Author)).all()
        children = []
        for number in range(3):

            def add(connection: Connection, number: int = number) -> None:
                connection.execute(insert(Author).values(id=number + 1, name=f"c{number}"))

            child = os.fork()
            if not child:
                failed = 1
                try:
                    filled.dispose(close=False)
                    run_transaction(filled, add)
                    failed = 0
                finally:
                    os._exit(failed)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        with filled.connect() as connection:
            assert connection.scalar(select(func.count(Author.id))) == 3


class TestStatements:
    def test_large_in_lists(self, filled: Engine) -> None:
        with filled.begin() as connection:
            connection.execute(insert(Author), [{"name": str(n)} for n in range(1000)])
            found = connection.scalar(
                select(func.count())
                .select_from(Author)
                .where(Author.name.in_([str(n) for n in range(0, 5000, 2)]))
            )
            nothing = connection.scalar(select(func.count(Author.id)).where(Author.id.in_([])))
        assert (found, nothing) == (500, 0)

    def test_loading_strategies(self, filled: Engine) -> None:
        with Session(filled) as session:
            session.add_all(
                [
                    Author(name=f"a{n}", books=[Book(title=f"{n}.{b}") for b in range(n)])
                    for n in range(5)
                ]
            )
            session.commit()
            for option in (selectinload, subqueryload, sa.orm.joinedload):
                session.expunge_all()
                authors = session.scalars(
                    select(Author).options(option(Author.books)).order_by(Author.id)
                ).unique()
                assert [len(author.books) for author in authors] == [0, 1, 2, 3, 4]

    def test_yield_per_and_partitions(self, filled: Engine) -> None:
        with filled.begin() as connection:
            connection.execute(insert(Author), [{"name": str(n)} for n in range(25)])
            stream = connection.execution_options(stream_results=True, yield_per=10).execute(
                select(Author.name)
            )
            assert [len(part) for part in stream.partitions()] == [10, 10, 5]

    def test_recursive_cte_window_and_exists(self, filled: Engine) -> None:
        numbers = select(sa.literal(1).label("n")).cte("numbers", recursive=True)
        numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < 5))
        running = func.sum(numbers.c.n).over(order_by=numbers.c.n)
        with filled.connect() as connection:
            assert connection.scalars(select(running)).all() == [1, 3, 6, 10, 15]
            other = aliased(Author)
            assert connection.scalar(select(sa.exists(select(other.id)))) in (0, False)

    def test_update_and_delete_by_the_orm(self, filled: Engine) -> None:
        with Session(filled) as session:
            authors = [Author(name=f"a{n}") for n in range(4)]
            session.add_all(authors)
            session.flush()
            session.execute(
                update(Author)
                .where(Author.name == "a1")
                .values(name="new")
                .execution_options(synchronize_session="fetch")
            )
            assert authors[1].name == "new"
            gone = session.scalars(delete(Author).where(Author.id > 2).returning(Author.name)).all()
            assert sorted(gone) == ["a2", "a3"]
            session.rollback()
            assert session.scalar(select(func.count(Author.id))) == 0

    def test_returning_behind_what_the_servers_parser_finds_hard(self, filled: Engine) -> None:
        named = Author.name.contains("a%", autoescape=True)
        hard = [
            named,
            ~named,
            Author.id.between(1, 2) | named,
            (~Author.id.between(3, 5) & named) | (Author.id == 1),
            case((Author.id.between(1, 2), True), else_=named),
        ]
        with Session(filled) as session:
            session.add_all([Author(name="a%1"), Author(name="ab2"), Author(name="c")])
            session.flush()
            for condition in hard:
                found = session.scalars(select(Author.id).where(condition)).all()
                change = update(Author).where(condition).values(name=Author.name + "!")
                assert session.scalars(change.returning(Author.id)).all() == found
                session.execute(change.execution_options(synchronize_session="fetch"))
            session.execute(delete(Author).where(hard[2]))
            assert session.scalars(select(Author.name)).all() == ["c!!"]

    def test_commit_as_a_value(self, filled: Engine) -> None:
        with filled.begin() as connection:
            connection.execute(
                insert(Author), [{"name": word} for word in ("COMMIT", "; ROLLBACK --", "END")]
            )
        with filled.connect() as connection:
            assert connection.scalar(select(func.count(Author.id))) == 3

    def test_several_statements_in_one_text(self, filled: Engine) -> None:
        with filled.connect() as connection, pytest.raises(DBAPIError):
            connection.execute(text("DELETE FROM author; COMMIT"))

    def test_constraint_names_in_errors(self, filled: Engine) -> None:
        with filled.connect() as connection:
            connection.execute(insert(Author).values(name="ann"))
            with pytest.raises(IntegrityError) as caught:
                connection.execute(insert(Author).values(name="ann"))
        original = caught.value.orig
        assert isinstance(original, pyrqlite.IntegrityError)
        assert original.sqlite_errorname == "SQLITE_CONSTRAINT_UNIQUE"
        assert "author.name" in str(original)
