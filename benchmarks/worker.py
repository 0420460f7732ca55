"""A subject's own process: it reads commands from stdin, and answers each with a line of JSON."""

from __future__ import annotations

import gc
import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks import data
from benchmarks.cases import CASES, Case, Session
from benchmarks.subjects import SUBJECTS


def main(subject_name: str, target: str) -> None:
    """Serve until stdin ends. The first answer is the version of what is measured."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no answer
    subject = SUBJECTS[subject_name]
    session = Session(lambda: subject.connect(target))

    def answer(value: object) -> None:
        print(json.dumps(value), file=answers, flush=True)

    answer(_version(subject.distribution))
    for line in sys.stdin:
        verb, *rest = line.split()
        if verb == "load":
            answer(load(session))
        elif verb == "check":
            answer(list(check(session, CASES[rest[0]], int(rest[1]))))
        elif verb == "run":
            answer(run(session, CASES[rest[0]], int(rest[1])))
        else:
            raise ValueError(f"no such command: {line!r}")


def _version(distribution: str) -> str:
    return importlib.metadata.version(distribution) if distribution else platform.python_version()


def load(session: Session) -> int:
    """Make the tables and fill them; the number of rows."""
    for table in data.TABLES:
        session.client.execute(table)
    session.client.executemany(data.FILL, data.stored_rows())
    return data.STORED


def run(session: Session, case: Case, count: int) -> float:
    """Seconds for `count` operations."""
    given = case.given(count)
    if case.writes:
        session.client.execute(data.EMPTY)
    gc.collect()
    start = time.perf_counter()
    case.run(session, given)
    return time.perf_counter() - start


def check(session: Session, case: Case, count: int) -> Iterator[str]:
    """What is wrong with the results of a case, in words."""
    given = case.given(count)
    if case.writes:
        session.client.execute(data.EMPTY)
    result = case.run(session, given)
    rows = session.client.query(data.WRITTEN) if case.writes else result
    yield from differences(case.expected(given), rows or [])


def differences(expected: Sequence[data.Row], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """How rows differ from those expected: their number, and for each column values and types."""
    if len(rows) != len(expected):
        yield f"{len(rows)} rows in place of {len(expected)}"
        return
    for column, wanted in enumerate(zip(*expected, strict=True)):
        pairs = [(want, row[column]) for want, row in zip(wanted, rows, strict=True)]
        values = sum(want != got for want, got in pairs)
        types = {type(got).__name__ for want, got in pairs if type(want) is not type(got)}
        if values:
            yield f"column {column + 1} has {values} wrong values of {len(pairs)}"
        if types:
            kind = type(wanted[0]).__name__
            count = sum(type(want) is not type(got) for want, got in pairs)
            found = ", ".join(sorted(types))
            yield f"column {column + 1} gives {found} for {kind} in {count} of {len(pairs)} rows"
