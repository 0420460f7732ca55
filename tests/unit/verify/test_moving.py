"""A cluster in use: what is only late is no difference, what is one is found, and nodes may go away."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyrqlite import OperationalError, ProgrammingError
from pyrqlite.admin.verifying import Comparison, Settings
from pyrqlite.flow.steps import AnswerLost, Request, Response
from tests.unit.verify.fake import Event, FakeCluster, FakeNode, found

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)"
STATUS = "/status?key=store.fsm_index"


def is_read(request: Request) -> bool:
    """Whether this reads rows of the table t from one node."""
    return "level=none" in request.target and b"_pyrqlite_q(c1, c2)" in (request.body or b"")


def is_barrier(request: Request) -> bool:
    return request.body == b'["SELECT 1"]'


def each_time(
    cluster: FakeCluster, when: Callable[[FakeNode, Request], bool], do: Callable[[int], object]
) -> Event:
    """Call `do` with a running number before each request for which `when` holds."""
    count = 0

    def event(node: FakeNode, request: Request) -> None:
        nonlocal count
        if when(node, request):
            count += 1
            cluster.events.remove(event)  # what `do` sends is none of its business
            do(count)
            cluster.events.append(event)

    cluster.events.append(event)
    return event


def once(
    cluster: FakeCluster, when: Callable[[FakeNode, Request], bool], do: Callable[[], object]
) -> None:
    """Call `do` before the first request for which `when` holds."""

    def event(node: FakeNode, request: Request) -> None:
        if when(node, request):
            cluster.events.remove(event)
            do()

    cluster.events.append(event)


class TestLag:
    def test_is_no_difference(self) -> None:
        cluster = FakeCluster(TABLE)

        def fall_behind() -> None:
            cluster[2].slow = True
            cluster.write("UPDATE t SET a = 10 WHERE id = 2", "DELETE FROM t WHERE id = 3")

        once(cluster, lambda node, request: is_read(request), fall_behind)
        asked = 0

        def catch_up(node: FakeNode, request: Request) -> None:
            nonlocal asked
            if node is cluster[2] and node.slow and request.target == STATUS:
                asked += 1
                if asked == 4:
                    cluster.catch_up(node)

        cluster.events.append(catch_up)
        report = cluster.verify()
        assert report.equal
        assert asked == 4
        assert cluster.slept > 0

    def test_beside_a_difference(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 5 WHERE id = 1")

        def fall_behind() -> None:
            cluster[2].slow = True
            cluster.write("UPDATE t SET a = 10 WHERE id = 2")

        once(cluster, lambda node, request: is_read(request), fall_behind)
        once(
            cluster,
            lambda node, request: node is cluster[2] and node.slow and request.target == STATUS,
            lambda: cluster.catch_up(cluster[2]),
        )
        report = cluster.verify()
        assert found(report, "t") == {"(1,)": "n2 changed a"}
        assert report.tables[0].rows[0].exact

    def test_a_node_that_replays_its_log_is_waited_for(self) -> None:
        cluster = FakeCluster(TABLE)
        for number in range(40):
            cluster.write(f"INSERT INTO t VALUES ({100 + number}, 0)")
        late = cluster[3]
        late.script("DELETE FROM t WHERE id >= 100")
        late.applied, late.slow = 0, True

        def replay(node: FakeNode, request: Request) -> None:
            if node is late and node.slow and request.target == STATUS:
                node.execute(cluster.log[node.applied], transaction=True)
                node.applied += 1
                node.slow = node.applied < len(cluster.log)

        cluster.events.append(replay)
        assert cluster.verify(seconds=0.1).equal
        assert cluster.slept > 0.5  # longer than patience, which begins anew with each step

    def test_a_node_that_stays_behind_is_not_compared(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster.write("UPDATE t SET a = 10")
        cluster[3].slow = True
        report = cluster.verify()
        assert cluster[3].applied == 1
        assert report.nodes[2].problem == "is behind: it has applied the log up to 1, not to 2"
        assert not report.different
        assert not report.equal


class TestWriters:
    def test_a_difference_is_seen_among_writes(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[3].script("UPDATE t SET a = 5 WHERE id = 1")
        each_time(
            cluster,
            lambda node, request: is_read(request) or is_barrier(request),
            # Now and then the second row, and all the time another.
            lambda number: cluster.write(
                f"UPDATE t SET a = {number // 20} WHERE id = 2",
                f"INSERT INTO t VALUES ({number + 9}, 0)",
            ),
        )
        report = cluster.verify()
        assert found(report, "t") == {"(1,)": "n3 changed a"}
        assert not report.tables[0].rows[0].exact
        assert report.complete

    def test_rows_that_change_on_every_node_are_none(self) -> None:
        cluster = FakeCluster(TABLE)
        each_time(
            cluster,
            lambda node, request: is_read(request),
            lambda number: cluster.write(f"INSERT INTO t VALUES ({100 + number}, 0)"),
        )
        assert cluster.verify().equal

    def test_a_row_that_never_stands_still_cannot_be_compared(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 1000 WHERE id = 2")
        each_time(
            cluster,
            lambda node, request: is_read(request),
            lambda number: cluster.write("UPDATE t SET a = a + 1 WHERE id = 2"),
        )
        report = cluster.verify()
        assert report.tables[0].restless == 1
        assert not report.different
        assert not report.complete
        assert not report.equal


class TestNodesThatGo:
    def test_one_that_dies_in_the_middle(self) -> None:
        cluster = FakeCluster(TABLE)

        def die() -> None:
            cluster[3].down = True

        once(cluster, lambda node, request: node is cluster[3] and is_read(request), die)
        report = cluster.verify()
        assert report.nodes[2].problem == "cannot be reached: connection refused"
        assert report.tables[0].differing == 0
        assert not report.complete

    def test_one_that_dies_while_a_difference_is_settled(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 5 WHERE id = 1")

        def die() -> None:
            cluster[3].down = True

        # The second node differs, so the third is first read when that is looked into.
        once(cluster, lambda node, request: node is cluster[3] and is_read(request), die)
        report = cluster.verify()
        assert found(report, "t") == {"(1,)": "n2 changed a"}
        assert report.nodes[2].problem is not None

    def test_the_leader(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[3].script("UPDATE t SET a = 5 WHERE id = 1")

        def die() -> None:
            cluster[1].down = True
            cluster.leader = cluster[2]

        once(cluster, lambda node, request: is_read(request), die)
        report = cluster.verify()
        assert [(node.id, node.leader, node.problem is None) for node in report.nodes] == [
            ("n1", False, False),
            ("n2", True, True),
            ("n3", False, True),
        ]
        assert found(report, "t") == {"(1,)": "n3 changed a"}

    def test_all_but_one(self) -> None:
        cluster = FakeCluster(TABLE)

        def die() -> None:
            cluster[2].down = cluster[3].down = True

        once(cluster, lambda node, request: is_read(request), die)
        report = cluster.verify()
        assert len(report.compared) == 1
        assert not report.complete

    def test_one_that_answers_too_late(self) -> None:
        cluster = FakeCluster(TABLE)

        def hang(node: FakeNode, request: Request) -> None:
            if node is cluster[2] and is_read(request):
                raise AnswerLost("timed out")

        cluster.events.append(hang)
        report = cluster.verify()
        assert report.nodes[1].problem == "cannot be reached: timed out"

    def test_one_that_restarts(self) -> None:
        cluster = FakeCluster(TABLE)
        said = iter([b'{"results":[],"error":"store not open"}'] * 3)

        def restart(node: FakeNode, request: Request) -> Response | None:
            body = next(said, None) if node is cluster[2] and is_read(request) else None
            return None if body is None else Response(200, {}, body, None)  # type: ignore[arg-type]

        cluster.events.append(restart)
        assert cluster.verify().equal
        assert cluster.slept > 0

    def test_one_whose_database_is_damaged(self) -> None:
        cluster = FakeCluster(TABLE)
        body = b'{"results":[{"values":[["%s"]]},{"error":"database disk image is malformed"}]}'

        def damage(node: FakeNode, request: Request) -> Response | None:
            if node is cluster[2] and is_read(request):
                sql = cluster[2].rows("SELECT sql FROM sqlite_schema")[0][0].encode()
                return Response(200, {}, body % sql, None)  # type: ignore[arg-type]
            return None

        cluster.events.append(damage)
        report = cluster.verify()
        assert report.nodes[1].problem == "cannot be read: database disk image is malformed"


class TestNodesThatCannotBeCompared:
    def test_without_an_address(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[3].listed = False
        report = cluster.verify()
        assert report.nodes[2].problem == "has no API address"
        assert not report.equal

    def test_down(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[3].down = True
        report = cluster.verify()
        assert report.nodes[2].problem == "cannot be reached by the other nodes: connection refused"
        assert not report.equal

    def test_following_another_leader(self) -> None:
        cluster = FakeCluster(TABLE)

        def split(node: FakeNode, request: Request) -> Response | None:
            if node is cluster[3] and request.target == "/status?key=store":
                body = b'{"node_id": "n3", "leader": {"node_id": "n9"}}'
                return Response(200, {}, body, None)  # type: ignore[arg-type]
            return None

        cluster.events.append(split)
        problem = cluster.verify().nodes[2].problem
        assert problem == "follows another leader (n9) than the others (n1)"

    def test_a_single_one(self) -> None:
        cluster = FakeCluster(TABLE, size=1)
        report = cluster.verify()
        assert report.nothing_to_compare
        assert report.equal
        assert cluster.log == []

    @pytest.mark.parametrize("status", [401, 404])
    def test_without_a_list(self, status: int) -> None:
        cluster = FakeCluster(TABLE)

        def refuse(node: FakeNode, request: Request) -> Response | None:
            if request.target.startswith("/nodes"):
                return Response(status, {}, b"", None)  # type: ignore[arg-type]
            return None

        cluster.events.append(refuse)
        with pytest.raises(OperationalError, match="name all nodes yourself"):
            cluster.verify()


class TestSchemaChanges:
    def test_a_column_is_added_meanwhile(self) -> None:
        cluster = FakeCluster(TABLE)
        cluster[2].script("UPDATE t SET a = 5 WHERE id = 1")
        once(
            cluster,
            lambda node, request: node is cluster[2] and is_read(request),
            lambda: cluster.write("ALTER TABLE t ADD COLUMN b DEFAULT 7"),
        )
        report = cluster.verify()
        assert found(report, "t") == {"(1,)": "n2 changed a"}
        assert report.tables[0].rows[0].names == ("id", "a", "b")
        assert report.complete
        assert len(report.tables) == 1

    def test_a_table_is_dropped_meanwhile(self) -> None:
        cluster = FakeCluster(TABLE)
        once(
            cluster,
            lambda node, request: is_read(request),
            lambda: cluster.write("DROP TABLE t"),
        )
        report = cluster.verify()
        assert report.equal
        assert report.tables == []

    def test_it_changes_all_the_time(self) -> None:
        cluster = FakeCluster(TABLE)
        each_time(
            cluster,
            lambda node, request: (
                node is cluster[2] and b"json_group_array" in (request.body or b"")
            ),
            lambda number: cluster.write(f"ALTER TABLE t ADD COLUMN c{number}"),
        )
        report = cluster.verify()
        assert not report.complete
        assert report.tables[0].notes == [
            "its definition changed again and again while it was compared"
        ]

    def test_a_table_that_nobody_has(self) -> None:
        with pytest.raises(ProgrammingError, match="no table nope"):
            FakeCluster(TABLE).verify("nope")


def test_who_watches_is_told_of_rows_only() -> None:
    cluster = FakeCluster(TABLE)
    told: list[tuple[str, object]] = []

    class Watch:
        def begin(self, table: str, rows: int) -> None:
            told.append((table, rows))

        def advance(self, rows: int) -> None:
            told.append(("advance", rows))

        def end(self) -> None:
            told.append(("end", None))

    cluster.play(Comparison(cluster.access(), Settings(), Watch()).run())
    assert told == [("comparing t", 3), ("advance", 3), ("end", None)]
