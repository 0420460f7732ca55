"""Answers read by the short way are what http.client makes of them."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrqlite.transports.answer import Answer, read_answer

Read = tuple[int, bytes, str | None] | type[Exception]


def received(*pieces: bytes, method: str = "POST") -> Answer:
    """What is read of a connection on which so much comes before it ends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for piece in pieces:
            theirs.sendall(piece)
        theirs.shutdown(socket.SHUT_WR)
        return read_answer(ours, method)


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


def by_us(data: bytes, method: str) -> Read:
    try:
        answer = received(data, method=method)
    except (OSError, http.client.HTTPException) as error:
        return type(error)
    found = answer.headers.get("x-a", "")
    return answer.status, answer.body, found or None


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
        b"Content-Length:",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Connection: close",
        b"X-A: one",
        b"x-a:two",
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
FIRST_LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 503", b"http/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No",
     b"HTTP/1.1 304 Not", b"HTTP/1.1 2x0 OK", b"HTTP/1.1 99 OK", b"HTTP/1.1 20011 OK", b"nonsense", b""]
)  # fmt: skip


@given(FIRST_LINES, st.lists(HEADERS, max_size=4), BODIES, st.sampled_from(["POST", "GET", "HEAD"]))
def test_as_the_library_reads_it(
    first: bytes, headers: Sequence[bytes], body: bytes, method: str
) -> None:
    data = b"\r\n".join([first, *headers, b"", body])
    assert by_us(data, method) == by_library(data, method)


def test_what_comes_behind_an_answer_ends_the_connection() -> None:
    answer = received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\n\r\n")
    assert (answer.body, answer.reusable) == (b"ab", False)


@pytest.mark.parametrize("sent", [0, 1, 30, 50])
def test_an_answer_that_ends_early(sent: int) -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789"
    with pytest.raises((OSError, http.client.HTTPException)):
        received(data[:sent])


def test_a_long_body_in_pieces() -> None:
    body = bytes(range(256)) * 600
    with suppress(BlockingIOError):
        answer = received(b"HTTP/1.1 200 OK\r\nContent-Length: 153600\r\n\r\n" + body)
        assert (answer.body, answer.reusable) == (body, True)
