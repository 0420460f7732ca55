"""Random transactions over a few lists, for any number of connections."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

from pyrqlite import Connection, SerializationError
from tests.transactions.clients import query
from tests.transactions.histories import Elements, Transaction

KEYS = 4
TABLE = "CREATE TABLE lists (key INTEGER PRIMARY KEY, elements TEXT NOT NULL)"
Operation = Callable[[Connection, Transaction, int, int], None]


def create(connection: Connection) -> None:
    """The empty lists, on an autocommit connection."""
    connection.execute("DROP TABLE IF EXISTS lists")
    connection.execute(TABLE)
    connection.executemany("INSERT INTO lists VALUES (?, '')", [(key,) for key in range(KEYS)])


def final(connection: Connection) -> dict[int, Elements]:
    """All lists."""
    return {key: _elements(text) for key, text in query(connection, "SELECT * FROM lists")}


def _elements(text: str) -> Elements:
    return tuple(map(int, text.split()))


def _read(connection: Connection, transaction: Transaction, key: int, element: int) -> None:
    found = query(connection, "SELECT elements FROM lists WHERE key = ?", key)
    transaction.read(key, _elements(found[0][0]))


def _read_many(connection: Connection, transaction: Transaction, key: int, element: int) -> None:
    sql = "SELECT key, elements FROM lists WHERE key <= ? ORDER BY key LIMIT 3"
    for found, text in query(connection, sql, key):
        transaction.read(found, _elements(text))


def _append(connection: Connection, transaction: Transaction, key: int, element: int) -> None:
    sql = "UPDATE lists SET elements = elements || ? WHERE key = ?"
    assert connection.execute(sql, (f"{element} ", key)).rowcount == 1
    transaction.appends.append((key, element))


def _overwrite(connection: Connection, transaction: Transaction, key: int, element: int) -> None:
    """Read, modify, write: what loses updates."""
    found = query(connection, "SELECT elements FROM lists WHERE key = ?", key)[0][0]
    transaction.read(key, _elements(found))
    text = f"{found}{element} "
    assert connection.execute("UPDATE lists SET elements = ? WHERE key = ?", (text, key)).rowcount
    transaction.appends.append((key, element))


def _append_returning(
    connection: Connection, transaction: Transaction, key: int, element: int
) -> None:
    sql = "UPDATE lists SET elements = elements || ? WHERE key = ? RETURNING elements"
    found = query(connection, sql, f"{element} ", key)
    transaction.appends.append((key, element))
    transaction.read(key, _elements(found[0][0]))


def _upsert(connection: Connection, transaction: Transaction, key: int, element: int) -> None:
    sql = (
        "INSERT INTO lists VALUES (?, ?) ON CONFLICT(key) "
        "DO UPDATE SET elements = elements || excluded.elements RETURNING elements"
    )
    found = query(connection, sql, key, f"{element} ")
    transaction.appends.append((key, element))
    transaction.read(key, _elements(found[0][0]))


def _read_expression(
    connection: Connection, transaction: Transaction, key: int, element: int
) -> None:
    sql = "SELECT trim(elements) || ' ' FROM lists WHERE key + 0 = ?"
    transaction.read(key, _elements(query(connection, sql, key)[0][0]))


def _append_by_expression(
    connection: Connection, transaction: Transaction, key: int, element: int
) -> None:
    sql = "UPDATE lists SET elements = elements || ? WHERE key + 0 = ? RETURNING elements || ''"
    found = query(connection, sql, f"{element} ", key)
    transaction.appends.append((key, element))
    transaction.read(key, _elements(found[0][0]))


def _undone(connection: Connection, transaction: Transaction, key: int, element: int) -> None:
    connection.execute("SAVEPOINT s")
    _read(connection, transaction, (key + 1) % KEYS, element)
    connection.execute("UPDATE lists SET elements = 'gone' WHERE key = ?", (key,))
    connection.execute("ROLLBACK TO s")
    connection.execute("RELEASE s")


def _seen_and_undone(
    connection: Connection, transaction: Transaction, key: int, element: int
) -> None:
    connection.execute("SAVEPOINT s")
    sql = "UPDATE lists SET elements = elements || ? WHERE key = ?"
    connection.execute(sql, (f"{element} ", key))
    found = query(connection, "SELECT elements FROM lists WHERE key = ?", key)[0][0]
    transaction.read(key, _elements(found)[:-1])
    connection.execute("ROLLBACK TO s")
    connection.execute("RELEASE s")


GUARDED: tuple[Operation, ...] = (
    _read, _read, _read_many, _append, _overwrite, _append_returning, _upsert, _undone,
)  # fmt: skip
CHECKED: tuple[Operation, ...] = (_read_expression, _append_by_expression, _seen_and_undone)


class Client:
    """One connection's random transactions, a statement at a time."""

    def __init__(
        self,
        connection: Connection,
        random: Random,
        numbers: Iterator[int],
        operations: Sequence[Operation],
        transactions: int,
    ) -> None:
        self.history: list[Transaction] = []
        self.conflicts = 0
        self._connection = connection
        self._random = random
        self._numbers = numbers
        self._operations = operations
        self.steps = self._run(transactions)

    def _run(self, transactions: int) -> Iterator[None]:
        """Each step is one operation, a commit, or a rollback."""
        for _ in range(transactions):
            transaction = Transaction(next(self._numbers), time.monotonic())
            self.history.append(transaction)
            try:
                for _ in range(self._random.randint(1, 4)):
                    operation = self._random.choice(self._operations)
                    key = self._random.randrange(KEYS)
                    operation(self._connection, transaction, key, next(self._numbers))
                    yield
                if self._random.random() < 0.1:
                    self._connection.rollback()
                    continue
                self._connection.commit()
            except SerializationError:
                self._connection.rollback()
                self.conflicts += 1
                continue
            transaction.committed, transaction.end = True, time.monotonic()
            yield


def clients(
    connections: Sequence[Connection],
    seed: int,
    operations: Sequence[Operation],
    transactions: int,
) -> list[Client]:
    """A client for each connection, the same ones for the same seed."""
    random, numbers = Random(seed), itertools.count(1)
    return [
        Client(connection, Random(random.random()), numbers, operations, transactions)
        for connection in connections
    ]


def interleave(running: Sequence[Client], seed: int) -> None:
    """Run them to their ends, whose turn it is by chance."""
    random, waiting = Random(seed), list(running)
    while waiting:
        client = random.choice(waiting)
        if next(client.steps, StopIteration) is StopIteration:
            waiting.remove(client)


def history_of(running: Sequence[Client]) -> list[Transaction]:
    """What all of them did."""
    return [transaction for client in running for transaction in client.history]
