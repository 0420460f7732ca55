"""SQLAlchemy's ORM in a process of its own: it reads the names of cases from stdin, and answers with seconds.

It runs with either dialect, so it imports nothing of this repository.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable

from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

OBJECTS = 1000
LOOK_UPS = 100
UPDATES = 30


class Base(DeclarativeBase):
    """The one table."""


class Item(Base):
    """A row of three columns beside its key."""

    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[float]
    stock: Mapped[int]


def insert(session: Session) -> int:
    """Add objects, and commit; how many."""
    items = [Item(name=f"item {n}", price=n / 4, stock=n) for n in range(OBJECTS)]
    session.add_all(items)
    session.commit()
    return OBJECTS


def get(session: Session) -> int:
    """Query objects by their keys."""
    for key in range(1, LOOK_UPS + 1):
        assert session.scalars(select(Item).where(Item.id == key)).one().name == f"item {key - 1}"
    return LOOK_UPS


def update(session: Session) -> int:
    """Change objects, with a commit for each."""
    for key in range(1, UPDATES + 1):
        session.get_one(Item, key).stock += 1
        session.commit()
    return UPDATES


CASES: dict[str, Callable[[Session], int]] = {"insert": insert, "get": get, "update": update}


def main(url: str) -> None:
    """Serve until stdin ends."""
    engine = create_engine(url)
    for line in sys.stdin:
        name = line.strip()
        if name == "insert":
            Base.metadata.drop_all(engine)
            Base.metadata.create_all(engine)
        with Session(engine) as session:
            gc.collect()
            start = time.perf_counter()
            count = CASES[name](session)
            seconds = (time.perf_counter() - start) / count
        print(json.dumps(seconds), flush=True)


main(sys.argv[1])
