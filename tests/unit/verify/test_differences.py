"""Whatever differs is found, in tables of every kind, and nothing else."""

from __future__ import annotations

import pytest

from tests.unit.verify.fake import FakeCluster, found

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT "


def test_equal_nodes() -> None:
    cluster = FakeCluster("CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 2)")
    report = cluster.verify()
    assert report.equal
    assert report.complete
    assert [(table.name, table.count, table.differing) for table in report.tables] == [("t", 1, 0)]
    assert [member.id for member in report.nodes if member.leader] == ["n1"]


def test_nothing_large_goes_through_the_log() -> None:
    cluster = FakeCluster(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t {NUMBERS.format(9000)} i, i FROM n"
    )
    cluster[2].script("UPDATE t SET a = 0 WHERE id = 8999")
    assert found(cluster.verify(), "t") == {"(8999,)": "n2 changed a"}
    barriers = [items for items in cluster.log if items == ["SELECT 1"]]
    assert len(cluster.log) - len(barriers) == 1  # the schema


@pytest.mark.parametrize(
    ("schema", "change", "expected"),
    [
        pytest.param(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b); INSERT INTO t VALUES (1,2,3), (2,3,4), (5,6,7)",
            "UPDATE t SET b = 9 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (6, 0, 0)",
            {"(1,)": "n2 changed b", "(2,)": "n2 missing", "(6,)": "n2 extra"},
            id="rowid alias",
        ),
        pytest.param(
            "CREATE TABLE t (a, b, c, PRIMARY KEY (b, a)) WITHOUT ROWID;"
            "INSERT INTO t VALUES (1, 'x', 1), (2, 'x', 2), (1, 'y', 3), (X'00', 1.5, 4), (1.0, 1, 5)",
            "UPDATE t SET c = 9 WHERE a = 2; UPDATE t SET c = 8 WHERE a = X'00'",
            {"('x', 2)": "n2 changed c", "(1.5, {'blob': '00'})": "n2 changed c"},
            id="composite key of mixed types",
        ),
        pytest.param(
            "CREATE TABLE t (a TEXT COLLATE NOCASE PRIMARY KEY, b) WITHOUT ROWID;"
            "INSERT INTO t VALUES ('a', 1), ('B', 2), ('c', 3)",
            "UPDATE t SET a = 'b' WHERE b = 2",
            {"('B',)": "n2 missing", "('b',)": "n2 extra"},
            id="equal by collation only",
        ),
        pytest.param(
            "CREATE TABLE t (a TEXT, b, PRIMARY KEY (a COLLATE NOCASE)); INSERT INTO t VALUES ('a', 1), ('B', 2)",
            "UPDATE t SET b = 3 WHERE a = 'B'",
            {"('B',)": "n2 changed b"},
            id="a collation of the key alone",
        ),
        pytest.param(
            "CREATE TABLE t (a, b, PRIMARY KEY (a, b));"
            "INSERT INTO t VALUES (NULL, 1), (NULL, 1), (2, NULL), (3, 3)",
            "DELETE FROM t WHERE rowid = 1; INSERT INTO t VALUES (NULL, 5); DELETE FROM t WHERE a = 3",
            {"(3, 3)": "n2 missing", "(None, 1)": "n2 missing", "(None, 5)": "n2 extra"},
            id="NULLs in a key",
        ),
        pytest.param(
            "CREATE TABLE t (id INTEGER PRIMARY KEY DESC, a); INSERT INTO t VALUES (1, 1), (2, 2)",
            "UPDATE t SET a = 0 WHERE id = 2",
            {"(2,)": "n2 changed a"},
            id="a primary key that is no rowid",
        ),
        pytest.param(
            "CREATE TABLE t (a, b UNIQUE NOT NULL); INSERT INTO t VALUES (1, 1), (2, 2)",
            "UPDATE t SET a = 0 WHERE b = 2",
            {"(2,)": "n2 changed a"},
            id="a unique column",
        ),
        pytest.param(
            "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 1), (1, 1), (1, 1), (2, 2)",
            "DELETE FROM t WHERE rowid IN (1, 2); INSERT INTO t VALUES (2, 2), (3, 3)",
            {"(1, 1)": "n2 missing", "(2, 2)": "n2 extra", "(3, 3)": "n2 extra"},
            id="no key",
        ),
        pytest.param(
            "CREATE TABLE t (rowid, _rowid_, oid); INSERT INTO t VALUES (1, 2, 3), (4, 5, 6)",
            "UPDATE t SET oid = 7 WHERE oid = 6",
            {"(4, 5, 6)": "n2 missing", "(4, 5, 7)": "n2 extra"},
            id="hidden rowids",
        ),
        pytest.param(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 1), (2, X'31'), (3, 'x'),"
            "(4, NULL), (5, 1e999), (6, CAST(X'ff' AS TEXT)), (7, '[1]'), (8, 'x''00''')",
            "UPDATE t SET a = 1.0 WHERE id = 1; UPDATE t SET a = '1' WHERE id = 2;"
            "UPDATE t SET a = X'78' WHERE id = 3; UPDATE t SET a = '' WHERE id = 4;"
            "UPDATE t SET a = -1e999 WHERE id = 5; UPDATE t SET a = CAST(X'fe' AS TEXT) WHERE id = 6",
            {f"({number},)": "n2 changed a" for number in range(1, 7)},
            id="storage classes and bytes",
        ),
        pytest.param(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a, s AS (a + 1) STORED, v AS (a + 2));"
            "INSERT INTO t(id, a) VALUES (1, 1), (2, 2)",
            "UPDATE t SET a = 9 WHERE id = 1",
            {"(1,)": "n2 changed a+s"},
            id="generated columns",
        ),
        pytest.param(
            f"CREATE TABLE t (id INTEGER PRIMARY KEY, {', '.join(f'c{n}' for n in range(250))});"
            "INSERT INTO t (id, c0, c249) VALUES (1, 'a', X'00'), (2, 'b', NULL)",
            "UPDATE t SET c249 = 5 WHERE id = 1",
            {"(1,)": "n2 changed c249"},
            id="more columns than a function takes arguments",
        ),
        pytest.param(
            'CREATE TABLE "select ""x" ("a b" INTEGER PRIMARY KEY, "order");'
            'INSERT INTO "select ""x" VALUES (1, 2)',
            'UPDATE "select ""x" SET "order" = 3',
            {"(1,)": "n2 changed order"},
            id="names that need quotes",
        ),
        pytest.param(
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (7)",
            "UPDATE sqlite_sequence SET seq = 99",
            {"('t',)": "n2 changed seq"},
            id="sqlite_sequence",
        ),
        pytest.param(
            "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES ('one'), ('two')",
            "UPDATE f_content SET c0 = 'three' WHERE id = 2",
            {"(2,)": "n2 changed c0"},
            id="the tables behind a full-text index",
        ),
    ],
)
def test_tables_of_every_kind(schema: str, change: str, expected: dict[str, str]) -> None:
    cluster = FakeCluster(schema)
    cluster[2].script(change)
    report = cluster.verify()
    differing = [table.name for table in report.tables if table.differing]
    assert len(differing) == 1
    assert found(report, differing[0]) == expected
    assert not report.equal
    assert report.complete


def test_rows_that_differ_on_several_nodes() -> None:
    cluster = FakeCluster(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 1), (2, 2)"
    )
    cluster[2].script("UPDATE t SET a = 8; DELETE FROM t WHERE id = 2")
    cluster[3].script("UPDATE t SET a = 9 WHERE id = 2")
    report = cluster.verify()
    assert found(report, "t") == {"(1,)": "n2 changed a", "(2,)": "n2 missing, n3 changed a"}
    assert report.tables[0].nodes == {"n2": {"changed": 1, "missing": 1}, "n3": {"changed": 1}}


def test_rows_at_the_edges_of_pieces() -> None:
    cluster = FakeCluster(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t {NUMBERS.format(5000)} i * 2, i FROM n"
    )
    cluster[2].script(
        "DELETE FROM t WHERE id = 4000; INSERT INTO t VALUES (1, 0), (4001, 0), (10001, 0)"
    )
    cluster[3].script(f"INSERT INTO t {NUMBERS.format(7000)} 20000 + i, i FROM n")
    report = cluster.verify()
    assert report.tables[0].nodes == {"n2": {"missing": 1, "extra": 3}, "n3": {"extra": 7000}}


def test_large_rows_are_read_a_few_at_a_time() -> None:
    cluster = FakeCluster(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a);"
        f"INSERT INTO t {NUMBERS.format(40)} i, zeroblob(300000) FROM n"
    )
    cluster[3].script("UPDATE t SET a = zeroblob(300001) WHERE id = 33")
    sizes: list[int] = []
    real = cluster.send

    def send(*arguments: object) -> object:
        response = real(*arguments)  # type: ignore[arg-type]
        sizes.append(len(response.body))
        return response

    cluster.send = send  # type: ignore[assignment]
    assert found(cluster.verify(), "t") == {"(33,)": "n3 changed a"}
    assert max(sizes) < 3_000_000


def test_other_rowids_are_no_difference() -> None:
    cluster = FakeCluster("CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)")
    cluster[2].script("UPDATE t SET rowid = rowid + 100")
    report = cluster.verify()
    assert report.equal
    assert report.tables[0].notes == ["the rows are equal, but some have other rowids"]


def test_rows_without_a_key_are_told_as_changed() -> None:
    cluster = FakeCluster(
        "CREATE TABLE t (message, at DEFAULT CURRENT_TIMESTAMP); INSERT INTO t VALUES ('a', 1), ('b', 2), ('b', 3)"
    )
    cluster[2].script("UPDATE t SET at = 5 WHERE message = 'a'; UPDATE t SET at = 6 WHERE at = 3")
    report = cluster.verify()
    assert found(report, "t") == {"('a', 1)": "n2 changed at", "('b', 3)": "n2 changed at"}
    assert report.tables[0].columns == {"at": 2}


def test_only_the_first_rows_are_shown_and_all_are_counted() -> None:
    cluster = FakeCluster(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t {NUMBERS.format(300)} i, i FROM n"
    )
    cluster[2].script("UPDATE t SET a = -1")
    [table] = cluster.verify(most_rows=5).tables
    assert (table.differing, len(table.rows), table.columns) == (300, 5, {"a": 300})


def test_chosen_tables_only() -> None:
    cluster = FakeCluster("CREATE TABLE one (a); CREATE TABLE two (a); CREATE INDEX i ON two (a)")
    cluster[2].script("INSERT INTO two VALUES (1); DROP INDEX i")
    assert cluster.verify("ONE").equal
    report = cluster.verify("two")
    assert [table.name for table in report.tables] == ["two"]
    assert [each.name for each in report.schema] == ["i"]


def test_what_is_left_out_is_said() -> None:
    cluster = FakeCluster(
        "CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1);"
        "CREATE VIEW v AS SELECT a FROM t; CREATE VIRTUAL TABLE f USING fts5(x)"
    )
    cluster[2].script("ANALYZE")
    report = cluster.verify()
    assert report.equal
    cluster = FakeCluster(
        "CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1); ANALYZE"
    )
    assert cluster.verify().skipped["sqlite_stat1"] == (
        "statistics, which each node gathers by itself"
    )
    assert report.skipped == {
        "v": "a view",
        "f": "a virtual table; the tables behind it are compared",
    }


class TestSchema:
    SCRIPT = (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE INDEX i ON t (a); CREATE VIEW v AS SELECT a FROM t;"
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END; INSERT INTO t VALUES (1, 1)"
    )

    def test_all_its_differences(self) -> None:
        cluster = FakeCluster(self.SCRIPT)
        cluster[2].script(
            "DROP INDEX i; DROP VIEW v; CREATE VIEW v AS SELECT 2; CREATE INDEX j ON t (id)"
        )
        cluster[3].script("DROP TRIGGER g; CREATE TABLE other (a)")
        seen = {(each.kind, each.name): each for each in cluster.verify().schema}
        assert set(seen) == {
            ("index", "i"),
            ("view", "v"),
            ("index", "j"),
            ("trigger", "g"),
            ("table", "other"),
        }
        assert seen["index", "i"].others == {"n2": None}
        assert seen["view", "v"].leader == "CREATE VIEW v AS SELECT a FROM t"
        assert seen["view", "v"].others == {"n2": "CREATE VIEW v AS SELECT 2"}
        assert seen["index", "j"].leader is None

    def test_a_table_that_is_another_is_compared_where_it_is_the_same(self) -> None:
        cluster = FakeCluster(self.SCRIPT)
        cluster[2].script("ALTER TABLE t ADD COLUMN b")
        cluster[3].script("UPDATE t SET a = 5")
        report = cluster.verify()
        assert found(report, "t") == {"(1,)": "n3 changed a"}
        assert report.tables[0].left_out == ["n2"]
        assert not report.complete
