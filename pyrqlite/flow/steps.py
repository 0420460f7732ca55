"""What a flow asks of its executor, and what it gets back.

An executor runs a generator: it does the step that is yielded, and goes on by what the step's class says is sent or
thrown into the flow. It decides nothing. When it gives up a flow (an interrupt, a cancelled task) it closes the
generator.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from pyrqlite.cluster.kinds import Kind
from pyrqlite.cluster.node import Node

PIECE = 1 << 16


class LocalFailure(Exception):
    """Reading or writing on this side of an exchange failed, as the cause says. A transport gives up the
    exchange, and lets this pass."""


class Upload(Protocol):
    """A body that is read as it is sent. A transport calls `begin`, announces `size` bytes by Content-Length
    (never chunked: a node takes a chunked body that was cut for a whole one), and reads until b"".

    `left` is what was not read yet: while it is more than 0, the request cannot have left whole.
    """

    size: int
    left: int

    def begin(self) -> None:
        """Go to the first byte: a request may be sent more than once."""

    def read(self, most: int = PIECE, /) -> bytes:
        """The next bytes; LocalFailure."""


class Download(Protocol):
    """Takes the body of an answer of status 200 as it comes; all other bodies are the Response's.

    A transport calls `begin` with the announced length, where there is one, and then `write`.
    """

    def begin(self, length: int | None) -> None:
        """Start, or start again; LocalFailure."""

    def write(self, piece: bytes, /) -> None:
        """Take the next bytes; LocalFailure."""


Watch = Callable[[], Any]  # a bool, or what is awaited for one


class Request(NamedTuple):
    """One HTTP request, to whichever node.

    `repeatable` says that the request may be sent again without harm, even if it arrived before. `timeout`
    is in seconds, for each wait for the node to say something; None waits for ever. `kind` None means ADMIN, or
    WRITE where the request is not repeatable. `at` is the only node that it may be sent to, where it matters.
    `upload` stands in the place of a body, `download` takes that of the answer. `until` is when the call has to
    be over, by time.monotonic(): no longer than that a connection is waited for. Executors set
    `watch`: a transport that can do anything else meanwhile calls it while the node keeps silent (in event loops:
    awaits it), and gives up the exchange where it says False.
    """

    method: str
    target: str
    body: bytes | None
    repeatable: bool
    timeout: float | None
    kind: Kind | None = None
    at: Node | None = None
    upload: Upload | None = None
    download: Download | None = None
    until: float | None = None
    watch: Watch | None = None

    @property
    def purpose(self) -> Kind:
        """What it is for."""
        return self.kind or (Kind.ADMIN if self.repeatable else Kind.WRITE)


class Headers(Protocol):
    """The headers of an answer, to be asked for by their names in lower case."""

    def get(self, name: str, default: str, /) -> str | None:
        """The header's value, or the default."""


class Response(NamedTuple):
    """A node's answer."""

    status: int
    headers: Headers
    body: bytes
    node: Node


class Send(NamedTuple):
    """Send this request to that node; the flow is sent a Response, or a TransportError is thrown into it.

    While the node keeps silent, the flow that `watch` makes is run from time to time: where it says False, the
    answer is not waited for any longer.
    """

    node: Node
    request: Request
    watch: Callable[[], Generator[Any, Any, bool]] | None = None


def watched(step: Send, run: Callable[[Flow[bool]], Any]) -> Request:
    """The request of a step, with its watch in the form that transports use: `run` runs a flow."""
    make, request = step.watch, step.request
    if make is None:
        return request
    return Request(*request[:-1], watch=lambda: run(make()))  # half the price of _replace()


class Sleep(NamedTuple):
    """Wait so many seconds."""

    seconds: float


class Arrival(NamedTuple):
    """How one of several exchanges ended, and how many seconds it took."""

    node: Node
    outcome: Response | TransportError
    seconds: float


class Together(NamedTuple):
    """Send requests that may be repeated at once, each to its node, and wait at most `seconds`.

    `enough` is called with all arrivals so far after each of them: once it says True the rest is given up, whose
    answers are not read. The flow is sent a list of Arrival, in their order, which may be empty; nothing is
    thrown into it. Each request's own `timeout` bounds how long one that was given up may linger.
    """

    sends: Sequence[Send]
    seconds: float
    enough: Callable[[Sequence[Arrival]], bool]


T = TypeVar("T")
# What is sent into a flow is the step's to say: see the steps' classes.
Flow = Generator[Send | Sleep | Together, Any, T]


class TransportError(Exception):
    """An exchange failed. `sent` is False only where the request provably never left this machine whole."""

    sent = True


class NotSent(TransportError):
    """The request did not leave: no connection, no name, no TLS, or a socket that was dead before."""

    sent = False


class AnswerLost(TransportError):
    """The request left, at least in part, and no whole answer came. `timed_out`: the node kept silent."""

    def __init__(self, *args: object, timed_out: bool = False) -> None:
        super().__init__(*args)
        self.timed_out = timed_out


class GivenUp(AnswerLost):
    """The request's watch said that its answer is not worth waiting for."""

    def __init__(self) -> None:
        super().__init__("no answer, and the other nodes go on without it")


class TurnedAway(NotSent):
    """The request waited for others to the same node, of which one was GivenUp."""


class OutOfTime(NotSent):
    """The call's deadline is over: nothing more is sent, by whichever node."""


def failed_exchange(request: Request, text: str, *, timed_out: bool) -> TransportError:
    """The error for an exchange that failed behind its first byte."""
    whole = request.upload is None or request.upload.left == 0
    return AnswerLost(text, timed_out=timed_out) if whole else NotSent(text)


class Interrupted(BaseException):
    """Thrown into a flow whose last step will never be answered: it has to end at once.

    `sent` says whether the request of that step may have left; False for one that did not, and for other steps.
    """

    def __init__(self, sent: bool) -> None:
        super().__init__(sent)
        self.sent = sent


def interrupt(flow: Flow[Any], step: object, cause: BaseException) -> None:
    """End a flow in the middle of `step`, because of a cancellation, a KeyboardInterrupt or the like.

    A transport that is interrupted before the request has left raises that from a NotSent.
    """
    sent = isinstance(step, Send) and not isinstance(cause.__cause__, NotSent)
    try:
        flow.throw(Interrupted(sent))
    except (Interrupted, StopIteration):
        return
    raise RuntimeError("a flow went on behind an interruption")
