"""Load a CSV file into a table, and print the first rows: python load_csv.py URL FILE TABLE"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from itertools import islice

import pyrqlite

ROWS_AT_ONCE = 10_000


def main(url: str, path: str, table: str) -> int:
    with open(path, newline="") as file:
        reader = csv.reader(file)
        names = next(reader)
        connection = pyrqlite.connect(url, autocommit=True)
        columns = ", ".join(quoted(name) for name in names)
        connection.execute(f"CREATE TABLE {quoted(table)} ({columns})")
        marks = ", ".join("?" for _ in names)
        count = 0
        for rows in slices(reader):
            # One request for each slice, applied whole or not at all.
            connection.executemany(f"INSERT INTO {quoted(table)} VALUES ({marks})", rows)
            count += len(rows)
    print(f"{count} rows loaded")
    for row in connection.execute(f"SELECT * FROM {quoted(table)} LIMIT ?", (3,)):
        print(*row, sep=", ")
    connection.close()
    return count


def slices(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    while found := list(islice(rows, ROWS_AT_ONCE)):
        yield found


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    main(*sys.argv[1:])
