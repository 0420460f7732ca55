"""The dialect under SQLAlchemy's asyncio extension; the rest of the dialect is the other driver's too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from sqlalchemy import func, make_url, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.schema import ForeignKey

import pyrqlite
from pyrqlite import aio
from sqlalchemy_rqlite.aio import run_transaction
from tests.servers import RunningServer
from tests.sqlalchemy_suite.server import dialect_url

Use = Callable[[AsyncEngine], Coroutine[Any, Any, None]]
Run = Callable[[Use], None]


class Base(DeclarativeBase):
    """The tables of this module."""


class Owner(Base):
    __tablename__ = "owner"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    accounts: Mapped[list[Account]] = relationship(order_by="Account.id")


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"))
    balance: Mapped[int]


@pytest.fixture
def run(server: RunningServer) -> Run:
    """Runs something with an engine on a server with empty tables."""

    async def main(use: Use) -> None:
        engine = create_async_engine(dialect_url(server.url, "aiopyrqlite"))
        try:
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.create_all)
            await use(engine)
        finally:
            await engine.dispose()

    return lambda use: asyncio.run(main(use))


def test_engine() -> None:
    async def main() -> None:
        engine = create_async_engine("rqlite+aiopyrqlite://localhost:4001/")
        assert (engine.dialect.name, engine.dialect.driver) == ("sqlite", "aiopyrqlite")
        assert isinstance(engine.pool, AsyncAdaptedQueuePool)
        assert engine.dialect.is_async
        await engine.dispose()

    asyncio.run(main())


def test_sessions(run: Run) -> None:
    async def use(engine: AsyncEngine) -> None:
        make = async_sessionmaker(engine, expire_on_commit=False)
        async with make.begin() as session:
            session.add_all(
                Owner(name=name, accounts=[Account(balance=n) for n in range(3)])
                for name in ("ann", "bob")
            )
        async with make() as session:
            owners = await session.scalars(
                select(Owner).options(selectinload(Owner.accounts)).order_by(Owner.name)
            )
            found = {owner.name: [a.balance for a in owner.accounts] for owner in owners}
            assert found == {"ann": [0, 1, 2], "bob": [0, 1, 2]}
            session.add(Owner(name="cy"))
            await session.flush()
            with pytest.raises(IntegrityError):
                async with session.begin_nested():
                    session.add(Owner(name="ann"))
            await session.commit()
        async with make() as session:
            assert await session.scalar(select(func.count()).select_from(Owner)) == 3

    run(use)


def test_streams(run: Run) -> None:
    async def use(engine: AsyncEngine) -> None:
        numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500) SELECT n FROM c"
        async with engine.connect() as connection:
            result = await connection.stream(text(numbers))
            assert [row.n async for row in result] == list(range(1, 501))
            result = await connection.stream(text(numbers))
            assert len(await result.fetchmany(10)) == 10
            await result.close()
        async with AsyncSession(engine) as session:
            scalars = await session.stream_scalars(text(numbers))
            assert [part async for part in scalars.partitions(200)][-1][-1] == 500

    run(use)


def test_driver_connection(run: Run) -> None:
    async def use(engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            raw = await connection.get_raw_connection()
            assert isinstance(raw.driver_connection, aio.AsyncConnection)
            cursor = await raw.driver_connection.execute("SELECT 1")
            assert cursor.fetchall() == [(1,)]
            assert (await connection.get_isolation_level()) == "SERIALIZABLE"
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text("INSERT INTO owner (name) VALUES ('auto')"))
            await connection.rollback()
            assert await connection.scalar(text("SELECT count(*) FROM owner")) == 1

    run(use)


def test_conflicts_are_run_again(run: Run) -> None:
    async def use(engine: AsyncEngine) -> None:
        make = async_sessionmaker(engine)
        async with make.begin() as session:
            session.add(Owner(name="ann", accounts=[Account(balance=0)]))
        tries = 0

        async def deposit(session: AsyncSession) -> None:
            nonlocal tries
            tries += 1
            account = (await session.scalars(select(Account))).one()
            await asyncio.sleep(0)
            account.balance += 1

        await asyncio.gather(*[run_transaction(make, deposit) for _ in range(8)])
        async with engine.connect() as connection:
            assert await connection.scalar(select(Account.balance)) == 8
        assert tries > 8, "nobody interfered"

        async def fail(connection: object) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await run_transaction(engine, fail)

    run(use)


def test_cancelled_task_leaves_the_pool_in_order(run: Run) -> None:
    async def use(engine: AsyncEngine) -> None:
        async def forever() -> None:
            async with engine.begin() as connection:
                await connection.execute(text("INSERT INTO owner (name) VALUES ('lost')"))
                while True:
                    await connection.execute(text("SELECT count(*) FROM owner"))

        for _ in range(10):
            tasks = [asyncio.ensure_future(forever()) for _ in range(4)]
            await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, (asyncio.CancelledError, DBAPIError)) for each in done)
        assert engine.pool.status().endswith("Current Checked out connections: 0")
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM owner")) == 0

    run(use)


def test_lost_connections(server: RunningServer) -> None:
    async def main() -> None:
        engine = create_async_engine("rqlite+aiopyrqlite://127.0.0.1:1/?connect_timeout=1")
        with pytest.raises(DBAPIError) as caught:
            async with engine.connect():
                pass
        assert isinstance(caught.value.orig, pyrqlite.OperationalError)
        assert caught.value.connection_invalidated
        await engine.dispose()

    asyncio.run(main())


def test_in_memory() -> None:
    async def main() -> None:
        engine = create_async_engine("rqlite+aiopyrqlite:///:memory:")
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        async with engine.connect() as one, engine.connect() as other:
            await one.execute(text("INSERT INTO owner (name) VALUES ('ann')"))
            await one.commit()
            assert await other.scalar(select(Owner.name)) == "ann"
        await engine.dispose()

    asyncio.run(main())


def test_url_of_the_other_driver_is_refused() -> None:
    url = make_url("rqlite+pyrqlite://localhost:4001/")
    with pytest.raises(Exception, match="async"):
        create_async_engine(url)
