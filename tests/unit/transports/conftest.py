"""Each transport in turn, and certificates for them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from pyrqlite.aio.carriers import Carrier
from pyrqlite.transports import Transport, Wire, make_transport
from pyrqlite.transports.aiohttp import AiohttpTransport
from pyrqlite.transports.loop import LoopTransport
from tests.worlds import Carried

MakeTransport = Callable[..., Transport]
LOOPS: dict[str, Callable[[Wire], Carrier]] = {"aiohttp": AiohttpTransport, "loop": LoopTransport}


@pytest.fixture(params=["urllib3", "curl", "requests", *LOOPS])
def name(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def make(name: str) -> Iterator[MakeTransport]:
    """Makes a transport with the wire's options; it is closed at the end."""
    with ExitStack() as stack:

        def make_one(**options: Any) -> Transport:
            headers = options.pop("headers", {"User-Agent": "test", "Content-Type": "text/x"})
            wire = Wire(headers, **{"connect_timeout": 5.0, **options})
            kind = LOOPS.get(name)
            transport = make_transport(name, wire) if kind is None else Carried(kind(wire))
            stack.callback(transport.close)
            return transport

        yield make_one


@dataclass(frozen=True)
class Certificates:
    """PEM files of an authority, of a client that it knows; and contexts of servers."""

    ca: Path
    other_ca: Path
    client: Path
    client_cert: Path
    client_key: Path
    server: ssl.SSLContext
    wrong_name: ssl.SSLContext
    asks_client: ssl.SSLContext


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "other.pem")
    client = authority.issue_cert("client@example.org")
    client.private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    client.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    client.private_key_pem.write_to_path(folder / "key.pem")

    def context(host: str) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(made)
        return made

    asks_client = context("127.0.0.1")
    asks_client.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(asks_client)
    return Certificates(
        folder / "ca.pem",
        folder / "other.pem",
        folder / "client.pem",
        folder / "cert.pem",
        folder / "key.pem",
        context("127.0.0.1"),
        context("example.org"),
        asks_client,
    )
