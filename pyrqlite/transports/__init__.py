"""One exchange with one node, over whichever library carries it."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pyrqlite.cluster.node import Node
from pyrqlite.errors import InterfaceError
from pyrqlite.flow.steps import Request, Response

if TYPE_CHECKING:
    import ssl


# SO_LINGER: a socket that is closed says so by a reset, and the kernel sends nothing more.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# From one event loop to one node; more requests wait for one of them.
MOST_SOCKETS = 100
CLOSE_IN_GOOD_ORDER = struct.pack("ii", 0, 0)


class Transport(Protocol):
    """Sends one request to one node and reads the whole answer. Used by many threads at once."""

    def send(self, node: Node, request: Request) -> Response:
        """The answer, whatever its status; raises NotSent or AnswerLost. Redirects are not followed."""

    def close(self) -> None:
        """Let go of all sockets."""


@dataclass(frozen=True)
class Wire:
    """What all transports need to know: headers for every request, and how to connect.

    `connect_timeout` is in seconds. Certificates are paths of PEM files; `ca_cert` None means the system's.
    """

    headers: Mapping[str, str] = field(repr=False)  # they hold the credentials
    connect_timeout: float | None = None
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    insecure: bool = False
    ssl_context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        for name, value in self.headers.items():
            if "\r" in value or "\n" in value:
                raise InterfaceError(f"the header {name} has a line break in its value")

    def connect_seconds(self, request: Request) -> float | None:
        """How long to wait for a connection to send this on."""
        if request.until is None:
            return self.connect_timeout
        left = max(0.001, request.until - time.monotonic())
        return left if self.connect_timeout is None else min(left, self.connect_timeout)

    def make_ssl_context(self) -> ssl.SSLContext:
        """The user's context, or one made from the other options."""
        import ssl

        if self.ssl_context is not None:
            return self.ssl_context
        try:
            context = ssl.create_default_context(cafile=self.ca_cert)
            if self.client_cert:
                context.load_cert_chain(self.client_cert, self.client_key)
        except OSError as error:
            raise InterfaceError(
                f"the TLS certificates cannot be read ({error}): check ca_cert, client_cert and client_key"
            ) from error
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def make_transport(name: str, wire: Wire) -> Transport:
    """The transport of that name; `auto` is the fastest."""
    if name == "curl" and not _has_pycurl():
        raise InterfaceError("the curl transport needs pycurl: pip install 'pyrqlite[fast]'")
    if name == "curl":
        from pyrqlite.transports.curl import CurlTransport

        return CurlTransport(wire)
    if name in ("auto", "urllib3"):
        from pyrqlite.transports.urllib3 import Urllib3Transport

        return Urllib3Transport(wire)
    if name == "requests":
        from pyrqlite.transports.requests import RequestsTransport

        return RequestsTransport(wire)
    raise InterfaceError(f"there is no transport {name!r}: choose auto, urllib3, curl or requests")


def _has_pycurl() -> bool:
    try:
        import pycurl  # noqa: F401
    except ImportError:
        return False
    return True
