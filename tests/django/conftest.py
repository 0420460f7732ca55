"""Servers that enforce foreign keys, and the tables of the shop on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connections

from tests.rqlited import NodeOptions, running_node
from tests.servers import Server, fresh


@pytest.fixture(scope="session")
def embedded_with_everything() -> Iterator[Server]:
    """An embedded server with foreign keys and extensions."""
    from rqlite_embedded import EmbeddedServer, Options

    with EmbeddedServer(None, Options(fk=True, extensions=True)) as server:
        yield server


@pytest.fixture(scope="session")
def rqlited_with_keys(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A real node with foreign keys."""
    directory = tmp_path_factory.mktemp("rqlited-fk")
    with running_node(rqlited_binary, directory, NodeOptions(foreign_keys=True)) as node:
        yield node


@pytest.fixture(params=["embedded", pytest.param("rqlited", marks=pytest.mark.rqlited)])
def url(request: pytest.FixtureRequest) -> str:
    """The address of each kind of server in turn, with an empty database."""
    fixture = {"embedded": "embedded_with_everything", "rqlited": "rqlited_with_keys"}
    server: Server = request.getfixturevalue(fixture[request.param])
    fresh(server.url)
    return server.url


def use(alias: str, name: str, **options: Any) -> Any:
    """Let an alias be this database, for all threads."""
    connection = connections[alias]
    connection.close()
    connection.settings_dict.update(NAME=name, OPTIONS=options)
    for cached in ("features", "ops"):
        for attribute in ("supports_foreign_keys",):
            getattr(connection, cached).__dict__.pop(attribute, None)
    return connection


def make_tables(connection: Any) -> None:
    """The tables of the shop."""
    with connection.schema_editor() as editor:
        for model in apps.get_app_config("shop").get_models():
            editor.create_model(model)


@pytest.fixture
def shop(url: str) -> Iterator[Any]:
    """The connection of the default database: each kind of server in turn, with the tables of the shop."""
    connection = use("default", url)
    make_tables(connection)
    yield connection
    connection.close()
    connection.settings_dict.update(NAME=":memory:", OPTIONS={})
