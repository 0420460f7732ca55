"""Writes that wait at the same time share a commit, and nobody can tell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from rqlite_embedded.database import Database
from rqlite_embedded.execution import Bracket, Call
from rqlite_embedded.local import Handler
from rqlite_embedded.results import Result
from rqlite_embedded.service import Service
from rqlite_embedded.session import Session
from rqlite_embedded.status import Node
from rqlite_embedded.writer import Job
from tests.embedded.asking import Ask, Reply, in_process
from tests.embedded.processes import wait_until


class Crowd:
    """Sends requests that are sure to meet in the writer's queue."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ask: Ask = in_process(Handler(Service(database, Node())))
        self.commits = 0

    def send(self, *requests: tuple[str, list[Any]]) -> list[Reply]:
        """The replies to ``requests``, (endpoint, statements) each, in order of arrival."""
        with ThreadPoolExecutor(len(requests)) as pool:
            with self._held_up():
                futures = []
                for number, (endpoint, statements) in enumerate(requests, 1):
                    futures.append(pool.submit(self.ask, "POST", endpoint, statements))
                    wait_until(lambda n=number: self.database.writer.waiting == n)  # type: ignore[misc]
            return [future.result() for future in futures]

    @contextmanager
    def _held_up(self) -> Iterator[None]:
        entered, released = threading.Event(), threading.Event()

        def hold(session: Session) -> None:
            session.connection.set_commit_hook(self._count)
            entered.set()
            released.wait()

        holder = threading.Thread(target=self.database.writer.exclusively, args=(hold,))
        holder.start()
        entered.wait()
        self.commits = 0
        yield
        released.set()
        holder.join()

    def _count(self) -> bool:
        self.commits += 1
        return False


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    database = Database(str(tmp_path / "db.sqlite"))
    crowd = Crowd(database)
    crowd.ask.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE)",
        "CREATE TABLE p (id INTEGER PRIMARY KEY)",
        "CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    )
    yield crowd
    database.close()


def insert(value: int, q: str = "") -> tuple[str, list[Any]]:
    return f"/db/execute?raft_index&{q}", [["INSERT INTO t(a) VALUES (?)", value]]


def errors(replies: list[Reply]) -> list[str | None]:
    return [reply.results[0].get("error") for reply in replies]


def test_one_commit_for_all(crowd: Crowd) -> None:
    replies = crowd.send(*[insert(n, "transaction" if n % 2 else "") for n in range(10)])
    assert crowd.commits == 1
    assert [reply.results[0]["last_insert_id"] for reply in replies] == list(range(1, 11))
    indexes = [reply.json["raft_index"] for reply in replies]
    assert indexes == list(range(indexes[0], indexes[0] + 10))
    assert crowd.ask.column("SELECT a FROM t") == list(range(10))


def test_each_request_fails_alone(crowd: Crowd) -> None:
    replies = crowd.send(
        insert(1),
        ("/db/execute?transaction", ["INSERT INTO t(a) VALUES (2)", "INSERT INTO t(a) VALUES (1)"]),
        insert(3),
        ("/db/request?transaction", ["INSERT INTO t(a) VALUES (4)", "SELECT json('x')"]),
        ("/db/execute", ["INSERT INTO t(a) VALUES (5)", "INSERT INTO t(a) VALUES (1)"]),
        ("/db/request", ["INSERT INTO t(a) VALUES (6)", "SELECT group_concat(a) FROM t"]),
    )
    assert crowd.commits == 1
    assert replies[1].results[1] == {"error": "UNIQUE constraint failed: t.a"}
    assert replies[3].results[1] == {"error": "malformed JSON"}
    assert replies[5].results[1]["values"] == [["1,3,5,6"]]
    assert crowd.ask.column("SELECT a FROM t") == [1, 3, 5, 6]


def test_a_rollback_of_one_undoes_no_other(crowd: Crowd) -> None:
    crowd.ask.execute(
        "CREATE TRIGGER r BEFORE INSERT ON t WHEN new.a < 0 BEGIN SELECT RAISE(ROLLBACK, 'no'); END"
    )
    replies = crowd.send(
        insert(1),
        insert(-1),
        ("/db/execute", ["INSERT OR ROLLBACK INTO t(a) VALUES (1)"]),
        insert(2),
    )
    assert errors(replies) == [None, "no", "UNIQUE constraint failed: t.a", None]
    assert crowd.commits == 2
    assert crowd.ask.column("SELECT a FROM t") == [1, 2]


def test_a_missing_parent_is_not_made_good_by_another_request(crowd: Crowd) -> None:
    crowd.ask.execute("PRAGMA foreign_keys=ON")
    child, parent = ["INSERT INTO c VALUES (7)"], ["INSERT INTO p VALUES (7)"]
    replies = crowd.send(("/db/execute", child), ("/db/execute", parent), ("/db/execute", child))
    assert errors(replies) == ["FOREIGN KEY constraint failed", None, None]
    together = ("/db/execute?transaction", ["INSERT INTO c VALUES (8)", "INSERT INTO p VALUES (8)"])
    assert errors(crowd.send(together, insert(1))) == [None, None]
    alone = crowd.send(("/db/execute?transaction", ["INSERT INTO c VALUES (9)"]), insert(2))
    assert alone[0].json == {"results": [], "error": "FOREIGN KEY constraint failed"}
    assert alone[1].results[0]["rows_affected"] == 1
    assert crowd.ask.column("SELECT p FROM c") == [7, 8]


def test_statements_that_cannot_share_run_in_their_turn(crowd: Crowd) -> None:
    replies = crowd.send(
        insert(1),
        ("/db/execute", ["VACUUM"]),
        ("/db/execute", ["PRAGMA user_version=5"]),
        insert(2),
        ("/db/execute", ["ALTER TABLE t ADD COLUMN b"]),
        ("/db/execute", ["BEGIN", "INSERT INTO t(a,b) VALUES (3,3)", "ROLLBACK"]),
        ("/db/execute", [["INSERT INTO t(a,b) VALUES (?,?)", 4, 4]]),
        ("/db/execute", ["INSERT INTO t(a) VALUES (5); INSERT INTO t(a) VALUES (6)"]),
    )
    assert errors(replies) == [None] * 8
    assert crowd.ask.column("SELECT a FROM t") == [1, 2, 4, 5, 6]
    assert crowd.ask.column("PRAGMA user_version") == [5]


def test_an_open_transaction_takes_all_in(crowd: Crowd) -> None:
    crowd.ask.execute("BEGIN")
    replies = crowd.send(insert(1), insert(2), insert(3, "transaction"))
    assert replies[2].json["error"] == "cannot start a transaction within a transaction"
    crowd.ask.execute("ROLLBACK")
    assert crowd.ask.column("SELECT a FROM t") == []


def test_a_commit_that_fails_is_told_to_all(crowd: Crowd) -> None:
    """A commit hook that refuses stands for a full disk: nothing is acknowledged."""

    def refuse(session: Session) -> None:
        session.connection.set_commit_hook(lambda: True)

    crowd._count = lambda: True  # type: ignore[method-assign]
    replies = crowd.send(insert(1), insert(2))
    assert errors(replies) == ["constraint failed"] * 2
    assert crowd.ask.column("SELECT a FROM t") == []
    assert issubclass(apsw.ConstraintError, apsw.Error)


def test_an_interrupt_leaves_the_writer_sound(crowd: Crowd) -> None:
    def interrupt(session: Session, call: Call, bracket: Bracket) -> list[Result]:
        session.control("BEGIN")
        raise KeyboardInterrupt

    for number in range(2):
        job = Job(Call([]), interrupt, shareable=False)
        with pytest.raises(KeyboardInterrupt):
            crowd.database.writer.run(job)
        assert job.finished
        assert job.error == "interrupted"
        assert errors(crowd.send(insert(number), insert(number))) == [
            None,
            "UNIQUE constraint failed: t.a",
        ]


def test_many_clients_at_once(crowd: Crowd) -> None:
    crowd.ask.execute("INSERT INTO t(id, a) VALUES (1, 0)")
    add = ("UPDATE t SET a = a + 1 WHERE id = 1", "SELECT a FROM t WHERE id = 1")

    def work(_: int) -> list[int]:
        return [crowd.ask.request(*add).results[1]["values"][0][0] for _ in range(50)]

    with ThreadPoolExecutor(8) as pool:
        seen = [value for values in pool.map(work, range(8)) for value in values]
    assert sorted(seen) == list(range(1, 401))
