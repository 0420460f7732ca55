"""Each transport in turn, and connections that are closed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import trustme

import pyrqlite
from pyrqlite import Connection
from tests import worlds
from tests.rqlited import NodeOptions, TLSFiles


class Connect(Protocol):
    """The type of the fixture `connect`."""

    def __call__(self, target: str | None = None, **options: Any) -> Connection: ...


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens connections that apply each statement at once; with the transport aiohttp, those of asyncio."""
    with ExitStack() as stack:

        def open_one(target: str | None = None, **options: Any) -> Connection:
            way_in = pyrqlite.connect
            if options.get("transport") == "aiohttp":
                way_in = worlds.connect
                del options["transport"]
            connection = way_in(target, **{"autocommit": True, **options})
            stack.callback(connection.close)
            return connection

        yield open_one


@pytest.fixture(params=["urllib3", "curl", "requests"])
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@dataclass(frozen=True)
class Files:
    """PEM files."""

    ca: str
    other_ca: str
    cert: str
    key: str
    client: str
    stranger: str


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("pem")
    authority, other = trustme.CA(), trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    other.cert_pem.write_to_path(folder / "other.pem")
    server.private_key_pem.write_to_path(folder / "key.pem")
    server.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(
        folder / "client.pem"
    )
    other.issue_cert("stranger").private_key_and_cert_chain_pem.write_to_path(
        folder / "stranger.pem"
    )
    names = ("ca", "other", "cert", "key", "client", "stranger")
    return Files(*(str(folder / f"{name}.pem") for name in names))


def tls_options(files: Files, *, verify_client: bool) -> NodeOptions:
    return NodeOptions(
        tls=TLSFiles(Path(files.cert), Path(files.key), Path(files.ca), verify_client)
    )
