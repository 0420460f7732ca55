"""What follows from a failure: the one table of retries.

It was made by counting, on clusters of three nodes that were killed, stopped, cut off and restarted, how many of
the writes that failed in each way had been applied. The rules behind it:

1. A write carries `redirect`, so no node forwards it, and what a node says it says of itself. Where the leader
   cannot be reached from here, a reachable node forwards the write; then a refusal proves nothing, but for
   TRANSFER, since the node may have sent it on more than once.
2. Where the failure arose decides, not what its text looks like: texts are compared as a whole, and all that is
   neither SQLite's word nor a known refusal leaves open what became of a write.
3. Whoever waits, waits as the `retry` policy says; no request asks the server to repeat it.
4. A write with an id is sent again as it is, by `flow.applying`; before it is reported as failed its id is burnt.
5. What may be repeated is asked of another node at once.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from contextlib import suppress

from pyrqlite.cluster.kinds import Kind
from pyrqlite.flow.steps import Response, TransportError
from pyrqlite.wire.failures import is_sqlites_word


class Failure(enum.Enum):
    """The ways in which a request fails; how many writes had been applied, of how many, stands behind."""

    NOT_SENT = "no connection, or one that had ended before the first byte left"  # 0 of 3,246
    LOST = "no answer, or not a whole one"  # 39 of 60 that timed out, behind the client's good-bye
    REDIRECTED = "301"  # 0 of 2,632
    LEADERLESS = "503 or 500 `leader not found`"  # 0 of 12,518
    TRANSFER = "200 `leadership transfer in progress`"  # 0 of 50, even where it was forwarded
    STARTING = (
        "200 `store not open` or `store not ready`"  # 0 of 427, from the node addressed itself
    )
    STALE = "200 `stale read`: the node does not know enough just now"
    DISTURBED = (
        "200 with an error between nodes, or of a leader that fell"  # 16 of 30; 24 of 24 twice
    )
    UNSURE = "200 with another error of the whole call that is not SQLite's"
    GATEWAY = "502, 504, 520 and others, or a 503 that is not rqlite's: something between here and the node"
    BROKEN = "408, 500 with another text, or another status that neither grants nor refuses"
    REFUSED = "any other status, or 200 `timed out enqueuing operation`"


class Action(enum.Enum):
    """What the driver does."""

    FOLLOW = "asks the leader that is named"
    WAIT = "asks another node; when none is left, waits for a leader and asks again"
    ELSEWHERE = "asks another node; when none is left, raises OperationalError"
    FAIL = "raises the error: nothing was applied"
    UNKNOWN = "raises OutcomeUnknownError: it may have been applied, and is not sent again"
    SAME_ID = "sends it again with the same id; at the end of that policy, OutcomeUnknownError"


_READ = {
    Failure.NOT_SENT: Action.ELSEWHERE,
    Failure.LOST: Action.ELSEWHERE,
    Failure.REDIRECTED: Action.FOLLOW,
    Failure.LEADERLESS: Action.WAIT,
    Failure.TRANSFER: Action.WAIT,
    Failure.STARTING: Action.WAIT,
    Failure.STALE: Action.WAIT,
    Failure.DISTURBED: Action.WAIT,
    Failure.UNSURE: Action.FAIL,
    Failure.GATEWAY: Action.ELSEWHERE,
    Failure.BROKEN: Action.FAIL,
    Failure.REFUSED: Action.FAIL,
}
# No node is fresh enough: that is an answer, and waiting for a leader would not change it.
_LOCAL = {**_READ, Failure.STALE: Action.ELSEWHERE}
_WRITE = {
    Failure.NOT_SENT: Action.ELSEWHERE,
    Failure.LOST: Action.UNKNOWN,
    Failure.REDIRECTED: Action.FOLLOW,
    Failure.LEADERLESS: Action.WAIT,
    Failure.TRANSFER: Action.WAIT,
    Failure.STARTING: Action.WAIT,
    Failure.STALE: Action.FAIL,
    Failure.DISTURBED: Action.UNKNOWN,
    Failure.UNSURE: Action.UNKNOWN,
    Failure.GATEWAY: Action.UNKNOWN,
    Failure.BROKEN: Action.UNKNOWN,
    Failure.REFUSED: Action.FAIL,
}
_ONCE = {
    failure: Action.SAME_ID if action is Action.UNKNOWN else action
    for failure, action in _WRITE.items()
}

MATRIX: Mapping[Kind, Mapping[Failure, Action]] = {
    Kind.READ: _READ,
    Kind.LOCAL: _LOCAL,
    Kind.AUTO: _LOCAL,
    Kind.SPECULATION: _READ,
    Kind.ADMIN: _READ,
    Kind.WRITE: _WRITE,
    Kind.ONCE: _ONCE,
}


class Trouble(Exception):
    """A request failed: how, what was said, and the answer or the transport's error that says so."""

    def __init__(self, failure: Failure, cause: str, origin: Response | TransportError) -> None:
        super().__init__(cause)
        self.failure = failure
        self.cause = cause
        self.origin = origin


# What a node says of the whole call in a 200, word for word, when it has done nothing.
_SAID = {
    "leadership transfer in progress": Failure.TRANSFER,
    "store not open": Failure.STARTING,
    "store not ready": Failure.STARTING,
    "stale read": Failure.STALE,
    "timed out enqueuing operation": Failure.REFUSED,
}
_BETWEEN_NODES = re.compile(
    "^(not leader|leader not found|leadership lost|dial tcp|(read|write) |raft is already shutdown)"
)
_SHORT = 500  # such an answer has nothing else in it
_STATUSES = {
    301: Failure.REDIRECTED,
    408: Failure.BROKEN,
    500: Failure.BROKEN,
    503: Failure.REFUSED,
}


def trouble(response: Response, kind: Kind, *, forwarded: bool) -> Trouble | None:
    """What is wrong with an answer; None where it is one. `forwarded`: the node may have passed the request on."""
    if response.status == 200:
        body = response.body
        if len(body) > _SHORT or b'"error"' not in body:
            return None
        said = said_of_the_call(body)
        failure = None if said is None else _failure_said(said, forwarded and not kind.repeatable)
        return None if failure is None else Trouble(failure, f"200 {said}", response)
    text = response.body.decode(errors="replace").strip()
    failure = _failure_of(response.status)
    if response.status in (500, 503) and text == "leader not found":
        failure = Failure.LEADERLESS
    elif response.status == 503 and not response.headers.get("x-rqlite-version", ""):
        failure = (
            Failure.GATEWAY
        )  # some of them say so when they have lost a node that had the request
    return Trouble(failure, f"{response.status} {text}".strip(), response)


def _failure_of(status: int) -> Failure:
    if status in _STATUSES:
        return _STATUSES[status]
    if status > 500:
        return Failure.GATEWAY  # there are many of them, each of which has some of its own
    return Failure.REFUSED if 300 <= status < 500 else Failure.BROKEN


def said_of_the_call(body: bytes) -> str | None:
    """What a 200 says of the whole call where it failed."""
    with suppress(ValueError, AttributeError):
        said = json.loads(body).get("error")
        return said if isinstance(said, str) and said else None
    return None


def _failure_said(said: str, forwarded: bool) -> Failure | None:
    failure = Failure.DISTURBED if _BETWEEN_NODES.search(said) else _SAID.get(said)
    if failure is None and not is_sqlites_word(said):
        return Failure.UNSURE
    if forwarded and failure not in (None, Failure.TRANSFER):
        return Failure.DISTURBED
    return failure


def transport_trouble(error: TransportError) -> Trouble:
    """What an exchange that failed amounts to."""
    return Trouble(Failure.LOST if error.sent else Failure.NOT_SENT, str(error), error)
