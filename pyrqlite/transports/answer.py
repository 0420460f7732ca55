"""Reading the answer to a request from a socket.

Nodes answer small requests in one piece, with a Content-Length: that is read here, in a tenth of the time
that http.client takes for the same. Everything else is http.client's to read.
"""

from __future__ import annotations

import http.client
import io
from typing import TYPE_CHECKING, NamedTuple, cast

from pyrqlite.flow.steps import PIECE, Download, Headers

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

_PIECE = _LONGEST_HEAD = 65536
_WITHOUT_BODY = (b"1", b"204", b"304")


class Answer(NamedTuple):
    """What came, and whether the connection can carry another request."""

    status: int
    headers: Headers
    body: bytes
    reusable: bool


class Head:
    """The lines of a response's head, read only when a header is asked for."""

    __slots__ = ("_lines",)

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines

    def get(self, name: str, default: str, /) -> str:
        wanted = name.encode()
        for line in self._lines:
            found, colon, value = line.partition(b":")
            if colon and found.strip().lower() == wanted:
                return value.strip().decode("latin-1")
        return default


def read_answer(sock: socket.socket, method: str) -> Answer:
    """The answer to a request that was just sent; OSError or HTTPException where none comes, or half of one."""
    begun = b""
    while (end := begun.find(b"\r\n\r\n")) < 0 and len(begun) < _LONGEST_HEAD:
        piece = sock.recv(_PIECE)
        if not piece:
            # Of a head that ends early http.client makes an empty answer.
            raise http.client.RemoteDisconnected("the connection ended before the answer had begun")
        begun += piece
    head = begun[: end + 2]
    length = plain_length(head) if end > 0 else None
    if length is None or method == "HEAD":
        return _read_by_library(sock, method, begun)
    body = begun[end + 4 :]
    if len(body) < length:
        body = _filled(sock, body, length)
    return Answer(int(head[9:12]), Head(head.split(b"\r\n")), body[:length], len(body) == length)


def take_answer(sock: socket.socket, download: Download) -> Answer:
    """The answer to a GET, whose body the download takes if its status is 200."""
    message = http.client.HTTPResponse(sock, method="GET")
    body = b""
    try:
        message.begin()
        if message.status == 200:
            _take(message, download)
        else:
            body = message.read()
    finally:
        message.close()
    return Answer(message.status, message.headers, body, not message.will_close)


def _take(message: http.client.HTTPResponse, download: Download) -> None:
    download.begin(message.length)
    while piece := message.read(PIECE):
        download.write(piece)
    if message.length:  # read(amount) says nothing of a body that was cut
        raise http.client.IncompleteRead(b"", message.length)


def plain_length(head: bytes) -> int | None:
    """How long the body is; None where that is not said in the plainest way."""
    lowered = head.lower()
    start = lowered.find(b"\r\ncontent-length:")
    if (
        start < 0
        or not head.startswith(b"HTTP/1.1 ")
        or not head[9:12].isdigit()
        or head[12:13] not in b" \r"
        or lowered.startswith(_WITHOUT_BODY, 9)
        or b"\r\ntransfer-encoding:" in lowered
        or b"\r\nconnection:" in lowered
        or lowered.find(b"\r\ncontent-length:", start + 2) > 0
    ):
        return None
    digits = lowered[start + 17 : lowered.find(b"\r\n", start + 2)].strip()
    return int(digits) if digits.isdigit() else None


def _filled(sock: socket.socket, begun: bytes, length: int) -> bytes:
    body = bytearray(length)
    body[: len(begun)] = begun
    rest = memoryview(body)[len(begun) :]
    while rest:
        count = sock.recv_into(rest)
        if not count:
            raise http.client.IncompleteRead(bytes(body[: length - len(rest)]), len(rest))
        rest = rest[count:]
    return bytes(body)


def _read_by_library(sock: socket.socket, method: str, begun: bytes) -> Answer:
    message = http.client.HTTPResponse(cast("socket.socket", _Begun(sock, begun)), method=method)
    try:
        message.begin()
        body = message.read()
    finally:
        message.close()
    return Answer(message.status, message.headers, body, not message.will_close)


class _Begun(io.RawIOBase):
    """A socket of which a first piece was read already."""

    def __init__(self, sock: socket.socket, begun: bytes) -> None:
        self._sock = sock
        self._begun = begun

    def makefile(self, mode: str) -> io.BufferedReader:
        """What http.client asks a socket for."""
        return io.BufferedReader(self, _PIECE)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._begun:
            return self._sock.recv_into(buffer)
        count = min(len(buffer), len(self._begun))
        buffer[:count] = self._begun[:count]
        self._begun = self._begun[count:]
        return count
