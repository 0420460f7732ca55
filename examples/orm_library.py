"""A library by SQLAlchemy's ORM: mapped classes with a relationship, and a loan that two readers want at once.

python examples/orm_library.py rqlite://localhost:4001/
"""

from __future__ import annotations

import datetime as dt
import sys

from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    sessionmaker,
)

from sqlalchemy_rqlite import run_transaction


class Base(DeclarativeBase):
    """All tables."""


class Reader(Base):
    """Borrows books."""

    __tablename__ = "reader"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    books: Mapped[list[Book]] = relationship(back_populates="reader")


class Book(Base):
    """Is on the shelf, or with a reader."""

    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    reader_id: Mapped[int | None] = mapped_column(ForeignKey("reader.id"))
    reader: Mapped[Reader | None] = relationship(back_populates="books")
    bought: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class Lent(Exception):
    """Somebody else has the book."""


def lend(session: Session, title: str, name: str) -> None:
    """Give a book to a reader who is perhaps new; Lent where it is not on the shelf."""
    book = session.scalars(select(Book).where(Book.title == title)).one()
    if book.reader is not None:
        raise Lent(f"{book.reader.name} has {title}")
    reader = session.scalars(select(Reader).where(Reader.name == name)).one_or_none()
    book.reader = reader or Reader(name=name)


def main(url: str) -> None:
    """Fill the library, and lend."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    with sessions.begin() as session:
        session.add_all([Book(title="Walden"), Book(title="Ulysses")])
    for title, name in (("Walden", "ann"), ("Ulysses", "ann"), ("Walden", "bob")):
        try:
            # The whole function runs again if somebody else lends the book meanwhile.
            run_transaction(sessions, lambda s, title=title, name=name: lend(s, title, name))
        except Lent as error:
            print(error)
    with sessions() as session:
        for reader in session.scalars(select(Reader)):
            print(f"{reader.name}: {', '.join(book.title for book in reader.books)}")
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
