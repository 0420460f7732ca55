"""Tests against an embedded server: the fixtures come with `pip install 'pyrqlite[embedded]'`."""

from __future__ import annotations

import pyrqlite
from rqlite_embedded import EmbeddedServer


def test_an_order_is_stored(rqlite_server: EmbeddedServer) -> None:
    connection = pyrqlite.connect(rqlite_server.url, autocommit=True)
    connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT)")
    connection.execute("INSERT INTO orders (item) VALUES (?)", ("tea",))
    assert connection.execute("SELECT item FROM orders").fetchall() == [("tea",)]
    connection.close()
