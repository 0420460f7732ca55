"""One node's address."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

_HOST = re.compile(r"[\w.:%-]+")


class Node(NamedTuple):
    """Where a node listens for HTTP. The scheme `embedded` is the server inside of this process."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        if self.scheme == "embedded":
            return "the embedded server"
        return f"{self.scheme}://{self.netloc}"

    @property
    def netloc(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


EMBEDDED = Node("embedded", "", 0)


def node_from_url(url: str) -> Node:
    """The node that a URL such as a Location header points to; ValueError where it is no such URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError(f"{url!r} is not the address of a node")
    port = (443 if parts.scheme == "https" else 80) if parts.port is None else parts.port
    if not port:
        raise ValueError(f"{url!r} has no port of a node")
    return Node(parts.scheme, parts.hostname or "", port)
