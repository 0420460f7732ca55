"""What is asked of nodes, and what is made of their answers, against canned replies."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyrqlite import (
    AccessDeniedError,
    Error,
    InterfaceError,
    InternalError,
    NoLeaderError,
    OperationalError,
    OutcomeUnknownError,
    ProgrammingError,
    UnreachableError,
)
from pyrqlite.admin import copies, operations
from pyrqlite.admin.copies import BackupForm
from pyrqlite.admin.files import FileDownload, FileUpload, opened_source
from pyrqlite.admin.info import NodeInfo
from pyrqlite.cluster.node import Node
from pyrqlite.flow.session import Session
from pyrqlite.flow.steps import AnswerLost, Flow, NotSent, Request
from tests.unit.nodes import Answering, Nodes, Reply, no_leader, redirect, results, session

OK = Reply(200, b"")
LISTED = {
    "nodes": [
        {
            "id": "1",
            "api_addr": "http://a:4001",
            "addr": "a:4002",
            "version": "v10",
            "voter": True,
            "reachable": True,
            "leader": True,
            "time": 0.5,
        },
        {"id": "2", "addr": "b:4002", "version": "", "voter": False, "error": "dial tcp"},
    ]
}


def listed() -> Reply:
    return Reply(200, json.dumps(LISTED).encode())


def play(flow: Callable[..., Flow[Any]], *arguments: Any, replies: list[Answering]) -> Any:
    return Nodes(*replies).play(flow(*arguments))


def failure(flow: Flow[Any], *replies: Answering) -> Error:
    nodes = Nodes(*replies)
    with pytest.raises(Error) as caught:
        nodes.play(flow)
    nodes.expect_all_used()
    return caught.value


class TestNodes:
    def test_list(self) -> None:
        one, two = play(operations.nodes, session(), 5.0, None, replies=[listed()])
        assert one == NodeInfo(
            "1", "a:4002", "http://a:4001", True, True, True, version="v10", time=0.5
        )
        assert two == NodeInfo("2", "b:4002", None, False, False, False, error="dial tcp")

    @pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"nodes":[1]}', b'{"nodes":7}'])
    def test_what_is_no_list(self, body: bytes) -> None:
        error = failure(operations.nodes(session(), 5.0, None), Reply(200, body))
        assert type(error) is InternalError

    def test_leader(self) -> None:
        reply = Reply(200, json.dumps(LISTED["nodes"][0]).encode())
        assert play(operations.leader, session(), 5.0, None, replies=[reply]).leader
        error = failure(operations.leader(session(), 5.0, None), *[no_leader()] * 2)
        assert type(error) is NoLeaderError
        error = failure(operations.leader(session(), 5.0, None), Reply(200, b"[]"))
        assert type(error) is InternalError


class TestOneNode:
    def test_is_asked_alone(self) -> None:
        nodes = Nodes(Reply(200, b'{"a":1}'))
        made = session(host="a,b")
        assert nodes.play(operations.status(made, "http://c:1", None, 3.0)) == {"a": 1}
        node = NodeInfo("3", "", "http://d:2", True, False, True)
        nodes = Nodes(Reply(200, b'"Leader"'))
        assert nodes.play(operations.status(made, node, "store.raft state", None)) == "Leader"
        (sent,) = nodes.sent
        assert (sent.node, sent.request.target) == (
            Node("http", "d", 2),
            "/status?key=store.raft%20state",
        )

    def test_that_does_not_answer(self) -> None:
        error = failure(
            operations.status(session(host="a,b"), "http://c:1", None, None), NotSent("refused")
        )
        assert type(error) is UnreachableError
        assert (error.node, "refused" in str(error)) == ("http://c:1", True)

    @pytest.mark.parametrize(
        "node", ["c:1", "", "ftp://c", NodeInfo("3", "", None, True, False, False)]
    )
    def test_without_an_address(self, node: Any) -> None:
        with pytest.raises(InterfaceError, match="names no node"):
            Nodes().play(operations.status(session(), node, None, None))

    def test_without_tls(self) -> None:
        made = session(scheme="https")
        with pytest.raises(InterfaceError, match="no TLS"):
            Nodes().play(operations.status(made, "http://c:1", None, None))

    def test_ready(self) -> None:
        ready = play(
            operations.ready, session(), None, True, 1.5, None, replies=[Reply(200, b"[+]a\n[+]b")]
        )
        assert ready
        assert ready.checks == ("[+]a", "[+]b")
        not_ready = Reply(503, b"[+]node ok\n[+]leader does not exist")
        found = play(operations.ready, session(), None, False, 1, None, replies=[not_ready])
        assert not found
        assert found.checks[1] == "[+]leader does not exist"
        for at in (None, "http://c:1"):
            error = failure(operations.ready(session(), at, False, 1, None), Reply(401))
            assert isinstance(error, AccessDeniedError)
            assert error.permission == "ready"

    def test_snapshot(self) -> None:
        for at in (None, "http://c:1"):
            assert play(operations.snapshot, session(), at, 0, None, replies=[OK]) is True
            found = play(operations.snapshot, session(), at, 0, None, replies=[Reply(204)])
            assert found is False
            error = failure(operations.snapshot(session(), at, 0, None), Reply(500, b"why"))
            assert "why" in str(error)
        with pytest.raises(InterfaceError):
            Nodes().play(operations.snapshot(session(), None, -1, None))


class TestStepDown:
    def test_request(self) -> None:
        nodes = Nodes(redirect("http://b:1/leader?timeout=30s&redirect&wait"), OK)
        nodes.play(operations.step_down(session(), "3", True, None))
        first, second = nodes.sent
        assert first.request == second.request
        assert second.host == "b"
        assert (second.request.method, second.request.target, second.request.body) == (
            "POST",
            "/leader?timeout=30s&redirect&wait",
            b'{"id": "3"}',
        )

    @pytest.mark.parametrize(
        ("said", "kind", "text"),
        [
            (b"stepdown: node not found in cluster\n", ProgrammingError, "'x'"),
            (b"stepdown: cannot step down to the current Leader\n", ProgrammingError, "already"),
            (b"stepdown: cannot find peer\n", OperationalError, "no other voter"),
            (b"stepdown: i/o timeout\n", OutcomeUnknownError, "i/o timeout"),
        ],
    )
    def test_refusals(self, said: bytes, kind: type[Error], text: str) -> None:
        error = failure(operations.step_down(session(), "x", True, None), Reply(500, said))
        assert type(error) is kind
        assert text in str(error)
        assert (error.http_status, error.node) == (500, "http://a:4001")

    def test_lost_answer(self) -> None:
        error = failure(operations.step_down(session(), None, True, None), AnswerLost("reset"))
        assert type(error) is OutcomeUnknownError
        assert "leader()" in str(error)


class TestRemove:
    def test_listed(self) -> None:
        nodes = Nodes(listed(), OK)
        nodes.play(operations.remove_node(session(), "2", 5.0, None))
        request = nodes.sent[1].request
        assert (request.method, request.target, request.body) == (
            "DELETE",
            "/remove?timeout=30s&redirect",
            b'{"id": "2"}',
        )

    def test_unknown(self) -> None:
        error = failure(operations.remove_node(session(), "7", 5.0, None), listed())
        assert type(error) is ProgrammingError
        assert "there are 1, 2" in str(error)

    def test_without_permission_to_list(self) -> None:
        nodes = Nodes(Reply(401), OK)
        nodes.play(operations.remove_node(session(), "7", 5.0, None))
        error = failure(operations.remove_node(session(), "7", 5.0, None), *[Reply(401)] * 2)
        assert isinstance(error, AccessDeniedError)
        assert error.permission == "remove"


PAGE = b"SQLite format 3\0" + b"\x02\0" + bytes(10) + b"\0\0\0\x01" + bytes(480)


def sending(body: bytes) -> Callable[[Node, Request], Reply]:
    """A node that streams this, as a transport hands it on."""

    def reply(node: Node, request: Request) -> Reply:
        assert request.download is not None
        request.download.begin(None)
        request.download.write(body)
        return Reply(200, b"")

    return reply


def cut(body: bytes) -> Callable[[Node, Request], Reply]:
    def reply(node: Node, request: Request) -> Reply:
        sending(body)(node, request)
        raise AnswerLost("reset")

    return reply


class TestBackup:
    @staticmethod
    def flow(made: Session, file: io.BytesIO, at: str | None = None, **form: Any) -> Flow[int]:
        wanted = BackupForm(**form)
        return copies.backup(made, wanted, FileDownload(file, wanted.check, None), at, None)

    def test_of_the_leader(self) -> None:
        file, nodes = io.BytesIO(), Nodes(redirect("http://b:1/"), sending(PAGE))
        assert nodes.play(self.flow(session(), file)) == 512
        assert file.getvalue() == PAGE
        assert nodes.sent[1].request.target == "/db/backup?fmt=binary&redirect"
        assert nodes.hosts == ["a", "b"]

    def test_of_one_node(self) -> None:
        nodes = Nodes(sending(b"COMMIT;\n"))
        form = {"fmt": "sql", "tables": ("a b", "ü&")}
        nodes.play(self.flow(session(), io.BytesIO(), "http://c:1", **form))
        assert nodes.sent[0].request.target == (
            "/db/backup?fmt=sql&tables=a%20b%2C%C3%BC%26&noleader"
        )

    def test_cut_stream_begins_again_elsewhere(self) -> None:
        file, nodes = io.BytesIO(), Nodes(cut(b"x" * 600), sending(PAGE))
        nodes.play(self.flow(session(host="a,b"), file))
        assert file.getvalue() == PAGE

    @pytest.mark.parametrize("at", [None, "http://c:1"])
    def test_cut_stream_raises(self, at: str | None) -> None:
        tries = 1 if at else 2  # the first may have gone by an old connection
        error = failure(self.flow(session(), io.BytesIO(), at), *[cut(PAGE)] * tries)
        assert isinstance(error, OperationalError)
        assert "reset" in str(error)

    def test_half_of_it_in_good_order_raises(self) -> None:
        error = failure(self.flow(session(), io.BytesIO()), sending(PAGE[:400]))
        assert "not whole" in str(error)

    @pytest.mark.parametrize(
        "form",
        [
            {"fmt": "zip"},
            {"fmt": "BINARY"},
            {"fmt": "sql", "vacuum": True},
            {"fmt": "delete", "vacuum": True},
            {"tables": ["t"]},
            {"fmt": "sql", "tables": "t"},
            {"fmt": "sql", "tables": ["a,b"]},
            {"fmt": "sql", "tables": [" a"]},
            {"fmt": "sql", "tables": [""]},
        ],
    )
    def test_forms_that_are_none(self, form: dict[str, Any]) -> None:
        with pytest.raises(InterfaceError):
            BackupForm(**form)


def loading(
    tmp_path: Path, content: bytes, *replies: Answering, boot: bool = False
) -> Error | None:
    """How loading this ends."""
    file = tmp_path / "given"
    file.write_bytes(content)
    with opened_source(file, check=False) as source:
        upload, made = FileUpload(source, None), session()
        flow = (
            copies.boot(made, source, upload, None, None)
            if boot
            else copies.load(made, source, upload, None)
        )
        try:
            Nodes(*replies).play(flow)
        except Error as error:
            return error
    return None


SCRIPT = b"BEGIN; CREATE TABLE t (a); COMMIT;"
SAID_NOTHING = results({})


class TestLoad:
    def test_asks_for_the_leader_before_it_sends_all(self, tmp_path: Path) -> None:
        file = tmp_path / "given"
        file.write_bytes(PAGE)
        made = session()
        with opened_source(file, check=False) as source:
            upload = FileUpload(source, None)
            nodes = Nodes(redirect("http://b:1/db/load?redirect"), SAID_NOTHING, results())
            nodes.play(copies.load(made, source, upload, None))
        assert nodes.hosts == ["a", "b", "b"]
        assert [sent.request.upload for sent in nodes.sent] == [None, None, upload]
        assert [sent.request.repeatable for sent in nodes.sent] == [True, True, False]

    def test_schema_is_asked_for_again(self, tmp_path: Path) -> None:
        made = session()
        assert made.cluster.schema.is_young(100)
        with opened_source(io.BytesIO(SCRIPT)) as source:
            Nodes(SAID_NOTHING, SAID_NOTHING).play(
                copies.load(made, source, FileUpload(source, None), None)
            )
        assert not made.cluster.schema.is_young(100)

    def test_refused_before_anything_large_left(self, tmp_path: Path) -> None:
        error = loading(tmp_path, PAGE, Reply(401))
        assert isinstance(error, AccessDeniedError)
        assert error.permission == "load"

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (PAGE, "whole database may have been replaced"),
            (SCRIPT, "all of its statements"),
            (b"CREATE TABLE t (a)", "some or all"),
        ],
    )
    @pytest.mark.parametrize(
        "reply",
        [
            AnswerLost("reset"),
            Reply(500, b"leadership lost while committing log\n"),
            Reply(200, b"<html>a proxy's words</html>"),
        ],
    )
    def test_lost_answers(
        self, tmp_path: Path, content: bytes, what: str, reply: Answering
    ) -> None:
        error = loading(tmp_path, content, SAID_NOTHING, reply)
        assert type(error) is OutcomeUnknownError
        assert what in str(error)

    @pytest.mark.parametrize(
        "reply",
        [Reply(500, b"store not ready\n"), results(error="timed out enqueuing operation")],
    )
    def test_refusals_that_say_nothing_was_applied(self, tmp_path: Path, reply: Answering) -> None:
        error = loading(tmp_path, PAGE, SAID_NOTHING, reply)
        assert type(error) is OperationalError

    @pytest.mark.parametrize(
        ("content", "what"), [(SCRIPT, "nothing was applied"), (b"SELEC", "before it may have")]
    )
    def test_statements_that_fail(self, tmp_path: Path, content: bytes, what: str) -> None:
        failed = results({"error": "table t already exists"})
        error = loading(tmp_path, content, SAID_NOTHING, failed)
        assert type(error) is ProgrammingError
        assert what in str(error)


class TestBoot:
    def test_request(self, tmp_path: Path) -> None:
        assert loading(tmp_path, PAGE, OK, boot=True) is None

    def test_sql(self, tmp_path: Path) -> None:
        error = loading(tmp_path, SCRIPT, boot=True)
        assert isinstance(error, ProgrammingError)

    def test_one_node_has_to_be_meant(self, tmp_path: Path) -> None:
        file = tmp_path / "given"
        file.write_bytes(PAGE)
        with opened_source(file, check=False) as source, pytest.raises(InterfaceError):
            Nodes().play(
                copies.boot(session(host="a,b"), source, FileUpload(source, None), None, None)
            )

    @pytest.mark.parametrize(
        ("reply", "kind", "text"),
        [
            (Reply(503, b"not leader\n"), OperationalError, "nothing was applied"),
            (Reply(503, b"not single-node\n"), OperationalError, "use load()"),
            (Reply(503, b"error swapping database file\n"), OutcomeUnknownError, "old or the new"),
            (AnswerLost("reset"), OutcomeUnknownError, "reset"),
            (NotSent("refused"), UnreachableError, "refused"),
            (Reply(401), AccessDeniedError, "permission load"),
        ],
    )
    def test_refusals(self, tmp_path: Path, reply: Answering, kind: type[Error], text: str) -> None:
        error = loading(tmp_path, PAGE, reply, boot=True)
        assert type(error) is kind
        assert text in str(error)
