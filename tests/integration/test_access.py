"""Authentication and TLS, against real servers."""

from __future__ import annotations

import io
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from pyrqlite import (
    AccessDeniedError,
    Connection,
    Error,
    OperationalError,
    ProgrammingError,
    UnreachableError,
)
from tests.integration.conftest import Connect, Files, tls_options
from tests.rqlited import NodeOptions, RqlitedNode, User, running_node
from tests.servers import NodeFactory

PASSWORD = "s:e@c/r?e#t[ü]% +"
PERMISSIONS = (
    *("query", "execute", "status", "ready", "leader-ops", "remove", "snapshot", "backup", "load"),
)
USERS = (
    User("all", PASSWORD, ("all",)),
    User("both", PASSWORD, ("query", "execute")),
    User("reader", PASSWORD, ("query",)),
    User("writer", PASSWORD, ("execute",)),
    User("nobody", PASSWORD, ()),
    *(User(permission, PASSWORD, (permission,)) for permission in PERMISSIONS),
    User("wörld", PASSWORD, ("query", "execute")),
)


@pytest.fixture(scope="module")
def guarded(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RqlitedNode]:
    options = NodeOptions(users=USERS)
    with running_node(rqlited_binary, tmp_path_factory.mktemp("guarded"), options) as node:
        node.send(
            "POST", "/db/execute", b'["CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a)"]'
        )
        yield node


def use(connection: Connection) -> None:
    connection.execute("INSERT INTO t(a) VALUES (?)", (1,))
    connection.executemany("INSERT INTO t(a) VALUES (?)", [(2,), (b"3",)])
    assert connection.execute("SELECT count(*) > 2 FROM t").fetchone() == (1,)
    rows = connection.execute("INSERT INTO t(a) VALUES (4) RETURNING a").fetchall()
    assert rows == [(4,)]


def refusal(call: Callable[[], object]) -> AccessDeniedError | None:
    """Why the call was not permitted, if it was not; that there is no such node says that it was."""
    try:
        call()
    except AccessDeniedError as error:
        return error
    except ProgrammingError as error:
        if "nobody" not in str(error):
            raise
    return None


@pytest.mark.rqlited
class TestAuthentication:
    @pytest.mark.parametrize("user", ["all", "both", "wörld"])
    def test_by_keywords(
        self, guarded: RqlitedNode, connect: Connect, transport: str, user: str
    ) -> None:
        use(connect(guarded.url, user=user, password=PASSWORD, transport=transport))

    def test_by_url(self, guarded: RqlitedNode, connect: Connect, transport: str) -> None:
        place = guarded.url.removeprefix("http://")
        url = f"http://{quote('wörld')}:{quote(PASSWORD, safe='')}@{place}/?transport={transport}"
        use(connect(url))

    @pytest.mark.parametrize(
        ("user", "password"),
        [("all", "wrong"), ("unknown", PASSWORD), ("all", ""), (None, None), ("nobody", PASSWORD)],
    )
    def test_refused(
        self,
        guarded: RqlitedNode,
        connect: Connect,
        transport: str,
        user: str | None,
        password: str | None,
    ) -> None:
        connection = connect(guarded.url, user=user, password=password, transport=transport)
        for sql in ("SELECT 1", "INSERT INTO t(a) VALUES (1)", "SELECT * FROM t"):
            with pytest.raises(OperationalError, match="credentials") as caught:
                connection.execute(sql)
            assert type(caught.value) is AccessDeniedError
            assert caught.value.http_status == 401
            assert caught.value.node == guarded.url
            assert PASSWORD not in str(caught.value)

    def test_reader(self, guarded: RqlitedNode, connect: Connect) -> None:
        connection = connect(guarded.url, user="reader", password=PASSWORD)
        for _ in range(2):
            assert connection.execute("SELECT 1, 'x'").fetchall() == [(1, "x")]
            connection.execute("SELECT * FROM t").fetchall()
            connection.execute("SELECT a FROM t LIMIT 1").fetchall()
            connection.execute("PRAGMA table_info(t)").fetchall()
        for sql in ("INSERT INTO t(a) VALUES (1)", "DROP TABLE t", "DELETE FROM t RETURNING id"):
            with pytest.raises(OperationalError, match="permission"):
                connection.execute(sql)
        with pytest.raises(OperationalError, match="permission"):
            connection.executemany("INSERT INTO t(a) VALUES (?)", [(1,)])

    def test_writer(self, guarded: RqlitedNode, connect: Connect) -> None:
        connection = connect(guarded.url, user="writer", password=PASSWORD)
        cursor = connection.execute("INSERT INTO t(a) VALUES (?)", ("by writer",))
        assert cursor.rowcount == 1
        connection.executemany("INSERT INTO t(a) VALUES (?)", [(1,), (b"2",)])
        connection.executemany("UPDATE t SET a = ? WHERE id = ?", [(1, 0)])
        connection.executescript(
            "CREATE TABLE IF NOT EXISTS s (a); INSERT INTO s VALUES (1); DROP TABLE s"
        )
        assert connection.execute("DELETE FROM t WHERE a = 'by writer'").rowcount == 1
        with pytest.raises(OperationalError, match="permission"):
            connection.execute("SELECT 1")

    def test_transactions(self, guarded: RqlitedNode, connect: Connect) -> None:
        def count() -> object:
            connection = connect(guarded.url, user="all", password=PASSWORD)
            return connection.execute("SELECT count(*) FROM t", level="strong").fetchone()

        both = connect(guarded.url, user="both", password=PASSWORD)
        with both.transaction():
            both.execute("SELECT max(id) FROM t").fetchone()
            both.execute("INSERT INTO t(a) VALUES (1)")
        before = count()
        for user in ("reader", "writer", "nobody"):
            connection = connect(
                guarded.url, user=user, password=PASSWORD, autocommit=False, exactly_once=True
            )

            def work(connection: Connection = connection) -> None:
                connection.execute("SELECT max(id) FROM t").fetchone()
                connection.execute("INSERT INTO t(a) VALUES (1)")
                connection.commit()

            with pytest.raises(AccessDeniedError, match="lacks"):
                work()
            connection.rollback()
        assert count() == before

    @pytest.mark.parametrize("user", [*PERMISSIONS, "nobody"])
    def test_each_permission(self, guarded: RqlitedNode, connect: Connect, user: str) -> None:
        """Each call works for who has its permission, and names it to who has not."""
        connection = connect(guarded.url, user=user, password=PASSWORD)
        admin = connection.admin
        calls: dict[str, tuple[Callable[[], object], ...]] = {
            "query": (lambda: connection.execute("SELECT a FROM t").fetchall(), connection.ping),
            "execute": (lambda: connection.execute("INSERT INTO t(a) VALUES (1)"),),
            "status": (admin.nodes, admin.status, lambda: admin.status(node=guarded.url)),
            "ready": (admin.ready, lambda: admin.ready(node=guarded.url)),
            "leader-ops": (admin.leader, lambda: admin.step_down("nobody")),
            # Who may list the nodes is told that there is none of that name.
            "remove": () if user == "status" else (lambda: admin.remove_node("nobody"),),
            "snapshot": (admin.snapshot,),
            "backup": (lambda: admin.backup(io.BytesIO()),),
            "load": (lambda: admin.load(io.BytesIO(b"CREATE TABLE IF NOT EXISTS u (a)")),),
        }
        # There is no snapshot of a node whose members changed later than its data.
        use(connect(guarded.url, user="all", password=PASSWORD))
        for permission, uses in calls.items():
            for call in uses:
                refused = refusal(call)
                assert (refused is None) == (permission == user)
                if refused is not None:
                    assert refused.permission == permission
                    assert f"lacks the permission {permission}" in str(refused)

    def test_boot(self, guarded: RqlitedNode, connect: Connect, tmp_path: Path) -> None:
        file = tmp_path / "copy"
        connect(guarded.url, user="backup", password=PASSWORD).admin.backup(file)
        with pytest.raises(AccessDeniedError, match="permission load"):
            connect(guarded.url, user="backup", password=PASSWORD).admin.boot(file)
        connect(guarded.url, user="load", password=PASSWORD).admin.boot(file)

    def test_everybodys_permissions(self, rqlited_factory: NodeFactory, connect: Connect) -> None:
        users = (User("*", "", ("query",)), User("boss", "x", ("all",)))
        node = rqlited_factory(NodeOptions(users=users))
        assert connect(node.url).execute("SELECT 1").fetchone() == (1,)
        assert connect(node.url, user="any", password="thing").execute("SELECT 1").fetchone() == (
            1,
        )
        with pytest.raises(OperationalError):
            connect(node.url).execute("CREATE TABLE x (a)")
        connect(node.url, user="boss", password="x").execute("CREATE TABLE x (a)")


@pytest.fixture(scope="module")
def secure(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory, files: Files
) -> Iterator[RqlitedNode]:
    folder = tmp_path_factory.mktemp("secure")
    options = tls_options(files, verify_client=False)
    with running_node(rqlited_binary, folder, options) as node:
        yield node


@pytest.fixture(scope="module")
def mutual(
    rqlited_binary: Path, tmp_path_factory: pytest.TempPathFactory, files: Files
) -> Iterator[RqlitedNode]:
    folder = tmp_path_factory.mktemp("mutual")
    options = tls_options(files, verify_client=True)
    with running_node(rqlited_binary, folder, options) as node:
        yield node


@pytest.mark.rqlited
class TestTLS:
    def test_trusted(
        self, secure: RqlitedNode, files: Files, connect: Connect, transport: str
    ) -> None:
        connection = connect(secure.url, ca_cert=files.ca, transport=transport)
        for number in range(3):
            assert connection.execute("SELECT ?", (number,)).fetchone() == (number,)

    def test_by_keywords(self, secure: RqlitedNode, files: Files, connect: Connect) -> None:
        connection = connect(
            scheme="https", host="127.0.0.1", port=secure.http_port, ca_cert=files.ca
        )
        assert connection.execute("SELECT 1").fetchone() == (1,)

    @pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
    def test_insecure(self, secure: RqlitedNode, connect: Connect, transport: str) -> None:
        connection = connect(secure.url, insecure=True, transport=transport)
        assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_own_context(self, secure: RqlitedNode, files: Files, connect: Connect) -> None:
        context = ssl.create_default_context(cafile=files.ca)
        connection = connect(secure.url, ssl_context=context)
        assert connection.execute("SELECT 1").fetchone() == (1,)

    @pytest.mark.parametrize("trusted", ["another authority", "the system's", "another name"])
    def test_refused(
        self, secure: RqlitedNode, files: Files, connect: Connect, transport: str, trusted: str
    ) -> None:
        host = "localhost" if trusted == "another name" else "127.0.0.1"
        ca = {"another authority": files.other_ca, "another name": files.ca}.get(trusted)
        url = f"https://{host}:{secure.http_port}"
        connection = connect(url, ca_cert=ca, transport=transport)
        for sql in ("SELECT 1", "CREATE TABLE never (a)"):
            with pytest.raises(OperationalError, match=r"(?i)certificate|verif") as caught:
                connection.execute(sql)
            assert type(caught.value) is UnreachableError, "nothing was sent, and that is certain"

    def test_plain_http_to_a_tls_node(
        self, secure: RqlitedNode, connect: Connect, transport: str
    ) -> None:
        connection = connect(f"http://127.0.0.1:{secure.http_port}", transport=transport)
        with pytest.raises(Error, match="HTTPS"):
            connection.execute("SELECT 1")

    def test_tls_to_a_plain_node(
        self, rqlited_node: RqlitedNode, connect: Connect, transport: str
    ) -> None:
        connection = connect(
            f"https://127.0.0.1:{rqlited_node.http_port}",
            transport=transport,
            timeout=2,
            connect_timeout=2,
        )
        with pytest.raises(OperationalError) as caught:
            connection.execute("CREATE TABLE never (a)")
        if transport != "requests":  # which does not tell a failed handshake from a broken answer
            assert type(caught.value) is UnreachableError

    def test_client_certificate(
        self, mutual: RqlitedNode, files: Files, connect: Connect, transport: str
    ) -> None:
        connection = connect(
            mutual.url, ca_cert=files.ca, client_cert=files.client, transport=transport
        )
        connection.execute("CREATE TABLE IF NOT EXISTS t (a)")
        apart = connect(
            mutual.url,
            ca_cert=files.ca,
            client_cert=files.cert,
            client_key=files.key,
            transport=transport,
        )
        assert apart.execute("SELECT count(*) FROM t").fetchone() == (0,)

    def test_client_certificate_in_a_context(
        self, mutual: RqlitedNode, files: Files, connect: Connect
    ) -> None:
        context = ssl.create_default_context(cafile=files.ca)
        context.load_cert_chain(files.client)
        assert connect(mutual.url, ssl_context=context).execute("SELECT 1").fetchone() == (1,)

    @pytest.mark.parametrize("certificate", ["none", "stranger"])
    def test_client_that_is_not_known(
        self, mutual: RqlitedNode, files: Files, connect: Connect, transport: str, certificate: str
    ) -> None:
        client = files.stranger if certificate == "stranger" else None
        connection = connect(mutual.url, ca_cert=files.ca, client_cert=client, transport=transport)
        with pytest.raises(OperationalError):
            connection.execute("SELECT 1")
