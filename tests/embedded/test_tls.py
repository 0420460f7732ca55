"""TLS, with and without certificates of clients."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from rqlite_embedded import TLS, EmbeddedServer, Options
from tests.plain_http import send_once


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> TLS:
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = str(tmp_path / "server.pem")
    return TLS(server, server, str(tmp_path / "ca.pem"))


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_tls(files: TLS, context: ssl.SSLContext) -> None:
    with EmbeddedServer(None, Options(tls=files)) as server:
        assert server.url.startswith("https://")
        reply = send_once(server.url, "GET", "/nodes?ver=2", context=context)
        assert reply.json["nodes"][0]["api_addr"] == server.url
        tls = send_once(server.url, "GET", "/status?key=http.tls.enabled", context=context)
        assert tls.json == "true"
        with pytest.raises(ssl.SSLError):
            send_once(server.url, "GET", "/readyz", context=ssl.create_default_context())


def test_certificates_of_clients(
    authority: trustme.CA, files: TLS, context: ssl.SSLContext
) -> None:
    files.verify_client = True
    with EmbeddedServer(None, Options(tls=files)) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            send_once(server.url, "GET", "/readyz", context=context)
        stranger = ssl.create_default_context()
        authority.configure_trust(stranger)
        trustme.CA().issue_cert("client@example.org").configure_cert(stranger)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            send_once(server.url, "GET", "/readyz", context=stranger)
        authority.issue_cert("client@example.org").configure_cert(context)
        assert send_once(server.url, "GET", "/readyz", context=context).status == 200
