"""`python -m benchmarks.embedded_server`: the embedded server against rqlited, and against no HTTP at all."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import data, load
from benchmarks.cases import CASES
from benchmarks.clients import BareHTTP
from benchmarks.ratios import Ratio, times_faster
from benchmarks.report import RESULTS, micro
from benchmarks.rounds import Samples, Worker, check, measure
from benchmarks.servers import Server, embedded, rqlited
from tests.rqlited import find_rqlited

CONNECTIONS = 16
LOADS = {
    "point_read": ("/db/query", [[data.READ_ONE, "%d"]]),
    "single_write": ("/db/execute", [[data.WRITE, "%d", "item", 0.37]]),
}
DRIVER_CASES = [CASES[name] for name in ("point_read", "single_write", "bulk_insert", "scan")]
IN_PROCESS, OVER_HTTP = "in-process", "fast"


def main() -> int:
    """Measure, print and write the results; 1 where the driver gives a wrong result."""
    options = _parser().parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        directory = Path(name)
        servers = against_rqlited(directory, options.rounds, options.seconds)
        driver, wrong = against_http(directory, options.rounds)
    for case, timed in servers.items():
        print(f"{case:<14}over HTTP, times as fast as rqlited: {_last_against_first(timed)}")
    for case, timed in driver.items():
        for place in ("memory", "file"):
            ratio = times_faster(timed[f"{place} {IN_PROCESS}"], timed[f"{place} {OVER_HTTP}"])
            print(f"{case:<14}{place}, times as fast in-process as over loopback HTTP: {ratio}")
    print(*wrong, sep="\n")
    _save(options.output / "embedded_server.json", {"servers": servers, "driver": driver})
    return int(bool(wrong))


def against_rqlited(directory: Path, rounds: int, seconds: int) -> Samples:
    """Seconds for a request of 16 connections, by load and server; empty where there is no rqlited."""
    binary = find_rqlited()
    if binary is None:
        print("rqlited not found: no comparison with it", file=sys.stderr)
        return {}
    with ExitStack() as stack:
        servers = [
            stack.enter_context(rqlited(binary, directory / "rqlited")),
            stack.enter_context(embedded(directory / "embedded")),
        ]
        for server in servers:
            fill(server)
        print(f"{load.generator()}, {servers[0].name}", file=sys.stderr)
        samples: Samples = {name: {server.name: [] for server in servers} for name in LOADS}
        for number in range(rounds):
            for name in LOADS:
                for server in servers if number % 2 == 0 else servers[::-1]:
                    samples[name][server.name].append(ask(server, name, seconds))
    return samples


def fill(server: Server) -> None:
    """Make and fill the tables, and see that each load does what it should."""
    client = BareHTTP(server.url)
    for table in data.TABLES:
        client.execute(table)
    client.executemany(data.FILL, data.stored_rows())
    assert len(client.query(data.READ_ONE, (1,))) == 1
    client.execute(data.WRITE, data.new_rows(1)[0])


def ask(server: Server, name: str, seconds: int) -> float:
    """Seconds for a request, all connections together. Raises RuntimeError where not all succeed."""
    client = BareHTTP(server.url)
    count = "SELECT count(*) FROM sale"
    before = client.query(count)[0][0]
    path, statements = LOADS[name]
    body = json.dumps(statements).replace('"%d"', "%d")
    made = load.apply(server.url, path, body, seconds, CONNECTIONS)
    written = client.query(count)[0][0] - before
    if made.failed or (path == "/db/execute" and written < made.completed):
        raise RuntimeError(f"{server.name}, {name}: {made}, {written} rows written")
    return made.seconds / made.completed


def against_http(directory: Path, rounds: int) -> tuple[Samples, list[str]]:
    """The driver in-process and over HTTP, by case and worker; and what it gets wrong."""
    with ExitStack() as stack:
        workers = []
        for place, path in (("memory", ":memory:"), ("file", f"file:{directory}/app.db")):
            server = stack.enter_context(
                embedded(directory / "served" if place == "file" else path)
            )
            for subject, target in ((IN_PROCESS, path), (OVER_HTTP, server.url)):
                worker = stack.enter_context(Worker(subject, target, f"{place} {subject}"))
                worker.ask("load")
                workers.append(worker)
        wrong = [f"wrong: {worker.name}, {note}" for worker, note in check(workers, DRIVER_CASES)]
        return measure(workers, DRIVER_CASES, rounds), wrong


def _last_against_first(timed: dict[str, list[float]]) -> Ratio:
    first, last = timed.values()
    return times_faster(last, first)


def _save(file: Path, parts: dict[str, Samples]) -> None:
    document = {
        part: {
            case: {name: micro(times) for name, times in timed.items()}
            for case, timed in samples.items()
        }
        for part, samples in parts.items()
    }
    file.write_text(json.dumps({"microseconds": document}, indent=1) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.embedded_server",
        description="Load the embedded server and rqlited (RQLITED_PATH, else PATH) in turn over "
        f"{CONNECTIONS} connections, and time the driver in-process against loopback HTTP.",
    )
    parser.add_argument("--rounds", type=int, default=20, help="more are surer (default 20)")
    parser.add_argument("--seconds", type=int, default=3, help="of each load (default 3)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
