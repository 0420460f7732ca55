"""A load of POST requests over keep-alive connections: by wrk where it is installed, else by asyncio.

`python -m benchmarks.load URL SECONDS CONNECTIONS PATH BODY LIMIT` is the latter, in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.data import STORED
from benchmarks.subjects import ROOT

_SCRIPT = Path(__file__).resolve().with_name("load.lua")


@dataclass
class Load:
    """What went through. `failed`: answers other than 200, and connections that broke."""

    completed: int
    seconds: float
    failed: int


def generator() -> str:
    """What makes the load."""
    return "wrk" if shutil.which("wrk") else "asyncio"


def apply(url: str, path: str, body: str, seconds: int, connections: int) -> Load:
    """Ask for `seconds`. A `%d` in `body` becomes a number between 1 and the number of stored rows."""
    request = [path, body, str(STORED)]
    if generator() == "wrk":
        shape = ["-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(_SCRIPT)]
        command = ["wrk", *shape, url, "--", *request]
    else:
        shape = [url, str(seconds), str(connections)]
        command = [sys.executable, "-m", "benchmarks.load", *shape, *request]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    return Load(**json.loads(output.splitlines()[-1]))


async def _main(url: str, seconds: str, connections: str, path: str, body: str, limit: str) -> None:
    netloc = urlsplit(url).netloc
    host, _, port = netloc.partition(":")
    numbers = cycle(range(1, int(limit) + 1))
    load = Load(0, 0.0, 0)
    start = time.monotonic()
    deadline = start + int(seconds)

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        while time.monotonic() < deadline:
            content = body.replace("%d", str(next(numbers)))
            writer.write(
                f"POST {path} HTTP/1.1\r\nHost: {netloc}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(content)}\r\n\r\n{content}".encode("ascii")
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            load.completed += 1
            load.failed += not head.startswith(b"HTTP/1.1 200 ")
        writer.close()

    await asyncio.gather(*(ask() for _ in range(int(connections))))
    load.seconds = time.monotonic() - start
    print(json.dumps(asdict(load)))


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
