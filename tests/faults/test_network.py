"""The client's way to the leader is cut, or never was there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import pyrqlite
from pyrqlite import IntegrityError, OutcomeUnknownError
from pyrqlite.connection import Connection
from tests.faults.clients import Clients, check, connecting, write
from tests.faults.conftest import Wired, hosts_of
from tests.rqlited import NodeOptions, RqlitedCluster, running_cluster, wait_until

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("exactly_once", [False, True], ids=["plain", "once"])
def test_clients_without_a_way_to_the_leader(wired: Wired, exactly_once: bool) -> None:
    """The others pass on what they are sent; later the leader is asked again."""
    clients = Clients(wired.connecting(exactly_once=exactly_once), write)
    leader = wired.cluster.leader()
    wire = wired.wire(leader)
    with clients.working():
        clients.wait(5)
        wire.cut()
        clients.wait(15)
        clients.hurt(wire.mend, then=5)
    clients.tally.show_errors()
    check(connecting(hosts_of(wired.cluster), timeout=30.0), clients.tally)
    if exactly_once:
        assert not clients.tally.ambiguous
    print(clients.tally.figures(f"no way to the leader{', exactly once' * exactly_once}"))


class TestLateAttempt:
    """An attempt that was given up arrives behind its retry."""

    TABLE = "CREATE TABLE late (id INTEGER PRIMARY KEY, n INTEGER)"
    INSERT = "INSERT INTO late VALUES (1, 1)"

    def start(self, connection: Connection) -> tuple[threading.Thread, list[object]]:
        told: list[object] = []

        def insert() -> None:
            try:
                told.append(connection.execute(self.INSERT).rowcount)
            except pyrqlite.Error as error:
                told.append(type(error))

        thread = threading.Thread(target=insert)
        thread.start()
        return thread, told

    @pytest.mark.parametrize("exactly_once", [True, False], ids=["once", "plain"])
    def test_its_retry_fails(self, wired: Wired, exactly_once: bool) -> None:
        """Another client's row is in the way of the retry, and gone when the first attempt arrives."""
        with closing(connecting(hosts_of(wired.cluster), timeout=30.0)()) as other:
            for _ in range(3):
                self.try_once(wired, other, exactly_once=exactly_once)

    def try_once(self, wired: Wired, other: Connection, *, exactly_once: bool) -> None:
        leader = wired.cluster.leader()
        wire = wired.wire(leader)
        other.executescript(f"DROP TABLE IF EXISTS late; {self.TABLE}")
        with closing(wired.connecting(exactly_once=exactly_once, timeout=0.9)()) as connection:
            connection.execute("DELETE FROM late")
            wire.cut()
            thread, told = self.start(connection)
            assert wire.held.wait(20)
            other.execute("INSERT INTO late VALUES (1, 99)")
            thread.join(60)
        assert told == [IntegrityError if exactly_once else OutcomeUnknownError]
        other.execute("DELETE FROM late")
        before = leader.status("store.raft.applied_index")
        wire.mend()
        # The late attempt is a log entry, whatever comes of it.
        wait_until(
            lambda: leader.status("store.raft.applied_index") > before,
            what="the late attempt has arrived",
        )
        rows = other.execute("SELECT n FROM late", level="strong").fetchall()
        # Told that it failed: then it must not come. Told that nobody knows: it came.
        assert rows == ([] if exactly_once else [(1,)])

    def test_its_retry_succeeds(self, wired: Wired) -> None:
        leader = wired.cluster.leader()
        wire = wired.wire(leader)
        with (
            closing(connecting(hosts_of(wired.cluster), timeout=30.0)()) as other,
            closing(wired.connecting(exactly_once=True)()) as connection,
        ):
            other.executescript("DROP TABLE IF EXISTS late; CREATE TABLE late (id, n)")
            connection.execute("DELETE FROM late")
            wire.cut()
            thread, told = self.start(connection)
            assert wire.held.wait(20)
            thread.join(60)
            assert told == [1]
            wire.mend()
            connection.execute("INSERT INTO late VALUES (2, 2)")
            rows = other.execute("SELECT id FROM late ORDER BY id", level="strong").fetchall()
            assert rows == [(1,), (2,)]


@pytest.fixture(scope="module")
def hidden(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RqlitedCluster]:
    # Nobody listens on the discard port; a privileged one is not given to anybody either.
    options = NodeOptions(raft_timeout="500ms", extra=("-http-adv-addr", "127.0.0.1:9"))
    directory = tmp_path_factory.mktemp("hidden")
    with running_cluster(rqlited_binary, directory, options=options) as cluster:
        yield cluster


class TestAddressesOfNoUse:
    """The nodes advertise addresses that lead nowhere from here, as behind NAT or in Kubernetes."""

    @pytest.mark.parametrize("exactly_once", [False, True], ids=["plain", "once"])
    def test_by_a_follower(self, hidden: RqlitedCluster, exactly_once: bool) -> None:
        follower = hidden.followers()[0]
        connect = connecting([follower.http_address], exactly_once=exactly_once)
        with closing(connect()) as connection:
            connection.execute("DROP TABLE IF EXISTS t")
            connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
            for number in range(5):
                connection.execute("INSERT INTO t VALUES (?)", (number,))
            with pytest.raises(IntegrityError):
                connection.execute("INSERT INTO t VALUES (1)")
            count = "SELECT count(*) FROM t"
            for level in ("weak", "linearizable", "strong", "auto"):
                assert connection.execute(count, level=level).fetchone() == (5,)
            wait_until(
                lambda: connection.execute(count, level="none").fetchone() == (5,),
                what="the follower has it all",
            )
            connection.isolation_level = "SERIALIZABLE"
            assert connection.execute("SELECT max(a) FROM t").fetchone() == (4,)
            connection.execute("INSERT INTO t VALUES (5)")
            connection.commit()
            assert connection.session.cluster.nodes.detour is not None
        with closing(connecting([hidden.leader().http_address])()) as other:
            assert other.execute("SELECT count(*) FROM t").fetchone() == (6,)

    def test_looking_around_harms_nothing(self, hidden: RqlitedCluster) -> None:
        leader = hidden.leader()
        with closing(connecting([leader.http_address])()) as connection:
            known = connection.session.cluster
            known._next_look = 0.0
            assert connection.execute("SELECT 1").fetchone() == (1,)
            assert [node.netloc for node in known.nodes.known] == [leader.http_address]
            assert connection.execute("SELECT 1", level="none").fetchone() == (1,)
