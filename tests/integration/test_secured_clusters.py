"""Three nodes with TLS, client certificates and users, as a production cluster has them."""

from __future__ import annotations

import base64
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pyrqlite import (
    AccessDeniedError,
    Connection,
    InterfaceError,
    OperationalError,
    run_transaction,
)
from pyrqlite.admin import verify
from tests.integration.conftest import Connect, Files, tls_options
from tests.rqlited import (
    NodeOptions,
    RqlitedCluster,
    RqlitedNode,
    User,
    running_cluster,
    wait_until,
)

PASSWORD = "s:e@c/r?e#t[ü]% +"
USERS = (
    User("all", PASSWORD, ("all",)),
    User("app", PASSWORD, ("query", "execute")),
    User("keeper", PASSWORD, ("backup", "load", "ready")),
    User("*", "", ("status",)),
)


@pytest.fixture(scope="module")
def secured(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory, files: Files
) -> Iterator[RqlitedCluster]:
    """TLS and certificates on both sides, between the nodes too."""
    between = ("-node-cert", files.cert, "-node-key", files.key, "-node-ca-cert", files.ca)
    options = NodeOptions(
        users=USERS,
        tls=tls_options(files, verify_client=True).tls,
        raft_timeout="500ms",
        extra=(*between, "-node-verify-client", "-join-as", "all"),
    )
    folder = tmp_path_factory.mktemp("secured")
    with running_cluster(rqlited_binary, folder, options=options) as cluster:
        yield cluster


def options_of(files: Files, user: str = "app") -> dict[str, Any]:
    return {
        "user": user,
        "password": PASSWORD,
        "ca_cert": files.ca,
        "client_cert": files.client,
    }


@pytest.mark.cluster
class TestSecured:
    def test_reads_writes_and_transactions(
        self, secured: RqlitedCluster, files: Files, connect: Connect, transport: str
    ) -> None:
        for node in secured.nodes:
            connection = connect(node.url, transport=transport, **options_of(files))
            connection.execute("DROP TABLE IF EXISTS t")
            connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
            connection.executemany("INSERT INTO t (a) VALUES (?)", [(1,), (b"\xff",)])

            def add(connection: Connection) -> None:
                (count,) = connection.execute("SELECT count(*) FROM t").fetchone()
                connection.execute("INSERT INTO t (a) VALUES (?)", (count,))

            run_transaction(connection, add)
            for level in ("weak", "linearizable", "strong"):
                rows = connection.execute("SELECT a FROM t ORDER BY id", level=level)
                assert rows.fetchall() == [(1,), (b"\xff",), (2,)]

    def test_administration(
        self,
        secured: RqlitedCluster,
        files: Files,
        connect: Connect,
        transport: str,
        tmp_path: Path,
    ) -> None:
        follower = secured.followers()[0]
        admin = connect(follower.url, transport=transport, **options_of(files, "all")).admin
        assert {node.api_address for node in admin.nodes()} == set(secured.urls)
        assert all(admin.ready(node=node) for node in admin.nodes())
        file = tmp_path / "copy"
        keeper = connect(follower.url, transport=transport, **options_of(files, "keeper")).admin
        keeper.backup(file)
        keeper.load(file)
        keeper.backup(tmp_path / "own", node=follower.url)
        copy = sqlite3.connect(file)
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        copy.close()
        with pytest.raises(AccessDeniedError, match="permission leader-ops"):
            keeper.step_down()
        assert len(keeper.nodes()) == 3, "everybody may"
        with pytest.raises(InterfaceError, match="no TLS"):
            keeper.status(node=follower.url.replace("https", "http"))

    def test_step_down(self, secured: RqlitedCluster, files: Files, connect: Connect) -> None:
        connection = connect(secured.nodes[0].url, **options_of(files, "all"))
        other = secured.followers()[0]
        connection.admin.step_down(other.raft_address)
        wait_until(lambda: secured.leader() is other, what="the one that was named leads")
        connection.execute("CREATE TABLE IF NOT EXISTS u (a)")

    def test_without_a_certificate(
        self, secured: RqlitedCluster, files: Files, connect: Connect, transport: str
    ) -> None:
        options = {**options_of(files), "client_cert": None, "transport": transport}
        connection = connect(secured.nodes[0].url, **options)
        with pytest.raises(OperationalError):
            connection.execute("SELECT 1")

    def test_verify(self, secured: RqlitedCluster, files: Files) -> None:
        report = verify(secured.nodes[0].url, **options_of(files, "all"))
        assert report.equal

    def test_passwords_are_never_shown(
        self,
        secured: RqlitedCluster,
        files: Files,
        connect: Connect,
        transport: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        place = secured.followers()[0].http_address
        url = f"https://keeper:{quote(PASSWORD, safe='')}@{place}/?ca_cert={files.ca}"
        connection = connect(url, client_cert=files.client, log_values=True, transport=transport)
        said = [repr(connection.options), repr(connection.session.cluster.transport)]
        for call in (
            lambda: connection.execute("CREATE TABLE never (a)"),
            connection.admin.leader,
            lambda: connection.admin.backup("/nowhere/at/all"),
            connection.admin.ready,
        ):
            try:
                call()
            except (OperationalError, OSError) as error:
                said += [repr(error), str(error), repr(vars(error))]
        said.append(caplog.text)
        credentials = base64.b64encode(f"keeper:{PASSWORD}".encode()).decode()
        for secret in (PASSWORD, quote(PASSWORD, safe=""), credentials):
            assert secret not in "\n".join(said)


@pytest.mark.rqlited
def test_no_way_from_tls_to_a_leader_without(
    rqlited_binary: Path, tmp_path: Path, files: Files, connect: Connect, transport: str
) -> None:
    plain = RqlitedNode(rqlited_binary, tmp_path / "plain", NodeOptions(raft_timeout="500ms"))
    options = NodeOptions(tls=tls_options(files, verify_client=False).tls, raft_timeout="500ms")
    guarded = RqlitedNode(rqlited_binary, tmp_path / "guarded", options)
    try:
        plain.start()
        plain.wait_ready()
        guarded.join = (plain.raft_address,)
        guarded.start()
        guarded.wait_ready()
        connection = connect(
            guarded.url, ca_cert=files.ca, user="u", password=PASSWORD, transport=transport
        )
        with pytest.raises(OperationalError, match="not https"):
            connection.execute("CREATE TABLE never (a)")
        with pytest.raises(OperationalError, match="not https"):
            connection.admin.backup(tmp_path / "copy")
        report = verify(guarded.url, ca_cert=files.ca)
        assert not report.equal
        found = connect(plain.url).execute("SELECT count(*) FROM sqlite_schema", level="strong")
        assert found.fetchone() == (0,)
    finally:
        for node in (guarded, plain):
            if node.running:
                node.kill()
