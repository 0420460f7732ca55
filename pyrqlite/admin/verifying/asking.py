"""Reading a part of a table from one node, as it is there, and making entries in the log to wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyrqlite.admin.nodes import Access, Lost, Member, NotYet, Patience, applied, ask, wait_applied
from pyrqlite.admin.verifying.values import Row
from pyrqlite.admin.verifying.views import (
    Bound,
    Limits,
    Part,
    View,
    definition_item,
    packed_item,
    read_bound,
)
from pyrqlite.errors import DatabaseError, InternalError, NotSupportedError, OperationalError
from pyrqlite.flow.exchange import exchange
from pyrqlite.flow.steps import Flow, Request, Response, Sleep
from pyrqlite.sql.tokens import quote_name
from pyrqlite.wire import response as wire
from pyrqlite.wire.request import QUERY, Item, body, item
from pyrqlite.wire.response import Answer, Result

_HERE = f"{QUERY}&transaction&level=none"
_LOGGED = f"{QUERY}&transaction&level=strong&raft_index"
_BROKEN = "\ufffd"

Rows = dict[tuple[object, ...], Row]


class SchemaMoved(Exception):
    """A table's definition is not what it was when the comparison of it began."""


class TooLarge(Exception):
    """The rows of a part are larger than what a node can send at once."""


class Refused(Exception):
    """A node answers, but its database cannot execute a query."""

    def __init__(self, error: DatabaseError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True)
class Texts:
    """The rows of a part, each column as one text. `moved` says that the table's definition is another by
    now."""

    texts: tuple[str, ...]
    moved: bool = False


class Asker:
    """Asks the nodes. Every method is a flow.

    Those that ask one node raise Lost where it does not answer; those that write to the log raise what any
    statement raises. Nothing large is read through the log, since every node executes what is in it.
    """

    def __init__(self, access: Access, patience: Patience) -> None:
        self._access = access
        self.patience = patience

    def bound(self, member: Member, view: View, part: Part, limits: Limits) -> Flow[Bound]:
        """Where a piece of this part ends that is within the limits. SchemaMoved."""
        sql = view.bounds(part, limits)
        definition, found = yield from self._here(
            member, [definition_item(view), item(sql.text, sql.values)]
        )
        if _moved(view, definition):
            raise SchemaMoved(view.table)
        try:
            return read_bound(_usable(found).values, limits)
        except Refused as error:
            raise Lost(member, f"cannot be read: {error}") from error

    def texts(self, member: Member, view: View, part: Part) -> Flow[Texts]:
        """What this node holds of a part. TooLarge."""
        found = yield from self._texts(member, view, part, text_as_hex=False)
        if any(_BROKEN in text for text in found.texts):
            found = yield from self._texts(member, view, part, text_as_hex=True)
        return found

    def _texts(self, member: Member, view: View, part: Part, *, text_as_hex: bool) -> Flow[Texts]:
        items = [definition_item(view), packed_item(view, part, text_as_hex=text_as_hex)]
        definition, packed = yield from self._here(member, items)
        if _moved(view, definition):
            return Texts((), moved=True)
        try:
            return Texts(packed_texts(packed))
        except Refused as error:
            raise Lost(member, f"cannot be read: {error}") from error

    def count(self, member: Member, table: str) -> Flow[int]:
        """How many rows a table has on this node, about."""
        [found] = yield from self._here(member, [f"SELECT count(*) FROM {quote_name(table)}"])
        return int(found.values[0][0]) if found.error is None else 0

    def log(self, items: Sequence[Item]) -> Flow[Answer]:
        """Queries, answered by the leader through the log."""
        request = Request("POST", _LOGGED, body(items), True, self.patience.timeout)
        for pause in self.patience.pauses():
            response = yield from exchange(self._access.cluster, request)
            answer = wire.parse(response.body)
            if answer.error is None:
                break
            yield Sleep(pause)
        else:
            raise OperationalError(f"the log cannot be read: {answer.error}")
        if len(answer.results) != len(items):
            raise InternalError(
                f"the server gave {len(answer.results)} results for {len(items)} statements"
            )
        return answer

    def barrier(self) -> Flow[int]:
        """The index of a new log entry, behind all that was written before."""
        return _index((yield from self.log(["SELECT 1"])))

    def applied(self, member: Member) -> Flow[int]:
        """The index of the last log entry that the node has applied."""
        return (yield from applied(member, self.patience))

    def wait(self, member: Member, index: int) -> Flow[None]:
        """Wait until the node has applied the log up to `index`."""
        yield from wait_applied(member, index, self.patience)

    def _here(self, member: Member, items: list[Item]) -> Flow[list[Result]]:
        request = Request("POST", _HERE, body(items), True, self.patience.timeout)

        def read(response: Response) -> list[Result]:
            answer = wire.parse(response.body)
            if answer.error is not None:
                raise NotYet(f"it says: {answer.error}")
            if len(answer.results) != len(items):
                raise Lost(
                    member, f"gave {len(answer.results)} results for {len(items)} statements"
                )
            return answer.results

        return (yield from ask(member, request, self.patience, read))


def _index(answer: Answer) -> int:
    if answer.raft_index is None:
        raise NotSupportedError(
            "this server does not say at which log entry it read: rqlite does since version 8.38"
        )
    return answer.raft_index


def _moved(view: View, definition: Result) -> bool:
    if view.definition is None:
        return False
    rows = definition.check().values
    return not rows or rows[0][0] != view.definition


def packed_texts(result: Result) -> tuple[str, ...]:
    """The texts that a `packed_item` gave. TooLarge, Refused."""
    [texts] = _usable(result).values
    return tuple(texts)


def _usable(result: Result) -> Result:
    if result.error is None:
        return result
    if "string or blob too big" in result.error:
        raise TooLarge
    try:
        return result.check()
    except DatabaseError as error:
        raise Refused(error) from error
