"""Statement sequences as SQLAlchemy and Django send them: beside each other, on other rows, none conflicts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyrqlite import Connection
from tests.transactions.clients import Connect, query

SCHEMA = """
CREATE TABLE author (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR(50) NOT NULL UNIQUE,
    created DATETIME NOT NULL, active BOOL NOT NULL);
CREATE TABLE book (id INTEGER NOT NULL, title VARCHAR(100), price NUMERIC(10, 2), version_id INTEGER NOT NULL,
    author_id BIGINT REFERENCES author (id) DEFERRABLE INITIALLY DEFERRED, PRIMARY KEY (id));
CREATE INDEX book_author ON book (author_id);
CREATE TABLE tag (name VARCHAR(20) NOT NULL PRIMARY KEY);
CREATE TABLE book_tags (book_id INTEGER NOT NULL REFERENCES book (id), tag VARCHAR NOT NULL REFERENCES tag (name),
    PRIMARY KEY (book_id, tag));
"""


@pytest.fixture
def library(connect: Connect) -> Connection:
    other = connect(autocommit=True)
    other.executescript(SCHEMA)
    for number in (1, 2):
        author = (number, f"author {number}", "2026-11-23 12:00:00.000000", 1)
        other.execute("INSERT INTO author VALUES (?, ?, ?, ?)", author)
        for book in (number * 10, number * 10 + 1):
            row = (book, f"book {book}", 9.5, 1, number)
            other.execute("INSERT INTO book VALUES (?, ?, ?, ?, ?)", row)
        other.execute("INSERT INTO tag VALUES (?)", (f"tag {number}",))
    return other


def sqlalchemy_unit_of_work(connection: Connection, number: int) -> None:
    columns = "author.id AS author_id, author.name AS author_name, author.created AS author_created"
    sql = f"SELECT {columns}, author.active AS author_active FROM author WHERE author.id = ?"
    assert query(connection, sql, number)[0][1] == f"author {number}"
    joined = (
        "SELECT book.id, book.title, author_1.id AS id_1, author_1.name FROM book "
        "LEFT OUTER JOIN author AS author_1 ON author_1.id = book.author_id "
        "WHERE book.author_id = ? ORDER BY book.id"
    )
    assert len(query(connection, joined, number)) == 2
    updated = connection.execute(
        "UPDATE book SET title=?, version_id=? WHERE book.id = ? AND book.version_id = ?",
        ("new", 2, number * 10, 1),
    )
    assert updated.rowcount == 1
    many = connection.executemany(
        "UPDATE book SET price=? WHERE book.id = ?", [(1.25, number * 10), (3, number * 10 + 1)]
    )
    assert many.rowcount == 2
    connection.execute("INSERT INTO book_tags (book_id, tag) VALUES (?, ?)", (number * 10, "tag 1"))
    connection.executemany(
        "INSERT INTO book_tags (book_id, tag) VALUES (?, ?)",
        [(number * 10 + 1, "tag 1"), (number * 10 + 1, "tag 2")],
    )
    assert query(connection, "SELECT count(*) FROM book_tags WHERE book_id = ?", number * 10) == [
        (1,)
    ]
    assert connection.execute("DELETE FROM book_tags WHERE book_tags.book_id = ? AND book_tags.tag = ?",
                              (number * 10 + 1, "tag 2")).rowcount == 1  # fmt: skip


def django_get_and_save(connection: Connection, number: int) -> None:
    get = (
        'SELECT "author"."id", "author"."name", "author"."created", "author"."active" FROM "author" '
        'WHERE "author"."name" = ? LIMIT 21'
    )
    assert len(query(connection, get, f"author {number}")) == 1
    exists = 'SELECT 1 AS "a" FROM "book" WHERE "book"."author_id" = ? LIMIT 1'
    assert query(connection, exists, number) == [(1,)]
    count = 'SELECT COUNT(*) AS "__count" FROM "book" WHERE "book"."author_id" = ?'
    assert query(connection, count, number) == [(2,)]
    first = (
        'SELECT "book"."id", "book"."title" FROM "book" WHERE "book"."author_id" = ? '
        'ORDER BY "book"."id" ASC LIMIT 1'
    )
    assert query(connection, first, number) == [(number * 10, f"book {number * 10}")]
    joined = (
        'SELECT "book"."id", "author"."name" FROM "book" '
        'INNER JOIN "author" ON ("book"."author_id" = "author"."id") '
        'WHERE ("author"."id" = ? AND "book"."price" > ?) LIMIT 21'
    )
    assert len(query(connection, joined, number, "5")) == 2
    save = 'UPDATE "author" SET "name" = ?, "created" = ?, "active" = ? WHERE "author"."id" = ?'
    values = (f"new {number}", "2026-11-24 10:00:00", 0, number)
    assert connection.execute(save, values).rowcount == 1
    connection.execute('SAVEPOINT "s140_x1"')
    connection.execute('INSERT OR IGNORE INTO "tag" ("name") VALUES (?)', (f"own {number}",))
    connection.execute('RELEASE SAVEPOINT "s140_x1"')
    many = (
        'INSERT INTO "book_tags" ("book_id", "tag") VALUES (?, ?) RETURNING "book_tags"."book_id"'
    )
    assert query(connection, many, number * 10, f"own {number}") == [(number * 10,)]
    delete = 'DELETE FROM "book" WHERE "book"."id" IN (?)'
    assert connection.execute(delete, (number * 10 + 1,)).rowcount == 1
    assert query(connection, get, f"new {number}")[0][2:] == ("2026-11-24 10:00:00", 0)


@pytest.mark.parametrize("work", [sqlalchemy_unit_of_work, django_get_and_save])
def test_two_at_once_do_not_conflict(
    work: Callable[[Connection, int], None], library: Connection, connect: Connect
) -> None:
    one, another = connect(), connect()
    work(one, 1)
    work(another, 2)
    one.commit()
    another.commit()
    assert query(library, "SELECT count(*) FROM book_tags") != [(0,)]


@pytest.mark.parametrize("work", [sqlalchemy_unit_of_work, django_get_and_save])
def test_alone_costs_one_check_at_most(
    work: Callable[[Connection, int], None], library: Connection, connect: Connect
) -> None:
    """Ordinary statements are guarded: only an EXISTS has to be looked at again."""
    one = connect()
    work(one, 1)
    checked = [fact.statement for fact in one.facts() if fact.kind.value == "checked"]
    assert all(sql.startswith("SELECT 1") or "RETURNING" in sql for sql in checked), checked
    one.commit()


def test_inserts_into_tables_without_integer_keys_do_not_conflict(
    library: Connection, connect: Connect
) -> None:
    """Their rowids are nobody's business."""
    one, another = connect(), connect()
    for connection, name in ((one, "a"), (another, "b")):
        connection.execute("INSERT INTO tag VALUES (?)", (name,))
        assert query(connection, "INSERT INTO tag VALUES (?) RETURNING name", name * 2) == [
            (name * 2,)
        ]
        sql = "INSERT INTO tag VALUES (?) RETURNING upper(name)"
        assert query(connection, sql, name * 3) == [(name.upper() * 3,)]
    one.commit()
    assert query(another, "SELECT name FROM tag WHERE name = 'b'") == [("b",)]
    another.commit()
    assert query(library, "SELECT count(*) FROM tag") == [(8,)]


def test_inserts_with_keys_of_ones_own_do_not_conflict(
    library: Connection, connect: Connect
) -> None:
    one, another = connect(), connect()
    for connection, key in ((one, 500), (another, 600)):
        sql = "INSERT INTO book (id, title, version_id) VALUES (?, 'x', 1)"
        connection.execute(sql, (key,))
        assert query(connection, f"{sql} RETURNING id, title", key + 1) == [(key + 1, "x")]
    another.commit()
    one.commit()
    assert query(library, "SELECT count(*) FROM book WHERE title = 'x'") == [(4,)]
