"""Read levels, freshness and time-outs by execution options; pools, and nodes that go away."""

from __future__ import annotations

from contextlib import closing

import pytest
import sqlalchemy
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError, OperationalError
from sqlalchemy.orm import Session

import pyrqlite
from tests.dialect.conftest import MakeEngine
from tests.dialect.counting import requests
from tests.dialect.models import Author, Base
from tests.servers import ClusterFactory, NodeFactory
from tests.sqlalchemy_suite.server import dialect_url


def level_of(target: str) -> str | None:
    return target.partition("level=")[2].partition("&")[0] or None


class TestReadLevels:
    @pytest.fixture
    def filled(self, engine: Engine) -> Engine:
        Base.metadata.create_all(engine)
        with engine.connect() as connection:
            connection.execute(select(Author.name))  # the schema is known then
        return engine

    def test_of_a_statement(self, filled: Engine) -> None:
        statement = select(Author.name)
        with requests(filled) as sent, Session(filled) as session:
            session.scalars(statement).all()
            session.scalars(
                statement.execution_options(rqlite_level="none", rqlite_freshness="1s")
            ).all()
            session.scalars(statement, execution_options={"rqlite_level": "strong"}).all()
        assert [level_of(target) for target in sent] == [None, "none", "strong"]
        assert "freshness=1s" in sent[1]

    def test_of_a_connection(self, filled: Engine) -> None:
        with requests(filled) as sent, filled.connect() as connection:
            connection.execution_options(rqlite_level="linearizable")
            connection.execute(select(Author.name))
            connection.execute(text("SELECT 1"), execution_options={"rqlite_level": "weak"})
        assert [level_of(target) for target in sent] == ["linearizable", "weak"]

    def test_of_an_engine(self, filled: Engine) -> None:
        stale = filled.execution_options(
            rqlite_level="none",
            rqlite_freshness=2,
            rqlite_freshness_strict=True,
            rqlite_timeout=5,
        )
        with requests(filled) as sent, Session(stale) as session:
            session.scalars(select(Author.name)).all()
        assert [level_of(target) for target in sent] == ["none"]
        assert "freshness_strict" in sent[0]

    def test_of_the_url(self, make_engine: MakeEngine) -> None:
        engine = make_engine("?level=strong")
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        with requests(engine) as sent, engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        assert [level_of(target) for target in sent] == ["strong"]

    def test_faults(self, filled: Engine) -> None:
        with filled.connect() as connection, pytest.raises(Exception, match="'sloppy' is none of"):
            connection.execute(text("SELECT 1"), execution_options={"rqlite_level": "sloppy"})


class TestNodesThatGoAway:
    @pytest.mark.parametrize("pre_ping", [False, True])
    def test_restart_under_a_pool(self, rqlited_factory: NodeFactory, pre_ping: bool) -> None:
        node = rqlited_factory()
        engine = create_engine(dialect_url(node.url), pool_pre_ping=pre_ping)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (a)"))
            connection.execute(text("INSERT INTO t VALUES (1)"))
        node.kill()
        with pytest.raises(OperationalError) as caught, engine.connect() as connection:
            connection.execute(text("SELECT a FROM t"))
        assert caught.value.connection_invalidated
        node.restart()
        node.wait_ready()
        with engine.begin() as connection:
            assert connection.scalar(text("SELECT a FROM t")) == 1
        engine.dispose()

    def test_restart_inside_of_a_transaction(self, rqlited_factory: NodeFactory) -> None:
        node = rqlited_factory()
        engine = create_engine(dialect_url(node.url))
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (a)"))
        with engine.connect() as connection:
            connection.execute(text("INSERT INTO t VALUES (1)"))
            node.kill()
            node.restart()
            node.wait_ready()
            connection.execute(text("INSERT INTO t VALUES (2)"))
            connection.commit()
            assert connection.scalars(text("SELECT a FROM t ORDER BY a")).all() == [1, 2]
        engine.dispose()

    def test_program_starts_without_a_leader(self, cluster_factory: ClusterFactory) -> None:
        cluster = cluster_factory()
        with closing(pyrqlite.connect(cluster.urls[0], autocommit=True)) as driver:
            driver.execute("CREATE TABLE t (a)")
            driver.execute("INSERT INTO t VALUES (1)")
        survivor = cluster.leader()
        others = cluster.followers()
        for node in others:
            node.kill()
        engine = create_engine(dialect_url(survivor.url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            stale = {"rqlite_level": "none"}
            found = connection.scalars(text("SELECT a FROM t"), execution_options=stale).all()
        assert found == [1]
        engine.dispose()

    def test_leader_dies(self, cluster_factory: ClusterFactory) -> None:
        cluster = cluster_factory()
        hosts = "&".join(f"host={node.http_address}" for node in cluster.nodes)
        engine = create_engine(f"rqlite://?{hosts}")
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (a)"))
        cluster.leader().kill()
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO t VALUES (1)"))
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM t")) == 1
        engine.dispose()


def test_ping_leaves_no_transaction(make_engine: MakeEngine) -> None:
    engine = make_engine(pool_pre_ping=True)
    for level in ("SERIALIZABLE", "AUTOCOMMIT", "READ COMMITTED"):
        with engine.connect().execution_options(isolation_level=level) as connection:
            assert connection.scalar(text("SELECT 1")) == 1


def test_versions(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with engine.connect() as connection:
        text_of_it = connection.scalar(text("SELECT sqlite_version()"))
    assert ".".join(map(str, engine.dialect.server_version_info or ())) == text_of_it
    if sqlalchemy.__version__ >= "2.1":
        assert engine.dialect.dbapi_version[:3] == (3, 0, 0)
    engine.dispose()
    monkeypatch.setattr("sqlalchemy_rqlite.base.OLDEST_SQLITE", (99, 0, 0))
    with pytest.raises(InvalidRequestError, match=r"older than 99\.0\.0"):
        create_engine(engine.url).connect()


def test_nobody_listens() -> None:
    engine = create_engine("rqlite://127.0.0.1:1/", pool_pre_ping=True)
    with pytest.raises(OperationalError, match="no node could be reached") as caught:
        engine.connect()
    assert isinstance(caught.value.orig, pyrqlite.UnreachableError)


def test_closed_connections_are_replaced(engine: Engine) -> None:
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.close()
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text("SELECT 1"))
        assert caught.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
