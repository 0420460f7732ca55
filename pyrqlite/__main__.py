"""The command line: `python -m pyrqlite`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pyrqlite.admin.command import add_commands
from pyrqlite.admin.verifying import command as verify
from pyrqlite.demo import WrongAnswer
from pyrqlite.errors import Error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 for success, 1 for failure, 2 for a wrong call."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except (Error, WrongAnswer) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pyrqlite", description="A driver for rqlite.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="load the Unicode character database and ask it questions",
        description="Loads the Unicode character database into a table, asks it questions, checks every "
        "answer, and prints the rates. The table is dropped at the end.",
    )
    demo.add_argument("--url", help="a cluster to use, such as http://localhost:4001")
    demo.add_argument(
        "--dir", help="where the embedded server keeps its data (default: nowhere for long)"
    )
    demo.add_argument("--keep", action="store_true", help="leave the table there")
    demo.set_defaults(run=_demo)
    verify.add_arguments(
        commands.add_parser(
            "verify",
            help="compare what the nodes of a cluster hold, and repair it",
            description="Compares all nodes of a cluster with its leader, table by table. The exit code is 0 "
            "if all hold the same, 1 if not or if a node could not be compared.",
        )
    )
    add_commands(commands)
    return parser


def _demo(options: argparse.Namespace) -> None:
    from pyrqlite.demo import main as demo

    demo(options.url, options.dir, options.keep)


if __name__ == "__main__":
    sys.exit(main())
