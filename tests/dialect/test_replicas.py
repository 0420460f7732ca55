"""Defaults that read a clock or a random source are the same on every node."""

from __future__ import annotations

import datetime as dt
from contextlib import closing

from sqlalchemy import BigInteger, create_engine, func, insert, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import pyrqlite
from tests.rqlited import RqlitedCluster, wait_until
from tests.servers import fresh
from tests.sqlalchemy_suite.server import dialect_url


class Base(DeclarativeBase):
    """The tables of this test."""


class Stamped(Base):
    """With everything that nodes could fill in by themselves."""

    __tablename__ = "stamped"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    created: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    updated: Mapped[dt.datetime | None] = mapped_column(onupdate=func.now())
    chosen: Mapped[int] = mapped_column(BigInteger, default=func.random())
    drawn: Mapped[int] = mapped_column(BigInteger, server_default=func.random())


def test_same_on_every_node(rqlited_cluster: RqlitedCluster) -> None:
    fresh(rqlited_cluster.leader().url)
    engine = create_engine(dialect_url(rqlited_cluster.urls[0]))
    Base.metadata.create_all(engine)
    with Session(engine, expire_on_commit=False) as session:
        added = [Stamped(name=f"n{n}") for n in range(5)]
        session.add_all(added)
        session.commit()
        added[0].name = "changed"
        session.commit()
        session.refresh(added[0])
        assert isinstance(added[0].updated, dt.datetime)
        columns = (Stamped.id, Stamped.created, Stamped.updated, Stamped.chosen, Stamped.drawn)
        single = session.execute(insert(Stamped).values(name="x").returning(*columns)).one()
        session.execute(update(Stamped).where(Stamped.name == "n3").values(name="y"))
        session.commit()
        seen = {
            (row.id, row.created, row.chosen, row.drawn) for row in session.query(Stamped).all()
        }
    engine.dispose()
    assert {(a.id, a.created, a.chosen, a.drawn) for a in added} <= seen
    assert (single.id, single.created, single.chosen, single.drawn) in seen
    assert len({drawn for *_, drawn in seen}) == len(seen)

    def rows(url: str) -> list[tuple[object, ...]]:
        with closing(pyrqlite.connect(url, autocommit=True, level="none")) as connection:
            found: list[tuple[object, ...]] = connection.execute(
                "SELECT * FROM stamped ORDER BY id"
            ).fetchall()
            return found

    leader = rows(rqlited_cluster.leader().url)
    assert len(leader) == 6
    for url in rqlited_cluster.urls:

        def caught_up(url: str = url) -> bool:
            return rows(url) == leader

        wait_until(caught_up, what=f"{url} has what the leader has")
