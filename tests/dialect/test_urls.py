"""URLs, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, InterfaceError
from sqlalchemy.pool import NullPool, QueuePool

import pyrqlite
from sqlalchemy_rqlite.base import RqliteDialect
from sqlalchemy_rqlite.urls import connect_arguments


def arguments(url: str) -> tuple[str | None, dict[str, Any]]:
    return connect_arguments(make_url(url))


@pytest.mark.parametrize("scheme", ["rqlite", "rqlite+pyrqlite", "sqlite+rqlite"])
def test_schemes(scheme: str) -> None:
    engine = create_engine(f"{scheme}://localhost:4001/")
    assert isinstance(engine.dialect, RqliteDialect)
    assert (engine.dialect.name, engine.dialect.driver) == ("sqlite", "pyrqlite")
    assert isinstance(engine.pool, QueuePool)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("rqlite://", {}),
        ("rqlite://db:4003/", {"host": "db", "port": 4003}),
        ("rqlite://a,b,c:4003/", {"host": "a,b,c", "port": 4003}),
        ("rqlite://?host=a:4001&host=b:4003", {"host": "a:4001,b:4003"}),
        ("rqlite://ann@[a:4001,b:4003]/", {"host": "a:4001,b:4003", "user": "ann"}),
        ("rqlite://[::1]:4003/", {"host": "::1", "port": 4003}),
        ("rqlite://a/?host=b:4003", {"host": "a,b:4003"}),
        (
            "rqlite://ann:p%40ss%3Aword@db/",
            {"host": "db", "user": "ann", "password": "p@ss:word"},
        ),
        (
            "rqlite://db/?level=none&freshness=1.5s&timeout=3&autocommit=true&scheme=https",
            {
                "host": "db",
                "level": "none",
                "freshness": "1.5s",
                "timeout": 3.0,
                "autocommit": True,
                "scheme": "https",
            },
        ),
        (  # what the sqlalchemy-rqlite releases knew
            "rqlite+pyrqlite://db:4001/?detect_types=0&connect_timeout=3.0&max_redirects=5&timeout=none",
            {
                "host": "db",
                "port": 4001,
                "detect_types": 0,
                "connect_timeout": 3.0,
                "max_redirects": 5,
                "timeout": None,
            },
        ),
    ],
)
def test_of_servers(url: str, options: dict[str, Any]) -> None:
    assert arguments(url) == (None, options)


def test_several_hosts_survive_as_text() -> None:
    url = URL.create("rqlite", host="a:4001,b:4003", query={"level": "none"})
    assert make_url(str(url)) == url
    assert arguments(str(url))[1] == {"host": "a:4001,b:4003", "level": "none"}


def test_in_process() -> None:
    assert arguments("rqlite:///app.db") == ("file:app.db", {})
    assert arguments("rqlite:////srv/app.db?autocommit=1") == (
        "file:/srv/app.db",
        {"autocommit": True},
    )
    first, second = (arguments("rqlite:///:memory:")[0] or "" for _ in range(2))
    assert first.startswith(":memory:")
    assert first != second


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("rqlite://db/app", "one database"),
        ("rqlite://db/?levle=none", "levle"),
        ("rqlite://db/?timeout=soon", "timeout=soon"),
        ("rqlite://db/?timeout=1&timeout=2", "twice"),
        ("rqlite://db/?password=x", "password"),
    ],
)
def test_faults(url: str, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        create_engine(url)


def test_port_of_none() -> None:
    with pytest.raises(InterfaceError, match="from 1 to 65535"):
        create_engine("rqlite://db:0/").connect()


def test_connect_args() -> None:
    clock = 1234567890.0
    engine = create_engine("rqlite:///:memory:", connect_args={"clock": lambda: clock})
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE t (at TEXT)"))
        connection.execute(text("INSERT INTO t VALUES (CURRENT_TIMESTAMP)"))
        assert connection.scalar(text("SELECT at FROM t")) == "2009-02-13 23:31:30"


class TestInMemory:
    def test_connections_of_an_engine_share_it(self) -> None:
        engine = create_engine("rqlite:///:memory:", poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (a)"))
        with engine.connect() as one, engine.connect() as other:
            one.execute(text("INSERT INTO t VALUES (1)"))
            assert other.scalar(text("SELECT count(*) FROM t")) == 0
            one.commit()
            other.rollback()
            assert other.scalar(text("SELECT count(*) FROM t")) == 1

    def test_engines_do_not(self) -> None:
        one, other = (create_engine("rqlite:///:memory:") for _ in range(2))
        with one.begin() as connection:
            connection.execute(text("CREATE TABLE t (a)"))
        with other.begin() as connection:
            connection.execute(text("CREATE TABLE t (a)"))

    @pytest.mark.parametrize("enforced", [False, True])
    def test_settings_of_the_server(self, enforced: bool) -> None:
        engine = create_engine(
            "rqlite:///:memory:", connect_args={"embedded": {"fk": True}} if enforced else {}
        )
        if enforced:  # as many do, and where it has to be so already

            @event.listens_for(engine, "connect")
            def wish(connection: Any, _: object) -> None:
                connection.cursor().execute("PRAGMA foreign_keys=ON")

        with engine.connect() as connection:
            assert connection.scalar(text("PRAGMA foreign_keys")) == enforced
            driver: Any = connection.connection.driver_connection
            assert not driver.in_transaction
        engine.dispose()

    def test_dispose_forgets_it(self) -> None:
        engine = create_engine("rqlite:///:memory:")
        for _ in range(2):
            with engine.begin() as connection:
                connection.execute(text("CREATE TABLE t (a)"))
            engine.dispose()


def test_file(tmp_path: Path) -> None:
    file = tmp_path / "app.db"
    for count in (1, 2):
        engine = create_engine(f"rqlite:///{file}")
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS t (a)"))
            connection.execute(text("INSERT INTO t VALUES (1)"))
            assert connection.scalar(text("SELECT count(*) FROM t")) == count
        engine.dispose()


def test_names_of_the_older_dialect() -> None:
    import sqlalchemy_rqlite
    from sqlalchemy_rqlite.pyrqlite import SQLiteDialect_rqlite, dialect

    assert SQLiteDialect_rqlite is dialect is sqlalchemy_rqlite.dialect
    assert sqlalchemy_rqlite.VARCHAR.__visit_name__ == "VARCHAR"
    assert dialect.import_dbapi() is pyrqlite
