"""`python -m benchmarks`: the driver against its peers."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import plot
from benchmarks.cases import CASES
from benchmarks.report import RESULTS, Results
from benchmarks.rounds import Worker, check, measure, versions
from benchmarks.servers import Server, best_server
from benchmarks.subjects import SUBJECTS, Kind


def main() -> int:
    """Measure, print and write the results; 1 where the driver gives a wrong result."""
    options = _parser().parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    cases = [CASES[name] for name in options.cases]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        server = stack.enter_context(best_server(directory / "server", options.embedded))
        workers = start(stack, server, directory)
        found = list(check(workers, cases))
        samples = measure(workers, cases, options.rounds)
    notes = [f"{worker.name}, {note}" for worker, note in found]
    results = Results(server.name, options.rounds, versions(workers), notes, samples)
    results.save(options.output / "results.json")
    print(*results.text(server.real), sep="\n")
    title = f"times as fast as the fastest peer, {server.name}"
    if not plot.draw(results.against_peers(), title, options.output / "results.png"):
        print("\nno plot: pip install -r benchmarks/requirements.txt")
    return int(any(worker.subject.kind is Kind.DRIVER for worker, _ in found))


def start(stack: ExitStack, server: Server, directory: Path) -> list[Worker]:
    """A worker for each subject, and the tables where they read."""
    workers = []
    for subject in SUBJECTS.values():
        target = f"file:{directory}/{subject.name}.db" if subject.in_process else server.url
        workers.append(stack.enter_context(Worker(subject.name, target)))
        if subject.in_process or subject.kind is Kind.BARE:
            workers[-1].ask("load")
    return workers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time the driver and other rqlite clients in turn, against one server: rqlited where "
        "RQLITED_PATH names it or PATH has it, else the embedded server.",
    )
    parser.add_argument("--rounds", type=int, default=60, help="more are surer (default 60)")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--embedded", action="store_true", help="ask the embedded server")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
