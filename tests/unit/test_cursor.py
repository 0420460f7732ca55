"""Cursors and connections: state, fetching, closing. No node answers here but a local one."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest

import pyrqlite
from pyrqlite import Connection, Cursor, InterfaceError, ProgrammingError
from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import Request, Response
from tests.unit.local_node import LocalNode
from tests.unit.nodes import attempts
from tests.worlds import SYNC, World, replace_transport


class LocalTransport:
    """Every node is a local one."""

    def __init__(self, local: LocalNode) -> None:
        self.local = local
        self.requests: list[Request] = []

    def send(self, node: Node, request: Request) -> Response:
        self.requests.append(request)
        reply = self.local(node, request)
        return Response(reply.status, reply.headers, reply.body, node)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def transport() -> LocalTransport:
    return LocalTransport(
        LocalNode("CREATE TABLE t (a)", "INSERT INTO t VALUES (1), (2), (3), (NULL), (5)")
    )


@pytest.fixture
def connection(transport: LocalTransport, world: World) -> Iterator[Connection]:
    made = world.connect(host="h", autocommit=True, retry=attempts(1))
    replace_transport(made, lambda inner: transport)
    yield made
    made.close()


@pytest.fixture
def cursor(connection: Connection) -> Any:
    return connection.execute("SELECT a FROM t ORDER BY rowid")


class TestFetching:
    def test_everything_comes_once(self, cursor: Any) -> None:
        assert cursor.rownumber == 0
        assert cursor.fetchone() == (1,)
        assert cursor.rownumber == 1
        assert cursor.fetchmany(2) == [(2,), (3,)]
        assert next(cursor) == (None,)
        assert cursor.fetchall() == [(5,)]
        assert (cursor.fetchone(), cursor.fetchmany(3), cursor.fetchall(), list(cursor)) == (
            None,
            [],
            [],
            [],
        )
        assert cursor.rownumber == cursor.rowcount == 5

    def test_arraysize(self, cursor: Any) -> None:
        assert cursor.arraysize == 1
        cursor.arraysize = 3
        assert len(cursor.fetchmany()) == 3
        assert len(cursor.fetchmany()) == 2

    def test_negative_sizes(self, cursor: Any) -> None:
        with pytest.raises(ProgrammingError):
            cursor.fetchmany(-1)

    def test_rows_that_a_factory_makes_none(self, connection: Connection) -> None:
        connection.row_factory = lambda cursor, row: row[0]
        for fetch in (list, lambda cursor: cursor.fetchall(), lambda cursor: [*cursor]):
            assert fetch(connection.execute("SELECT a FROM t ORDER BY rowid")) == [1, 2, 3, None, 5]
        iterator = iter(connection.execute("SELECT a FROM t WHERE a IS NULL"))
        assert next(iterator) is None
        with pytest.raises(StopIteration):
            next(iterator)

    def test_factory_of_the_cursor_goes_before(self, connection: Connection) -> None:
        connection.row_factory = pyrqlite.Row
        cursor = connection.cursor()
        cursor.row_factory = lambda cursor, row: len(row)
        assert cursor.execute("SELECT 1, 2").fetchall() == [2]
        assert connection.cursor().execute("SELECT 1 AS x").fetchone()["x"] == 1

    def test_scroll(self, cursor: Any) -> None:
        cursor.scroll(3)
        assert cursor.fetchone() == (None,)
        cursor.scroll(-2)
        assert cursor.fetchone() == (3,)
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchone() == (1,)
        cursor.scroll(4, "absolute")
        assert cursor.fetchone() == (5,)
        for value, mode in ((5, "absolute"), (-1, "absolute"), (1, "relative"), (-9, "relative")):
            with pytest.raises(IndexError):
                cursor.scroll(value, mode)
        with pytest.raises(ProgrammingError):
            cursor.scroll(0, "sideways")

    def test_without_a_result(self, connection: Connection) -> None:
        cursor = connection.cursor()
        assert (cursor.description, cursor.rowcount, cursor.rownumber, cursor.lastrowid) == (
            None,
            -1,
            None,
            None,
        )
        for fetch in (
            cursor.fetchone,
            cursor.fetchall,
            cursor.fetchmany,
            lambda: next(cursor),
            lambda: list(cursor),
            lambda: cursor.scroll(0),
            cursor.nextset,
        ):
            with pytest.raises(ProgrammingError):
                fetch()

    def test_failure_forgets_what_was_there(self, cursor: Any) -> None:
        with pytest.raises(ProgrammingError):
            cursor.execute("SELECT nope FROM t")
        assert (cursor.description, cursor.rowcount, cursor.rownumber) == (None, -1, None)
        with pytest.raises(ProgrammingError):
            cursor.fetchone()

    def test_one_result_a_statement(self, cursor: Any) -> None:
        assert cursor.nextset() is None
        assert cursor.setinputsizes([1]) is None
        assert cursor.setoutputsize(5) is None
        assert cursor.setoutputsize(5, 0) is None

    def test_cursors_are_apart(self, connection: Connection, cursor: Any) -> None:
        other = connection.execute("SELECT 9 AS nine")
        assert (cursor.fetchone(), other.fetchone(), cursor.fetchone()) == ((1,), (9,), (2,))
        assert cursor.description[0][0] == "a"


class TestClosing:
    def test_rows_do_not(self, cursor: Any) -> None:
        cursor.close()
        with pytest.raises(ProgrammingError, match="closed cursor"):
            cursor.fetchall()

    def test_cursor(self, cursor: Any) -> None:
        cursor.close()
        cursor.close()
        for use in (
            cursor.fetchone,
            cursor.fetchall,
            cursor.fetchmany,
            lambda: cursor.execute("SELECT 1"),
            lambda: cursor.executemany("DELETE FROM t", []),
            lambda: cursor.executescript(""),
        ):
            with pytest.raises(ProgrammingError):
                use()

    def test_cursor_as_a_context(self, connection: Connection) -> None:
        with connection.cursor() as cursor:
            assert cursor.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(ProgrammingError):
            cursor.execute("SELECT 1")

    def test_connection(self, connection: Connection) -> None:
        cursor = connection.cursor()
        assert not connection.closed
        connection.close()
        connection.close()
        assert connection.closed
        for use in (
            connection.cursor,
            connection.commit,
            connection.rollback,
            connection.__enter__,
            connection.ping,
            lambda: connection.execute("SELECT 1"),
            lambda: cursor.execute("SELECT 1"),
            lambda: cursor.executemany("DELETE FROM t", []),
        ):
            with pytest.raises(ProgrammingError, match="closed"):
                use()

    def test_connection_as_a_context_stays_open(self, connection: Connection) -> None:
        with connection as entered:
            assert entered is connection
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(KeyError), connection:
            raise KeyError
        assert not connection.closed

    def test_context_that_closes_its_connection(self, connection: Connection) -> None:
        with connection:
            connection.close()

    def test_neither_can_be_pickled(self, connection: Connection) -> None:
        with pytest.raises((InterfaceError, TypeError)):
            pickle.dumps(connection)
        with pytest.raises((InterfaceError, TypeError)):
            pickle.dumps(connection.cursor())


class TestOptions:
    def targets(self, transport: LocalTransport) -> list[str]:
        found = [request.target for request in transport.requests]
        transport.requests.clear()
        return found

    def test_of_the_call_go_before_the_cursors_before_the_connections(
        self, transport: LocalTransport
    ) -> None:
        connection = pyrqlite.connect(host="h", level="strong", autocommit=True, retry=attempts(1))
        replace_transport(connection, lambda inner: transport)
        connection.execute("SELECT 1")
        assert all("&level=strong" in target for target in self.targets(transport))
        cursor = connection.cursor(level="none", freshness=5)
        cursor.execute("SELECT 2")
        assert all("&level=none&freshness=5" in target for target in self.targets(transport))
        cursor.execute("SELECT 3", level="linearizable", freshness=None)
        assert all("level=linearizable" in target for target in self.targets(transport))
        cursor.execute("SELECT 4", level=None, freshness=None)
        assert not any("level=" in target for target in self.targets(transport))
        cursor.execute("SELECT 5", (), False, False, "weak", freshness=None)
        assert all("&level=weak" in target for target in self.targets(transport))
        cursor.execute("SELECT 6", consistency="strong", freshness=None)
        assert all("&level=strong" in target for target in self.targets(transport))
        connection.close()

    def test_timeouts(self, connection: Connection, transport: LocalTransport) -> None:
        connection.execute("SELECT 1")
        connection.cursor(timeout=3).execute("SELECT 2")
        connection.execute("SELECT 3", timeout=None)
        assert [
            request.timeout for request in transport.requests if b"LIMIT 0" in (request.body or b"")
        ] == [60.0, 3, None]

    def test_bad_levels_are_noticed_before_anything_is_sent(
        self, connection: Connection, transport: LocalTransport
    ) -> None:
        cursor = connection.cursor()
        for options in (
            {"level": "best"},
            {"consistency": "best"},
            {"freshness": "soon"},
            {"freshness_strict": True},
        ):
            with pytest.raises(InterfaceError):
                cursor.execute("SELECT 1", **options)
        assert transport.requests == []


class TestWaysIn:
    @pytest.mark.parametrize("world", [SYNC])
    def test_factory_of_cursors(self, connection: Connection) -> None:
        class Own(Cursor):
            """A cursor of one's own."""

        made = connection.cursor(Own)
        assert type(made) is Own
        assert made.execute("SELECT 1").fetchone() == (1,)

    def test_errors_are_attributes_of_the_connection(self, connection: Connection) -> None:
        for name in ("Warning", "Error", "InterfaceError", "DatabaseError", "IntegrityError"):
            assert getattr(connection, name) is getattr(pyrqlite, name)

    @pytest.mark.parametrize("operation", [5, None, b"SELECT 1", ["SELECT 1"]])
    def test_statements_are_texts(self, connection: Connection, operation: Any) -> None:
        cursor = connection.cursor()
        with pytest.raises(TypeError):
            cursor.execute(operation)
        with pytest.raises(TypeError):
            cursor.executemany(operation, [])
        with pytest.raises(TypeError):
            cursor.executescript(operation)

    def test_ping(self, connection: Connection, transport: LocalTransport) -> None:
        connection.ping()
        connection.ping(reconnect=False)
        assert len(transport.requests) >= 2
