"""What is remembered of statements stays small."""

from __future__ import annotations

import gc

import pyrqlite
from pyrqlite.sql.statement import Statement
from tests.unit.local_node import LocalNode
from tests.unit.nodes import attempts
from tests.unit.test_cursor import LocalTransport


def alive() -> int:
    gc.collect()
    return sum(isinstance(each, Statement) and len(each.text) > 50_000 for each in gc.get_objects())


def test_long_statements_are_forgotten() -> None:
    """Texts with their values in them seldom come back, and their tokens take megabytes."""
    connection = pyrqlite.connect(host="h", autocommit=True, retry=attempts(1))
    local = LocalNode("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    connection.session.cluster.transport = LocalTransport(local)
    before = alive()
    for number in range(4):
        values = ", ".join(str(number * 10_000 + each) for each in range(9_000))
        for _ in range(2):
            connection.execute(f"SELECT a FROM t WHERE a IN ({values})").fetchall()
            connection.execute(f"SELECT a + 1 FROM t WHERE a IN ({values})").fetchall()
    assert alive() <= before + 1
    connection.close()
