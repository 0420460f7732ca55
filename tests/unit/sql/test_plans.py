"""Whatever is called guarded gives the same bag of rows, and no error, under every plan."""

from __future__ import annotations

import random
from collections.abc import Sequence

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrqlite.sql.parameters import Value
from pyrqlite.sql.reads import ReadVerdict, judge_read
from pyrqlite.sql.schema import Schema
from pyrqlite.sql.statement import Statement, parse
from pyrqlite.transaction.guards import aggregates_guard, conflict_number
from tests.unit.sql.query_maker import FAILING, TABLES, QueryMaker, literal, rows
from tests.unit.sql.sqlite_oracle import examples, schema_of

INDEXES = """
CREATE INDEX t_a ON t(a); CREATE INDEX t_ba ON t(b, a); CREATE INDEX t_c ON t(c DESC);
CREATE INDEX t_d ON t(d, e, b); CREATE INDEX u_n ON u(n, a); CREATE INDEX u_b ON u(b);
CREATE INDEX u_a ON u(a); CREATE INDEX w_a ON w(a, v); CREATE INDEX w_v ON w(v);
CREATE INDEX j_x ON j(x, n); CREATE INDEX j_n ON j(n DESC);
"""
OTHER_INDEXES = """
CREATE INDEX t_part ON t(a) WHERE d > 0; CREATE INDEX t_null ON t(b) WHERE a IS NOT NULL;
CREATE INDEX t_bin ON t(b COLLATE BINARY); CREATE INDEX t_expr ON t(a || b);
CREATE INDEX t_all ON t(d DESC, c, b, a, e); CREATE UNIQUE INDEX u_kn ON u(k DESC, n);
CREATE INDEX u_nocase ON u(b COLLATE NOCASE, a); CREATE INDEX u_p ON u(a) WHERE n = 1;
CREATE INDEX w_p ON w(v) WHERE a > 1; CREATE INDEX w_g ON w(g); CREATE INDEX w_bv ON w(b DESC, v);
CREATE INDEX j_p ON j(n) WHERE x IS NOT NULL;
"""
SELECTIVE = """
ANALYZE sqlite_schema; DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 SELECT tbl_name, name, '1000000 1 1 1 1 1 1' FROM sqlite_schema WHERE type = 'index';
ANALYZE sqlite_schema
"""
USELESS = """
ANALYZE sqlite_schema; DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 SELECT tbl_name, name, '1000000 1000000 1000000 900000 1 1 1' FROM sqlite_schema
    WHERE type = 'index' AND tbl_name <> 'u';
INSERT INTO sqlite_stat1 VALUES ('u', 'u_n', '2 2 1'), ('u', 'u_b', '2 1');
ANALYZE sqlite_schema
"""
REVERSED = "PRAGMA reverse_unordered_selects = ON"
NODES = [
    INDEXES,
    INDEXES + REVERSED,
    "PRAGMA automatic_index = OFF",
    INDEXES + SELECTIVE,
    INDEXES + USELESS,
    OTHER_INDEXES,
    OTHER_INDEXES + SELECTIVE + ";" + REVERSED,
    INDEXES + OTHER_INDEXES + USELESS,
    OTHER_INDEXES + "ANALYZE; PRAGMA automatic_index = OFF",
]


class Cluster:
    """The same rows on several nodes that plan differently. Where a table has no INTEGER PRIMARY KEY, each
    node numbers its rows in its own way; columns that read a clock differ."""

    def __init__(self, seed: int, count: int) -> None:
        rng = random.Random(seed)
        data = [(table, row) for table in "tuwj" for row in rows(rng, table, count)]
        self.nodes = [apsw.Connection(":memory:") for _ in NODES]
        for number, (node, plan) in enumerate(zip(self.nodes, NODES, strict=True)):
            node.execute(TABLES)
            rng.shuffle(data)
            for table, row in data:
                known = dict(row)
                if table == "w":
                    known["created"] = f"node {number} at {rng.random()}"
                names = ", ".join(known)
                values = ", ".join(map(literal, known.values()))
                node.execute(f"INSERT INTO {table}({names}) VALUES ({values})")
            node.execute(FAILING)
            node.execute(plan)
        self.schema: Schema = schema_of(self.nodes[0])


CLUSTERS = [Cluster(3, 3), Cluster(1, 12), Cluster(2, 24), Cluster(4, 50)]


def guard_text(statement: Statement, verdict: ReadVerdict) -> str:
    """A query for the bag of the rows, one row more than LIMIT asks for, as one text."""
    text = statement.text
    if verdict.limit is not None:
        token = statement.tokens[verdict.limit.index]
        text = f"{text[: token.start]}{verdict.limit.k + 1}{text[token.end :]}"
    names = ", ".join(f"c{index}" for index in range(verdict.width))
    cells = ", ".join(
        f"CASE typeof(c{i}) WHEN 'text' THEN c{i} || '' WHEN 'blob' THEN json_array(hex(c{i})) ELSE c{i} END"
        for i in range(verdict.width)
        if i not in verdict.apart
    )
    unlimited = " LIMIT -1" if verdict.limit is None else ""
    return (
        f"WITH q({names}) AS ({text}{unlimited}) SELECT count(*), group_concat(r, char(10)) FROM "
        f"(SELECT json_array({cells}) AS r FROM q ORDER BY r)"
    )


def bound(statement: Statement, verdict: ReadVerdict, values: list[Value]) -> tuple[Value, ...]:
    """The values without that of a LIMIT, which the guard has as a number."""
    if verdict.limit is None or statement.tokens[verdict.limit.index].text != "?":
        return tuple(values)
    place = statement.tokens[verdict.limit.index].start
    [number] = [n for n, token in statement.placeholders.occurrences if token.start == place]
    return (*values[: number - 1], *values[number:])


def as_bag(rows: list[tuple[Value, ...]], verdict: ReadVerdict) -> list[str]:
    """Rows in no order, without the columns that are no part of the fact."""
    return sorted(
        repr([value for index, value in enumerate(row) if index not in verdict.apart])
        for row in rows
    )


def passes(
    node: apsw.Connection,
    statement: Statement,
    values: list[Value],
    verdict: ReadVerdict,
    row: Sequence[Value],
) -> bool:
    """Whether the guard of this row of extremes lets a commit pass."""
    assert verdict.aggregates is not None
    guard = aggregates_guard(statement, values, verdict.aggregates, row, 1)
    sent = [
        bytes.fromhex(value[2:-1]) if isinstance(value, str) and value.startswith("x'") else value
        for value in guard[1:]
    ]
    try:
        node.execute(guard[0], sent)
    except apsw.SQLError as error:
        if conflict_number(str(error)) != 1:
            raise
        return False
    return True


class Tally:
    """How many queries of which fate there were."""

    def __init__(self) -> None:
        self.guarded = 0
        self.cut = 0
        self.bounded = 0
        self.aggregates = 0
        self.unguarded = 0

    def check(self, cluster: Cluster, sql: str, values: list[Value]) -> None:
        """Judge a query, and try every plan if it is guarded."""
        statement = parse(sql)
        verdict = judge_read(statement, cluster.schema, values)
        if not verdict.guarded:
            self.unguarded += 1
            return
        if verdict.aggregates is not None:
            self.check_aggregates(cluster, statement, verdict, values)
            return
        guard, parameters = guard_text(statement, verdict), bound(statement, verdict, values)
        [(count, first)] = cluster.nodes[0].execute(guard, parameters)
        if verdict.limit is not None and count > verdict.limit.k and not verdict.limit.total_order:
            self.check_boundary(cluster, statement, verdict, values)
            return
        self.guarded += 1
        for node in cluster.nodes[1:]:
            assert list(node.execute(guard, parameters)) == [(count, first)], (sql, values)

    def check_aggregates(
        self, cluster: Cluster, statement: Statement, verdict: ReadVerdict, values: list[Value]
    ) -> None:
        """The guard of what one node shows passes on all, and that of anything else ends alike on all."""
        assert verdict.aggregates is not None
        for shower in cluster.nodes[:: len(cluster.nodes) // 2]:
            try:
                shown = list(shower.execute(statement.text, values))
            except apsw.SQLError:  # an integer overflow on the way
                continue
            if not shown or verdict.aggregates.reason(shown[0]) is not None:
                continue
            self.aggregates += 1
            [row] = shown
            near = [[1, None, *(value for value in row if value is not None)][-1]] * len(row)
            for seen in (row, [None] * len(row), near):
                passed = {passes(node, statement, values, verdict, seen) for node in cluster.nodes}
                assert len(passed) == 1, (statement.text, values, seen)
                assert passed == {True} or seen is not row, (statement.text, values, seen)

    def check_boundary(
        self, cluster: Cluster, statement: Statement, verdict: ReadVerdict, values: list[Value]
    ) -> None:
        """Where the rows that a node shows end at a boundary, all nodes give them by the narrowed query."""
        limit = verdict.limit
        assert limit is not None
        token, k = statement.tokens[limit.index], limit.k
        more = f"{statement.text[: token.start]}{k + 1}{statement.text[token.end :]}"
        for shower in cluster.nodes[:: len(cluster.nodes) // 2]:
            shown = list(shower.execute(more, bound(statement, verdict, values)))
            boundary = limit.boundary
            parts = None if boundary is None else boundary.parts(statement, values, shown, k)
            if parts is None:
                self.cut += 1
                return
            self.bounded += 1
            assert [0, *(part.stop for part in parts)] == [*(part.start for part in parts), k]
            for node in cluster.nodes:
                for part in parts:
                    found = list(node.execute(part.query.text, part.values))
                    bag = as_bag(shown[part.start : part.stop], verdict)
                    assert as_bag(found, verdict) == bag, (statement.text, values)


TALLY = Tally()


@given(st.integers(0, 2**48))
@examples(250)
def test_guarded_queries_give_one_bag_under_every_plan(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(10):
        maker = QueryMaker(rng)
        sql, values = maker.query()
        # The product of three tables grows fast.
        TALLY.check(rng.choice(CLUSTERS[: 5 - len(maker.sources)]), sql, values)


def test_the_made_up_queries_are_a_fair_mixture() -> None:
    tally = Tally()
    rng = random.Random(7)
    for _ in range(400):
        maker = QueryMaker(rng)
        sql, values = maker.query()
        tally.check(rng.choice(CLUSTERS[: 5 - len(maker.sources)]), sql, values)
    assert tally.guarded > 120
    assert tally.unguarded > 60
    assert tally.cut > 5
    assert tally.bounded > 2
    assert tally.aggregates > 15


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT a FROM t LIMIT 3", []),
        ("SELECT rowid FROM w WHERE v = 1", []),
        ("SELECT count(*) FROM w WHERE created > 'node 4'", []),
        ("SELECT group_concat(a) FROM t", []),
        ("SELECT DISTINCT b FROM t", []),
    ],
)
def test_the_plans_differ_enough_to_show_what_is_not_guarded(sql: str, values: list[Value]) -> None:
    """Without the grammar, these bags differ between the nodes."""
    cluster = CLUSTERS[3]
    bags = {repr(sorted(map(repr, node.execute(sql, tuple(values))))) for node in cluster.nodes}
    assert len(bags) > 1
    verdict = judge_read(parse(sql), cluster.schema, values)
    assert not verdict.guarded or verdict.limit is not None or verdict.apart == {0}
