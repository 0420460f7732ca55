"""Servers as processes of their own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.plain_http import send_once

DEADLINE = 20.0


@contextmanager
def process(directory: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server on ``directory`` that answers, and its URL; killed at the end."""
    url = f"127.0.0.1:{free_port()}"
    server = subprocess.Popen(
        [sys.executable, "-m", "rqlite_embedded", "-http-addr", url, *flags, str(directory)],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: server.poll() is not None or answers(f"http://{url}"))
        assert server.poll() is None, server.stderr
        yield server, f"http://{url}"
    finally:
        server.kill()
        server.communicate()


def answers(url: str) -> bool:
    """Whether a server is ready at ``url``."""
    with suppress(OSError):
        return send_once(url, "GET", "/readyz").status == 200
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll until the condition holds; fails after a deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "the deadline has passed"
        time.sleep(0.005)
