"""Counting what goes over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from pyrqlite import Connection


def driver_connection(engine: Engine) -> Connection:
    """The driver's connection under an engine, whose cluster all connections of the engine share."""
    pooled = engine.raw_connection()
    connection = pooled.driver_connection
    pooled.close()
    assert isinstance(connection, Connection)
    return connection


@contextmanager
def requests(engine: Engine) -> Iterator[list[str]]:
    """The targets of the requests that are sent meanwhile."""
    transport: Any = driver_connection(engine).session.cluster.transport
    send, sent = transport.send, []

    def note(node: Any, request: Any) -> Any:
        sent.append(request.target)
        return send(node, request)

    transport.send = note
    try:
        yield sent
    finally:
        del transport.send
