"""`python -m benchmarks.transactions`: what transactions cost, by mode and by their number of statements."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyrqlite
from benchmarks import data
from benchmarks.ratios import Ratio, times_faster
from benchmarks.report import RESULTS, micro
from benchmarks.rounds import Samples
from benchmarks.servers import Server, best_server
from pyrqlite.cluster.node import Node
from pyrqlite.connection import Connection
from pyrqlite.flow.steps import Request, Response
from pyrqlite.transports import Transport
from tests.rqlited import NodeOptions, find_rqlited, running_cluster

SIZES = (1, 10, 100, 1000)
MOST_RUNS = 2000  # statements of a mode, over all rounds
REFERENCE = "autocommit"


@dataclass(frozen=True)
class Mode:
    """A way to run a number of statements; `reads`: half of them read, and come first."""

    name: str
    options: dict[str, Any]
    run: Callable[[Connection, Sequence[data.Row]], object]
    reads: bool = False


def _execute(connection: Connection, rows: Sequence[data.Row]) -> None:
    for row in rows:
        connection.execute(data.WRITE, row)


def _commit(connection: Connection, rows: Sequence[data.Row]) -> None:
    _execute(connection, rows)
    connection.commit()


def _pipeline(connection: Connection, rows: Sequence[data.Row]) -> None:
    with connection.pipeline():
        _execute(connection, rows)
    connection.commit()


def _many(connection: Connection, rows: Sequence[data.Row]) -> None:
    connection.executemany(data.WRITE, rows)
    connection.commit()


def _reading(
    write: Callable[[Connection, Sequence[data.Row]], None],
) -> Callable[[Connection, Sequence[data.Row]], None]:
    def run(connection: Connection, rows: Sequence[data.Row]) -> None:
        half = len(rows) - len(rows) // 2
        for key in data.keys(half):
            connection.execute(data.READ_ONE, (key,)).fetchone()
        write(connection, rows[half:])

    return run


_ALONE: dict[str, Any] = {"autocommit": True}
_TOGETHER: dict[str, Any] = {"autocommit": False}
_COMMITTED = {**_TOGETHER, "isolation_level": "READ COMMITTED"}
_ONCE = {"exactly_once": True}
MODES = (
    Mode(REFERENCE, _ALONE, _execute),
    Mode("serializable", _TOGETHER, _commit),
    Mode("read committed", _COMMITTED, _commit),
    Mode("pipeline", _TOGETHER, _pipeline),
    Mode("executemany", _TOGETHER, _many),
    Mode("autocommit, exactly once", {**_ALONE, **_ONCE}, _execute),
    Mode("pipeline, exactly once", {**_TOGETHER, **_ONCE}, _pipeline),
    Mode("autocommit, half reads", _ALONE, _reading(_execute), reads=True),
    Mode("serializable, half reads", _TOGETHER, _reading(_commit), reads=True),
    Mode("read committed, half reads", _COMMITTED, _reading(_commit), reads=True),
)


@dataclass
class Counting:
    """A transport that counts what goes through."""

    transport: Transport
    requests: int = 0
    statements: int = 0

    def send(self, node: Node, request: Request) -> Response:
        self.requests += 1
        self.statements += len(json.loads(request.body or b"[]"))
        return self.transport.send(node, request)

    def close(self) -> None:
        self.transport.close()


@dataclass
class Subject:
    """A mode with its connection, which is warm, and for each size what it sends."""

    mode: Mode
    connection: Connection
    sent: dict[int, tuple[int, int]] = field(default_factory=dict)

    def count(self, size: int) -> None:
        """Note what one transaction sends; AssertionError where it does not write what it should."""
        self.time(min(size, 10))
        self._empty()
        cluster = self.connection.session.cluster
        counting = Counting(cluster.transport)
        cluster.transport = counting
        try:
            self.mode.run(self.connection, data.new_rows(size))
        finally:
            cluster.transport = counting.transport
        self.sent[size] = counting.requests, counting.statements
        rows = self.connection.execute(data.WRITTEN, level="strong").fetchall()
        self.connection.commit()
        expected = data.new_rows(size)
        assert rows == (expected[size - size // 2 :] if self.mode.reads else expected), self.mode

    def time(self, size: int) -> float:
        """Seconds for a transaction of so many statements, on an empty table."""
        self._empty()
        rows = data.new_rows(size)
        start = time.perf_counter()
        self.mode.run(self.connection, rows)
        return time.perf_counter() - start

    def _empty(self) -> None:
        self.connection.execute(data.EMPTY)
        self.connection.commit()


def main() -> int:
    """Measure, print and write the results."""
    options = _parser().parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        server = stack.enter_context(_server(directory, options))
        subjects = list(_connected(stack, server))
        samples: dict[int, Samples] = {}
        print(f"{server.name}, {options.nodes} node(s)")
        for size in options.sizes:
            samples[size] = measure(subjects, size, min(options.rounds, MOST_RUNS // size))
            print(*table(subjects, size, samples[size]["transaction"]), sep="\n")
    document = {
        size: {name: micro(times) for name, times in timed["transaction"].items()}
        for size, timed in samples.items()
    }
    text = json.dumps({"server": server.name, "microseconds": document}, indent=1)
    (options.output / "transactions.json").write_text(text + "\n")
    return 0


@contextmanager
def _server(directory: Path, options: argparse.Namespace) -> Iterator[Server]:
    """rqlited with as many nodes as are wanted, or the embedded server where there is none."""
    binary = find_rqlited()
    if options.nodes == 1 or binary is None or options.embedded:
        with best_server(directory / "server", options.embedded) as server:
            yield server
        return
    with running_cluster(
        binary, directory / "cluster", options.nodes, NodeOptions(raft_timeout="1s")
    ) as cluster:
        yield Server("rqlited", cluster.leader().url, real=True)


def _connected(stack: ExitStack, server: Server) -> Iterator[Subject]:
    """A subject for each mode; the tables are made first."""
    with closing(pyrqlite.connect(server.url, autocommit=True)) as connection:
        connection.executescript(";".join(data.TABLES))
        connection.executemany(data.FILL, data.stored_rows())
    for mode in MODES:
        connection = pyrqlite.connect(server.url, **mode.options)
        yield Subject(mode, stack.enter_context(closing(connection)))


def measure(subjects: Sequence[Subject], size: int, rounds: int) -> Samples:
    """Seconds for a transaction of `size` statements by mode; the n-th numbers of all are neighbours."""
    for subject in subjects:
        subject.count(size)
    timed: dict[str, list[float]] = {subject.mode.name: [] for subject in subjects}
    for number in range(rounds):
        start = number % len(subjects)
        for subject in [*subjects[start:], *subjects[:start]]:
            timed[subject.mode.name].append(subject.time(size))
    return {"transaction": timed}


def table(subjects: Sequence[Subject], size: int, timed: dict[str, list[float]]) -> Iterator[str]:
    """Lines for one size: what each mode sends, and how many times as fast it is as autocommit."""
    yield f"\n{size} statements: requests, statements sent, times as fast as autocommit"
    for subject in subjects:
        name, (requests, statements) = subject.mode.name, subject.sent[size]
        ratio = f"{_ratio(timed, subject.mode)}"
        yield f"{name:<28}{requests:>7}{statements:>9}   {ratio}"


def _ratio(timed: dict[str, list[float]], mode: Mode) -> Ratio:
    reference = next(other.name for other in MODES if other.reads == mode.reads)
    return times_faster(timed[mode.name], timed[reference])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.transactions",
        description="Time transactions in each mode against the same statements in autocommit mode, and count "
        "what is sent: rqlited where RQLITED_PATH names it or PATH has it, else the embedded server.",
    )
    parser.add_argument("--rounds", type=int, default=40, help="more are surer (default 40)")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of statements")
    parser.add_argument("--nodes", type=int, default=1, help="how many rqlited nodes (default 1)")
    parser.add_argument("--embedded", action="store_true", help="ask the embedded server")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
