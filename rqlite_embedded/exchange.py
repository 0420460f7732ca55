"""What goes in and out of the API, apart from any transport."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from .params import Params
from .session import Watch

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


# A large body; whoever does not read it to its end has to close it.
Pieces = Generator[bytes, None, None]
_PIECE = 1 << 16


@dataclass
class Request:
    """A request whose query string is valid. Names in ``headers`` are in lower case.

    ``upload`` holds the body where it is large, and what ``body`` holds comes before it.
    """

    method: str
    path: str
    params: Params
    headers: Mapping[str, str]
    body: bytes
    upload: BinaryIO | None = None

    def peek(self, count: int) -> bytes:
        """The first bytes of the body, which stay there; fewer where it ends before."""
        if self.upload is not None:
            self.body += self.upload.read(max(0, count - len(self.body)))
        return self.body[:count]

    def pieces(self) -> Iterator[bytes]:
        """The body, once."""
        if self.body:
            yield self.body
        if self.upload is not None:
            yield from iter(lambda: self.upload.read(_PIECE), b"")  # type: ignore[union-attr]

    @property
    def is_text(self) -> bool:
        """Whether the body is declared to be plain text."""
        return self.headers.get("content-type", "").startswith("text/plain")


@dataclass
class Response:
    """A response without the headers that all responses share.

    ``pieces`` are a large body, in the place of ``body``.
    """

    status: int = 200
    content_type: str = ""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Pieces | None = None

    def gather(self) -> None:
        """Have the whole body in ``body``."""
        if self.pieces is not None:
            self.body, self.pieces = b"".join(self.pieces), None


@dataclass
class Read:
    """Work that changes nothing: it may be broken off and started again.

    ``run`` raises OutOfBudget when it takes longer than the watch's budget.
    ``key`` is the same for work that is likely to last as long.
    """

    run: Callable[[Watch | None], Response]
    key: str


@dataclass
class Wait:
    """Work done elsewhere: ``start`` begins it and returns, it calls back from any thread.

    ``run`` does the work in the calling thread instead. ``finish`` makes the response, also
    when ``timeout`` seconds have passed and nothing called back.
    """

    start: Callable[[Callable[[], None]], None]
    run: Callable[[], None]
    finish: Callable[[], Response]
    timeout: float | None = None


@dataclass
class Block:
    """Work that may take long and blocks its thread."""

    run: Callable[[], Response]


Outcome = Response | Read | Wait | Block


def error(status: int, message: str) -> Response:
    """An error as plain text."""
    headers = {"X-Content-Type-Options": "nosniff"}
    return Response(status, TEXT, f"{message}\n".encode(), headers)
