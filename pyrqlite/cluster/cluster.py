"""What all connections to one cluster share: the way to its nodes, and what is known of it."""

from __future__ import annotations

import atexit
import base64
import os
import time
from typing import Any

from pyrqlite.cluster.cache import Cache, SchemaCache
from pyrqlite.cluster.discovery import Sight, View
from pyrqlite.cluster.flight import SingleFlight
from pyrqlite.cluster.forks import with_lock
from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node, node_from_url
from pyrqlite.cluster.policies import until_the_outcome_is_known, until_there_is_a_leader
from pyrqlite.cluster.pool import NodePool
from pyrqlite.cluster.selectors import Nearest, make_selector
from pyrqlite.cluster.sharing import Shared
from pyrqlite.errors import InterfaceError
from pyrqlite.options import UNLIMITED_REDIRECTS, Options
from pyrqlite.transports import Transport, Wire, make_transport

USER_AGENT = "pyrqlite/3"
# Short-lived connections do not look around; for others, nodes come and go by the minute at most.
_FIRST_LOOK_SECONDS = 1.0
_LOOK_EVERY_SECONDS = 60.0
_SEARCH_SECONDS = 5.0


class Cluster:
    """The nodes, the transport to them, and the caches of what they said."""

    _lock: Any

    def __init__(self, options: Options) -> None:
        selector = make_selector(options.read_from)
        self.nodes = NodePool(options.nodes(), selector)
        self.discovery = options.discovery and not options.is_embedded
        self._translate = options.translate_address
        # Latencies are of use only to who chooses by them.
        self._compares = isinstance(selector, Nearest) and len(self.nodes.seeds) > 1
        self.search: SingleFlight[Sight] = SingleFlight(_SEARCH_SECONDS)
        self.watching: SingleFlight[View] = SingleFlight(_SEARCH_SECONDS)
        self.looking: SingleFlight[None] = SingleFlight(_SEARCH_SECONDS)
        self._next_look = float("inf")
        if self.discovery or self._compares:
            self._next_look = time.monotonic() + _FIRST_LOOK_SECONDS
        self.retry = options.retry or until_there_is_a_leader()
        self.max_redirects = (
            None if options.max_redirects == UNLIMITED_REDIRECTS else options.max_redirects
        )
        self.log_values = options.log_values
        self._options = options
        with_lock(self)
        self._transport: Transport | None = None
        # How queries answered the last time: their width, and the form that suits them.
        self.shapes: Cache[str, object] = Cache(2048)
        # What the server's parser said of texts with RETURNING; empty where it takes them.
        self.understood: Cache[str, str] = Cache(2048)
        self.schema = SchemaCache()
        # Writes that must be applied exactly once: how long to try, whether the table of their ids is there,
        # and when it was last trimmed.
        self.once = options.retry_once or until_the_outcome_is_known()
        self.has_markers = False
        self.trimmed_at: float | None = None
        # The causes of a DeterminismWarning that were warned of.
        self.warned: set[tuple[str, ...]] = set()
        # Whether the server's JSON functions print exactly what packed reads need; None: not asked yet.
        self.packs: bool | None = None
        self.has_unhex: bool | None = None

    def is_time_to_look(self, kind: Kind) -> bool:
        """Whether the caller is the one who now has to look around."""
        now = time.monotonic()
        if now < self._next_look or not (self.discovery or not kind.led):
            return False
        self._next_look = now + _LOOK_EVERY_SECONDS
        return True

    def look_soon(self) -> None:
        """Have the next request look around: something has happened to the nodes."""
        if self._next_look != float("inf"):
            self._next_look = min(self._next_look, time.monotonic() + _FIRST_LOOK_SECONDS)

    def node_at(self, url: str) -> Node | None:
        """The node that another one says is at this URL; None where the user's translator leaves it out.

        Raises ValueError where it is no address, or would have the credentials sent without TLS.
        """
        node = node_from_url(url)
        if self._translate is not None:
            translated = self._translate(str(node))
            if translated is None:
                return None
            node = node_from_url(translated)
        if node.scheme != "https" and self.nodes.seeds[0].scheme == "https":
            raise ValueError(f"{node} is not https, as the nodes are that you named")
        return node

    @property
    def transport(self) -> Transport:
        """What carries the requests of threads, opened when it is first asked for: event loops have others."""
        if self._transport is None:
            with self._lock:
                self._transport = self._transport or _transport(self._options)
        return self._transport

    @transport.setter
    def transport(self, transport: Transport) -> None:
        self._transport = transport

    def close(self) -> None:
        """Let go of the sockets of threads."""
        if self._transport is not None:
            self._transport.close()


def wire(options: Options) -> Wire:
    """What transports need to know of the options."""
    return Wire(
        headers=_headers(options),
        connect_timeout=options.connect_timeout,
        ca_cert=options.ca_cert,
        client_cert=options.client_cert,
        client_key=options.client_key,
        insecure=options.insecure,
        ssl_context=options.ssl_context,
    )


def _transport(options: Options) -> Transport:
    if options.is_embedded:
        from pyrqlite.transports.embedded import EmbeddedTransport, open_handler

        handler = open_handler(options.embedded_path, options.embedded or {})
        return EmbeddedTransport(wire(options), handler)
    if options.session is not None:
        from pyrqlite.transports.requests import RequestsTransport

        return RequestsTransport(wire(options), options.session)
    return make_transport(options.transport, wire(options))


def _headers(options: Options) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT, "Content-Type": "application/json"}
    if options.user is not None:
        if ":" in options.user:
            raise InterfaceError(
                "a user name with a colon cannot be sent by HTTP basic authentication"
            )
        pair = f"{options.user}:{options.password or ''}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return headers


_clusters: Shared[Cluster] = Shared()


def acquire(options: Options, *, for_loop: bool = False) -> Cluster:
    """The cluster of these options, shared with the connections that have the same way to it.

    Event loops need no transport, but that of the embedded server.
    """
    shared = _clusters.acquire(options.shared_by(), lambda: Cluster(options))
    try:
        if not for_loop or options.is_embedded:
            shared.transport  # noqa: B018  (opened here, so that what cannot be is noticed at once)
    except BaseException:
        release(options, shared)
        raise
    return shared


def release(options: Options, cluster: Cluster) -> None:
    """Give back what `acquire` gave; the last one closes the sockets, or the file."""
    _clusters.release(options.shared_by(), cluster, Cluster.close)


@atexit.register
def _close_what_is_left() -> None:
    for cluster in _clusters.things():
        cluster.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_clusters.forget)
