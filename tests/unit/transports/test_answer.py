"""Answers as they come from a socket."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from pyrqlite.flow.steps import PIECE
from pyrqlite.transports.answer import read_answer
from pyrqlite.transports.arriving import Answer, BadAnswer


def received(*pieces: bytes, method: str = "POST") -> Answer:
    """What is read of a connection on which so much comes before it ends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for piece in pieces:
            theirs.sendall(piece)
        theirs.shutdown(socket.SHUT_WR)
        return read_answer(ours, method, ours.recv(PIECE))


def test_what_comes_behind_an_answer_ends_the_connection() -> None:
    answer = received(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\n\r\n")
    assert (answer.body, answer.reusable) == (b"ab", False)


@pytest.mark.parametrize("sent", [0, 1, 30, 50])
def test_an_answer_that_ends_early(sent: int) -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n0123456789"
    with pytest.raises(BadAnswer):
        received(data[:sent])


def test_the_end_of_the_connection_is_that_of_the_answer() -> None:
    answer = received(b"HTTP/1.1 200 OK\r\n\r\n", b"ab", b"cd")
    assert (answer.body, answer.reusable) == (b"abcd", False)


def test_a_long_body_in_pieces() -> None:
    body = bytes(range(256)) * 600
    with suppress(BlockingIOError):
        answer = received(b"HTTP/1.1 200 OK\r\nContent-Length: 153600\r\n\r\n" + body)
        assert (answer.body, answer.reusable) == (body, True)
