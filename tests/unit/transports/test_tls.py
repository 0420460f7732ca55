"""TLS: who is trusted, and what a broken stream says about a request."""

from __future__ import annotations

import ssl

import pytest

from pyrqlite.cluster.node import Node
from pyrqlite.errors import Error
from pyrqlite.flow.steps import AnswerLost, NotSent, Request, Response, TransportError
from pyrqlite.transports import Transport, Wire, make_transport
from tests.unit.transports.conftest import Certificates, MakeTransport
from tests.unit.transports.socket_server import (
    SocketServer,
    answer,
    no_tls,
    nothing,
    raw,
    reset,
    together,
)


def post(transport: Transport, server: SocketServer) -> Response:
    request = Request("POST", "/db/x", b"[]", repeatable=False, timeout=5.0)
    return transport.send(Node("https", "127.0.0.1", server.port), request)


def test_trusted_authority(make: MakeTransport, certificates: Certificates) -> None:
    with SocketServer([answer()] * 3, tls=certificates.server) as server:
        transport = make(ca_cert=str(certificates.ca))
        assert [post(transport, server).status for _ in range(3)] == [200] * 3
        assert server.opened == 1


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_insecure(make: MakeTransport, certificates: Certificates) -> None:
    with SocketServer([answer()], tls=certificates.wrong_name) as server:
        assert post(make(insecure=True), server).status == 200


@pytest.mark.parametrize("case", ["the system's authorities", "another authority", "another name"])
def test_refused(make: MakeTransport, certificates: Certificates, case: str) -> None:
    ca = {"another authority": certificates.other_ca, "another name": certificates.ca}.get(case)
    tls = certificates.wrong_name if case == "another name" else certificates.server
    with SocketServer([answer()], tls=tls) as server, pytest.raises(NotSent):
        post(make(ca_cert=str(ca) if ca else None), server)
    assert server.received == []


def test_server_without_tls(make: MakeTransport, certificates: Certificates) -> None:
    with SocketServer([answer()]) as server, pytest.raises(TransportError):
        post(make(ca_cert=str(certificates.ca), connect_timeout=0.2), server)


@pytest.mark.parametrize("files", ["one file", "two files"])
def test_client_certificate(make: MakeTransport, certificates: Certificates, files: str) -> None:
    options = {"client_cert": str(certificates.client)}
    if files == "two files":
        options = {
            "client_cert": str(certificates.client_cert),
            "client_key": str(certificates.client_key),
        }
    with SocketServer([answer()], tls=certificates.asks_client) as server:
        assert post(make(ca_cert=str(certificates.ca), **options), server).status == 200


def test_missing_client_certificate(make: MakeTransport, certificates: Certificates) -> None:
    with (
        SocketServer([answer()], tls=certificates.asks_client) as server,
        pytest.raises(TransportError),
    ):
        post(make(ca_cert=str(certificates.ca)), server)
    assert server.received == []


def test_own_context(certificates: Certificates) -> None:
    context = ssl.create_default_context(cafile=certificates.ca)
    transport = make_transport("auto", Wire({}, connect_timeout=5.0, ssl_context=context))
    with SocketServer([answer()], tls=certificates.server) as server:
        assert post(transport, server).status == 200
    transport.close()


@pytest.mark.parametrize("option", ["ca_cert", "client_cert"])
def test_missing_files_are_named(
    make: MakeTransport, certificates: Certificates, option: str
) -> None:
    files = {"ca_cert": str(certificates.ca), option: "/no/such/file.pem"}
    refused = pytest.raises((Error, NotSent), match=r"/no/such/file\.pem|ca_cert|client_cert")
    with SocketServer([answer()], tls=certificates.server) as server, refused:
        post(make(**files), server)
    assert server.received == []


@pytest.mark.parametrize("name", ["urllib3", "requests", "loop", "aiohttp"])
def test_garbage_behind_an_answer(make: MakeTransport, certificates: Certificates) -> None:
    """Where it comes in one record with the answer's end, the system knows of nothing more to read; only curl
    could, and does not tell."""
    rest = b"first" + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"
    head = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    script = [together(head, raw(rest)), answer(b"second")]
    with SocketServer(script, [answer(b"second")], tls=certificates.server) as server:
        transport = make(ca_cert=str(certificates.ca))
        assert post(transport, server).body == b"first"
        assert post(transport, server).body == b"second"


@pytest.mark.parametrize("end", [no_tls, nothing, reset])
@pytest.mark.parametrize("earlier", [0, 1])
def test_broken_behind_the_request(
    make: MakeTransport, certificates: Certificates, end: object, earlier: int
) -> None:
    """The node has the whole request: whatever breaks now must not count as never sent."""
    script = [*[answer()] * earlier, end]
    with SocketServer(script, [answer()], tls=certificates.server) as server:  # type: ignore[arg-type]
        transport = make(ca_cert=str(certificates.ca))
        for _ in range(earlier):
            post(transport, server)
        with pytest.raises(AnswerLost):
            post(transport, server)
    assert len(server.received) == earlier + 1
