"""Transactions by SQLAlchemy's means: levels, savepoints, sessions in others' transactions, conflicts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import tenacity
from sqlalchemy import Connection, Engine, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

import pyrqlite
from sqlalchemy_rqlite import run_transaction
from tests.dialect.conftest import MakeEngine
from tests.dialect.models import Author, Base, Book


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """With an author, and a counter."""
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Author).values(id=1, name="ann"))
    return engine


def names(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(Author.name).order_by(Author.id)))


class TestLevels:
    def test_default(self, filled: Engine) -> None:
        with filled.connect() as connection:
            assert connection.get_isolation_level() == "SERIALIZABLE"
            assert connection.default_isolation_level == "SERIALIZABLE"
            connection.execute(insert(Author).values(name="bob"))
            connection.rollback()
        assert names(filled) == ["ann"]

    @pytest.mark.parametrize("level", ["SERIALIZABLE", "READ COMMITTED", "AUTOCOMMIT"])
    def test_of_the_engine(self, make_engine: MakeEngine, level: str) -> None:
        engine = make_engine(isolation_level=level)
        with engine.connect() as connection:
            assert connection.get_isolation_level() == level

    def test_of_the_url(self, make_engine: MakeEngine) -> None:
        with make_engine("?isolation_level=READ%20COMMITTED").connect() as connection:
            assert connection.default_isolation_level == "READ COMMITTED"

    def test_autocommit_applies_at_once(self, filled: Engine) -> None:
        with filled.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(insert(Author).values(name="bob"))
            connection.rollback()
        assert names(filled) == ["ann", "bob"]
        with filled.connect() as connection:
            assert connection.get_isolation_level() == "SERIALIZABLE"

    def test_unknown(self, filled: Engine) -> None:
        with pytest.raises(Exception, match="READ UNCOMMITTED"):
            filled.connect().execution_options(isolation_level="READ UNCOMMITTED")

    @pytest.mark.parametrize(
        ("level", "conflict"), [("SERIALIZABLE", True), ("READ COMMITTED", False)]
    )
    def test_what_they_promise(self, filled: Engine, level: str, conflict: bool) -> None:
        with filled.connect().execution_options(isolation_level=level) as connection:
            found = connection.scalars(select(Author.name)).all()
            with filled.begin() as other:
                other.execute(update(Author).values(name="zoe"))
            connection.execute(insert(Book).values(id=1, title=found[0], author_id=1))
            if conflict:
                with pytest.raises(OperationalError) as caught:
                    connection.commit()
                assert isinstance(caught.value.orig, pyrqlite.SerializationError)
                assert not caught.value.connection_invalidated
            else:
                connection.commit()


class TestSavepoints:
    def test_nested_with_failures(self, filled: Engine) -> None:
        with Session(filled) as session:
            session.add(Author(name="bob"))
            session.flush()
            nested = session.begin_nested()
            session.add(Author(name="ann"))
            with pytest.raises(IntegrityError):
                session.flush()
            nested.rollback()
            with session.begin_nested() as outer:
                session.add(Author(name="cy"))
                with session.begin_nested():
                    session.add(Author(name="dan"))
                outer.rollback()
            with session.begin_nested():
                session.add(Author(name="eve"))
            session.commit()
        assert names(filled) == ["ann", "bob", "eve"]

    def test_failed_statement_leaves_the_transaction(self, filled: Engine) -> None:
        with filled.connect() as connection:
            connection.execute(insert(Author).values(name="bob"))
            with pytest.raises(IntegrityError):
                connection.execute(insert(Author).values(name="bob"))
            connection.commit()
        assert names(filled) == ["ann", "bob"]

    def test_ddl_rolls_back(self, filled: Engine) -> None:
        with filled.connect() as connection:
            with connection.begin_nested() as savepoint:
                connection.execute(text("CREATE TABLE t (a)"))
                connection.execute(text("INSERT INTO t VALUES (1)"))
                assert connection.scalar(text("SELECT a FROM t")) == 1
                savepoint.rollback()
            with pytest.raises(Exception, match="no such table"):
                connection.execute(text("SELECT a FROM t"))


class TestRecipes:
    @pytest.fixture
    def outside(self, filled: Engine) -> Iterator[Connection]:
        """The transaction of a test, which is rolled back at its end."""
        with filled.connect() as connection:
            transaction = connection.begin()
            yield connection
            transaction.rollback()

    def test_session_in_an_external_transaction(self, filled: Engine, outside: Connection) -> None:
        with Session(outside, join_transaction_mode="create_savepoint") as session:
            session.add(Author(name="bob"))
            session.commit()
            session.add(Author(name="cy"))
            session.rollback()
            session.add(Author(name="dan"))
            session.commit()
        assert list(outside.scalars(select(Author.name).order_by(Author.id))) == [
            "ann",
            "bob",
            "dan",
        ]
        assert names(filled) == ["ann"]

    def test_of_sqlite_for_savepoints(self, make_engine: MakeEngine) -> None:
        engine = make_engine()

        @event.listens_for(engine, "connect")
        def do_connect(dbapi_connection: pyrqlite.Connection, record: object) -> None:
            dbapi_connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def do_begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        Base.metadata.create_all(engine)
        with engine.connect() as connection:
            connection.execute(insert(Author).values(name="ann"))
            connection.rollback()
            with connection.begin(), connection.begin_nested():
                connection.execute(insert(Author).values(name="bob"))
        assert names(engine) == ["bob"]


class TestRunTransaction:
    def increment(self, connection: Connection) -> float:
        price = connection.scalar(select(Book.price).where(Book.id == 1)) or 0.0
        connection.execute(update(Book).where(Book.id == 1).values(price=price + 1))
        return price + 1

    @pytest.fixture
    def counted(self, filled: Engine) -> Engine:
        with filled.begin() as connection:
            connection.execute(insert(Book).values(id=1, title="t", price=0, author_id=1))
        return filled

    def price(self, engine: Engine) -> float | None:
        with engine.connect() as connection:
            return connection.scalar(select(Book.price))

    def test_threads(self, counted: Engine) -> None:
        patient = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(500), wait=tenacity.wait_random(0, 0.05)
        )
        with ThreadPoolExecutor(4) as pool:
            futures = [
                pool.submit(run_transaction, counted, self.increment, patient) for _ in range(20)
            ]
            assert sorted(future.result() for future in futures) == list(range(1, 21))
        assert self.price(counted) == 20

    @pytest.mark.parametrize("kind", ["sessionmaker", "session", "connection"])
    def test_meets_a_conflict(self, counted: Engine, kind: str) -> None:
        attempts: list[float] = []

        def function(bind: Session | Connection) -> float:
            price = bind.scalars(select(Book.price)).one() or 0.0
            if not attempts:
                with counted.begin() as other:
                    other.execute(update(Book).values(price=10))
            attempts.append(price)
            bind.execute(update(Book).where(Book.id == 1).values(price=price + 1))
            return price

        with Session(counted) as session, counted.connect() as connection:
            binds = {
                "sessionmaker": sessionmaker(counted),
                "session": session,
                "connection": connection,
            }
            assert run_transaction(binds[kind], function) == 10  # type: ignore[call-overload]
        assert attempts == [0, 10]
        assert self.price(counted) == 11

    def test_gives_up(self, counted: Engine) -> None:
        def function(connection: Connection) -> None:
            self.increment(connection)
            with counted.begin() as other:
                self.increment(other)

        few = tenacity.Retrying(stop=tenacity.stop_after_attempt(3))
        with pytest.raises(OperationalError) as caught:
            run_transaction(counted, function, few)
        assert isinstance(caught.value.orig, pyrqlite.SerializationError)
        assert self.price(counted) == 3

    def test_other_errors_are_raised_at_once(self, counted: Engine) -> None:
        calls = []

        def function(connection: Connection) -> None:
            calls.append(1)
            connection.execute(insert(Author).values(name="ann"))

        with pytest.raises(IntegrityError):
            run_transaction(counted, function)
        assert calls == [1]
