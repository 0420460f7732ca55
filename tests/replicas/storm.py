"""The storm: writers whose transactions read in every shape, while nodes are killed, optimized and vacuumed."""

from __future__ import annotations

import random
import re
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyrqlite
from pyrqlite import Connection, OperationalError, OutcomeUnknownError, ProgrammingError
from tests.replicas.nodes import execute
from tests.rqlited import RqlitedCluster, RqlitedError

ACCOUNTS = 40
START = 100
SCHEMA = (
    "CREATE TABLE account(id INTEGER PRIMARY KEY, grp INTEGER, name TEXT COLLATE NOCASE UNIQUE, "
    "balance INTEGER, rate REAL, touched TIMESTAMP DEFAULT CURRENT_TIMESTAMP, "
    "label TEXT AS (lower(name)), worth INTEGER AS (balance * 2) STORED)",
    "CREATE INDEX by_balance ON account(balance)",
    "CREATE INDEX by_group ON account(grp)",
    "CREATE TABLE item(id INTEGER PRIMARY KEY, account INTEGER, kind TEXT, price REAL, "
    "made TIMESTAMP DEFAULT CURRENT_TIMESTAMP, "
    "exact TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')))",
    "CREATE INDEX by_account ON item(account)",
    "CREATE INDEX by_kind ON item(kind)",
    "CREATE TABLE journal(line TEXT, account INTEGER)",
    "CREATE TABLE done(id TEXT PRIMARY KEY)",
    # Only plain HTTP clients write here.
    "CREATE TABLE plain(id INTEGER PRIMARY KEY, v INTEGER, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, "
    "exact TEXT DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')))",
    *(
        ["INSERT INTO account(id, grp, name, balance, rate, touched) VALUES (?, ?, ?, ?, ?, '')",
         n, n % 4, f"Name{n}", START, n / 7]
        for n in range(ACCOUNTS)
    ),
)  # fmt: skip
PLAIN_TABLES = {"plain"}
EXACT_WRITER = 1  # repeats commits whose answers were lost

Action = Callable[[Connection, random.Random], object]


def _query(sql: str, *parameters: Callable[[random.Random], object]) -> Action:
    def read(connection: Connection, chance: random.Random) -> object:
        return connection.execute(sql, [make(chance) for make in parameters]).fetchall()

    return read


def _account(chance: random.Random) -> int:
    return chance.randrange(ACCOUNTS)


def _group(chance: random.Random) -> int:
    return chance.randrange(4)


def _kind(chance: random.Random) -> str:
    return chance.choice("abc")


READS: Sequence[Action] = (
    _query("SELECT * FROM account WHERE id = ?", _account),
    _query("SELECT id, balance FROM account WHERE name = ?", lambda chance: f"nAME{_account(chance)}"),
    _query("SELECT id, name FROM account WHERE balance BETWEEN 20 AND 60 AND grp = ?", _group),
    _query("SELECT id, rate, touched FROM account WHERE grp = ? ORDER BY balance", _group),
    _query("SELECT a.name, i.price FROM account a JOIN item i ON i.account = a.id "
           "WHERE a.grp = ? AND i.kind = ?", _group, _kind),
    _query("SELECT a.id, i.id, i.made FROM account a LEFT JOIN item i ON i.account = a.id "
           "WHERE a.id = ?", _account),
    _query("SELECT DISTINCT kind FROM item WHERE account = ?", _account),
    _query("SELECT id, price FROM item WHERE kind = ? LIMIT 3", _kind),
    _query("SELECT * FROM item WHERE account = ? AND kind = ? LIMIT 21", _account, _kind),
    _query("SELECT id FROM item WHERE account < ? ORDER BY id LIMIT 5 OFFSET 2", _account),
    _query("SELECT count(*) FROM item WHERE account = ?", _account),
    _query("SELECT sum(balance), max(rate) FROM account WHERE grp = ?", _group),
    _query("SELECT sum(balance), count(*) FROM account WHERE grp = ?", _group),
    _query("SELECT max(rate), min(name) FROM account WHERE grp = ?", _group),
    _query("SELECT max(price), min(kind), count(*) FROM item WHERE account = ?", _account),
    _query("SELECT id, balance FROM account WHERE grp = ? ORDER BY balance DESC LIMIT 3", _group),
    _query("SELECT price, kind FROM item WHERE account = ? ORDER BY price DESC, kind LIMIT 1", _account),
    _query("SELECT id, price FROM item WHERE account = ? ORDER BY price LIMIT 2", _account),
    _query("SELECT name, worth FROM account WHERE grp = ? ORDER BY name LIMIT 3", _group),
    _query("SELECT balance, label FROM account ORDER BY balance LIMIT 4"),
    _query("SELECT id, worth FROM account WHERE label = ?", lambda chance: f"name{_account(chance)}"),
    _query("SELECT EXISTS (SELECT 1 FROM item WHERE account = ? AND kind = 'a')", _account),
    _query("SELECT 1 FROM item WHERE kind = ? LIMIT 2", _kind),
    _query("SELECT kind, count(*) FROM item WHERE account = ? GROUP BY kind", _account),
    _query("SELECT * FROM plain WHERE id = ?", _account),
    _query("SELECT v, exact FROM plain WHERE v < ? AND at > '2001-01-01'", _account),
    _query("SELECT (SELECT price FROM item WHERE kind = ?)", _kind),
    _query("SELECT rowid, line FROM journal WHERE account = ?", _account),
    _query("SELECT count(*) FROM sqlite_schema"),
    _query("SELECT id FROM account WHERE name LIKE 'name1%'"),
)  # fmt: skip


def _transfer(connection: Connection, chance: random.Random) -> None:
    """Moves money: what was read is written back where reads are part of the transaction."""
    source, target = chance.sample(range(ACCOUNTS), 2)
    amount = chance.randrange(1, 5)
    for account, change in ((source, -amount), (target, amount)):
        if connection.isolation_level == "SERIALIZABLE":
            query = "SELECT balance FROM account WHERE id = ?"
            (balance,) = connection.execute(query, (account,)).fetchone()
            update = "UPDATE account SET balance = ?, touched = CURRENT_TIMESTAMP WHERE id = ?"
            connection.execute(update, (balance + change, account))
        else:
            update = "UPDATE account SET balance = balance + ? WHERE id = ?"
            assert connection.execute(update, (change, account)).rowcount == 1


def _own_writes(connection: Connection, chance: random.Random) -> None:
    """Writes rows and looks at them."""
    account = _account(chance)
    insert = "INSERT INTO item(account, kind, price) VALUES (?, ?, ?)"
    key = connection.execute(insert, (account, _kind(chance), chance.random())).lastrowid
    seen = connection.execute("SELECT account, made FROM item WHERE id = ?", (key,)).fetchone()
    assert seen[0] == account
    connection.execute("SELECT id, exact FROM item WHERE account = ?", (account,)).fetchall()


def _returning(connection: Connection, chance: random.Random) -> None:
    insert = "INSERT INTO item(account, kind) VALUES (?, ?), (?, 'a') RETURNING id, account, made"
    values = (_account(chance), _kind(chance), _account(chance))
    assert len(connection.execute(insert, values).fetchall()) == 2


def _journal(connection: Connection, chance: random.Random) -> None:
    insert = "INSERT INTO journal VALUES (CURRENT_TIMESTAMP || ' ' || random(), ?)"
    connection.execute(insert, (_account(chance),))


def _trim(connection: Connection, chance: random.Random) -> None:
    delete = "DELETE FROM item WHERE account = ? AND kind = ?"
    connection.execute(delete, (_account(chance), _kind(chance)))


def _upsert(connection: Connection, chance: random.Random) -> None:
    upsert = (
        "INSERT INTO account(id, grp, name, balance, rate) VALUES (?, 0, 'x', 0, 0) "
        "ON CONFLICT (id) DO UPDATE SET rate = rate + 0.1"
    )
    assert connection.execute(upsert, (_account(chance),)).rowcount == 1


def _many(connection: Connection, chance: random.Random) -> None:
    rows = [(_account(chance), _kind(chance)) for _ in range(20)]
    connection.executemany("INSERT INTO item(account, kind) VALUES (?, ?)", rows)
    connection.execute("DELETE FROM item WHERE price IS NULL AND account = ?", (rows[0][0],))


WRITES: Sequence[Action] = (_transfer, _own_writes, _returning, _journal, _trim, _upsert, _many)


@dataclass
class Tally:
    """What became of the transactions, by their ids: each attempt has one."""

    acknowledged: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, ids: set[str], which: str) -> None:
        """Count attempts."""
        with self.lock:
            found: set[str] = getattr(self, which)
            found |= ids
            self.counts[which] += len(ids)


class Storm:
    """Threads that write, and others that do harm, until `stop` is set."""

    def __init__(self, cluster: RqlitedCluster, seed: int) -> None:
        self.cluster = cluster
        self.seed = seed
        self.tally = Tally()
        self.stop = threading.Event()
        execute(cluster, *SCHEMA)

    @contextmanager
    def blowing(self, writers: int) -> Iterator[None]:
        """The block runs while the threads do; they have all ended behind it."""
        threads = [
            threading.Thread(target=self._guarded, args=(self._write, number))
            for number in range(writers)
        ]
        threads.append(threading.Thread(target=self._guarded, args=(self._write_plainly, 0)))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()

    def kill_nodes(self, seconds: float) -> None:
        """End one node after another as `kill -9` does, and start it again, each time behind some more
        acknowledged transactions."""
        chance = random.Random(self.seed)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.stop.is_set():
            self.wait_for_more(10, end)
            node = chance.choice(self.cluster.nodes)
            node.kill()
            self.tally.counts["kills"] += 1
            if len(self.cluster.nodes) > 1 and chance.random() < 0.7:
                self.wait_for_more(3, min(end, time.monotonic() + 3))
            node.restart()
            node.wait_ready()

    def wait_for_more(self, count: int, end: float) -> None:
        """Wait until so many more transactions were acknowledged, or until that moment (of `monotonic`)."""
        wanted = len(self.tally.acknowledged) + count
        while len(self.tally.acknowledged) < wanted and time.monotonic() < end:
            if self.stop.wait(0.01):
                return

    def _guarded(self, work: Callable[[int], None], number: int) -> None:
        try:
            work(number)
        except Exception:
            self.tally.errors.append(traceback.format_exc())
            self.stop.set()

    def _write(self, number: int) -> None:
        hosts = ",".join(node.http_address for node in self.cluster.nodes)
        level = ("SERIALIZABLE", "READ COMMITTED")[number % 3 == 2]
        read_level = ("weak", "none", None)[number % 3]
        connection = pyrqlite.connect(
            host=hosts,
            autocommit=False,
            isolation_level=level,
            level=read_level,
            timeout=10,
            exactly_once=number == EXACT_WRITER,
        )
        chance = random.Random(f"{self.seed} {number}")
        count = 0
        try:
            while not self.stop.is_set():
                count += 1
                self._one(connection, chance, f"{number}.{count}")
        finally:
            connection.rollback()
            connection.close()

    def _one(self, connection: Connection, chance: random.Random, name: str) -> None:
        """One transaction, tried until it is through; each attempt has an id of its own."""
        ids: list[str] = []
        actions = [*chance.sample(READS, 2), chance.choice(WRITES), chance.choice(READS)]
        if chance.random() < 0.5:
            actions.append(chance.choice(WRITES))

        def body(connection: Connection) -> None:
            ids.append(f"{name}.{len(ids)}")
            for action in actions:
                action(connection, chance)
            connection.execute("INSERT INTO done VALUES (?)", (ids[-1],))

        try:
            try:
                pyrqlite.run_transaction(connection, body)
            finally:
                self.tally.counts["conflicts"] += max(len(ids) - 1, 0)
        except OutcomeUnknownError:
            self.tally.note({ids[-1]}, "unknown")
            self.tally.note(set(ids[:-1]), "failed")
        except (OperationalError, ProgrammingError) as error:
            # Nothing was applied. A node that replays its log may not know a table yet.
            if isinstance(error, ProgrammingError) and "no such table" not in str(error):
                raise
            self.tally.note(set(ids), "failed")
            what = re.sub("http://[0-9.:]+", "node", str(error))
            self.tally.counts[f"{type(error).__name__}: {what[:90]}"] += 1
            self.stop.wait(0.02)
        else:
            self.tally.note({ids[-1]}, "acknowledged")
            self.tally.note(set(ids[:-1]), "failed")

    def _write_plainly(self, _: int) -> None:
        """A client that lets each node fill in its own time."""
        chance = random.Random(self.seed)
        number = 0
        while not self.stop.wait(0.03):
            number += 1
            insert = ["INSERT OR REPLACE INTO plain(id, v) VALUES (?, ?)", number % 200, number]
            update = ["UPDATE plain SET at = CURRENT_TIMESTAMP WHERE v = ?", chance.randrange(200)]
            try:
                execute(self.cluster, insert, update)
            except (OSError, RqlitedError):
                self.tally.counts["plain failures"] += 1
            else:
                self.tally.counts["plain writes"] += 1
