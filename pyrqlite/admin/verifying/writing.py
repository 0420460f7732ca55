"""Sends the statements of a repair to the leader, and to no one else."""

from __future__ import annotations

from collections.abc import Sequence

from pyrqlite.admin.nodes import Member, Patience
from pyrqlite.admin.verifying.asking import SchemaMoved
from pyrqlite.admin.verifying.report import RepairReport
from pyrqlite.errors import InternalError, OperationalError
from pyrqlite.flow.steps import Flow, NotSent, Request, Response, Send, TransportError
from pyrqlite.sql.schema import Table
from pyrqlite.sql.tokens import quote_name
from pyrqlite.wire.failures import http_error
from pyrqlite.wire.request import Item, body, item
from pyrqlite.wire.response import Result, parse

_REQUEST = "/db/request?blob_array&norwrandom&norwtime&noparse&transaction&redirect"
_TAG = "pyrqlite:verify:definition"
# Its result proves that all statements before it were executed.
_SENTINEL = "SELECT 1"


class Failed(Exception):
    """A statement of a repair failed on the leader."""


class LogWriter:
    """Writes through the log by way of the leader, whose rows are those to be kept.

    Another leader would answer with its own rows, so a redirect ends the repair.
    """

    def __init__(self, leader: Member, patience: Patience, report: RepairReport) -> None:
        self._leader = leader
        self._patience = patience
        self._report = report

    def write(self, items: Sequence[Item]) -> Flow[list[Result] | None]:
        """Execute these in one transaction; None where the answer was lost. Failed, SchemaMoved."""
        assert self._leader.node is not None
        content = body([*items, _SENTINEL])
        request = Request("POST", _REQUEST, content, False, self._patience.timeout)
        try:
            response = yield Send(self._leader.node, request)
        except NotSent as error:
            raise self._gone(str(error)) from error
        except TransportError as error:
            self._unknown(str(error))
            return None
        if response is None:
            raise InternalError("the executor gave no response to an exchange")
        return self._results(response, len(items))

    def _results(self, response: Response, count: int) -> list[Result] | None:
        if response.status != 200:
            text = response.body.decode(errors="replace")
            raise self._gone(str(http_error(response.status, text, str(response.node), _REQUEST)))
        answer = parse(response.body)
        if answer.error is not None:
            self._unknown(answer.error)
            return None
        for result in answer.results:
            if result.error is not None:
                if _TAG in result.error:
                    raise SchemaMoved(result.error)
                raise Failed(result.error)
        if len(answer.results) != count + 1:
            raise InternalError(
                f"the server gave {len(answer.results)} results for {count + 1} statements"
            )
        return answer.results

    def _gone(self, reason: str) -> OperationalError:
        return OperationalError(
            f"{self._leader} leads no more ({reason}): the repair stops here; compare again"
        )

    def _unknown(self, reason: str) -> None:
        self._report.notes.append(
            f"the answer to a repair was lost ({reason}): whether it overwrote a change made at the same "
            "moment cannot be told"
        )


def guards(table: Table) -> list[Item]:
    """Statements that end the transaction, on every node, if the table or its triggers have changed."""
    triggers = tuple(trigger.sql for trigger in table.triggers)
    places = ", ".join("?" * len(triggers))
    mine = "FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE"
    return [
        _guard(
            "(SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?) IS NOT ?",
            (table.name, table.sql),
        ),
        _guard(
            f"(SELECT count(*) {mine}) <> {len(triggers)}"
            f" OR (SELECT count(*) {mine} AND sql IN ({places})) <> {len(triggers)}",
            (table.name, table.name, *triggers),
        ),
    ]


def _guard(condition: str, values: tuple[str, ...]) -> Item:
    return item(f"SELECT CASE WHEN {condition} THEN json_extract('{{}}', ?) END", (*values, _TAG))


def without_triggers(table: Table, items: Sequence[Item]) -> list[Item]:
    """These statements, with the table's triggers set aside for as long as they take.

    All is one transaction: no other client ever sees the table without its triggers.
    """
    checks = guards(table)
    if not table.triggers:
        return [*checks, *items]
    drops = [f"DROP TRIGGER {quote_name(trigger.name)}" for trigger in table.triggers]
    creates = [trigger.sql for trigger in table.triggers]
    return [*checks, *drops, *items, *creates, *checks]


def results_of(table: Table, results: Sequence[Result], count: int) -> Sequence[Result]:
    """The results of the `count` statements that were given to `without_triggers`."""
    start = len(guards(table)) + len(table.triggers)
    return results[start : start + count]
