"""What freezing costs statements that need none: each case with and without it, in turn, in one run.

python -m benchmarks.freezing http://localhost:4001
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import pyrqlite

_ROUNDS = 40
_TABLE = "benchmark_freezing"


def main(url: str) -> None:
    """Print the ratios."""
    setup = pyrqlite.connect(url, autocommit=True)
    setup.executescript(
        f"DROP TABLE IF EXISTS {_TABLE}; CREATE TABLE {_TABLE} (id INTEGER PRIMARY KEY, a TEXT, b REAL)"
    )
    setup.executemany(f"INSERT INTO {_TABLE} VALUES (?, ?, ?)", [(i, "x", 0.5) for i in range(100)])
    ways = {
        frozen: pyrqlite.connect(url, autocommit=True, freeze=frozen) for frozen in (True, False)
    }
    cases: dict[str, Callable[[pyrqlite.Connection], object]] = {
        "point read": _point_reads,
        "single write": _single_writes,
        "bulk of 10,000": _bulk,
    }
    for name, case in cases.items():
        ratios = []
        for number in range(_ROUNDS):
            order = (True, False) if number % 2 else (False, True)
            seconds = {frozen: _timed(case, ways[frozen]) for frozen in order}
            ratios.append(seconds[True] / seconds[False])
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(
            f"{name:<16}with freezing / without: {middle:.3f} (quartiles {low:.3f} to {high:.3f})"
        )
    setup.execute(f"DROP TABLE {_TABLE}")


def _timed(case: Callable[[pyrqlite.Connection], object], connection: pyrqlite.Connection) -> float:
    start = time.perf_counter()
    case(connection)
    return time.perf_counter() - start


def _point_reads(connection: pyrqlite.Connection) -> None:
    for number in range(50):
        connection.execute(f"SELECT a, b FROM {_TABLE} WHERE id = ?", (number,)).fetchone()


def _single_writes(connection: pyrqlite.Connection) -> None:
    for number in range(20):
        connection.execute(f"UPDATE {_TABLE} SET b = ? WHERE id = ?", (0.25, number))


def _bulk(connection: pyrqlite.Connection) -> None:
    rows = [("y", number / 2) for number in range(10_000)]
    connection.executemany(f"INSERT INTO {_TABLE}(a, b) VALUES (?, ?)", rows)


if __name__ == "__main__":
    main(sys.argv[1])
