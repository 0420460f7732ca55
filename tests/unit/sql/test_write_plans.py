"""What is said about a write holds on nodes with other plans and another past."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import apsw
from hypothesis import given
from hypothesis import strategies as st

from pyrqlite.sql.parameters import Value
from pyrqlite.sql.schema import Schema
from pyrqlite.sql.statement import parse
from pyrqlite.sql.writes import Returning, WriteVerdict, judge_write
from tests.unit.sql.query_maker import STEADY, TABLES, literal, rows
from tests.unit.sql.sqlite_oracle import examples, schema_of
from tests.unit.sql.test_plans import NODES
from tests.unit.sql.write_maker import EQUAL, WRITTEN, WRITTEN_INDEXES, WriteMaker, written_rows

ALL = [*EQUAL, "t", "u", "w"]


class Outcome(NamedTuple):
    """What one node did."""

    failed: bool
    changes: int
    rowid: int
    returned: list[tuple[object, ...]]
    bag: list[object]
    keyed: list[object] | None


class Cluster:
    """The same rows on nodes that plan differently, and whose connections did other things before."""

    def __init__(self, seed: int, count: int) -> None:
        rng = random.Random(seed)
        data = [(table, row) for table in "tuw" for row in rows(rng, table, count)]
        data += written_rows(rng, count)
        self.nodes = [apsw.Connection(":memory:") for _ in NODES]
        for number, (node, plan) in enumerate(zip(self.nodes, NODES, strict=True)):
            node.execute(TABLES + WRITTEN)
            for table, row in data:
                known = dict(row)
                if table == "r":  # each node has numbered them in its own way
                    known["rowid"] = int(str(row["v"])) * (1 + number % 3) + 1
                if table in ("w", "y", "l"):
                    known["created" if table != "y" else "stamp"] = f"node {number}: {rng.random()}"
                node.execute(
                    f"INSERT INTO {table}({', '.join(known)}) VALUES ({', '.join(map(literal, known.values()))})"
                )
            if number % 2:
                node.execute(WRITTEN_INDEXES)
            node.execute(plan)
            node.execute("PRAGMA foreign_keys = ON; CREATE TEMP TABLE past(id INTEGER PRIMARY KEY)")
            node.execute(f"INSERT INTO past VALUES ({1000 + number})")
        self.schema: Schema = schema_of(self.nodes[0])

    def outcomes(self, sql: str, values: list[Value], verdict: WriteVerdict) -> Iterator[Outcome]:
        """What each node does with the statement, which is undone again."""
        for number, node in enumerate(self.nodes):
            with undone(node):
                node.execute("DELETE FROM past")
                node.execute(f"INSERT INTO past VALUES ({1000 + number})")
                yield outcome(node, sql, values, verdict.returning)


@contextmanager
def undone(node: apsw.Connection) -> Iterator[None]:
    """Whatever is done inside is undone."""
    node.execute("SAVEPOINT before")
    try:
        yield
    finally:
        node.execute("ROLLBACK TO before; RELEASE before")


def outcome(
    node: apsw.Connection, sql: str, values: list[Value], returning: Returning | None
) -> Outcome:
    before = {}
    if returning is not None and returning.before:
        before = by_key(node, sql, returning)
    try:
        returned = list(node.execute(sql, tuple(values)))
        failed = False
    except apsw.Error:
        returned, failed = [], True
    changes, rowid = node.changes(), node.last_insert_rowid()
    keyed: list[object] | None = None
    if returning is not None and not failed:
        places = [i for i in range(len(returning.columns)) if i not in returning.apart]
        seen = sorted(repr([row[i] for i in places]) for row in returned)
        keyed = [seen, sorted((before or by_key(node, sql, returning)).items())]
    bag: list[object] = [
        sorted(map(repr, node.execute(f"SELECT {', '.join(_names(table))} FROM {table}")))
        for table in ALL
    ]
    return Outcome(failed, changes, rowid, returned, bag, keyed)


def _names(table: str) -> list[str]:
    known = EQUAL.get(table, STEADY[table])
    return [name for name in known if name != "rowid"]


def by_key(node: apsw.Connection, sql: str, returning: Returning) -> dict[str, str]:
    """All rows of the table by their keys, as a guard would read them."""
    table = next(word for word in parse(sql).tokens if word.text in ALL).text
    key = ", ".join(column.name for column in returning.key)
    cells = [
        f"quote({c.name})" for i, c in enumerate(returning.columns) if i not in returning.apart
    ]
    return {
        repr(row[: len(returning.key)]): repr(row[len(returning.key) :])
        for row in node.execute(f"SELECT {key}, {', '.join(cells) or '1'} FROM {table}")
    }


CLUSTERS = [Cluster(1, 8), Cluster(2, 20)]


class Tally:
    """How many writes of which fate there were."""

    def __init__(self) -> None:
        self.counted = self.rowids = self.uniform = self.returning = self.none = 0

    def check(self, cluster: Cluster, sql: str, values: list[Value]) -> None:
        """Judge a write, and let every node do it."""
        verdict = judge_write(parse(sql), cluster.schema, values)
        if not (verdict.count or verdict.uniform):
            self.none += 1
            return
        found = list(cluster.outcomes(sql, values, verdict))
        done = [outcome for outcome in found if not outcome.failed]
        if verdict.uniform:
            self.uniform += 1
            assert len(done) in (0, len(found)), ("failed on some nodes", sql, values)
            assert all(outcome.bag == found[0].bag for outcome in found), ("stored", sql, values)
        if verdict.count and done:
            self.counted += 1
            assert len({outcome.changes for outcome in done}) == 1, ("count", sql, values)
        if verdict.rowid and done and done[0].changes == 1:
            self.rowids += 1
            assert len({outcome.rowid for outcome in done}) == 1, ("rowid", sql, values)
            assert done[0].rowid < 1000 or str(done[0].rowid) in repr((sql, values))
        if verdict.returning is not None and done:
            self.returning += 1
            assert len({repr(outcome.keyed) for outcome in done}) == 1, ("returning", sql, values)


TALLY = Tally()


@given(st.integers(0, 2**48))
@examples(60)
def test_what_is_said_about_a_write_holds_on_every_node(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(5):
        sql, values = WriteMaker(rng).write()
        TALLY.check(rng.choice(CLUSTERS), sql, values)


def test_the_made_up_writes_are_a_fair_mixture() -> None:
    tally, rng = Tally(), random.Random(5)
    for _ in range(300):
        sql, values = WriteMaker(rng).write()
        tally.check(rng.choice(CLUSTERS), sql, values)
    assert min(tally.counted, tally.uniform) > 60
    assert min(tally.rowids, tally.returning) > 5
    assert tally.none > 60


def test_the_nodes_differ_enough_to_show_what_is_not_uniform() -> None:
    cluster = CLUSTERS[1]
    for sql in (
        "UPDATE p SET a = (SELECT n FROM q LIMIT 1) WHERE id = 1",
        "INSERT INTO l(what) SELECT a FROM p WHERE id > 1",
        "UPDATE p SET b = b + 1 WHERE id > 0",
    ):
        verdict = judge_write(parse(sql), cluster.schema, [])
        assert not verdict.uniform or not verdict.count
        found = list(cluster.outcomes(sql, [], verdict))
        assert len({repr((o.failed, o.changes, o.bag)) for o in found}) > 1, sql
