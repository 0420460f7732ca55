"""The user's own `requests.Session`: its authentication, adapters, proxies and hooks."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)

from pyrqlite.cluster.node import Node
from pyrqlite.errors import InterfaceError
from pyrqlite.flow.steps import PIECE, NotSent, Request, Response, Upload, failed_exchange
from pyrqlite.transports import Wire


class RequestsTransport:
    """Sends by a session, which stays open where the user gave it."""

    def __init__(self, wire: Wire, session: requests.Session | None = None) -> None:
        if wire.ssl_context is not None:
            raise InterfaceError(
                "a requests.Session makes its own TLS context: give ca_cert, client_cert and client_key, or "
                "mount an adapter with your ssl_context on a session of your own"
            )
        self._wire = wire
        self._own = session is None
        self._session = session or _own_session()
        self._process = os.getpid()

    def send(self, node: Node, request: Request) -> Response:
        wire = self._wire
        if self._own and self._process != os.getpid():
            # A forked child leaves the parent's connections alone.
            self._session, self._process = _own_session(), os.getpid()
        options: dict[str, object] = {}
        if wire.insecure or wire.ca_cert:
            options["verify"] = False if wire.insecure else wire.ca_cert
        if wire.client_cert:
            options["cert"] = (
                (wire.client_cert, wire.client_key) if wire.client_key else wire.client_cert
            )
        try:
            response = self._session.request(
                request.method,
                f"{node}{request.target}",
                data=request.body if request.upload is None else _Body(request.upload),
                headers=dict(wire.headers),
                timeout=(wire.connect_seconds(request), request.timeout),
                allow_redirects=False,
                auth=_keep if "Authorization" in wire.headers else None,
                stream=True,
                **options,  # type: ignore[arg-type]
            )
            body = _read(response, request)
        except requests.RequestException as error:
            if _never_left(error):
                raise NotSent(str(error)) from error
            timed_out = isinstance(error, requests.Timeout)
            raise failed_exchange(request, str(error), timed_out=timed_out) from error
        except LocationParseError as error:
            raise NotSent(str(error)) from error
        except OSError as error:
            raise InterfaceError(
                f"the TLS certificates cannot be read ({error}): check ca_cert, client_cert and client_key"
            ) from error
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Response(response.status_code, headers, body, node)

    def close(self) -> None:
        if self._own:
            self._session.close()


class _Body:
    """An upload in the form that requests sends with a Content-Length."""

    def __init__(self, upload: Upload) -> None:
        upload.begin()
        self._upload = upload
        self.read = upload.read

    def __len__(self) -> int:
        return self._upload.size

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.read, b"")


def _read(response: requests.Response, request: Request) -> bytes:
    """The body, unless the request's download has taken it."""
    if response.status_code < 200:
        response.close()  # the answer itself may still come, and would be taken for that to another request
        raise requests.ConnectionError(f"{response.status_code} is no answer yet")
    if request.download is None or response.status_code != 200:
        return response.content
    with response:
        length = response.headers.get("Content-Length", "")
        request.download.begin(int(length) if length.isdecimal() else None)
        for piece in response.iter_content(PIECE):
            request.download.write(piece)
    return b""


def _own_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no ~/.netrc, no proxies that connect() was not told of
    return session


def _never_left(error: requests.RequestException) -> bool:
    if isinstance(error, requests.ConnectTimeout):
        return True
    if isinstance(error, requests.exceptions.SSLError):
        return _is_about_certificate(error)
    if not isinstance(error, requests.ConnectionError):
        return isinstance(
            error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
        )
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, (NewConnectionError, NameResolutionError, ConnectTimeoutError))


def _is_about_certificate(error: BaseException | None) -> bool:
    """Whether TLS failed in its handshake, where nothing of the request has left yet."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        reason = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        error = reason if isinstance(reason, BaseException) else error.__cause__
    return False


def _keep(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Authentication that changes nothing: else requests would put what ~/.netrc says over our header."""
    return request
