"""`python -m benchmarks.tasks`: the asyncio driver against other asyncio clients, by 1 and by 64 tasks at once."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from benchmarks import data
from benchmarks.environments import python_for
from benchmarks.ratios import Ratio, fastest, times_faster
from benchmarks.rounds import order
from benchmarks.servers import best_server
from benchmarks.subjects import SUBJECTS, Kind, Subject, _driver
from benchmarks.worker import differences

TASKS = (1, 64)
READS = 640
BARE = "aiohttp"
# What is asked of the driver, at 64 tasks.
AGAINST_PEERS, AGAINST_BARE = 1.5, 1 / 1.6
_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from benchmarks.tasks import serve; serve(*sys.argv[2:])"
)


class Client(Protocol):
    """What one task uses."""

    async def query(self, sql: str, parameters: Sequence[data.Value]) -> list[Any]:
        """All rows."""


Connect = Callable[[], AbstractAsyncContextManager[Client]]


class BareHTTP:
    """The least that talks to rqlite: aiohttp and json."""

    def __init__(self, session: Any, url: str) -> None:
        self._session, self._url = session, url

    async def query(self, sql: str, parameters: Sequence[data.Value]) -> list[Any]:
        body = json.dumps([[sql, *parameters]]).encode()
        headers = {"Content-Type": "application/json"}
        async with self._session.post(
            f"{self._url}/db/query", data=body, headers=headers
        ) as answer:
            result = json.loads(await answer.read())["results"][0]
        if "error" in result:
            raise RuntimeError(result["error"])
        rows: list[Any] = result.get("values", [])
        return rows


class Cursors:
    """A client with cursors, a new one for each statement; some have to be awaited."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def query(self, sql: str, parameters: Sequence[data.Value]) -> list[Any]:
        cursor = self._connection.cursor()
        if inspect.isawaitable(cursor):
            cursor = await cursor
        await cursor.execute(sql, parameters)
        rows: list[Any] = cursor.fetchall()
        return rows


@asynccontextmanager
async def bare(url: str) -> AsyncIterator[Connect]:
    import aiohttp

    async with aiohttp.ClientSession() as session:

        @asynccontextmanager
        async def connect() -> AsyncIterator[Client]:
            yield BareHTTP(session, url)

        yield connect


@asynccontextmanager
async def driver(url: str) -> AsyncIterator[Connect]:
    """The driver of this repository: a connection for each task, as its documentation says."""
    from pyrqlite import aio

    @asynccontextmanager
    async def connect() -> AsyncIterator[Client]:
        async with aio.connect(url, autocommit=True) as connection:
            yield Cursors(connection)

    async with connect():  # while it is open, the others find its sockets
        yield connect


@asynccontextmanager
async def rqdb(url: str) -> AsyncIterator[Connect]:
    """One connection for all tasks: its session keeps the sockets."""
    import rqdb as module  # type: ignore[import-not-found]

    async with module.connect_async([urlsplit(url).netloc], log=False) as connection:

        @asynccontextmanager
        async def connect() -> AsyncIterator[Client]:
            yield Cursors(connection)

        yield connect


@asynccontextmanager
async def tangled(url: str) -> AsyncIterator[Connect]:
    """One connection for all tasks: its session keeps the sockets."""
    import rqlite  # type: ignore[import-not-found]

    parts = urlsplit(url)
    lock = rqlite.AioLock()
    connection = rqlite.async_connect(
        host=parts.hostname, port=parts.port, read_consistency="weak", lock=lock
    )

    @asynccontextmanager
    async def connect() -> AsyncIterator[Client]:
        yield Cursors(connection)

    yield connect
    await connection.close()


@dataclass(frozen=True)
class AsyncSubject:
    """A subject of the other benchmarks, whose environment it shares, and its way to connect."""

    environment: Subject
    connect: Callable[[str], AbstractAsyncContextManager[Connect]]


ASYNC_SUBJECTS = {
    BARE: AsyncSubject(_driver("asyncio", "[asyncio,fast]", "auto"), bare),
    "rqdb": AsyncSubject(SUBJECTS["rqdb"], rqdb),
    "tangled-pyrqlite": AsyncSubject(SUBJECTS["tangled-pyrqlite"], tangled),
    "driver": AsyncSubject(_driver("asyncio", "[asyncio,fast]", "auto"), driver),
}
PEERS = [name for name, one in ASYNC_SUBJECTS.items() if one.environment.kind is Kind.PEER]


def serve(name: str, url: str) -> None:
    """Be the process of a subject: for each number of tasks on stdin, say how many seconds it took, or what is
    wrong."""
    answers, sys.stdout = sys.stdout, sys.stderr
    asyncio.run(
        _serve(ASYNC_SUBJECTS[name], url, lambda said: print(said, file=answers, flush=True))
    )


async def _serve(subject: AsyncSubject, url: str, answer: Callable[[str], None]) -> None:
    async with subject.connect(url) as connect:
        notes = list(differences(data.rows_of(data.keys(64)), await _read(connect, 64, 64)))
        answer(json.dumps(notes))
        for line in sys.stdin:
            began = time.perf_counter()
            await _read(connect, int(line), READS)
            answer(json.dumps((time.perf_counter() - began) / READS))


async def _read(connect: Connect, tasks: int, reads: int) -> list[Any]:
    keys = data.keys(reads)
    rows: dict[int, Any] = {}

    async def work(share: Sequence[int]) -> None:
        async with connect() as client:
            for key in share:
                rows[key] = (await client.query(data.READ_ONE, (key,)))[0]

    await asyncio.gather(*[work(keys[number::tasks]) for number in range(tasks)])
    return [rows[key] for key in keys]


class Process:
    """A subject's process."""

    def __init__(self, name: str, url: str) -> None:
        python = python_for(ASYNC_SUBJECTS[name].environment)
        command = [str(python), "-I", "-c", _BOOT, str(Path(__file__).parents[1]), name, url]
        self.name = name
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.notes: list[str] = self._answer()

    def seconds(self, tasks: int) -> float:
        """For one read, of so many tasks."""
        assert self._process.stdin is not None
        print(tasks, file=self._process.stdin, flush=True)
        seconds: float = self._answer()
        return seconds

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate(timeout=10)


def main() -> int:
    """Measure and print; 1 where the driver gives a wrong result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tasks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="more are surer (default 40)")
    parser.add_argument("--embedded", action="store_true", help="ask the embedded server")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        server = stack.enter_context(best_server(directory, options.embedded))
        _fill(server.url)
        processes = [stack.enter_context(Process(name, server.url)) for name in ASYNC_SUBJECTS]
        samples: dict[int, dict[str, list[float]]] = {
            tasks: {process.name: [] for process in processes} for tasks in TASKS
        }
        for turn in range(options.rounds):
            for tasks in TASKS:
                for process in order(processes, turn):
                    samples[tasks][process.name].append(process.seconds(tasks))
    for process in processes:
        for note in process.notes:
            print(f"{process.name}: {note}")
    print(f"point reads, {server.name}, {options.rounds} rounds; times as fast as the reference")
    for tasks in TASKS:
        _show(tasks, samples[tasks])
    return int(any(process.notes for process in processes if process.name == "driver"))


def _fill(url: str) -> None:
    import pyrqlite

    with pyrqlite.connect(url, autocommit=True) as connection:
        for table in data.TABLES:
            connection.execute(table)
        connection.executemany(data.FILL, data.stored_rows())
    connection.close()


def _show(tasks: int, samples: dict[str, list[float]]) -> None:
    peer = fastest(samples, PEERS)
    print(f"\n{tasks} tasks: microseconds a read, against {BARE}, against {peer}")
    for name, seconds in samples.items():
        middle = sorted(seconds)[len(seconds) // 2] * 1e6
        bare, theirs = (times_faster(seconds, samples[other]) for other in (BARE, peer))
        print(f"  {name:18} {middle:7.0f}   {bare}   {theirs}{_verdict(name, tasks, bare, theirs)}")


def _verdict(name: str, tasks: int, bare: Ratio, peer: Ratio) -> str:
    if name != "driver" or tasks != TASKS[-1]:
        return ""
    reached = bare.median >= AGAINST_BARE and peer.median >= AGAINST_PEERS
    return (
        f"   wanted: {AGAINST_BARE:.2f} and {AGAINST_PEERS}, {'reached' if reached else 'missed'}"
    )


if __name__ == "__main__":
    sys.exit(main())
