"""Reading an answer, in whichever pieces it comes.

Nodes answer small requests in one piece, with a Content-Length: that is read in a tenth of the time that an HTTP
library takes for the same. What is not plainly HTTP/1 is no answer: nothing is guessed, since a wrong guess would
take half an answer for a whole one, or the rest of it for the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pyrqlite.flow.steps import Headers

_MOST_HEAD = 1 << 16
_BEGIN = b"HTTP/1."
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9]\d{2})(?: [^\r\n]*)?\r\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;[^\r\n]*)?")
_FOLD = re.compile(rb"\r\n[ \t]+")
_SWITCHED = 101
_WITHOUT_BODY = (204, 304)
_OTHER_LINES = rb"(?:(?!(?i:content-length|transfer-encoding|connection)|[ \t])[^\r\n]+\r\n)*"
_PLAIN = re.compile(
    rb"HTTP/1\.1 ([2-9][0-9]{2})(?: [^\r\n]*)?\r\n"
    + _OTHER_LINES
    + rb"(?i:content-length):[ \t]*([0-9]{1,18})[ \t]*\r\n"
    + _OTHER_LINES
    + rb"\r\n"
)


class BadAnswer(Exception):
    """What came is not HTTP, or not all of it came."""


class Answer(NamedTuple):
    """What came, and whether the connection can carry another request."""

    status: int
    headers: Headers
    body: bytes
    reusable: bool


class Head:
    """A response's head, read only when a header is asked for."""

    __slots__ = ("_text",)

    def __init__(self, text: bytes) -> None:
        self._text = text

    def get(self, name: str, default: str, /) -> str:
        """The header's first value, or the default."""
        return next(self._values(name), default)

    def only(self, name: str) -> str:
        """The header's value, "" where there is none; BadAnswer where it is said in two ways."""
        values = {*self._values(name)}
        if len(values) > 1:
            raise BadAnswer(f"the node says two things of {name}: {', '.join(sorted(values))}")
        return values.pop() if values else ""

    def _values(self, name: str) -> Iterator[str]:
        wanted = name.encode()
        for line in self._text.split(b"\r\n"):
            found, colon, value = line.partition(b":")
            if colon and found.strip().lower() == wanted:
                yield value.strip().decode("latin-1")


class Arriving:
    """The answer to a request: feed it until it is whole."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._buffer = bytearray()
        self._status = 0
        self._head: Head | None = None
        self._reusable = True
        # How the body ends: by its length, by its last chunk, or else with the connection.
        self._length: int | None = None
        self._chunked = False
        self._chunks: list[bytes] = []
        self._trailing = False

    def feed(self, data: bytes) -> Answer | None:
        """The answer, once it is whole; BadAnswer."""
        if not self._buffer and self._head is None:
            answer = in_one_piece(data, self._method)
            if answer is not None:
                return answer
        self._buffer += data
        if self._head is None and not self._take_head():
            return None
        if self._chunked:
            return self._answer(b"".join(self._chunks)) if self._take_chunks() else None
        if self._length is None or len(self._buffer) < self._length:
            return None
        body = _copied(self._buffer, 0, self._length)
        del self._buffer[: self._length]
        return self._answer(body)

    def end(self) -> Answer:
        """The answer, when the connection has ended; BadAnswer where that is too early."""
        if self._head is None or self._chunked or self._length is not None:
            raise BadAnswer("the node closed the connection before its answer was whole")
        self._reusable = False
        return self._answer(bytes(self._buffer))

    def _answer(self, body: bytes) -> Answer:
        assert self._head is not None
        # What stands behind an answer that nobody asked for anything else is none.
        return Answer(self._status, self._head, body, self._reusable and not self._buffer)

    def _take_head(self) -> bool:
        while True:
            if not self._buffer.startswith(_BEGIN[: len(self._buffer)]):
                raise BadAnswer(f"this is no HTTP: {bytes(self._buffer[:40])!r}")
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > _MOST_HEAD:
                    raise BadAnswer("the head of the answer has no end")
                return False
            head = bytes(self._buffer[: end + 2])
            del self._buffer[: end + 4]
            line = _STATUS.match(head)
            if line is None:
                raise BadAnswer(f"this is no status: {head[:40]!r}")
            self._status = int(line[2])
            if self._status == _SWITCHED:
                raise BadAnswer("the node speaks another protocol from now on")
            if self._status >= 200:
                self._begin(head, line[1] == b"1")
                return True

    def _begin(self, head: bytes, keeps: bool) -> None:
        self._head = found = Head(_FOLD.sub(b" ", head))
        connection = found.get("connection", "").lower()
        self._reusable = "close" not in connection and (keeps or "keep-alive" in connection)
        length, coding = found.only("content-length"), found.only("transfer-encoding").lower()
        if length and not _LENGTH.fullmatch(length):
            raise BadAnswer(f"this is no length: {length[:40]!r}")
        if self._method == "HEAD" or self._status in _WITHOUT_BODY:
            self._length = 0
        elif coding == "chunked":
            self._chunked = True
            self._reusable = self._reusable and not length
        elif coding:
            raise BadAnswer(f"nobody has asked for this coding: {coding!r}")
        elif length:
            self._length = int(length)

    def _take_chunks(self) -> bool:
        buffer, at = self._buffer, 0
        try:
            while (end := buffer.find(b"\r\n", at)) >= 0:
                if self._trailing:
                    last, at = end == at, end + 2
                    if last:
                        return True
                    continue
                size_line = _SIZE.fullmatch(buffer, at, end)
                if size_line is None:
                    raise BadAnswer(f"this is no length of a chunk: {bytes(buffer[at:end][:20])!r}")
                size = int(size_line[1], 16)
                if size == 0:
                    self._trailing, at = True, end + 2
                    continue
                start = end + 2
                if len(buffer) < start + size + 2:
                    return False
                if buffer[start + size : start + size + 2] != b"\r\n":
                    raise BadAnswer("a chunk does not end where it should")
                self._chunks.append(_copied(buffer, start, start + size))
                at = start + size + 2
            if len(buffer) - at > _MOST_HEAD:
                raise BadAnswer("a line between the chunks has no end")
            return False
        finally:
            del buffer[:at]


def in_one_piece(data: bytes, method: str) -> Answer | None:
    """The answer, where it came in one piece and says its length in the plainest way, as most do."""
    plain = _PLAIN.match(data)
    if plain is None or method == "HEAD":
        return None
    status, end = int(plain[1]), plain.end()
    if status in _WITHOUT_BODY or len(data) != end + int(plain[2]):
        return None
    return Answer(status, Head(data[:end]), data[end:], True)


def _copied(buffer: bytearray, start: int, end: int) -> bytes:
    with memoryview(buffer) as whole, whole[start:end] as part:
        return bytes(part)
