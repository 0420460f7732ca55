"""libcurl, by pycurl."""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from io import BytesIO
from typing import cast

import pycurl
import requests.utils

from pyrqlite.cluster.node import Node
from pyrqlite.errors import InterfaceError
from pyrqlite.flow.steps import (
    Download,
    GivenUp,
    NotSent,
    Request,
    Response,
    Upload,
    Watch,
    failed_exchange,
)
from pyrqlite.transports import CLOSE_IN_GOOD_ORDER, RESET_ON_CLOSE, Wire
from pyrqlite.transports.arriving import Head
from pyrqlite.transports.idle import Idle
from pyrqlite.transports.silence import next_pause

_FOR_EVER = 2**31 - 1

_NEVER_LEFT = frozenset(
    {
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_RESOLVE_PROXY,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_CIPHER,
    }
)

_TIMED_OUT = (pycurl.E_ABORTED_BY_CALLBACK, pycurl.E_OPERATION_TIMEDOUT)


class CurlTransport:
    """Keeps curl handles, each with its sockets, and hands each to one thread at a time."""

    def __init__(self, wire: Wire) -> None:
        if wire.ssl_context is not None:
            raise InterfaceError(
                "the curl transport cannot use an ssl_context: give ca_cert, client_cert and client_key, or "
                "choose transport='urllib3'"
            )
        self._wire = wire
        self._idle: Idle[pycurl.Curl] = Idle()
        # Without the empty Expect curl would ask for leave before it sends a large body.
        self._headers = [f"{name}: {value}" for name, value in wire.headers.items()] + ["Expect:"]
        self._ca_cert = wire.ca_cert or _system_certificates()

    def send(self, node: Node, request: Request) -> Response:
        curl = self._taken(node, request.repeatable) or self._new()
        head: list[bytes] = []
        body = BytesIO()
        source = None if request.upload is None else _Source(request.upload)
        sink = None if request.download is None else _Sink(request.download, head, body)
        curl.setopt(pycurl.URL, f"{node}{request.target}")
        _set_method(curl, request, source)
        patience = _Patience(request.timeout, request.watch)
        _set_timeout(curl, request.timeout, patience)
        curl.setopt(pycurl.WRITEDATA, sink or body)
        curl.setopt(pycurl.HEADERFUNCTION, head.append)
        try:
            curl.perform()
        except pycurl.error as error:
            code, text, *_ = cast("tuple[int, str]", error.args)
            never_left = code in _NEVER_LEFT or _never_connected(curl, node)
            curl.close()
            for local in (source, sink, patience):
                if local is not None and local.failure is not None:
                    raise local.failure from local.failure.__cause__
            if code == pycurl.E_ABORTED_BY_CALLBACK:
                text = patience.text
            if never_left:
                raise NotSent(text) from error
            raise failed_exchange(request, text, timed_out=code in _TIMED_OUT) from error
        except BaseException:
            curl.close()
            raise
        if sink is not None:
            sink.end()
        status = curl.getinfo(pycurl.RESPONSE_CODE)
        if not self._idle.put((node, request.repeatable), curl):
            curl.close()
        return Response(status, Head(b"\r\n".join(head)), body.getvalue(), node)

    def _taken(self, node: Node, repeatable: bool) -> pycurl.Curl | None:
        """An idle handle whose socket the node has not closed meanwhile: curl itself looks only at times."""
        while (curl := self._idle.take((node, repeatable))) is not None:
            poll = select.poll()
            socket_number = curl.getinfo(pycurl.ACTIVESOCKET)
            if socket_number < 0:
                return curl
            poll.register(socket_number, select.POLLIN)
            if not poll.poll(0):
                return curl
            curl.close()
        return None

    def _new(self) -> pycurl.Curl:
        curl = pycurl.Curl()
        wire = self._wire
        curl.setopt(pycurl.HTTPHEADER, self._headers)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.TCP_NODELAY, 1)
        curl.setopt(pycurl.SOCKOPTFUNCTION, _reset_on_close)
        curl.setopt(pycurl.NOPROXY, "*")
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(wire.connect_timeout))
        curl.setopt(pycurl.CAINFO, self._ca_cert)
        if wire.client_cert:
            curl.setopt(pycurl.SSLCERT, wire.client_cert)
            curl.setopt(pycurl.SSLKEY, wire.client_key or wire.client_cert)
        if wire.insecure:
            curl.setopt(pycurl.SSL_VERIFYPEER, 0)
            curl.setopt(pycurl.SSL_VERIFYHOST, 0)
        return curl

    def close(self) -> None:
        for curl in self._idle.close():
            _close(curl)


def _set_method(curl: pycurl.Curl, request: Request, source: _Source | None) -> None:
    body = request.body or b""
    if request.method == "GET":
        curl.setopt(pycurl.HTTPGET, 1)
        curl.unsetopt(pycurl.CUSTOMREQUEST)
        return
    curl.setopt(pycurl.POST, 1)
    if request.method == "POST":
        curl.unsetopt(pycurl.CUSTOMREQUEST)
    else:
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)
    if source is not None:
        curl.setopt(pycurl.POSTFIELDSIZE_LARGE, source.size)
        curl.setopt(pycurl.READFUNCTION, source.read)
        curl.setopt(pycurl.FRESH_CONNECT, 0)
        return
    if request.repeatable:
        curl.setopt(pycurl.POSTFIELDS, body)
        return
    # When a kept connection dies before the answer, curl sends the request again by itself: a write twice.
    # From a source that it cannot rewind it does not, and says so; one without a body gets a connection of
    # its own.
    curl.setopt(pycurl.POSTFIELDSIZE_LARGE, len(body))
    curl.setopt(pycurl.READFUNCTION, BytesIO(body).read)
    curl.setopt(pycurl.FRESH_CONNECT, 0 if body else 1)


class _Source:
    """An upload for curl, which cannot carry an exception: `failure` is what was raised."""

    def __init__(self, upload: Upload) -> None:
        upload.begin()
        self.size = upload.size
        self.failure: BaseException | None = None
        self._upload = upload

    def read(self, most: int) -> bytes | int:
        try:
            return self._upload.read(most)
        except BaseException as error:
            self.failure = error
            return pycurl.READFUNC_ABORT


class _Sink:
    """Where curl writes: a body of status 200 into the download, any other beside it."""

    def __init__(self, download: Download, head: list[bytes], other: BytesIO) -> None:
        self.failure: BaseException | None = None
        self._download = download
        self._head = head
        self._other = other
        self._begun = False

    def write(self, piece: bytes) -> int:
        try:
            return self._take(piece)
        except BaseException as error:
            self.failure = error
            return -1

    def end(self) -> None:
        """All was written: perhaps nothing."""
        if not self._begun:
            self._begin()

    def _take(self, piece: bytes) -> int:
        if not self._begun and not self._begin():
            return self._other.write(piece)
        self._download.write(piece)
        return len(piece)

    def _begin(self) -> bool:
        status = [line for line in self._head if line.startswith(b"HTTP/")][-1].split()[1]
        if status == b"200":
            length = Head(b"\r\n".join(self._head)).get("content-length", "")
            self._download.begin(int(length) if length.isdecimal() else None)
            self._begun = True
        return self._begun


def _milliseconds(seconds: float | None) -> int:
    return _FOR_EVER if seconds is None else min(max(1, round(seconds * 1000)), _FOR_EVER)


def _set_timeout(curl: pycurl.Curl, seconds: float | None, patience: _Patience) -> None:
    """Bound each wait for a sign of the node. curl looks once a second: less than that is bounded as a whole."""
    curl.setopt(pycurl.TIMEOUT_MS, _milliseconds(seconds) if seconds and seconds < 1 else 0)
    curl.setopt(pycurl.NOPROGRESS, 1 if seconds and seconds < 1 else 0)
    curl.setopt(pycurl.XFERINFOFUNCTION, patience)


class _Patience:
    """Told by curl how much has come and gone, ends the exchange when nothing has for too long.

    `failure` is what became of the watch, since curl cannot carry an exception, and `text` what else ended the
    exchange.
    """

    def __init__(self, timeout: float | None, watch: Watch | None) -> None:
        self.failure: BaseException | None = None
        self.text = ""
        self._timeout = timeout
        self._watch = watch
        self._moved = (0, 0)
        self._since = time.monotonic()
        self._until = self._since + next_pause(0.0, timeout)

    def __call__(self, to_come: int, come: int, to_go: int, gone: int) -> int:
        now = time.monotonic()
        if (come, gone) != self._moved:
            self._moved, self._since = (come, gone), now
            self._until = now + next_pause(0.0, self._timeout)
        return int(now > self._until and self._is_over(now - self._since))

    def _is_over(self, silent: float) -> bool:
        try:
            pause = next_pause(silent, self._timeout)
            if self._watch is not None and not self._watch():
                raise GivenUp
        except TimeoutError:
            self.text = f"no answer within {self._timeout} s"
        except BaseException as error:
            self.failure = error
        else:
            self._until = time.monotonic() + pause
            return False
        return True


def _never_connected(curl: pycurl.Curl, node: Node) -> bool:
    """Whether a time-out came before there was a connection to send anything on."""
    ready = pycurl.APPCONNECT_TIME if node.scheme == "https" else pycurl.CONNECT_TIME
    return bool(curl.getinfo(ready) == 0 and curl.getinfo(pycurl.REQUEST_SIZE) == 0)


def _close(curl: pycurl.Curl) -> None:
    """Close an idle connection in good order."""
    number = curl.getinfo(pycurl.ACTIVESOCKET)
    if number >= 0:
        with socket.socket(fileno=os.dup(number)) as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_IN_GOOD_ORDER)
    curl.close()


def _reset_on_close(number: int, purpose: int) -> int:
    """Have a socket closed with a reset, so that the kernel does not go on sending what was given up."""
    with socket.socket(fileno=os.dup(number)) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    return 0


def _system_certificates() -> str:
    """Where this system keeps the certificates that it trusts: curl's own idea of it is another system's."""
    found = ssl.get_default_verify_paths().cafile
    return found or requests.utils.DEFAULT_CA_BUNDLE_PATH
