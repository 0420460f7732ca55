"""What all connections to one cluster share: the way to its nodes, and what is known of it."""

from __future__ import annotations

import base64
import os
import threading

from pyrqlite.cluster.cache import Cache, SchemaCache
from pyrqlite.cluster.policies import until_the_outcome_is_known, until_there_is_a_leader
from pyrqlite.cluster.pool import NodePool
from pyrqlite.errors import InterfaceError
from pyrqlite.options import UNLIMITED_REDIRECTS, Options
from pyrqlite.transports import Transport, Wire, make_transport

USER_AGENT = "pyrqlite/3"


class Cluster:
    """The nodes, the transport to them, and the caches of what they said."""

    def __init__(self, options: Options) -> None:
        self.nodes = NodePool(options.nodes())
        self.retry = options.retry or until_there_is_a_leader()
        self.max_redirects = (
            None if options.max_redirects == UNLIMITED_REDIRECTS else options.max_redirects
        )
        self.log_values = options.log_values
        self.transport = _transport(options)
        # How queries answered the last time: their width, and the form that suits them.
        self.shapes: Cache[str, object] = Cache(2048)
        # What the server's parser said of texts with RETURNING; empty where it takes them.
        self.understood: Cache[str, str] = Cache(2048)
        self.schema = SchemaCache()
        # Writes that must be applied exactly once: how long to try, whether the table of their ids is there,
        # and when it was last trimmed.
        self.once = until_the_outcome_is_known()
        self.has_markers = False
        self.trimmed_at: float | None = None
        # The causes of a DeterminismWarning that were warned of.
        self.warned: set[tuple[str, ...]] = set()
        # Whether the server's JSON functions print exactly what packed reads need; None: not asked yet.
        self.packs: bool | None = None
        self.has_unhex: bool | None = None


def _transport(options: Options) -> Transport:
    wire = Wire(
        headers=_headers(options),
        connect_timeout=options.connect_timeout,
        ca_cert=options.ca_cert,
        client_cert=options.client_cert,
        client_key=options.client_key,
        insecure=options.insecure,
        ssl_context=options.ssl_context,
    )
    if options.is_embedded:
        from pyrqlite.transports.embedded import EmbeddedTransport, open_handler

        return EmbeddedTransport(wire, open_handler(options.embedded_path, options.embedded or {}))
    if options.session is not None:
        from pyrqlite.transports.requests import RequestsTransport

        return RequestsTransport(wire, options.session)
    return make_transport(options.transport, wire)


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


_shared: dict[tuple[object, ...], tuple[Cluster, int]] = {}
_shared_lock = threading.RLock()


def _forget_after_fork() -> None:
    global _shared_lock
    _shared_lock = threading.RLock()
    _shared.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def acquire(options: Options) -> Cluster:
    """The cluster of these options, shared with the connections that have the same way to it."""
    key = options.shared_by()
    if key is None:
        return Cluster(options)
    with _shared_lock:
        cluster, users = _shared.get(key) or (Cluster(options), 0)
        _shared[key] = (cluster, users + 1)
    return cluster


def release(options: Options, cluster: Cluster) -> None:
    """Give back what `acquire` gave; the last one closes the sockets."""
    key = options.shared_by()
    if key is not None:
        with _shared_lock:
            shared, users = _shared.get(key, (None, 0))
            if shared is cluster and users > 1:
                _shared[key] = (cluster, users - 1)
                return
            if shared is cluster:
                del _shared[key]
    cluster.transport.close()
