"""The command `verify`."""

from __future__ import annotations

import argparse
import json
import sys

from pyrqlite.admin.verifying import verify
from pyrqlite.admin.verifying.planning import Plan
from pyrqlite.admin.verifying.report import Report
from pyrqlite.admin.verifying.text import describe, describe_plan
from pyrqlite.progress import Bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.set_defaults(parser=parser, run=main)
    parser.add_argument(
        "url",
        help="any node, with all options of connect(): http://user:password@host:4001?ca_cert=...",
    )
    parser.add_argument("--table", action="append", default=[], help="compare this table only")
    parser.add_argument(
        "--repair", action="store_true", help="write the leader's rows to all nodes"
    )
    parser.add_argument("--yes", action="store_true", help="repair without asking")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--rows",
        type=int,
        default=20,
        help="how many differing rows of a table to show (default: 20)",
    )
    parser.add_argument(
        "--wait", type=float, default=30.0, help="how many seconds to wait for a node (default: 30)"
    )
    parser.add_argument(
        "--no-discovery",
        action="store_true",
        help="compare the nodes of the URL (http://host1:4001,host2:4001), and do not ask for others",
    )


def main(options: argparse.Namespace) -> int:
    """Compare, perhaps repair, print; 0 if all nodes hold the same, else 1."""
    if options.repair and not options.yes and not sys.stdin.isatty():
        options.parser.error("there is no terminal to ask on: give --yes to repair without asking")
    report = verify(
        options.url,
        tables=options.table,
        repair=options.repair,
        confirm=lambda found, plan: _confirm(found, plan, options),
        watch=_Progress(),
        most_rows=options.rows,
        patience=options.wait,
        discover=not options.no_discovery,
    )
    if options.json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        print("\n".join(describe(report)))
    return 0 if report.equal else 1


def _confirm(report: Report, plan: Plan, options: argparse.Namespace) -> bool:
    """Show what was found and what would be done; on a terminal, ask."""
    for line in (*describe(report), *describe_plan(plan)):
        print(line, file=sys.stderr)
    if options.yes:
        return True
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


class _Progress:
    """Shows a bar for each table."""

    _bar: Bar | None = None

    def begin(self, table: str, rows: int) -> None:
        self.end()
        self._bar = Bar(table, rows)

    def advance(self, rows: int) -> None:
        if self._bar is not None:
            self._bar.advance(rows)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar = None
