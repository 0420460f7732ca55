"""Answers that come in pieces: nothing depends on where they were cut, and http.client makes the same of them."""

from __future__ import annotations

import http.client
import itertools
import socket
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyrqlite.transports.arriving import Answer, Arriving, BadAnswer

Read = tuple[int, bytes, str | None] | type[Exception]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def arrived(pieces: Sequence[bytes], method: str = "POST") -> Answer:
    """What is made of these pieces, before the connection ends."""
    arriving = Arriving(method)
    for piece in pieces:
        answer = arriving.feed(piece)
        if answer is not None:
            return answer
    return arriving.end()


def by_us(pieces: Sequence[bytes], method: str) -> Read:
    try:
        answer = arrived(pieces, method)
    except BadAnswer:
        return BadAnswer
    return answer.status, answer.body, answer.headers.get("x-a", "") or None


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(ends) if start < end]


def by_library(data: bytes, method: str) -> Read:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(ours, method=method)
        try:
            response.begin()
            return response.status, response.read(), response.headers.get("x-a")
        except (OSError, http.client.HTTPException) as error:
            return type(error)
        finally:
            response.close()


FIRST_LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 503",
        b"http/1.1 200 OK",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 204 No",
        b"HTTP/1.1 304 Not",
        b"HTTP/1.1 20011 OK",
    ]
)
HEADERS = st.sampled_from(
    [
        b"Content-Length: 5",
        b"content-length:5",
        b"CONTENT-LENGTH:\t5 ",
        b"Content-Length: 0",
        b"Content-Length: 12",
        b"Content-Length: +5",
        b"Content-Length: 5_0",
        b"Content-Length: -5",
        b"Content-Length: \xb2",
        b"Content-Length: " + b"1" * 5000,
        b"Content-Length:",
        b"Content-Length:\r\n 5",
        b"Content-Length: 5\r\n 0",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: xchunked",
        b"Connection: close",
        b"X-A: one",
        b"x-a:two",
        b"X-B: a\r\n\tContent-Length: 3",
        b"X-Content-Length: 1",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"abc",
        b"abcde",
        b"abcdefghijkl",
        b"5\r\nabcde\r\n0\r\n\r\n",
        b"\r\n\r\n",
        b"abcde\r\n\r\n",
    ]
)
PLACES = st.lists(st.integers(0, 200), max_size=6)


@given(
    FIRST_LINES, st.lists(HEADERS, max_size=4), BODIES, st.sampled_from(["POST", "HEAD"]), PLACES
)
@example(
    b"HTTP/1.1 200 OK", [b"Transfer-Encoding: chunked"], b"5\r\nabcde\r\n0\r\n\r\n", "POST", []
)
@example(b"http/1.1 200 OK", [b"content-length:5"], b"abcde", "POST", [])
def test_as_the_library_reads_it(
    first: bytes, headers: Sequence[bytes], body: bytes, method: str, places: Sequence[int]
) -> None:
    """Where it takes something for an answer that leaves doubt, we may see none."""
    if first[9:12] in (b"204", b"304"):  # which has no body; the library would wait for chunks
        headers = [header for header in headers if not header.startswith(b"Transfer-Encoding")]
    data = b"\r\n".join([first, *headers, b"", body])
    ours = by_us(cut(data, places), method)
    assert ours in (by_library(data, method), BadAnswer)


@given(st.lists(st.binary(max_size=40), max_size=5), PLACES)
def test_chunks(chunks: Sequence[bytes], places: Sequence[int]) -> None:
    chunks = [chunk for chunk in chunks if chunk]
    body = b"".join(b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    data = CHUNKED + body + b"0\r\nTrailer: 1\r\n\r\n"
    answer = arrived(cut(data, places))
    assert (answer.body, answer.reusable) == (b"".join(chunks), True)
    for end in range(len(data)):
        with pytest.raises(BadAnswer):
            arrived([data[:end]])


def test_a_length_beside_chunks_is_not_trusted_twice() -> None:
    head = CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n"
    answer = arrived([head + b"1\r\na\r\n0\r\n\r\n"])
    assert (answer.body, answer.reusable) == (b"a", False)


@given(PLACES)
def test_the_same_wherever_it_is_cut(places: Sequence[int]) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
    data = (
        interim + b"HTTP/1.1 503 No leader\r\nContent-Length: 5\r\nConnection: Close\r\n\r\nabcde"
    )
    answer = arrived(cut(data, places))
    assert (answer.status, answer.body, answer.reusable) == (503, b"abcde", False)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"1" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        CHUNKED + b"five\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"2\r\nabc\r\n",
        CHUNKED + b"1" * (1 << 17),
        CHUNKED + b"0\r\nX: " + b"x" * (1 << 17),
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 17),
    ],
)
def test_nonsense_is_noticed_at_once(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        Arriving("POST").feed(data)


def test_many_small_pieces_of_a_large_answer() -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    data = CHUNKED + chunk * 100 + b"0\r\n\r\n"
    answer = arrived([data[start : start + 4096] for start in range(0, len(data), 4096)])
    assert len(answer.body) == 0x8000 * 100


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n", True),
        (b"HTTP/1.1 200 OK\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n", True),
    ],
)
def test_whether_the_connection_can_go_on(head: bytes, reusable: bool) -> None:
    assert arrived([head + b"\r\nx"]).reusable is reusable
