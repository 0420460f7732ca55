"""The schema, loaded once for all connections of a process to one cluster, and again when it may be old."""

from __future__ import annotations

from collections.abc import Sequence

from pyrqlite.cluster.kinds import Kind
from pyrqlite.errors import InternalError, OperationalError
from pyrqlite.flow.exchange import REDIRECT
from pyrqlite.flow.session import Session, ask
from pyrqlite.flow.speculation import speculate
from pyrqlite.flow.steps import Flow
from pyrqlite.sql.schema import SCHEMA_QUERIES, Schema, schema_from_rows
from pyrqlite.wire.request import QUERY, Item
from pyrqlite.wire.response import Result, first_error

_MAX_AGE = 60.0


def current_schema(session: Session) -> Flow[Schema | None]:
    """The schema as it was at most a minute ago; None where the user may not read it.

    It is read at the level strong: at any other, a node that has just started may show an older one, or none.
    """
    cache = session.cluster.schema
    if cache.is_young(_MAX_AGE):
        return cache.schema
    items: list[Item] = [*SCHEMA_QUERIES]
    target = f"{QUERY}&transaction&level=strong{REDIRECT}"
    try:
        answer = yield from ask(session, target, items, session.options.timeout, Kind.READ)
    except OperationalError as error:
        if error.http_status != 401:
            raise
        cache.put(None)
        return None
    cache.put(_schema(answer.results, cache.schema))
    return cache.schema


def _schema(results: Sequence[Result], previous: Schema | None) -> Schema:
    if len(results) != len(SCHEMA_QUERIES):
        raise InternalError(
            f"the server gave {len(results)} results for {len(SCHEMA_QUERIES)} statements"
        )
    texts = [result.check().values[0][0] for result in results]
    return schema_from_rows(texts, previous)


def schema_after(session: Session, items: Sequence[Item]) -> Flow[Schema]:
    """The schema as it would be behind these statements, none of which is kept."""
    asked = [*items, *SCHEMA_QUERIES]
    results = yield from speculate(session, asked)
    error = first_error(results[: len(items)])
    if error is not None:
        raise error
    return _schema(results[len(items) :], session.cluster.schema.schema)
