"""HTTP/1.1 as bytes: request heads, chunked bodies and responses. No sockets here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from time import gmtime, time
from typing import NamedTuple

MAX_HEAD = 1 << 20
_MAX_CHUNK_LINE = 4096
_CACHEABLE = 2048
_REQUEST_LINE = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^ \x00-\x1f\x7f]+) HTTP/([0-9])\.([0-9])"
)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_ABSOLUTE = re.compile(r"https?://[^/?]*", re.IGNORECASE)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = frozenset((204, 304))


class BadRequest(Exception):
    """What came is not HTTP that can be served; the connection ends after the response."""

    def __init__(self, status: int, detail: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.reason = _REASONS[status] + (f": {detail}" if detail else "")


class BadBody(Exception):
    """The body of a request ends too early, or its chunks are broken."""


class Head(NamedTuple):
    """The head of a request. ``length`` is None for a chunked body."""

    method: str
    target: str
    headers: Mapping[str, str]
    length: int | None
    keep_alive: bool
    old: bool
    expects_continue: bool


def parse_head(raw: bytes) -> Head:
    """The request line and headers before the blank line. Raises BadRequest."""
    # A client repeats its heads, but for the length of the body.
    return _parse_cached(raw) if len(raw) <= _CACHEABLE else _parse_head(raw)


def _parse_head(raw: bytes) -> Head:
    lines = raw.decode("latin-1").split("\n")
    match = _REQUEST_LINE.fullmatch(lines[0].rstrip("\r"))
    if match is None:
        raise BadRequest(400)
    method, target, major, minor = match.groups()
    if major != "1":
        raise BadRequest(505, "unsupported protocol version")
    target = _ABSOLUTE.sub("", target, count=1) or "/"
    if target[0] not in "/?" and (method, target) != ("OPTIONS", "*"):
        raise BadRequest(400)
    if _BAD_ESCAPE.search(target.partition("?")[0]):
        raise BadRequest(400)
    headers: dict[str, str] = {}
    for line in lines[1:]:
        _add_header(headers, line.rstrip("\r"))
    old = minor == "0"
    if not old and "host" not in headers:
        raise BadRequest(400, "missing required Host header")
    tokens = headers.get("connection", "").lower()
    length = _body_length(headers)
    expectation = "" if old else headers.get("expect", "").lower()
    if expectation not in ("", "100-continue"):
        raise BadRequest(417)
    return Head(
        method,
        target,
        headers,
        length,
        "keep-alive" in tokens if old else "close" not in tokens,
        old,
        bool(expectation) and length != 0,
    )


_parse_cached = lru_cache(maxsize=256)(_parse_head)


def _add_header(headers: dict[str, str], line: str) -> None:
    match = _HEADER.fullmatch(line)
    if match is None:
        raise BadRequest(400)
    name, value = match[1].lower(), match[2]
    if name == "content-length" and headers.get(name, value) != value:
        raise BadRequest(400)
    if name == "host" and name in headers:
        raise BadRequest(400)
    headers.setdefault(name, value)


def _body_length(headers: Mapping[str, str]) -> int | None:
    coding = headers.get("transfer-encoding")
    if coding is not None:
        if coding.lower() != "chunked":
            raise BadRequest(501, "unsupported transfer encoding")
        return None
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadRequest(400)
    return int(text)


def take_chunks(buffer: bytearray, body: bytearray) -> bool:
    """Move whole chunks from ``buffer`` to ``body``; True once the last one has been taken.

    Raises BadBody.
    """
    while True:
        match = _CHUNK.match(buffer)
        if match is None:
            if b"\n" in buffer[:_MAX_CHUNK_LINE] or len(buffer) > _MAX_CHUNK_LINE:
                raise BadBody
            return False
        size = int(match[1], 16)
        if size == 0:
            return _take_trailers(buffer, match.end())
        end = match.end() + size
        if len(buffer) < end + 2:
            return False
        if buffer[end : end + 2] != b"\r\n":
            raise BadBody
        body += buffer[match.end() : end]
        del buffer[: end + 2]


def _take_trailers(buffer: bytearray, position: int) -> bool:
    while True:
        end = buffer.find(b"\n", position)
        if end < 0:
            if len(buffer) > MAX_HEAD:
                raise BadBody
            return False
        blank = not buffer[position:end].strip(b"\r")
        position = end + 1
        if blank:
            del buffer[:position]
            return True


def refusal(problem: BadRequest) -> bytes:
    """The response to a request that could not be read."""
    line = f"{problem.status} {problem.reason}"
    return (
        f"HTTP/1.1 {line}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Connection: close\r\n\r\n{line}"
    ).encode()


class ResponseWriter:
    """Puts responses together; ``common`` are headers that all of them carry."""

    def __init__(self, common: Mapping[str, str]) -> None:
        self._common = "".join(f"{name}: {value}\r\n" for name, value in common.items())
        self._second = 0
        self._shared = ""

    def response(
        self,
        head: Head,
        status: int,
        content_type: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        keep_alive: bool,
    ) -> bytes:
        """The bytes of one response."""
        version = "1.0" if head.old else "1.1"
        lines = [f"HTTP/{version} {status} {_REASONS[status]}\r\n", self._current_headers()]
        if content_type:
            lines.append(f"Content-Type: {content_type}\r\n")
        for name, value in headers.items():
            lines.append(f"{name}: {value}\r\n")
        if keep_alive is head.old:
            lines.append(f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n")
        if status in _BODILESS:
            return ("".join(lines) + "\r\n").encode("latin-1")
        lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        text = "".join(lines).encode("latin-1")
        return text if head.method == "HEAD" else text + body

    def _current_headers(self) -> str:
        now = int(time())
        if now != self._second:
            self._second = now
            self._shared = f"{self._common}Date: {_http_date(now)}\r\n"
        return self._shared


def _http_date(moment: int) -> str:
    t = gmtime(moment)
    day, month = _DAYS[t.tm_wday], _MONTHS[t.tm_mon - 1]
    clock = f"{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d}"
    return f"{day}, {t.tm_mday:02d} {month} {t.tm_year:04d} {clock} GMT"
