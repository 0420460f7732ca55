"""The demonstration: the Unicode character database in SQL, every answer checked against `unicodedata`."""

from __future__ import annotations

import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyrqlite.connecting import connect
from pyrqlite.connection import Connection
from pyrqlite.progress import progress
from pyrqlite.transports.embedded import serve

TABLE = "pyrqlite_demo_code_points"
BATCH = 10_000

CodePoint = tuple[int, str | None, str, int, float | None, bytes]

_SCHEMA = f"""
DROP TABLE IF EXISTS {TABLE};
CREATE TABLE {TABLE} (
    code INTEGER PRIMARY KEY,
    name TEXT,
    category TEXT NOT NULL,
    combining INTEGER NOT NULL,
    numeric_value REAL,
    utf8 BLOB NOT NULL
);
"""


def code_points() -> list[CodePoint]:
    """Every assigned code point; surrogates in the three bytes that UTF-8 would give them."""
    found: list[CodePoint] = []
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        category = unicodedata.category(character)
        if category != "Cn":
            found.append(
                (
                    code,
                    unicodedata.name(character, None),
                    category,
                    unicodedata.combining(character),
                    unicodedata.numeric(character, None),
                    character.encode("utf-8", "surrogatepass"),
                )
            )
    return found


@dataclass(frozen=True)
class Question:
    """A question, as SQL with parameters, and the answer that Python gives to it."""

    title: str
    sql: str
    parameters: tuple[Any, ...]
    expected: Callable[[list[CodePoint]], list[tuple[Any, ...]]]
    shown: Callable[[list[tuple[Any, ...]]], str]


def _most_common_categories(points: list[CodePoint]) -> list[tuple[Any, ...]]:
    counts = Counter(point[2] for point in points)
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:3]


QUESTIONS = (
    Question(
        "the largest categories",
        f"SELECT category, count(*) AS n FROM {TABLE} GROUP BY category ORDER BY n DESC, category LIMIT ?",
        (3,),
        _most_common_categories,
        lambda rows: ", ".join(f"{category} {count:,}" for category, count in rows),
    ),
    Question(
        "cats with a face",
        f"SELECT code FROM {TABLE} WHERE name LIKE ? ORDER BY code",
        ("%CAT FACE%",),
        lambda points: [(point[0],) for point in points if "CAT FACE" in (point[1] or "")],
        lambda rows: f"{len(rows)}: {''.join(chr(code) for (code,) in rows)}",
    ),
    Question(
        "the longest name",
        f"SELECT code, name FROM {TABLE} ORDER BY length(name) DESC, code LIMIT 1",
        (),
        lambda points: [min(points, key=lambda point: (-len(point[1] or ""), point[0]))[:2]],
        lambda rows: f"U+{rows[0][0]:04X}, {len(rows[0][1])} letters",
    ),
    Question(
        "the sum of all Roman numerals",
        f"SELECT sum(numeric_value) FROM {TABLE} WHERE name LIKE ?",
        ("ROMAN NUMERAL %",),
        lambda points: [
            (
                sum(
                    point[4] or 0
                    for point in points
                    if (point[1] or "").startswith("ROMAN NUMERAL ")
                ),
            )
        ],
        lambda rows: f"{rows[0][0]:,.0f}",
    ),
    Question(
        "whose bytes are E2 82 AC",
        f"SELECT name FROM {TABLE} WHERE utf8 = ?",
        (b"\xe2\x82\xac",),
        lambda points: [(unicodedata.name(b"\xe2\x82\xac".decode()),)],
        lambda rows: str(rows[0][0]),
    ),
    Question(
        "thirds and sevenths",
        f"SELECT code, numeric_value FROM {TABLE} WHERE numeric_value IN (?, ?) ORDER BY code",
        (1 / 3, 1 / 7),
        lambda points: [(point[0], point[4]) for point in points if point[4] in (1 / 3, 1 / 7)],
        lambda rows: " ".join(chr(code) for code, _ in rows),
    ),
    Question(
        "combining marks below the letter",
        f"SELECT count(*) FROM {TABLE} WHERE combining = ?",
        (220,),
        lambda points: [(sum(point[3] == 220 for point in points),)],
        lambda rows: f"{rows[0][0]:,}",
    ),
)


class WrongAnswer(Exception):
    """The database's answer is not Python's."""


def main(url: str | None, directory: str | None, keep: bool) -> None:
    """Run the demonstration against `url`, or against an embedded server on `directory`."""
    with _server(url, directory) as address, connect(address, autocommit=True) as connection:
        print(f"Unicode {unicodedata.unidata_version} on {_without_credentials(address)}")
        points = code_points()
        try:
            loaded = _timed(lambda: _load(connection, points))
            asked = _timed(lambda: _ask(connection, points))
            read = _timed(lambda: _compare(connection, points))
        finally:
            if not keep:
                connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
        connection.close()
    print(f"loaded   {len(points):>9,} rows  {len(points) / loaded:>12,.0f} rows/s")
    print(f"asked    {len(QUESTIONS):>9,} times {len(QUESTIONS) / asked:>12,.0f} questions/s")
    print(
        f"read     {len(points):>9,} rows  {len(points) / read:>12,.0f} rows/s, each the same as Python's"
    )


def _without_credentials(address: str) -> str:
    return address.rpartition("@")[2] if "@" in address else address


@contextmanager
def _server(url: str | None, directory: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    with tempfile.TemporaryDirectory() as temporary, serve(directory or temporary) as server:
        yield server.url


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _load(connection: Connection, points: list[CodePoint]) -> None:
    connection.executescript(_SCHEMA)
    batches = (points[start : start + BATCH] for start in range(0, len(points), BATCH))
    for batch in progress("loading", batches, len(points)):
        connection.executemany(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?, ?, ?)", batch)


def _ask(connection: Connection, points: list[CodePoint]) -> None:
    for question in QUESTIONS:
        rows = connection.execute(question.sql, question.parameters).fetchall()
        expected = question.expected(points)
        if rows != expected:
            raise WrongAnswer(f"{question.title}: the database says {rows}, Python says {expected}")
        print(f"  {question.title:<34}{question.shown(rows)}")


def _compare(connection: Connection, points: list[CodePoint]) -> None:
    sql = f"SELECT * FROM {TABLE} WHERE code > ? ORDER BY code LIMIT ?"
    done = 0
    last = -1
    while rows := connection.execute(sql, (last, BATCH)).fetchall():
        if rows != points[done : done + len(rows)]:
            raise WrongAnswer(f"the rows behind U+{last:04X} are not those that were written")
        done, last = done + len(rows), rows[-1][0]
    if done != len(points):
        raise WrongAnswer(f"{len(points):,} rows were written, {done:,} are there")
