"""What nodes say of themselves, in odd answers."""

from __future__ import annotations

import pytest

from pyrqlite.admin.nodes import Lost, Member, Patience, applied
from pyrqlite.cluster.node import Node
from tests.unit.nodes import Nodes, Reply

MEMBER = Member("1", Node("http", "one", 4001))


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"null", b'{"fsm_index":1}'])
def test_what_is_no_index_is_asked_for_again(body: bytes) -> None:
    assert Nodes(Reply(200, body), Reply(200, b"7")).play(applied(MEMBER, Patience(1.0))) == 7


def test_what_never_is_rqlites_is_no_node() -> None:
    nodes = Nodes(*[Reply(200, b"<html>")] * 2)
    with pytest.raises(Lost, match="'s answer is not rqlite's: '<html>'"):
        nodes.play(applied(MEMBER, Patience(0.01)))
