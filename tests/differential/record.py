"""Record answers.

``python -m tests.differential.record`` asks a real rqlited (the one that RQLITED_PATH names, or
the one on PATH) and writes recorded.json. Run it when cases are added or changed, or for another
version of rqlited, and read what changes in that file.

``python -m tests.differential.record --embedded`` asks the embedded server and writes
known_differences.json: its answers that differ and for which differences.py has a reason. It shows
those for which there is none, and fails if there are any.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.differential.answers import Answer
from tests.differential.corpus import CASES
from tests.differential.differences import key, reasons_for
from tests.differential.perform import Target, running_targets
from tests.differential.recording import KNOWN_DIFFERENCES, Recording, load, save
from tests.plain_http import send_once
from tests.rqlited import find_rqlited


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential.record")
    parser.add_argument("--embedded", action="store_true", help="record the known differences")
    return record_differences() if parser.parse_args().embedded else record_rqlited()


def record_rqlited() -> int:
    binary = find_rqlited()
    if binary is None:
        print("rqlited not found: set RQLITED_PATH", file=sys.stderr)
        return 1
    recording = ask_all(binary)
    save(recording)
    print(f"{len(recording.answers)} cases recorded from {recording.server}")
    return 0


def record_differences() -> int:
    embedded = ask_all(None)
    listed: dict[str, list[Answer]] = {}
    unlisted = 0
    for name, expected, actual in differing(load(), embedded):
        if reasons_for(name):
            listed[name] = [actual]
        else:
            unlisted += 1
            print(f"{name}\n  rqlited:  {expected}\n  embedded: {actual}")
    save(Recording(embedded.server, listed), KNOWN_DIFFERENCES)
    print(f"{len(listed)} known differences recorded; {unlisted} without a reason")
    return 1 if unlisted else 0


def ask_all(binary: Path | None) -> Recording:
    """The answers to all cases; of embedded servers without a binary."""
    with (
        tempfile.TemporaryDirectory() as directory,
        running_targets(Path(directory), binary) as targets,
    ):
        server = versions(targets["plain"])
        answers = {case.id: targets[case.profile].perform(case) for case in CASES}
    return Recording(server, answers)


def versions(target: Target) -> dict[str, str]:
    """What a server says of its own version and of SQLite's."""
    status = send_once(target.url, "GET", "/status").json
    return {
        "rqlite": status["build"]["version"],
        "sqlite": status["store"]["sqlite3"]["version"],
    }


def differing(recorded: Recording, other: Recording) -> Iterator[tuple[str, Answer, Answer]]:
    for name, answers in recorded.answers.items():
        pairs = zip(answers, other.answers[name], strict=True)
        for number, (expected, actual) in enumerate(pairs):
            if expected != actual:
                yield key(name, number), expected, actual


if __name__ == "__main__":
    sys.exit(main())
