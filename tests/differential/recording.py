"""Recorded answers, in files that show their changes line by line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.differential.answers import Answer

RECORDED = Path(__file__).with_name("recorded.json")
KNOWN_DIFFERENCES = Path(__file__).with_name("known_differences.json")


@dataclass(frozen=True)
class Recording:
    """Answers by the name of the case.

    Args:
        server: versions of what was recorded.
    """

    server: Mapping[str, str]
    answers: Mapping[str, Sequence[Answer]]


def load(file: Path = RECORDED) -> Recording:
    document = json.loads(file.read_text(encoding="utf-8"))
    headers = document["headers"]

    def answer(status: int, number: int, body: Any) -> Answer:
        return Answer(status, headers[number], body)

    cases = document["cases"]
    return Recording(
        document["server"],
        {name: [answer(*fields) for fields in answers] for name, answers in cases.items()},
    )


def save(recording: Recording, file: Path = RECORDED) -> None:
    """One line for each case; headers, which repeat, are kept once and numbered."""
    numbers: dict[str, int] = {}
    lines = []
    for name, answers in recording.answers.items():
        fields = [
            [answer.status, numbers.setdefault(answer.headers, len(numbers)), answer.body]
            for answer in answers
        ]
        lines.append(f"{_dumps(name)}: {_dumps(fields)}")
    parts = [
        f'"server": {_dumps(dict(recording.server))}',
        '"headers": [\n' + ",\n".join(map(_dumps, numbers)) + "\n]",
        '"cases": {\n' + ",\n".join(lines) + "\n}",
    ]
    file.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
