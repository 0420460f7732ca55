"""The command line: ``python -m rqlite_embedded [flags] DATA_DIR``, flags named as rqlited's."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass

import apsw

from .auth import CredentialsError
from .database import FSYNC_MODES, DatabaseInUse
from .durations import parse_duration
from .queued import Settings
from .server import TLS, Options, serve

_FLAGS = {
    "http-addr": ("HOST:PORT", "address of the API (default localhost:4001)"),
    "http-adv-addr": ("HOST:PORT", "address of the API as clients are told"),
    "http-allow-origin": ("ORIGIN", "value of Access-Control-Allow-Origin"),
    "http-cert": ("FILE", "PEM certificate; turns TLS on"),
    "http-key": ("FILE", "PEM private key"),
    "http-ca-cert": ("FILE", "PEM certificates that sign those of clients"),
    "http-verify-client": ("", "demand a certificate of every client"),
    "auth": ("FILE", "JSON file with users and permissions"),
    "fk": ("", "enforce foreign keys"),
    "fsync": ("MODE", "full (survive power loss), normal or off (default full)"),
    "extensions": ("", "offer what loaded extensions give a rqlited: math, REGEXP, hashes"),
    "node-id": ("NAME", "name of the node (default 1)"),
    "raft-addr": ("HOST:PORT", "shown as the node's internal address; nothing listens there"),
    "write-queue-capacity": ("N", "requests that the write queue holds (default 1024)"),
    "write-queue-batch-size": ("N", "requests written together (default 128)"),
    "write-queue-timeout": ("DURATION", "longest stay in the queue (default 50ms)"),
    "write-queue-tx": ("", "write each batch in one transaction"),
}
_SWITCHES = frozenset(name for name, (value, _) in _FLAGS.items() if not value)
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))


class UsageError(Exception):
    """The command line is refused; the text says why."""


@dataclass
class Command:
    """What to serve, and how."""

    path: str
    options: Options


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if any(word in ("-h", "-help", "--help") for word in words):
        print(usage())
        return 0
    try:
        command = parse(words)
    except UsageError as exc:
        print(f"rqlite_embedded: {exc}\n\n{usage()}", file=sys.stderr)
        return 2
    try:
        asyncio.run(_serve(command))
    except (DatabaseInUse, CredentialsError, OSError, apsw.Error) as exc:
        print(f"rqlite_embedded: {exc}", file=sys.stderr)
        return 1
    return 0


def parse(words: list[str]) -> Command:
    """The command in ``words``. Raises UsageError."""
    values: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        name, value = _take_flag(rest)
        values[name] = value
    if len(rest) != 1:
        raise UsageError("give one data directory, after the flags")
    return Command(rest[0], _options(values))


def usage() -> str:
    """The help text."""
    lines = ["usage: python -m rqlite_embedded [flags] DATA_DIR", ""]
    for name, (value, text) in _FLAGS.items():
        lines.append(f"  {f'-{name} {value}'.strip():<34}{text}")
    return "\n".join(lines)


def _take_flag(rest: list[str]) -> tuple[str, str]:
    word = rest.pop(0)
    name, equals, value = word[2 if word.startswith("--") else 1 :].partition("=")
    if name not in _FLAGS:
        raise UsageError(f"unknown flag {word}")
    if name in _SWITCHES:
        value = value if equals else "true"
        if value not in _TRUE | _FALSE:
            raise UsageError(f"invalid value {value} for flag -{name}")
    elif not equals:
        if not rest:
            raise UsageError(f"flag -{name} needs a value")
        value = rest.pop(0)
    return name, value


def _options(values: dict[str, str]) -> Options:
    def switch(name: str) -> bool:
        return values.get(name, "") in _TRUE

    host, port = _address(values.get("http-addr", "localhost:4001"))
    fsync = values.get("fsync", "full")
    if fsync not in FSYNC_MODES:
        raise UsageError(f"invalid value {fsync} for flag -fsync")
    defaults = Options()
    return Options(
        host=host,
        port=port,
        advertised=values.get("http-adv-addr", ""),
        node_id=values.get("node-id", defaults.node_id),
        raft_addr=values.get("raft-addr", defaults.raft_addr),
        fk=switch("fk"),
        fsync=fsync,
        extensions=switch("extensions"),
        auth=values.get("auth", ""),
        tls=_tls(values, verify=switch("http-verify-client")),
        allow_origin=values.get("http-allow-origin", ""),
        queue=Settings(
            capacity=_number(values, "write-queue-capacity", defaults.queue.capacity),
            batch_size=_number(values, "write-queue-batch-size", defaults.queue.batch_size),
            timeout=_duration(values, "write-queue-timeout", defaults.queue.timeout),
            transaction=switch("write-queue-tx"),
        ),
    )


def _tls(values: dict[str, str], *, verify: bool) -> TLS | None:
    cert, key = values.get("http-cert", ""), values.get("http-key", "")
    if bool(cert) != bool(key):
        raise UsageError("-http-cert and -http-key go together")
    return TLS(cert, key, values.get("http-ca-cert", ""), verify) if cert else None


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{text} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _number(values: dict[str, str], name: str, default: int) -> int:
    text = values.get(name, str(default))
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"invalid value {text} for flag -{name}")
    return int(text)


def _duration(values: dict[str, str], name: str, default: float) -> float:
    if name not in values:
        return default
    try:
        return parse_duration(values[name])
    except ValueError:
        raise UsageError(f"invalid value {values[name]} for flag -{name}") from None


async def _serve(command: Command) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    running = await serve(command.path, command.options)
    print(f"rqlite_embedded serves {command.path} at {running.service.node.url}", file=sys.stderr)
    await stop.wait()
    await running.close()
