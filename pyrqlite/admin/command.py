"""The commands `nodes`, `status`, `backup` and `load`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

import pyrqlite
from pyrqlite.progress import Bar

if TYPE_CHECKING:
    from pyrqlite.admin.front import Admin
    from pyrqlite.admin.info import NodeInfo


def add_commands(commands: Any) -> None:
    """Say what the commands take."""
    nodes = _command(commands, "nodes", _nodes, "list the nodes of a cluster")
    nodes.add_argument("--json", action="store_true", help="print the list as JSON")
    status = _command(commands, "status", _status, "print what a node says of itself, as JSON")
    status.add_argument("key", nargs="?", help="only this part, such as store.raft")
    backup = _command(commands, "backup", _backup, "copy the database to a file")
    backup.add_argument("file", help="where to; - is the standard output")
    backup.add_argument(
        "--format", choices=("binary", "delete", "sql"), default="binary", help="default: binary"
    )
    backup.add_argument("--vacuum", action="store_true", help="leave out free pages (binary)")
    backup.add_argument("--compress", action="store_true", help="in gzip's format")
    backup.add_argument("--table", action="append", default=[], help="only this table (sql)")
    load = _command(
        commands, "load", _load, "replace the database by a SQLite file, or run a file of SQL"
    )
    load.add_argument("file", help="a SQLite file or SQL; - is the standard input")
    load.add_argument("--yes", action="store_true", help="do it without asking")


def _command(commands: Any, name: str, run: Any, help: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=f"{help[0].upper()}{help[1:]}."
    )
    parser.add_argument(
        "url",
        help="any node, with all options of connect(): http://user:password@host:4001?ca_cert=...",
    )
    parser.set_defaults(parser=parser, run=lambda options: _with_admin(run, options))
    return parser


def _with_admin(run: Any, options: argparse.Namespace) -> int:
    connection = pyrqlite.connect(options.url)
    try:
        return int(run(connection.admin, options) or 0)
    except OSError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()


def _nodes(admin: Admin, options: argparse.Namespace) -> int:
    """Print them; 1 where one cannot be reached, or none leads."""
    found = admin.nodes()
    if options.json:
        print(json.dumps([dataclasses.asdict(node) for node in found], indent=2))
    else:
        for node in found:
            print(_described(node))
    return 0 if all(n.reachable for n in found) and any(n.leader for n in found) else 1


def _described(node: NodeInfo) -> str:
    role = "leader" if node.leader else "voter" if node.voter else "read-only"
    if not node.reachable:
        return f"{node.id}  {role}  cannot be reached: {node.error or 'no answer'}"
    took = "" if node.time is None else f"  {node.time * 1000:.1f} ms"
    return f"{node.id}  {role}  {node.api_address or node.address}  {node.version or ''}{took}"


def _status(admin: Admin, options: argparse.Namespace) -> None:
    print(json.dumps(admin.status(options.key), indent=2, ensure_ascii=False))


def _backup(admin: Admin, options: argparse.Namespace) -> None:
    progress = _Progress("backup")
    admin.backup(
        sys.stdout.buffer if options.file == "-" else options.file,
        fmt=options.format,
        vacuum=options.vacuum,
        compress=options.compress,
        tables=options.table,
        progress=progress,
    )
    progress.close()


def _load(admin: Admin, options: argparse.Namespace) -> int:
    if not options.yes:
        if options.file == "-" or not sys.stdin.isatty():
            options.parser.error(
                "there is no terminal to ask on: give --yes to load without asking"
            )
        print(
            "A SQLite file replaces all that the database holds. Go on? [y/N] ",
            end="",
            file=sys.stderr,
            flush=True,
        )
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            return 1
    progress = _Progress("load")
    admin.load(sys.stdin.buffer if options.file == "-" else options.file, progress=progress)
    progress.close()
    return 0


class _Progress:
    """Shows bytes by a bar."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Bar | None = None
        self._done = 0

    def __call__(self, done: int, total: int | None) -> None:
        if self._bar is None or done < self._done:
            self._bar, self._done = Bar(self._title, total), 0
        self._bar.advance(done - self._done)
        self._done = done

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
