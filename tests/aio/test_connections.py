"""Opening, sharing, using and closing connections in event loops."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

import pyrqlite
from pyrqlite import InterfaceError, OperationalError, ProgrammingError, Row, aio
from pyrqlite.aio import AsyncConnection, AsyncCursor, carriers
from pyrqlite.transports.loop import LoopTransport
from tests.unit.transports.socket_server import SocketServer, answer, silence

Main = Callable[[], Coroutine[Any, Any, None]]


def run_by_uvloop(main: Coroutine[Any, Any, None]) -> None:
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()


async def count(connection: AsyncConnection) -> int:
    found: int = (await connection.execute("SELECT count(*) FROM t")).fetchone()[0]
    return found


class TestOpening:
    def test_awaited_it_stays_open(self, url: str) -> None:
        async def main() -> None:
            connection = await aio.connect(url)
            async with connection as entered:
                assert entered is connection
                await connection.execute("INSERT INTO t VALUES (2, 2)")
            assert not connection.closed
            assert await count(connection) == 2
            await connection.close()
            await connection.close()
            assert connection.closed

        asyncio.run(main())

    def test_with_connect_it_is_closed(self, url: str) -> None:
        async def main() -> None:
            async with aio.connect(url) as connection:
                await connection.execute("INSERT INTO t VALUES (2, 2)")
            assert connection.closed
            with pytest.raises(ZeroDivisionError):
                await fail()
            async with aio.connect(url) as connection:
                assert await count(connection) == 2

        async def fail() -> None:
            async with aio.connect(url) as connection:
                await connection.execute("INSERT INTO t VALUES (3, 3)")
                raise ZeroDivisionError

        asyncio.run(main())

    def test_that_is_not_awaited(self, url: str) -> None:
        with pytest.raises(AttributeError, match="await connect"):
            aio.connect(url).execute("SELECT 1")  # type: ignore[attr-defined]

    def test_one_at_a_time(self, url: str) -> None:
        async def main() -> None:
            connecting = aio.connect(url)
            async with connecting as connection:
                with pytest.raises(ProgrammingError, match="open already"):
                    await connecting.__aenter__()
            async with connecting as again:
                assert (connection.closed, again.closed) == (True, False)

        asyncio.run(main())

    def test_needs_a_loop(self) -> None:
        with pytest.raises(RuntimeError):
            AsyncConnection(pyrqlite.options.Options())

    @pytest.mark.parametrize("options", [{"transport": "curl"}, {"transport": "requests"}])
    def test_transports_of_threads_are_refused(self, options: dict[str, Any]) -> None:
        async def main() -> None:
            with pytest.raises(InterfaceError, match="aiohttp"):
                await aio.connect("http://h", **options)
            for name in ("aiohttp", "loop"):
                await (await aio.connect("http://h", transport=name)).close()

        asyncio.run(main())

    def test_takes_the_options_of_the_other_connect(self) -> None:
        assert inspect.signature(aio.connect) == inspect.signature(pyrqlite.connect)
        with pytest.raises(InterfaceError):
            aio.connect(timeout=-1)


class TestUse:
    def test_cursors(self, url: str) -> None:
        async def main() -> None:
            async with aio.connect(url, autocommit=True) as connection:
                connection.row_factory = Row
                cursor = connection.cursor(level="strong")
                assert isinstance(cursor, AsyncCursor)
                assert cursor.connection is connection
                assert await cursor.execute("SELECT id, n FROM t") is cursor
                assert cursor.fetchone()["id"] == 1
                assert [row async for row in await connection.execute("VALUES (1), (2)")] == [
                    (1,),
                    (2,),
                ]
                assert list(await connection.execute("VALUES (1), (2)")) == [(1,), (2,)]
                async with connection.cursor() as cursor:
                    await cursor.executemany("INSERT INTO t VALUES (?, 0)", [(5,), (6,)])
                    assert cursor.rowcount == 2
                with pytest.raises(ProgrammingError):
                    await cursor.execute("SELECT 1")
                await connection.ping()

        asyncio.run(main())

    def test_names_and_texts_are_those_of_the_other_world(self) -> None:
        for ours, theirs in (
            (AsyncConnection, pyrqlite.Connection),
            (AsyncCursor, pyrqlite.Cursor),
        ):
            public = {name for name in dir(theirs) if not name.startswith("_")}
            assert public <= set(dir(ours))
        for name in ("execute", "executemany", "executescript"):
            method = getattr(AsyncCursor, name)
            assert method.__doc__ == getattr(pyrqlite.Cursor, name).__doc__
            assert (method.__name__, inspect.iscoroutinefunction(method)) == (name, True)

    def test_own_class_of_cursors(self, url: str) -> None:
        class Own(AsyncCursor):
            """A cursor of one's own."""

        async def main() -> None:
            async with aio.connect(url) as connection:
                made = connection.cursor(Own)
                assert type(await made.execute("SELECT 1")) is Own

        asyncio.run(main())

    def test_a_transaction_is_one_tasks(self, url: str) -> None:
        async def main() -> None:
            async with aio.connect(url) as connection:
                first, second = await asyncio.gather(
                    connection.execute("SELECT 1"), connection.commit(), return_exceptions=True
                )
                assert isinstance(first, AsyncCursor)
                assert isinstance(second, ProgrammingError)
                assert "is for one task" in str(second)
                assert first.fetchall() == [(1,)]
                assert await count(connection) == 1

        asyncio.run(main())

    def test_autocommit_is_set_where_nothing_has_to_be_awaited(self, url: str) -> None:
        async def main() -> None:
            async with aio.connect(url) as connection:
                connection.autocommit = True
                await connection.execute("INSERT INTO t VALUES (2, 2)")
                connection.autocommit = False
                await connection.execute("INSERT INTO t VALUES (3, 3)")
                with pytest.raises(ProgrammingError, match="set_autocommit"):
                    connection.autocommit = True
                await connection.set_autocommit(True)
                assert (connection.autocommit, connection.in_transaction) == (True, False)
                connection.autocommit = True
                assert await count(connection) == 3

        asyncio.run(main())

    def test_run_transaction(self, url: str) -> None:
        tries: list[int] = []

        async def add(connection: AsyncConnection) -> int:
            (n,) = (await connection.execute("SELECT n FROM t WHERE id = 1")).fetchone()
            await asyncio.sleep(0)
            await connection.execute("UPDATE t SET n = ? WHERE id = 1", (n + 1,))
            tries.append(n)
            return int(n) + 1

        async def client() -> int:
            async with aio.connect(url) as connection:
                return await aio.run_transaction(connection, add)

        async def main() -> None:
            assert sorted(await asyncio.gather(*[client() for _ in range(8)])) == list(range(1, 9))

        asyncio.run(main())
        assert len(tries) > 8, "nobody interfered"


class TestLoops:
    def test_one_after_the_other(self, url: str) -> None:
        async def main() -> int:
            async with aio.connect(url, autocommit=True) as connection:
                return await count(connection)

        assert [asyncio.run(main()) for _ in range(3)] == [1, 1, 1]

    def test_side_by_side(self, url: str) -> None:
        found: list[int] = []

        async def main() -> None:
            async with aio.connect(url, autocommit=True) as connection:
                found.extend([await count(connection) for _ in range(20)])

        threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [1] * 80

    def test_connection_belongs_to_one(self, url: str) -> None:
        loop = asyncio.new_event_loop()

        async def connect() -> AsyncConnection:
            return await aio.connect(url, autocommit=True)

        async def elsewhere() -> None:
            with pytest.raises(ProgrammingError, match="another event loop"):
                await connection.execute("SELECT 1")
            with pytest.raises(ProgrammingError, match="another event loop"):
                await connection.close()

        connection = loop.run_until_complete(connect())
        asyncio.run(elsewhere())
        assert loop.run_until_complete(count(connection)) == 1
        loop.run_until_complete(connection.close())
        loop.close()

    def test_uvloop(self, url: str) -> None:
        async def client(number: int) -> None:
            async with aio.connect(url) as connection:
                await connection.execute("INSERT INTO t VALUES (?, 0)", (number,))
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(forever(connection), 0.05)
                assert not connection.in_transaction
                await connection.execute("INSERT INTO t VALUES (?, 0)", (number,))

        async def forever(connection: AsyncConnection) -> None:
            async with connection:
                while True:
                    await connection.execute("SELECT n FROM t")

        async def main() -> None:
            await asyncio.gather(*[client(number) for number in range(2, 12)])
            async with aio.connect(url) as connection:
                assert await count(connection) == 11

        run_by_uvloop(main())

    @pytest.mark.filterwarnings(
        "ignore:unclosed:ResourceWarning", "ignore:Unclosed:ResourceWarning"
    )
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_closed_with_connections_open(self, url: str) -> None:
        async def forget() -> AsyncConnection:
            connection = await aio.connect(url, autocommit=True)
            await count(connection)
            return connection

        async def main() -> int:
            async with aio.connect(url, autocommit=True) as connection:
                return await count(connection)

        of_others = carriers._carriers.things()
        forgotten = [asyncio.run(forget()) for _ in range(3)]
        assert asyncio.run(main()) == 1
        assert [one for one in carriers._carriers.things() if one not in of_others] == []
        del forgotten
        gc.collect()
        assert asyncio.run(main()) == 1


class TestSharing:
    def test_connections_of_a_loop_share_their_sockets(self) -> None:
        served = answer(b'{"results":[{}]}')

        async def main(url: str) -> None:
            for _ in range(3):
                await one(url)
            keep = await aio.connect(url)
            for _ in range(3):
                await one(url)
            await keep.close()

        async def one(url: str) -> None:
            async with aio.connect(url, autocommit=True) as connection:
                await connection.execute("REINDEX")

        with SocketServer(*[[served] * 20] * 8) as server:
            asyncio.run(main(f"http://127.0.0.1:{server.port}"))
            # The first three each opened a socket, as nobody else held it; then it was kept.
            assert server.opened == 4

    def test_the_last_one_closes_them(self) -> None:
        async def main(url: str) -> None:
            first, second = await aio.connect(url), await aio.connect(url)
            transport = first._carrier
            assert isinstance(transport, LoopTransport)
            assert second._carrier is transport
            await first.close()
            assert not transport._closed
            await second.close()
            assert transport._closed

        asyncio.run(main("http://127.0.0.1:1"))

    def test_what_is_known_is_shared_with_the_other_world(self, url: str) -> None:
        async def main() -> None:
            async with aio.connect(url) as connection:
                assert connection.session.cluster is blocking.session.cluster

        with pyrqlite.connect(url) as blocking:
            asyncio.run(main())
            assert blocking.execute("SELECT count(*) FROM t").fetchone() == (1,)
        blocking.close()

    def test_both_worlds_at_once(self, url: str) -> None:
        """A transaction of each side sees what the other does."""

        async def main() -> None:
            async with aio.connect(url) as connection:
                (n,) = (await connection.execute("SELECT n FROM t")).fetchone()
                blocking.execute("UPDATE t SET n = 5")
                await connection.execute("UPDATE t SET n = ?", (n + 1,))
                with pytest.raises(pyrqlite.SerializationError):
                    await connection.commit()
                blocking.autocommit = False
                assert blocking.execute("SELECT n FROM t").fetchone() == (5,)
                await connection.execute("UPDATE t SET n = n + 1")
                await connection.commit()
                blocking.execute("UPDATE t SET n = 0")
                with pytest.raises(pyrqlite.SerializationError):
                    blocking.commit()

        blocking = pyrqlite.connect(url, autocommit=True)
        asyncio.run(main())
        blocking.close()


class TestInProcess:
    def test_memory(self) -> None:
        async def main() -> None:
            async with aio.connect(":memory:") as connection, aio.connect(":memory:") as other:
                await connection.execute("CREATE TABLE t (a)")
                assert (await other.execute("SELECT count(*) FROM sqlite_schema")).fetchone() == (
                    0,
                )

        asyncio.run(main())

    def test_one_file_for_both_worlds(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with aio.connect(target) as first, aio.connect(target) as second:
                await first.execute("INSERT INTO t VALUES (1)")
                await first.commit()
                assert (await second.execute("SELECT * FROM t")).fetchall() == [(1,)]

        target = f"file:{tmp_path / 'data.db'}"
        with pyrqlite.connect(target) as blocking:
            blocking.execute("CREATE TABLE t (a)")
            blocking.commit()
            asyncio.run(main())
            assert blocking.execute("SELECT * FROM t").fetchall() == [(1,)]
        blocking.close()
        asyncio.run(_drop(target))

    def test_long_queries_do_not_stop_the_loop(self) -> None:
        endless = (
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000000) "
            "SELECT count(*) FROM c"
        )

        async def main() -> None:
            async with aio.connect(":memory:", autocommit=True) as connection:
                query = asyncio.ensure_future(connection.execute(endless))
                turns = 0
                while not query.done():
                    turns += 1
                    await asyncio.sleep(0.001)
                assert turns > 10
                assert query.result().fetchone() == (3000000,)
                given_up = asyncio.ensure_future(connection.execute(endless))
                await asyncio.sleep(0.01)
                given_up.cancel()
                await asyncio.wait([given_up])
                assert given_up.cancelled()

        asyncio.run(main())


async def _drop(target: str) -> None:
    async with aio.connect(target) as connection:
        await connection.execute("DROP TABLE t")


class TestEnds:
    def test_closed_while_a_task_waits(self) -> None:
        async def main(url: str) -> None:
            connection = await aio.connect(url, autocommit=True)
            reading = asyncio.ensure_future(connection.execute("SELECT 1"))
            writing = await aio.connect(url, autocommit=True)
            write = asyncio.ensure_future(writing.execute("REINDEX"))
            await asyncio.sleep(0.1)
            await connection.close()
            await writing.close()
            done = await asyncio.gather(reading, write, return_exceptions=True)
            assert isinstance(done[0], OperationalError)
            assert isinstance(done[1], pyrqlite.OutcomeUnknownError)
            with pytest.raises(ProgrammingError, match="closed"):
                await connection.execute("SELECT 1")

        with SocketServer([silence], [silence]) as server:
            asyncio.run(main(f"http://127.0.0.1:{server.port}"))

    def test_node_that_closed_while_the_loop_slept(self) -> None:
        """A kept socket whose end the loop has not seen yet is not written to: the request goes by another."""

        async def main(url: str) -> None:
            async with aio.connect(url, autocommit=True) as connection:
                await connection.execute("REINDEX")
                server.wait_closed(0)  # it blocks the loop
                await connection.execute("REINDEX")

        served = answer(b'{"results":[{}]}')
        with SocketServer([served], [served]) as server:
            asyncio.run(main(f"http://127.0.0.1:{server.port}"))
        assert len(server.received) == 2
