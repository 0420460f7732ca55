"""RETURNING: the server shows its rows only for statements that its own parser understands."""

from __future__ import annotations

from pyrqlite.errors import NotSupportedError, OperationalError
from pyrqlite.flow.exchange import exchange
from pyrqlite.flow.session import CallOptions, Session
from pyrqlite.flow.steps import Flow, Request
from pyrqlite.sql.statement import Statement
from pyrqlite.wire import response
from pyrqlite.wire.request import PARSE, body

# What the server says where it understands a statement, and fails to write it out again, which only this question
# asks for: LIKE with ESCAPE.
_NOT_WRITTEN = ".String(): invalid op"


def with_blank(statement: Statement) -> str:
    """The statement's text with a blank behind RETURNING: without it the server does not see the clause."""
    assert statement.returning is not None
    end = statement.tokens[statement.returning].end
    return f"{statement.text[:end]} {statement.text[end:].lstrip()}"


def check_understood(
    session: Session, statement: Statement, text: str, options: CallOptions
) -> Flow[None]:
    """Ask the server, once for each `statement`, whether its parser takes `text`; nothing is applied by that.

    `text` is the statement as it is sent, with clocks frozen: other constants make no difference to a parser.

    Raises NotSupportedError where the rows would be lost. Servers before 9.4 cannot be asked.
    """
    known = session.cluster.understood
    refusal = known.get(statement.text)
    if refusal is None:
        refusal = yield from _ask_parser(session, text, options)
        known.put(statement.text, refusal)
    if refusal:
        raise NotSupportedError(
            f"the server would apply this statement and lose the rows of its RETURNING, since its parser "
            f"does not understand it ({refusal}): nothing was sent; write it in simpler syntax, or read the "
            "rows by a SELECT"
        )


def _ask_parser(session: Session, text: str, options: CallOptions) -> Flow[str]:
    request = Request("POST", PARSE, body([text]), repeatable=True, timeout=options.timeout)
    try:
        answer = yield from exchange(session.cluster, request)
    except OperationalError as error:
        if error.http_status in (401, 404) or _NOT_WRITTEN in str(error):
            return ""
        raise
    results = response.parse(answer.body).results
    return (results[0].error or "") if results else ""
