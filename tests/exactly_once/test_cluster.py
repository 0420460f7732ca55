"""Three nodes, and a leader that is killed while several clients write."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

import pyrqlite
from pyrqlite import OperationalError, OutcomeUnknownError, run_transaction
from pyrqlite.connection import Connection
from tests.rqlited import RqlitedNode, wait_until
from tests.servers import ClusterFactory

CLIENTS, WRITES, KILLS = 3, 60, 2
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("transport", ["urllib3", "curl"])
def test_every_write_is_there_once(cluster_factory: ClusterFactory, transport: str) -> None:
    cluster = cluster_factory(3)
    hosts = ",".join(node.http_address for node in cluster.nodes)
    done = [0] * CLIENTS

    def connect() -> Connection:
        return pyrqlite.connect(
            f"http://{hosts}", transport=transport, autocommit=True, exactly_once=True
        )

    def work(client: int) -> None:
        with closing(connect()) as connection:
            for number in range(WRITES):
                # As a transaction: by a read that may fail while there is no leader, and a commit.
                while True:
                    try:
                        write(connection, client, number)
                        break
                    except OutcomeUnknownError:
                        raise
                    except OperationalError:
                        continue
                done[client] = number + 1

    def write(connection: Connection, client: int, number: int) -> None:
        if client:
            connection.execute("INSERT INTO written VALUES (?, ?)", (client, number))
            return
        connection.isolation_level = "SERIALIZABLE"

        def insert(inside: Connection) -> None:
            inside.execute("INSERT INTO written VALUES (?, ?)", (client, number))
            inside.execute("UPDATE total SET n = n + 1")

        run_transaction(connection, insert)

    with closing(connect()) as connection:
        connection.execute("CREATE TABLE written (client INTEGER, number INTEGER)")
        connection.executescript("CREATE TABLE total (n INTEGER); INSERT INTO total VALUES (0)")
    with ThreadPoolExecutor(CLIENTS) as pool:
        futures = [pool.submit(work, client) for client in range(CLIENTS)]
        for kill in range(1, KILLS + 1):
            goal = kill * WRITES // (KILLS + 1)
            wait_until(lambda goal=goal: min(done) >= goal, what="writes", seconds=60)  # type: ignore[misc]
            kill_leader(cluster.leader())
            cluster.wait_ready()
        for future in futures:
            future.result(120)
    with closing(connect()) as connection:
        query = "SELECT client, number FROM written ORDER BY client, number"
        rows = connection.execute(query, level="strong").fetchall()
        (total,) = connection.execute("SELECT n FROM total", level="strong").fetchone()
    assert rows == [(client, number) for client in range(CLIENTS) for number in range(WRITES)]
    assert total == WRITES


def kill_leader(leader: RqlitedNode) -> None:
    """Kill a node as it stands, and start it again."""
    leader.kill()
    leader.restart()
