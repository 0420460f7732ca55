"""Reading the answer to a request from a socket."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from pyrqlite.flow.steps import PIECE, Download
from pyrqlite.transports.arriving import Answer, Arriving, BadAnswer

if TYPE_CHECKING:
    import socket


def read_answer(sock: socket.socket, method: str, piece: bytes) -> Answer:
    """The answer that begins with this piece; OSError or BadAnswer where only half of one comes."""
    arriving = Arriving(method)
    while True:
        answer = arriving.feed(piece) if piece else arriving.end()
        if answer is not None:
            return answer
        piece = sock.recv(PIECE)


def take_answer(sock: socket.socket, download: Download) -> Answer:
    """The answer to a GET, whose body the download takes if its status is 200."""
    message = http.client.HTTPResponse(sock, method="GET")
    body = b""
    try:
        message.begin()
        if message.status == 200:
            _take(message, download)
        elif message.status < 200:
            raise BadAnswer(f"{message.status} is no answer yet")  # http.client waits no longer
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
