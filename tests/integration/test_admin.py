"""Administration, on both kinds of server and on real clusters."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import io
import os
import sqlite3
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyrqlite import (
    Connection,
    OperationalError,
    OutcomeUnknownError,
    ProgrammingError,
    UnreachableError,
    aio,
)
from pyrqlite.admin.copies import BackupForm
from pyrqlite.admin.whole import database_size, demand_whole
from tests.integration.conftest import Connect
from tests.rqlited import RqlitedCluster, RqlitedNode, wait_until
from tests.servers import ClusterFactory, NodeFactory, RunningServer, fresh

MEGABYTE = 1_000_000


def fill(connection: Connection, rows: int = 300) -> str:
    """A table of about a kilobyte for each row; the text by which to know it again."""
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB)")
    connection.executemany(
        "INSERT INTO t (a) VALUES (?)", [(os.urandom(1000),) for _ in range(rows)]
    )
    return summary(connection)


def large(file: Path, megabytes: int = 10) -> Path:
    """The same table, of that size."""
    database = sqlite3.connect(file)
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB)")
    database.executemany(
        "INSERT INTO t (a) VALUES (?)", ((os.urandom(MEGABYTE),) for _ in range(megabytes))
    )
    database.commit()
    database.close()
    return file


def summary(connection: Connection) -> str:
    (text,) = connection.execute(
        "SELECT count(*) || ' ' || total(id) || group_concat(hex(substr(a, 1, 4)), '') FROM t",
        level="strong",
    ).fetchone()
    return str(text)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=["urllib3", "curl", "requests", "aiohttp", "in process", "in a thread"])
def carried(request: pytest.FixtureRequest, connect: Connect) -> Connection:
    """A connection to the real server by each transport, and to the embedded one in this process."""
    if request.param == "in process":
        return connect(":memory:")
    if request.param == "in a thread":
        return connect(":memory:", transport="aiohttp")
    node: RqlitedNode = request.getfixturevalue("rqlited_node")
    fresh(node.url)
    return connect(node.url, transport=request.param)


class TestNodes:
    @pytest.mark.parametrize("transport", ["auto", "aiohttp"])
    def test_of_a_single_node(
        self, server: RunningServer, connect: Connect, transport: str
    ) -> None:
        admin = connect(server.url, transport=transport).admin
        (node,) = admin.nodes()
        assert (node.api_address, node.leader, node.voter, node.reachable) == (
            server.url,
            True,
            True,
            True,
        )
        assert node.time is not None
        assert admin.leader().id == node.id
        assert admin.status()["store"]["node_id"] == node.id
        assert admin.status("store.raft.state", node=node) == "Leader"
        assert admin.status("no.such.thing") == {}
        assert admin.ready()
        assert admin.ready(sync=True, node=server.url).checks[0] == "[+]node ok"

    def test_step_down_without_another(self, server: RunningServer, connect: Connect) -> None:
        admin = connect(server.url).admin
        with pytest.raises(OperationalError, match="no other voter"):
            admin.step_down()
        with pytest.raises(ProgrammingError, match="already"):
            admin.step_down(admin.leader().id)
        with pytest.raises(ProgrammingError, match="'nobody'"):
            admin.step_down("nobody")

    def test_remove_what_is_not_there(self, server: RunningServer, connect: Connect) -> None:
        admin = connect(server.url).admin
        with pytest.raises(ProgrammingError, match=f"there are {admin.leader().id}"):
            admin.remove_node("nobody")

    def test_snapshot(self, server: RunningServer, connect: Connect) -> None:
        connection = connect(server.url)
        connection.execute("CREATE TABLE t (a)")
        assert connection.admin.snapshot() in (True, False)
        assert connection.admin.snapshot(node=server.url) is False

    def test_nobody_there(self, rqlited_factory: NodeFactory, connect: Connect) -> None:
        node = rqlited_factory()
        admin = connect(node.url).admin
        node.kill()
        calls: list[Callable[[], object]] = [
            *(admin.nodes, admin.leader, admin.status, admin.ready, admin.step_down),
            lambda: admin.backup(io.BytesIO()),
            lambda: admin.load(io.BytesIO(b"CREATE TABLE t (a)")),
            lambda: admin.ready(node=node.url),
        ]
        for call in calls:
            with pytest.raises(OperationalError, match="reached") as caught:
                call()
            assert not isinstance(caught.value, OutcomeUnknownError)


FORMS: tuple[dict[str, Any], ...] = (
    {},
    {"vacuum": True},
    {"compress": True},
    {"vacuum": True, "compress": True},
    {"fmt": "delete"},
    {"fmt": "sql"},
    {"fmt": "sql", "compress": True},
)


@pytest.mark.parametrize("form", FORMS, ids=str)
class TestRoundTrips:
    def test_each_form(
        self, server: RunningServer, connect: Connect, tmp_path: Path, form: dict[str, Any]
    ) -> None:
        connection = connect(server.url)
        before = fill(connection)
        file = tmp_path / "copy"
        told: list[tuple[int, int | None]] = []
        size = connection.admin.backup(file, **form, progress=lambda *seen: told.append(seen))
        assert names(tmp_path) == ["copy"]
        assert size == file.stat().st_size == told[-1][0]
        assert told == sorted(told, key=lambda seen: seen[0])
        data = file.read_bytes()
        if "compress" in form:
            data = gzip.decompress(data)
        assert data.startswith(b"PRAGMA" if form.get("fmt") == "sql" else b"SQLite format 3\0")
        connection.execute("DROP TABLE t")
        sent: list[tuple[int, int | None]] = []
        connection.admin.load(file, progress=lambda *seen: sent.append(seen))
        assert summary(connection) == before
        assert sent[0] == (0, len(data))
        assert sent[-1] == (len(data), len(data))


class TestBackups:
    def test_ten_megabytes(self, carried: Connection, tmp_path: Path) -> None:
        told: list[tuple[int, int | None]] = []
        carried.admin.load(large(tmp_path / "given"), progress=lambda *seen: told.append(seen))
        size = (tmp_path / "given").stat().st_size
        assert told[0] == (0, size)
        assert told[-1] == (size, size)
        assert len(told) > 30
        before = summary(carried)
        told.clear()
        size = carried.admin.backup(tmp_path / "copy", progress=lambda *seen: told.append(seen))
        assert size > 10 * MEGABYTE
        assert told[-1] == (size, size)
        assert len(told) > 30
        copy = sqlite3.connect(tmp_path / "copy")
        assert copy.execute("SELECT count(*) FROM t").fetchone() == (10,)
        copy.close()
        carried.execute("DELETE FROM t WHERE id > 3")
        carried.admin.load(tmp_path / "copy")
        assert summary(carried) == before

    def test_some_tables(self, server: RunningServer, connect: Connect) -> None:
        connection = connect(server.url)
        connection.execute('CREATE TABLE "a b" (x)')
        connection.execute("CREATE TABLE other (x)")
        file = io.BytesIO()
        connection.admin.backup(file, fmt="sql", tables=["a b"])
        assert b'"a b"' in file.getvalue()
        assert b"other" not in file.getvalue()

    def test_of_an_empty_database(self, server: RunningServer, connect: Connect) -> None:
        connection = connect(server.url)
        for form in FORMS:
            file = io.BytesIO()
            connection.admin.backup(file, **form)
            file.seek(0)
            connection.execute("CREATE TABLE IF NOT EXISTS t (a)")
            connection.execute("DROP TABLE t")
            connection.admin.load(file)

    def test_an_error_of_the_callback_leaves_no_file(
        self, carried: Connection, tmp_path: Path
    ) -> None:
        fill(carried)
        (tmp_path / "copy").write_text("what was there before")

        def give_up(done: int, total: int | None) -> None:
            raise BrokenPipeError("nobody looks any more")

        with pytest.raises(BrokenPipeError, match="nobody looks"):
            carried.admin.backup(tmp_path / "copy", progress=give_up)
        assert names(tmp_path) == ["copy"]
        assert (tmp_path / "copy").read_text() == "what was there before"
        carried.admin.backup(tmp_path / "copy")

    @pytest.mark.parametrize(
        ("transport", "compress"), [("urllib3", False), ("curl", True), ("aiohttp", False)]
    )
    def test_node_that_dies_in_the_middle(
        self,
        rqlited_factory: NodeFactory,
        connect: Connect,
        transport: str,
        tmp_path: Path,
        compress: bool,
    ) -> None:
        node = rqlited_factory()
        connection = connect(node.url, transport=transport)
        connection.admin.load(large(tmp_path / "given", 20))

        def kill(done: int, total: int | None) -> None:
            if node.running:
                node.kill()

        folder = tmp_path / "copies"
        folder.mkdir()
        with pytest.raises(OperationalError, match="reached") as caught:
            connection.admin.backup(folder / "copy", compress=compress, progress=kill)
        assert type(caught.value) is UnreachableError
        assert names(folder) == []


class TestLoads:
    def test_damaged_files_never_arrive(self, carried: Connection, tmp_path: Path) -> None:
        before = fill(carried)
        file = tmp_path / "copy"
        carried.admin.backup(file)
        whole = file.read_bytes()
        for damaged in (
            whole[:-1],
            whole[: len(whole) // 2],
            whole[:4096] + os.urandom(len(whole) - 4096),
            whole[:13] + os.urandom(5000),
            b"",
            os.urandom(5000),
        ):
            file.write_bytes(damaged)
            with pytest.raises(ProgrammingError):
                carried.admin.load(file)
            with pytest.raises(ProgrammingError):
                carried.admin.boot(io.BytesIO(damaged))
        assert summary(carried) == before

    def test_an_error_of_the_callback_applies_nothing(
        self, carried: Connection, tmp_path: Path
    ) -> None:
        fill(carried)
        carried.admin.backup(tmp_path / "copy")
        carried.execute("DELETE FROM t WHERE id > 5")
        before = summary(carried)
        for load in (carried.admin.load, carried.admin.boot):
            for when in (0, 1):

                def give_up(done: int, total: int | None, when: int = when) -> None:
                    if done >= when:
                        raise BrokenPipeError("nobody looks any more")

                with pytest.raises(BrokenPipeError, match="nobody looks"):
                    load(tmp_path / "copy", progress=give_up)
        assert summary(carried) == before

    def test_the_driver_sees_the_new_tables(
        self, server: RunningServer, connect: Connect, tmp_path: Path
    ) -> None:
        connection = connect(server.url, exactly_once=True)
        connection.execute("CREATE TABLE t (a, b DEFAULT (datetime('now')))")
        connection.execute("INSERT INTO t (a) VALUES (1)")
        connection.admin.load(io.BytesIO(b"DROP TABLE t; CREATE TABLE t (c, a)"))
        connection.execute("INSERT INTO t (a) VALUES (1)")
        assert connection.execute("SELECT * FROM t").fetchall() == [(None, 1)]
        other = tmp_path / "other.db"
        made = sqlite3.connect(other)
        made.execute("CREATE TABLE u (a, at DEFAULT CURRENT_TIMESTAMP)")
        made.close()
        connection.admin.load(other)
        connection.execute("INSERT INTO u (a) VALUES (1)")
        assert connection.execute("SELECT a FROM u").fetchall() == [(1,)]

    def test_statements_that_fail(self, server: RunningServer, connect: Connect) -> None:
        connection = connect(server.url)
        connection.execute("CREATE TABLE t (a)")
        whole = b"BEGIN; INSERT INTO t VALUES (1); INSERT INTO nope VALUES (1); COMMIT;"
        with pytest.raises(ProgrammingError, match=r"no such table: nope.*nothing was applied"):
            connection.admin.load(io.BytesIO(whole))
        assert connection.execute("SELECT * FROM t").fetchall() == []
        pieces = b"INSERT INTO t VALUES (1); INSERT INTO nope VALUES (1);"
        with pytest.raises(ProgrammingError, match="may have been applied"):
            connection.admin.load(io.BytesIO(pieces))
        with pytest.raises(ProgrammingError, match="does not end it"):
            connection.admin.load(io.BytesIO(b"BEGIN; INSERT INTO t VALUES (1);"))
        with connection.transaction():
            connection.execute("INSERT INTO t VALUES (2)")
        assert connection.execute("SELECT * FROM t").fetchall() == [(1,), (2,)]

    def test_not_in_a_transaction(self, connect: Connect) -> None:
        connection = connect(":memory:", autocommit=False)
        connection.execute("CREATE TABLE t (a)")
        for load in (connection.admin.load, connection.admin.boot):
            with pytest.raises(ProgrammingError, match="in a transaction"):
                load(io.BytesIO(b"CREATE TABLE u (a)"))
        connection.rollback()

    def test_node_that_falls_silent(
        self, rqlited_factory: NodeFactory, connect: Connect, transport: str, tmp_path: Path
    ) -> None:
        """Stopped before its answer: the load may have been applied, and it says so."""
        node = rqlited_factory()
        connection = connect(node.url, transport=transport)
        connection.admin.load(large(tmp_path / "copy", 2))
        before = summary(connection)
        connection.execute("DELETE FROM t WHERE id > 1")

        def stop(done: int, total: int | None) -> None:
            if total is not None and done > total - 200_000 and not node.suspended:
                node.suspend()

        deleted = summary(connection)
        with pytest.raises(OperationalError) as caught:
            connection.admin.load(tmp_path / "copy", progress=stop, timeout=0.5)
        node.resume()
        node.wait_ready()
        after = summary(connection)
        if isinstance(caught.value, OutcomeUnknownError):
            assert "whole database may have been replaced" in str(caught.value)
            assert after in (before, deleted)
        else:  # the last of it did not even fit into the buffers
            assert after == deleted

    def test_boot(
        self, rqlited_factory: NodeFactory, connect: Connect, transport: str, tmp_path: Path
    ) -> None:
        new = rqlited_factory()
        connection = connect(new.url, transport=transport)
        told: list[tuple[int, int | None]] = []
        connection.admin.boot(large(tmp_path / "copy"), progress=lambda *seen: told.append(seen))
        assert told[-1][0] == told[-1][1] == (tmp_path / "copy").stat().st_size
        before = summary(connection)
        assert before.startswith("10 ")
        new.kill()
        new.restart()
        new.wait_ready()
        assert summary(connection) == before


@pytest.fixture
def followed(rqlited_cluster: RqlitedCluster) -> RqlitedNode:
    """A follower of a cluster without tables."""
    fresh(rqlited_cluster.leader().url)
    return rqlited_cluster.followers()[0]


class TestClusters:
    def test_nodes(self, rqlited_cluster: RqlitedCluster, connect: Connect) -> None:
        for node in rqlited_cluster.nodes:
            admin = connect(node.url).admin
            found = admin.nodes()
            assert {each.api_address for each in found} == set(rqlited_cluster.urls)
            (leader,) = (each for each in found if each.leader)
            assert leader.api_address == rqlited_cluster.leader().url
            assert admin.leader().id == leader.id
            states = sorted(admin.status("store.raft.state", node=each) for each in found)
            assert states == ["Follower", "Follower", "Leader"]
            assert all(admin.ready(node=each, sync=True) for each in found)

    def test_by_a_follower(
        self, followed: RqlitedNode, connect: Connect, transport: str, tmp_path: Path
    ) -> None:
        connection = connect(followed.url, transport=transport)
        before = fill(connection)
        connection.admin.backup(tmp_path / "copy")
        connection.execute("DELETE FROM t")
        connection.admin.load(tmp_path / "copy")
        assert summary(connection) == before
        with pytest.raises(OperationalError, match=r"not the leader|cluster with others") as caught:
            connection.admin.boot(tmp_path / "copy")
        assert type(caught.value) is OperationalError

    def test_boot_of_a_leader_with_followers(
        self, rqlited_cluster: RqlitedCluster, connect: Connect, transport: str, tmp_path: Path
    ) -> None:
        leader = rqlited_cluster.leader()
        fresh(leader.url)
        connection = connect(leader.url, transport=transport)
        before = fill(connection)
        with pytest.raises(OperationalError) as caught:
            connection.admin.boot(large(tmp_path / "given"))
        assert type(caught.value) is OperationalError, "nothing was applied, and that is certain"
        assert summary(connection) == before

    def test_one_nodes_own_copy(
        self, followed: RqlitedNode, connect: Connect, tmp_path: Path
    ) -> None:
        connection = connect(followed.url)
        connection.execute("CREATE TABLE t (a)")

        def arrived() -> bool:
            file = io.BytesIO()
            connection.admin.backup(file, fmt="sql", node=followed.url)
            return b"CREATE TABLE t" in file.getvalue()

        wait_until(arrived, what="the follower has the table")

    @pytest.mark.slow
    def test_step_down_and_remove(self, cluster_factory: ClusterFactory, connect: Connect) -> None:
        cluster = cluster_factory(3)
        first = cluster.leader()
        other = cluster.followers()[0]
        connection = connect(other.url)
        admin = connection.admin
        connection.execute("CREATE TABLE t (a)")
        admin.step_down(other.raft_address)
        wait_until(lambda: cluster.leader() is other, what="the one that was named leads")
        connection.execute("INSERT INTO t VALUES (1)")
        admin.step_down()
        assert cluster.leader() is not other
        admin.remove_node(first.raft_address)
        listed = [node.id for node in admin.nodes()]
        assert sorted(listed) == sorted(
            node.raft_address for node in cluster.nodes if node is not first
        )
        with pytest.raises(ProgrammingError, match="no node with the id"):
            admin.remove_node(first.raft_address)
        connection.execute("INSERT INTO t VALUES (2)")
        assert connection.execute("SELECT count(*) FROM t", level="strong").fetchone() == (2,)

    @pytest.mark.slow
    def test_leaders_that_die_in_the_middle_of_backups(
        self, cluster_factory: ClusterFactory, connect: Connect, tmp_path: Path
    ) -> None:
        cluster = cluster_factory(3)
        connection = connect(host=",".join(node.http_address for node in cluster.nodes))
        connection.admin.load(large(tmp_path / "given", 20))
        before = summary(connection)
        leader = cluster.leader()

        def kill(done: int, total: int | None) -> None:
            if leader.running:
                leader.kill()

        # Another node leads then, and the copy begins anew.
        connection.admin.backup(tmp_path / "copy", progress=kill)
        assert not leader.running
        copy = sqlite3.connect(tmp_path / "copy")
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        copy.close()
        assert summary(connection) == before
        # A follower that hands its leader's copy on ends it in good order: only the bytes tell.
        form = BackupForm(compress=True)
        check = form.check()
        check.feed(forwarded(cluster.followers()[0], cluster.leader(), form))
        with pytest.raises(OperationalError, match="not whole"):
            demand_whole(check)


def forwarded(follower: RqlitedNode, leader: RqlitedNode, form: BackupForm) -> bytes:
    """What a client gets by a follower whose leader is killed meanwhile."""
    client = http.client.HTTPConnection(follower.http_address, timeout=30)
    client.request("GET", form.target)
    response = client.getresponse()
    assert response.status == 200
    data = response.read(10_000)
    leader.kill()
    try:
        data += response.read()
    except http.client.IncompleteRead as error:
        data += error.partial
    finally:
        client.close()
    return data


def test_cancelled_backups_leave_nothing(tmp_path: Path) -> None:
    """Wherever a task is cancelled: the name stands for what it stood for, or for a whole copy."""
    file = tmp_path / "copy"

    async def back_up(ticks: int | None) -> bool:
        loop = asyncio.get_running_loop()
        connection = await aio.connect(":memory:", autocommit=True)

        def cancel(done: int, total: int | None) -> None:
            if ticks is None:
                loop.call_soon_threadsafe(task.cancel)

        try:
            task = asyncio.create_task(connection.admin.backup(file, progress=cancel))
            for _ in range(ticks or 0):
                await asyncio.sleep(0)
            if ticks is not None:
                task.cancel()
            await asyncio.wait([task])
            return task.cancelled()
        finally:
            await connection.close()

    for ticks in (0, 1, 2, 3, 4, 6, None):
        file.write_bytes(b"old")
        cancelled = asyncio.run(back_up(ticks))
        assert names(tmp_path) == ["copy"]
        data = file.read_bytes()
        assert (cancelled and data == b"old") or len(data) == database_size(data[:100])


def test_in_this_process_nothing_large_is_held(connect: Connect, tmp_path: Path) -> None:
    connection = connect(f"file:{tmp_path / 'app.db'}")
    given = large(tmp_path / "given", 30)
    tracemalloc.start()
    try:
        connection.admin.load(given)
        connection.admin.backup(tmp_path / "copy")
        connection.admin.backup(tmp_path / "packed", compress=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "copy").stat().st_size > 30 * MEGABYTE
    assert peak < 8 * MEGABYTE


def test_threads_back_up_at_once(connect: Connect) -> None:
    connection = connect(":memory:")
    before = fill(connection)
    files = [io.BytesIO() for _ in range(4)]
    threads = [threading.Thread(target=connection.admin.backup, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({len(file.getvalue()) for file in files}) == 1
    files[0].seek(0)
    connection.admin.load(files[0])
    assert summary(connection) == before
