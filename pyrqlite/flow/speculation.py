"""Speculation: statements are run for their results, and undone by the same request."""

from __future__ import annotations

from collections.abc import Sequence

from pyrqlite.cluster.kinds import Kind
from pyrqlite.errors import InternalError
from pyrqlite.flow.exchange import REDIRECT
from pyrqlite.flow.session import Session, ask
from pyrqlite.flow.steps import Flow
from pyrqlite.transaction.guards import abort, is_abort
from pyrqlite.wire.request import REQUEST, Item
from pyrqlite.wire.response import Result


def speculate(session: Session, items: Sequence[Item]) -> Flow[list[Result]]:
    """The results of `items` up to the first that fails, or all of them. Nothing is kept.

    The request may be repeated, since it never has an effect; it goes to the leader like every write.
    """
    answer = yield from ask(
        session,
        f"{REQUEST}&transaction{REDIRECT}",
        [*items, abort()],
        session.options.timeout,
        Kind.SPECULATION,
    )
    results = answer.results
    if len(results) == len(items) + 1 and is_abort(results[-1].error):
        return results[:-1]
    if not results or results[-1].error is None or len(results) > len(items):
        raise InternalError("a speculation did not end as it must: it may have been applied")
    return results
