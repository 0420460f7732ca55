"""`python -m benchmarks.orm`: SQLAlchemy's ORM over this dialect and over sqlalchemy-rqlite 2.0, in turn."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import python_with
from benchmarks.ratios import times_faster
from benchmarks.servers import best_server
from benchmarks.subjects import ROOT

SQLALCHEMY = "sqlalchemy==2.0.58"  # the newest that both can use
THIS = ("--editable", f"{ROOT}[sqlalchemy,fast]", SQLALCHEMY)
OLDER = ("sqlalchemy-rqlite==2.0", "pyrqlite==2.2.3", SQLALCHEMY)
PEER = "sqlalchemy-rqlite"


@dataclass(frozen=True)
class Subject:
    """A dialect with its way to be used."""

    environment: str
    install: tuple[str, ...]
    query: str = ""


SUBJECTS = {
    "this": Subject("orm", THIS),
    "this, AUTOCOMMIT": Subject("orm", THIS, "?autocommit=true"),  # all that the other can do
    PEER: Subject("orm-older", OLDER),
}
CASES = ("insert", "get", "update")
WORKER = Path(__file__).with_name("orm_worker.py")


class Worker:
    """A process with one of the dialects."""

    def __init__(self, subject: Subject, url: str) -> None:
        python = python_with(subject.environment, subject.install, subject.install is THIS)
        command = [str(python), "-I", str(WORKER), url + subject.query]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, case: str) -> float:
        """Seconds for an object."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(case, file=self.process.stdin, flush=True)
        seconds: float = json.loads(self.process.stdout.readline())
        return seconds

    def close(self) -> None:
        """End the process."""
        self.process.communicate(timeout=10)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--embedded", action="store_true", help="ask the embedded server")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmarks-")))
        server = stack.enter_context(best_server(directory / "server", options.embedded))
        url = server.url.replace("http://", "rqlite+pyrqlite://") + "/"
        workers = {name: Worker(subject, url) for name, subject in SUBJECTS.items()}
        for worker in workers.values():
            stack.callback(worker.close)
        samples: dict[str, dict[str, list[float]]] = {
            case: {name: [] for name in workers} for case in CASES
        }
        for number in range(options.rounds + 1):
            names = list(workers) if number % 2 else list(workers)[::-1]
            for case in CASES:
                for name in names:
                    seconds = workers[name].run(case)
                    if number:  # the first round warms up
                        samples[case][name].append(seconds)
    print(
        f"{server.name}, {options.rounds} rounds; microseconds for an object, and times as fast as {PEER}"
    )
    for case, timed in samples.items():
        for name, seconds in timed.items():
            ratio = times_faster(seconds, timed[PEER])
            print(f"{case:8}{name:20}{statistics.median(seconds) * 1e6:8.0f}  {ratio}")


if __name__ == "__main__":
    sys.exit(main())
