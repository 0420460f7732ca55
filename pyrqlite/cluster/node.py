"""One node's address."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit


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
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not the address of a node")
    return Node(
        parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    )
