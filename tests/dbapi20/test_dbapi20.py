"""The published PEP 249 suite (PyPI: dbapi-compliance), for both ways in, on both servers."""

from __future__ import annotations

import dbapi20
import pytest

import pyrqlite
from pyrqlite import dbapi2
from tests import worlds
from tests.rqlited import RqlitedNode
from tests.servers import Server, fresh

# The suite closes connections without a commit, as a program that does not care for its writes.
pytestmark = pytest.mark.filterwarnings("ignore::pyrqlite.UncommittedWarning")


class Compliance(dbapi20.DatabaseAPI20Test):  # type: ignore[misc]  # it has no annotations
    """The suite with the three tests that it leaves to the driver, or to taste."""

    __test__ = False

    def tearDown(self) -> None:
        """Each test finds an empty server."""

    def test_non_idempotent_close(self) -> None:
        """The suite wants an error from the second close(), and says itself that opinions differ.

        PEP 249 does not ask for it; `sqlite3` and most drivers take it, and so does this one.
        """
        connection = self._connect()
        connection.close()
        connection.close()
        assert connection.closed

    def test_nextset(self) -> None:
        """Abstract in the suite, which has stored procedures in mind: a statement has one result."""
        connection = self._connect()
        cursor = connection.cursor()
        self.executeDDL1(cursor)
        for sql in self._populate():
            cursor.execute(sql)
        cursor.execute(f"select name from {self.table_prefix}booze")
        assert cursor.nextset() is None
        connection.close()

    def test_setoutputsize(self) -> None:
        """Abstract in the suite: it has no effect here, and long values arrive whole."""
        connection = self._connect()
        cursor = connection.cursor()
        cursor.setoutputsize(1)
        cursor.setoutputsize(1, 0)
        cursor.execute("select ?", ("long" * 1000,))
        assert cursor.fetchone() == ("long" * 1000,)
        connection.close()

    def use(self, url: str) -> None:
        fresh(url)
        self.connect_args = (url,)


class OnEmbedded(Compliance):
    @pytest.fixture(autouse=True)
    def empty_server(self, embedded_server: Server) -> None:
        self.use(embedded_server.url)


class OnRqlited(Compliance):
    @pytest.fixture(autouse=True)
    def empty_server(self, rqlited_node: RqlitedNode) -> None:
        self.use(rqlited_node.url)


class TestPyrqliteOnEmbedded(OnEmbedded):
    __test__ = True
    driver = pyrqlite


class TestDbapi2OnEmbedded(OnEmbedded):
    __test__ = True
    driver = dbapi2


class TestAsyncioOnEmbedded(OnEmbedded):
    __test__ = True
    driver = worlds.Module()


class TestPyrqliteOnRqlited(OnRqlited):
    __test__ = True
    driver = pyrqlite


class TestAsyncioOnRqlited(OnRqlited):
    __test__ = True
    driver = worlds.Module()


class TestDbapi2OnRqlited(OnRqlited):
    __test__ = True
    driver = dbapi2


def test_suite_is_whole() -> None:
    names = [name for name in dir(dbapi20.DatabaseAPI20Test) if name.startswith("test_")]
    overridden = {name for name in vars(Compliance) if name.startswith("test_")}
    assert len(names) == 36
    assert overridden == {"test_non_idempotent_close", "test_nextset", "test_setoutputsize"}
