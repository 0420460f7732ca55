"""Queries through the driver give what SQLite gives: values, types, names, declared types."""

from __future__ import annotations

from hypothesis import given

import pyrqlite
from pyrqlite import Connection
from tests.differential.driver.choices import Chooser, choosers
from tests.differential.driver.conftest import examples
from tests.differential.driver.queries import Query, database, query
from tests.differential.driver.reference import FAILED, Answer, Reference
from tests.differential.driver.values import shown
from tests.servers import fresh

QUERIES = 12


def asked(connection: Connection, query: Query) -> Answer:
    try:
        cursor = connection.execute(query.dressed, query.values)
    except pyrqlite.Error:
        return FAILED
    rows = [shown(row) for row in cursor.fetchall()]
    assert cursor.rowcount == len(rows)
    return Answer(rows, [column[:2] for column in cursor.description or ()])


@examples(40)
@given(choose=choosers())
def test_queries(choose: Chooser, url: str) -> None:
    reference = Reference()
    made = database(choose)
    reference.load(made)
    fresh(url)
    with pyrqlite.connect(url, autocommit=True) as connection:
        for sql, values in made.statements:
            connection.execute(sql, values)
        for _ in range(QUERIES):
            asking = query(made, choose)
            expected = reference.ask(asking)
            for attempt in range(2):  # the second time in the form that the first has chosen
                answer = asked(connection, asking)
                if asking.ordered:
                    assert answer == expected, (attempt, asking, made.statements)
                else:
                    assert answer.as_bag() == expected.as_bag(), (attempt, asking, made.statements)
    connection.close()
