"""Subjects in their processes, timed in turn: each round meets the same state of machine and server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from benchmarks.cases import Case
from benchmarks.environments import python_for
from benchmarks.subjects import ROOT, SUBJECTS, Subject

# The repository comes last on the path: it has a package of the same name as one of the peers.
_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from benchmarks.worker import main; main(*sys.argv[2:])"
)
_STOP_SECONDS = 10
T = TypeVar("T")

Samples = dict[str, dict[str, list[float]]]
"""Seconds for one operation, by case and by worker, a number for each timing; the n-th of all are neighbours."""


class WorkerError(Exception):
    """A worker ended before its time; what it said stands on stderr."""


class Worker:
    """A subject's process. `target` is a URL or `file:`; `name` tells workers of one subject apart."""

    def __init__(self, subject: str, target: str, name: str | None = None) -> None:
        self.subject: Subject = SUBJECTS[subject]
        self.name = name or subject
        command = [str(python_for(self.subject)), "-I", "-c", _BOOT, str(ROOT), subject, target]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version = str(self._answer())

    def ask(self, *command: object) -> Any:
        """The answer to one command."""
        assert self._process.stdin is not None
        print(*command, file=self._process.stdin, flush=True)
        return self._answer()

    def operations(self, case: Case) -> int:
        """How many operations make one timing."""
        return self.subject.fewer.get(case.name, case.operations)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"the process of {self.name} ended")
        return json.loads(line)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._process.communicate(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def check(workers: Sequence[Worker], cases: Iterable[Case]) -> Iterator[tuple[Worker, str]]:
    """What each subject gets wrong, in words; it also warms everything up."""
    for case in cases:
        for worker in workers:
            for note in worker.ask("check", case.name, worker.operations(case)):
                yield worker, f"{case.name}: {note}"


def measure(workers: Sequence[Worker], cases: Sequence[Case], rounds: int) -> Samples:
    """Time every case with every worker, in small turns whose order changes each time."""
    samples: Samples = {case.name: {worker.name: [] for worker in workers} for case in cases}
    for number in range(rounds):
        if sys.stderr.isatty():
            print(f"\rround {number + 1} of {rounds} ", end="", file=sys.stderr, flush=True)
        for case in cases:
            for turn in range(number * case.turns, (number + 1) * case.turns):
                for worker in order(workers, turn):
                    count = worker.operations(case)
                    seconds = worker.ask("run", case.name, count)
                    samples[case.name][worker.name].append(seconds / count)
    return samples


def order(workers: Sequence[T], turn: int) -> list[T]:
    """Each worker comes first, second, ... equally often, and runs before as often as after each other."""
    start = turn // 2 % len(workers)
    rotated = [*workers[start:], *workers[:start]]
    return rotated if turn % 2 == 0 else rotated[::-1]


def versions(workers: Iterable[Worker]) -> Mapping[str, str]:
    """The version of each worker's subject."""
    return {worker.name: worker.version for worker in workers}
