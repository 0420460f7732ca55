"""A repair makes all nodes hold what the leader holds, spares what others write, and outlives restarts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyrqlite import OperationalError
from pyrqlite.admin.verifying import Report
from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import AnswerLost, NotSent, Request, Response
from tests.unit.verify.fake import FakeCluster, FakeNode

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)"


def dump(node: FakeNode) -> list[object]:
    """Everything that the node holds, to the byte, but SQLite's own tables."""
    schema = node.rows(
        "SELECT type, name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*' ORDER BY type, name"
    )
    contents = [
        contents_of(node, name)
        for kind, name, sql in schema
        if kind == "table" and "VIRTUAL" not in sql
    ]
    return [schema, contents]


def contents_of(node: FakeNode, table: str) -> list[str]:
    names = [row[0] for row in node.rows(f"SELECT name FROM pragma_table_xinfo('{table}')")]
    exact = ", ".join(f'typeof("{name}"), CAST("{name}" AS BLOB)' for name in names)
    return sorted(map(repr, node.rows(f'SELECT {exact} FROM "{table}"')))


def repaired(cluster: FakeCluster) -> Report:
    """Repair; all nodes must then hold what the leader held before."""
    held = dump(cluster.leader)
    report = cluster.repair()
    assert [dump(node) for node in cluster.nodes] == [held] * len(cluster.nodes)
    assert report.equal
    assert cluster.verify().equal
    return report


NOTES = b"_pyrqlite_verify_touched"


def before(cluster: FakeCluster, what: bytes, *actions: Callable[[], object]) -> None:
    """Do these, one before each of the first requests of a repair that contain `what`."""
    waiting = list(actions)

    def event(node: FakeNode, request: Request) -> None:
        if waiting and request.target.startswith("/db/request") and what in (request.body or b""):
            waiting.pop(0)()

    cluster.events.append(event)


@pytest.mark.parametrize(
    ("schema", "change"),
    [
        pytest.param(
            TABLE,
            "UPDATE t SET a = 9 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (9, 9, 9)",
            id="rows with a key",
        ),
        pytest.param(
            "CREATE TABLE t (a TEXT COLLATE NOCASE PRIMARY KEY, b) WITHOUT ROWID;"
            "INSERT INTO t VALUES ('a', 1), ('B', 2)",
            "UPDATE t SET a = 'A' WHERE a = 'a'; INSERT INTO t VALUES ('c', 4)",
            id="keys that only look equal",
        ),
        pytest.param(
            "CREATE TABLE t (a, b, PRIMARY KEY (a, b)); INSERT INTO t VALUES (NULL, 1), (NULL, 1), (2, 1.0)",
            "DELETE FROM t WHERE rowid = 1; UPDATE t SET b = 1 WHERE a = 2; INSERT INTO t VALUES (NULL, 7)",
            id="NULLs in a key",
        ),
        pytest.param(
            "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, X'00'), (1, X'00'), ('x', NULL),"
            "(2, CAST(X'ff' AS TEXT))",
            "DELETE FROM t WHERE rowid = 1; INSERT INTO t VALUES ('x', NULL), (3, 3);"
            "UPDATE t SET b = 'z' WHERE a = 2",
            id="no key",
        ),
        pytest.param(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)",
            "DELETE FROM t WHERE id = 1; UPDATE t SET a = 1 WHERE id = 2; INSERT INTO t VALUES (4, 2)",
            id="unique values that are taken",
        ),
        pytest.param(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a, s AS (a + 1) STORED, v AS (a + 2));"
            "INSERT INTO t(id, a) VALUES (1, 1), (2, 2)",
            "UPDATE t SET a = 9; DELETE FROM t WHERE id = 2",
            id="generated columns",
        ),
        pytest.param(
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO t VALUES (5, 1), (6, 2)",
            "DELETE FROM t WHERE id = 6",
            id="AUTOINCREMENT",
        ),
        pytest.param(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 1.0), (2, X'31'), (3, 'x''00'''),"
            "(4, NULL), (5, 1e999), (6, CAST(X'ff' AS TEXT)), (7, '[1]'), (8, 9007199254740993)",
            "UPDATE t SET a = 1 WHERE id <> 4; UPDATE t SET a = 'full' WHERE id = 4",
            id="values of every kind",
        ),
        pytest.param(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE INDEX i ON t (a); CREATE VIEW v AS SELECT a FROM t;"
            "CREATE UNIQUE INDEX u ON t (a); INSERT INTO t VALUES (1, 1), (2, 2)",
            "DROP INDEX i; DROP INDEX u; DROP VIEW v; CREATE VIEW v AS SELECT 2; CREATE INDEX j ON t (id);"
            "UPDATE t SET a = 1",
            id="indexes and views",
        ),
        pytest.param(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 1), (2, 2);"
            "CREATE TABLE u (a); INSERT INTO u VALUES (1)",
            "DROP TABLE t; DROP TABLE u",
            id="tables that are gone",
        ),
        pytest.param(
            "CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p(id) ON DELETE CASCADE);"
            "CREATE TABLE p (id INTEGER PRIMARY KEY, a);"
            "INSERT INTO p VALUES (1, 1), (2, 2); INSERT INTO c VALUES (1, 1), (2, 2); PRAGMA foreign_keys = ON",
            "DELETE FROM p WHERE id = 2; INSERT INTO p VALUES (3, 3); INSERT INTO c VALUES (3, 3)",
            id="foreign keys that cascade",
        ),
        pytest.param(
            "CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p(id));"
            "CREATE TABLE p (id INTEGER PRIMARY KEY, a);"
            "INSERT INTO p VALUES (1, 1), (2, 2); INSERT INTO c VALUES (1, 1), (2, 2); PRAGMA foreign_keys = ON",
            "DELETE FROM c WHERE id = 2; DELETE FROM p WHERE id = 2;"
            "INSERT INTO p VALUES (3, 3); INSERT INTO c VALUES (3, 3)",
            id="foreign keys that refuse",
        ),
    ],
)
def test_everything_is_as_on_the_leader(schema: str, change: str) -> None:
    cluster = FakeCluster(schema)
    cluster[2].script(change)
    cluster[3].script(change)
    cluster.catch_up(cluster[3])
    report = repaired(cluster)
    assert report.repair is not None
    assert report.repair.rows + report.repair.objects > 0
    assert report.repair.refused == []
    assert report.repair.collisions == []
    assert report.repair.snapshots == ["n1", "n2", "n3"]


def test_triggers_do_not_fire() -> None:
    cluster = FakeCluster(
        f"{TABLE}; CREATE TABLE audit (what); CREATE TRIGGER g AFTER UPDATE ON t BEGIN"
        " INSERT INTO audit VALUES (1); END;"
        "CREATE TRIGGER h BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'never'); END"
    )
    cluster[2].script("INSERT INTO t VALUES (9, 9, 9); DELETE FROM audit")
    cluster[3].script("UPDATE t SET a = 9; DELETE FROM audit")
    repaired(cluster)
    assert cluster[1].rows("SELECT * FROM audit") == []
    cluster.write("UPDATE t SET a = 5 WHERE id = 1")
    assert [node.rows("SELECT count(*) FROM audit") for node in cluster.nodes] == [[(1,)]] * 3


def test_a_sequence_is_never_lowered() -> None:
    cluster = FakeCluster(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (7)"
    )
    cluster[2].script("UPDATE sqlite_sequence SET seq = 99")
    cluster[3].script("DELETE FROM sqlite_sequence")
    assert cluster.repair().equal
    assert [node.rows("SELECT * FROM sqlite_sequence") for node in cluster.nodes] == [
        [("t", 99)]
    ] * 3


def test_what_is_repaired_outlives_a_restart() -> None:
    cluster = FakeCluster(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a, at DEFAULT CURRENT_TIMESTAMP);"
        "CREATE TABLE log (a, at DEFAULT CURRENT_TIMESTAMP)"
    )
    for number in range(300):
        cluster.write(f"INSERT INTO t (a) VALUES ({number})")
    cluster.write("INSERT INTO log (a) VALUES (1), (2)")
    report = cluster.verify()
    assert [(table.name, table.differing) for table in report.tables] == [("log", 2), ("t", 300)]
    assert report.tables[1].columns == {"at": 300}
    assert report.tables[1].causes["at"].startswith("DEFAULT CURRENT_TIMESTAMP")
    expected = cluster[1].rows("SELECT * FROM t")
    repaired(cluster)
    for node in cluster.nodes:
        cluster.restart(node)
        assert node.rows("SELECT * FROM t") == expected


class TestWritesOfOthers:
    """None of them is overwritten, even if it comes between the reading of a row and its repair."""

    MENDING = b"SELECT DISTINCT key FROM _pyrqlite_verify_touched"

    @pytest.mark.parametrize(
        ("difference", "write", "expected"),
        [
            pytest.param(
                "UPDATE t SET a = 9 WHERE id = 1",
                "UPDATE t SET a = 77 WHERE id = 1",
                [(1, 77, 1), (2, 2, 2), (3, 3, 3)],
                id="the value that differs",
            ),
            pytest.param(
                "UPDATE t SET a = 2 WHERE id = 1",
                "UPDATE t SET a = a + 1 WHERE id = 1",
                [(1, 2, 1), (2, 2, 2), (3, 3, 3)],
                id="by the value that another node has",
            ),
            pytest.param(
                "DELETE FROM t WHERE id = 1",
                "DELETE FROM t WHERE id = 1",
                [(2, 2, 2), (3, 3, 3)],
                id="a row that is missing elsewhere is deleted",
            ),
            pytest.param(
                "INSERT INTO t VALUES (9, 9, 9)",
                "INSERT OR REPLACE INTO t VALUES (9, 9, 9)",
                [(1, 1, 1), (2, 2, 2), (3, 3, 3), (9, 9, 9)],
                id="a row that is elsewhere is inserted",
            ),
            pytest.param(
                "UPDATE t SET a = 9 WHERE id = 1",
                "UPDATE t SET id = 50 WHERE id = 1",
                [(2, 2, 2), (3, 3, 3), (50, 1, 1)],
                id="the key",
            ),
        ],
    )
    def test_of_rows(self, difference: str, write: str, expected: list[object]) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script(difference)
        before(cluster, self.MENDING, lambda: cluster.write(write))
        report = cluster.repair()
        assert cluster[1].rows("SELECT * FROM t") == expected
        assert report.repair is not None
        assert report.repair.collisions == []
        # What the other node made of the write is another matter, and repaired as well.
        assert report.equal
        assert [dump(node) for node in cluster.nodes] == [dump(cluster[1])] * 3

    def test_again_and_again(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = a + 1")
        count = "UPDATE t SET a = a + 1 WHERE id = 1"
        before(cluster, self.MENDING, *[lambda: cluster.write(count)] * 3)
        report = cluster.repair()
        assert report.equal
        assert cluster[1].rows("SELECT a FROM t") == [(4,), (2,), (3,)]

    def test_of_a_row_that_is_always_written(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = a + 1")
        count = "UPDATE t SET a = a + 1 WHERE id = 1"
        before(cluster, self.MENDING, *[lambda: cluster.write(count)] * 100)
        report = cluster.repair()
        assert [table.differing for table in report.tables] == [1]  # the others are repaired
        written = cluster[1].rows("SELECT a FROM t WHERE id = 1")[0][0]
        assert written == 1 + cluster.log.count([count])

    @pytest.mark.parametrize("wanted", [0, 1, 3])
    def test_of_contents_without_a_key(self, wanted: int) -> None:
        cluster = FakeCluster("CREATE TABLE t (a); INSERT INTO t VALUES (5), (5)")
        cluster[2].script("DELETE FROM t WHERE rowid = 1")

        def change() -> None:
            cluster.write(
                "DELETE FROM t WHERE a = 5",
                f"INSERT INTO t SELECT value FROM json_each('{[5] * wanted}')",
            )

        before(cluster, self.MENDING, change)
        report = cluster.repair()
        assert report.equal
        assert [node.rows("SELECT count(*) FROM t") for node in cluster.nodes] == [[(wanted,)]] * 3

    def test_nothing_is_left_of_the_notes(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 9")
        repaired(cluster)
        seen = any(NOTES in str(items).encode() for items in cluster.log)
        assert seen
        assert cluster[1].rows("SELECT name FROM sqlite_schema") == [("t",)]

    def test_notes_of_an_interrupted_repair_are_removed(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 9")
        checked = cluster.verify()

        def interrupt() -> None:
            raise KeyboardInterrupt

        before(cluster, self.MENDING, interrupt)
        with pytest.raises(KeyboardInterrupt):
            cluster.repair(checked)
        assert len(cluster[1].rows("SELECT name FROM sqlite_schema")) == 6
        report = cluster.verify()
        assert report.skipped == {
            "_pyrqlite_verify_touched": "a note of a repair that is going on, or was interrupted: the next one "
            "removes it"
        }
        assert cluster.repair().equal
        assert cluster[1].rows("SELECT name FROM sqlite_schema") == [("t",)]

    def test_a_definition_that_changes_ends_the_repair_of_the_table(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 9 WHERE id = 1")
        before(cluster, self.MENDING, lambda: cluster.write("ALTER TABLE t RENAME COLUMN b TO c"))
        report = cluster.repair()
        assert report.repair is not None
        assert report.repair.rows == 0
        assert report.repair.refused == ["t: its definition changed meanwhile"]

    def test_a_trigger_made_meanwhile_ends_it_too(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 9 WHERE id = 1")
        trigger = "CREATE TRIGGER g AFTER UPDATE ON t BEGIN DELETE FROM t; END"
        before(cluster, self.MENDING, lambda: cluster.write(trigger))
        report = cluster.repair()
        assert report.repair is not None
        assert report.repair.refused == ["t: its definition changed meanwhile"]
        assert cluster[1].rows("SELECT count(*) FROM t") == [(3,)]

    def test_an_index_dropped_meanwhile_is_said(self) -> None:
        cluster = FakeCluster(f"{TABLE}; CREATE INDEX i ON t (a)")
        cluster[2].script("DROP INDEX i")
        before(cluster, b"CREATE INDEX", lambda: cluster.write("DROP INDEX IF EXISTS i"))
        report = cluster.repair()
        assert report.repair is not None
        assert report.repair.collisions == [
            "index i was changed at the same moment; it had been: None"
        ]


class TestTheLeader:
    def test_another_one_ends_the_repair_before_it_begins(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 9")
        checked = cluster.verify()
        cluster.leader = cluster[2]
        with pytest.raises(OperationalError, match="the leader is not n1 any more, but n2"):
            cluster.repair(checked)
        assert [node.rows("SELECT a FROM t WHERE id = 1") for node in cluster.nodes] == [
            [(1,)],
            [(9,)],
            [(1,)],
        ]

    def answer(self, cluster: FakeCluster, answer: Response | Exception) -> None:
        def event(node: FakeNode, request: Request) -> Response | None:
            if not request.target.startswith("/db/request"):
                return None
            if isinstance(answer, Exception):
                raise answer
            return answer

        cluster.events.append(event)

    @pytest.mark.parametrize(
        "answer",
        [
            Response(301, {}, b"", None),  # type: ignore[arg-type]
            Response(503, {}, b"leader not found", None),  # type: ignore[arg-type]
            NotSent("refused"),
        ],
        ids=["redirects", "has no leader", "is gone"],
    )
    def test_a_node_that_leads_no_more_ends_the_repair(self, answer: Response | Exception) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 9")
        self.answer(cluster, answer)
        with pytest.raises(OperationalError, match="leads no more"):
            cluster.repair()

    def test_it_dies_behind_the_write(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 9")

        def die(node: FakeNode, request: Request) -> None:
            if request.target.startswith("/db/request"):
                cluster[1].down = True
                cluster.leader = cluster[2]
                raise AnswerLost("reset")

        cluster.events.append(die)
        with pytest.raises(OperationalError, match="the leader was lost"):
            cluster.repair()

    def test_an_answer_that_is_lost_is_said(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 9")
        waiting = [True]

        def lose(node: FakeNode, request: Request) -> None:
            if waiting and request.target.startswith("/db/request"):
                del waiting[:]
                cluster.send(Node("http", node.name, 4001), request)
                raise AnswerLost("reset")

        cluster.events.append(lose)
        report = cluster.repair()
        assert report.equal
        assert report.repair is not None
        [note] = report.repair.notes
        assert "the answer to a repair was lost (reset)" in note


class TestRefusals:
    @pytest.mark.parametrize(
        ("schema", "change", "reason"),
        [
            pytest.param(
                TABLE,
                "ALTER TABLE t ADD COLUMN c",
                "table t: it has another definition",
                id="definition",
            ),
            pytest.param(
                TABLE,
                "CREATE TABLE other (a)",
                "table other: the leader has none",
                id="extra table",
            ),
            pytest.param(
                "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES ('a')",
                "UPDATE f_content SET c0 = 'b'",
                "f_content: it belongs to a virtual table",
                id="shadow table",
            ),
            pytest.param(
                "CREATE TABLE t (rowid, _rowid_, oid); INSERT INTO t VALUES (1, 2, 3)",
                "UPDATE t SET oid = 4",
                "t: it has no key, and its columns hide its rowids",
                id="no rowid",
            ),
            pytest.param(
                "CREATE TABLE p (a UNIQUE); CREATE TABLE c (a REFERENCES p (a)); INSERT INTO p VALUES (1)",
                "INSERT INTO p VALUES (2)",
                "p: rows without a key that foreign keys refer to",
                id="parent without a key",
            ),
        ],
    )
    def test_what_is_left_alone_is_said(self, schema: str, change: str, reason: str) -> None:
        cluster = FakeCluster(schema)
        cluster[2].script(change)
        plan = cluster.plan()
        assert plan.actions == []
        assert any(each.startswith(reason) for each in plan.refused), plan.refused
        held = [dump(node) for node in cluster.nodes]
        report = cluster.repair()
        assert report.repair is not None
        assert any(each.startswith(reason) for each in report.repair.refused), report.repair.refused
        assert [dump(node) for node in cluster.nodes] == held
        assert not report.equal

    def test_a_row_that_cannot_be_written_spares_the_others(self) -> None:
        # A swap of unique values on one node: whichever is written first is taken.
        cluster = FakeCluster(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE, b);"
            "INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)"
        )
        cluster[2].script(
            "UPDATE t SET a = 0 WHERE id = 1; UPDATE t SET a = 1 WHERE id = 2;"
            "UPDATE t SET a = 2 WHERE id = 1; UPDATE t SET b = 9 WHERE id = 3"
        )
        report = cluster.repair()
        assert [table.differing for table in report.tables] == [2]

    def test_the_plan(self) -> None:
        cluster = FakeCluster(
            f"{TABLE}; CREATE INDEX i ON t (a); CREATE TRIGGER g AFTER UPDATE ON t BEGIN SELECT 1; END"
        )
        cluster[2].script("DROP INDEX i; DELETE FROM t WHERE id = 1; UPDATE t SET a = 0")
        assert cluster.plan().actions == [
            "CREATE INDEX IF NOT EXISTS i ON t (a)",
            "t: UPDATE 2, INSERT 1 (rows of all nodes together); its triggers (g) do not fire: they are set aside "
            "in the same transactions",
        ]


KINDS = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)",
    "CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, a, b) WITHOUT ROWID",
    "CREATE TABLE t (id, a, b, PRIMARY KEY (id, a)) WITHOUT ROWID",
    "CREATE TABLE t (id, a, b, PRIMARY KEY (a DESC, id))",
    "CREATE TABLE t (id NUMERIC, a TEXT COLLATE RTRIM, b REAL)",
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b DEFAULT CURRENT_TIMESTAMP)",
)
small = st.sampled_from(
    ["1", "2", "1.0", "2.5", "-9223372036854775808", "'a'", "'A'", "'a '", "'1'", "''", "X''", "X'61'",
     "CAST(X'61ff' AS TEXT)", "'a' || char(0)", "'x''00'''", "1e999", "NULL", "'2026-01-01 00:00:00'"]
)  # fmt: skip
keys = st.sampled_from(["1", "2", "3", "'a'", "'A'", "'b '", "X'61'", "2.0", "''", "NULL"])
statements = st.one_of(
    st.builds("INSERT OR IGNORE INTO t VALUES ({}, {}, {})".format, keys, small, small),
    st.builds("DELETE FROM t WHERE id IS {}".format, keys),
    st.builds("UPDATE OR IGNORE t SET a = {} WHERE id IS {}".format, small, keys),
    st.builds("UPDATE OR IGNORE t SET b = {} WHERE id IS {}".format, small, keys),
)


@settings(max_examples=60)
@given(
    kind=st.sampled_from(KINDS),
    common=st.lists(statements, max_size=8),
    alone=st.lists(st.tuples(st.integers(1, 3), statements), min_size=1, max_size=6),
)
def test_whatever_differs_is_found_and_repaired(
    kind: str, common: list[str], alone: list[tuple[int, str]]
) -> None:
    def execute(node: FakeNode, sql: str) -> None:
        # Not every value fits every column.
        node.execute([sql], transaction=False)

    cluster = FakeCluster(kind)
    for sql in common:
        for node in cluster.nodes:
            execute(node, sql)
    for number, sql in alone:
        execute(cluster[number], sql)
    report = cluster.verify()
    contents = [contents_of(node, "t") for node in cluster.nodes]
    assert report.complete
    assert report.equal == (contents[0] == contents[1] == contents[2])
    for number in (2, 3):
        differing = contents[number - 1] != contents[0]
        assert differing == any(f"n{number}" in table.nodes for table in report.tables)
    if not report.equal:
        assert cluster.repair().equal
        assert [contents_of(node, "t") for node in cluster.nodes] == [contents[0]] * 3


@settings(max_examples=60)
@given(
    kind=st.sampled_from(KINDS),
    common=st.lists(statements, max_size=8),
    alone=st.lists(st.tuples(st.integers(2, 3), statements), min_size=1, max_size=6),
    writes=st.lists(statements, min_size=1, max_size=12),
)
def test_a_repair_changes_nothing_on_the_leader(
    kind: str, common: list[str], alone: list[tuple[int, str]], writes: list[str]
) -> None:
    """Whatever others write meanwhile, the leader holds in the end what it would hold without the repair."""
    cluster = FakeCluster(kind)
    alike = FakeNode("alike", 9)
    alike.script(kind)
    for sql in common:
        for node in (*cluster.nodes, alike):
            node.execute([sql], transaction=False)
    for number, sql in alone:
        cluster[number].execute([sql], transaction=False)

    def write(sql: str) -> None:
        cluster.write(sql)
        alike.execute([sql], transaction=True)

    before(cluster, b"", *[partial(write, sql) for sql in writes])
    report = cluster.verify()
    if report.different:
        report = cluster.repair(report)
        assert report.repair is not None
        assert report.repair.collisions == []
    assert contents_of(cluster[1], "t") == contents_of(alike, "t")
