"""Who may do what."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rqlite_embedded import EmbeddedServer, Options
from rqlite_embedded.auth import Credentials, CredentialsError
from tests.embedded.asking import Ask, over_http
from tests.plain_http import PlainClient

USERS = [
    {"username": "all", "password": "secret", "perms": ["all"]},
    {"username": "reader", "password": "p:w", "perms": ["query", "status"]},
    {"username": "both", "password": "b", "perms": ["query", "execute"]},
    {"username": "nobody", "password": "n"},
    {"username": "*", "perms": ["ready"]},
]
PERMISSIONS = {
    ("POST", "/db/execute"): {"execute"},
    ("GET", "/db/query"): {"query"},
    ("GET", "/db/sql?q=SELECT+1"): {"query"},
    ("POST", "/db/request"): {"query", "execute"},
    ("GET", "/db/backup"): {"backup"},
    ("POST", "/db/load"): {"load"},
    ("POST", "/boot"): {"load"},
    ("POST", "/snapshot"): {"snapshot"},
    ("POST", "/reap"): {"snapshot"},
    ("GET", "/status"): {"status"},
    ("GET", "/nodes"): {"status"},
    ("GET", "/licenses"): {"status"},
    ("GET", "/debug/vars"): {"status"},
    ("GET", "/leader"): {"leader-ops"},
    ("POST", "/leader"): {"leader-ops"},
    ("DELETE", "/remove"): {"remove"},
    ("GET", "/console/"): {"ui"},
    ("GET", "/readyz"): {"ready"},
}


def basic(name: str, password: str) -> dict[str, str]:
    token = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    file = tmp_path / "auth.json"
    file.write_text(json.dumps(USERS))
    with (
        EmbeddedServer(None, Options(auth=str(file))) as server,
        PlainClient(server.url) as client,
    ):
        yield over_http(client)


def test_each_endpoint_wants_its_permissions(ask: Ask) -> None:
    own = {
        "all": None,
        "reader": {"query", "status"},
        "both": {"query", "execute"},
        "nobody": set(),
    }
    passwords = {"all": "secret", "reader": "p:w", "both": "b", "nobody": "n"}
    for (method, path), wanted in PERMISSIONS.items():
        for name, permissions in own.items():
            allowed = permissions is None or wanted <= permissions | {"ready"}
            reply = ask(method, path, headers=basic(name, passwords[name]))
            assert (reply.status != 401) is allowed, (method, path, name)
            assert allowed or reply.body == b""


def test_credentials_that_are_not_enough(ask: Ask) -> None:
    for headers in (
        {},
        basic("all", "wrong"),
        basic("", ""),
        basic("*", ""),
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic !"},
        {"Authorization": basic("all", "secret")["Authorization"].rstrip("=")},
    ):
        reply = ask("GET", "/db/query?q=SELECT+1", headers=headers)
        assert reply.refusal == (401, "")
        assert reply.headers["www-authenticate"] == 'Basic realm="rqlite"'
        assert reply.headers["access-control-allow-credentials"] == "true"
        # What everybody may do, a wrong password does not take away.
        assert ask("GET", "/readyz", headers=headers).status == 200


def test_the_permission_is_checked_before_the_method_and_after_the_query_string(ask: Ask) -> None:
    assert ask("GET", "/db/execute").status == 401
    assert ask("GET", "/nope").status == 404
    assert ask("GET", "/db/query?timeout=x").status == 400
    assert ask("OPTIONS", "/db/query").status == 200
    assert ask("GET", "/").status == 302


@pytest.mark.parametrize("text", ["", "{}x", "5", '["x"]', '[{"perms": 5}]'])
def test_files_that_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "auth.json"
    file.write_text(text)
    with pytest.raises(CredentialsError, match="not a list of users"):
        Credentials.load(str(file))
