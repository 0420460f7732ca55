"""A cluster without sockets: SQLite databases and a log, behind a flow in place of a transport."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import apsw
import apsw.ext

from pyrqlite.admin.nodes import Access, Patience
from pyrqlite.admin.verifying import Comparison, Repair, Report, Settings, plan
from pyrqlite.admin.verifying.planning import Plan
from pyrqlite.cluster.cluster import Cluster
from pyrqlite.cluster.node import Node
from pyrqlite.flow.run import run
from pyrqlite.flow.steps import Flow, NotSent, Request, Response
from pyrqlite.options import Options, resolve

T = TypeVar("T")

_BLOB = re.compile(r"x'([0-9a-f]*)'")
Item = str | list[Any]
Event = Callable[["FakeNode", Request], Response | None]


@dataclass
class FakeNode:
    """A node: its database, and how much of the log it has applied. `slow` keeps it from applying more."""

    name: str
    number: int
    applied: int = 0
    slow: bool = False
    down: bool = False
    listed: bool = True
    database: apsw.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.seconds = 0
        self.empty()

    def empty(self) -> None:
        self.database = apsw.Connection(":memory:")
        self.database.create_scalar_function("current_timestamp", self._clock, 0)

    def _clock(self, *_: object) -> str:
        """Another time on each node, and at each call."""
        self.seconds += 1
        return f"2026-01-0{self.number} {self.seconds // 60 % 24:02}:{self.seconds % 60:02}:00"

    @property
    def address(self) -> str:
        return f"http://{self.name}:4001"

    def script(self, sql: str) -> None:
        """Change this node alone, behind the log's back."""
        self.database.execute(sql).fetchall()

    def rows(self, sql: str) -> list[Any]:
        return self.database.execute(sql).fetchall()

    def execute(self, items: Sequence[Item], *, transaction: bool) -> list[dict[str, Any]]:
        """What the server does with a list of statements."""
        results: list[dict[str, Any]] = []
        if transaction:
            self.database.execute("BEGIN")
        for item in items:
            try:
                results.append(self._result(item))
            except apsw.Error as error:
                results.append({"error": str(error)})
                if transaction:
                    self.database.execute("ROLLBACK")
                return results
        if transaction:
            self.database.execute("COMMIT")
        return results

    def _result(self, item: Item) -> dict[str, Any]:
        sql, *values = [item] if isinstance(item, str) else item
        bound = [_bound(value) for value in values]
        if not apsw.ext.query_info(self.database, sql).description:
            before = self.database.total_changes()
            self.database.execute(sql, bound).fetchall()
            return {"rows_affected": self.database.total_changes() - before}
        try:
            rows = self.database.execute(sql, bound).fetchall()
        except UnicodeDecodeError:
            # The server replaces what is no UTF-8.
            names = re.findall(r" AS (pc\d+)", sql)
            blobs = ", ".join(f"CAST({name} AS BLOB)" for name in names)
            [packed] = self.database.execute(f"SELECT {blobs} FROM ({sql})", bound)
            rows = [tuple(text.decode(errors="replace") for text in packed)]
        return {"columns": [""] * len(rows[:1]), "types": [], "values": rows}


def _bound(value: Any) -> Any:
    match = _BLOB.fullmatch(value) if isinstance(value, str) else None
    return bytes.fromhex(match.group(1)) if match else value


class FakeCluster:
    """Nodes n1 (the leader), n2... `events` are called with each request, and may answer it themselves."""

    def __init__(self, script: str = "", size: int = 3) -> None:
        self.nodes = [FakeNode(f"n{number}", number) for number in range(1, size + 1)]
        self.leader = self.nodes[0]
        self.log: list[list[Item]] = []
        self.sent: list[tuple[str, str]] = []
        self.slept = 0.0
        self.events: list[Event] = []
        self.script = script
        for node in self.nodes:
            node.script(script)

    def restart(self, node: FakeNode) -> None:
        """Execute the whole log once more on an empty database, as a node without a snapshot does."""
        node.empty()
        node.script(self.script)
        node.applied = 0
        self._apply(node)

    def __getitem__(self, number: int) -> FakeNode:
        return self.nodes[number - 1]

    def write(self, *items: Item) -> list[dict[str, Any]]:
        """What another client does: an entry in the log; gives the leader's results."""
        return self._append(list(items))

    def _append(self, items: list[Item]) -> list[dict[str, Any]]:
        self.log.append(items)
        results = self._apply(self.leader)
        for node in self.nodes:
            if not node.slow:
                self._apply(node)
        return results

    def _apply(self, node: FakeNode) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        while node.applied < len(self.log):
            results = node.execute(self.log[node.applied], transaction=True)
            node.applied += 1
        return results

    def catch_up(self, node: FakeNode) -> None:
        node.slow = False
        self._apply(node)

    # The transport.

    def send(self, node: Node, request: Request) -> Response:
        fake = next(each for each in self.nodes if each.name == node.host)
        self.sent.append((fake.name, request.target))
        for event in list(self.events):
            response = event(fake, request)
            if response is not None:
                return response
        if fake.down:
            raise NotSent("connection refused")
        answer = self._answer(fake, request)
        return Response(200, {}, json.dumps(answer).encode(), node)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def _answer(self, node: FakeNode, request: Request) -> Any:
        target = request.target
        if target.startswith("/nodes"):
            return {"nodes": [self._listed(each) for each in self.nodes]}
        if target == "/status?key=store.fsm_index":
            return node.applied
        if target == "/status?key=store":
            return {"node_id": node.name, "leader": {"node_id": self.leader.name}}
        items = json.loads(request.body or b"[]")
        if target.startswith("/db/query") and "level=none" in target:
            return {"results": node.execute(items, transaction=True)}
        if target.startswith("/db/"):
            return {"results": self._append(items), "raft_index": len(self.log)}
        return None

    def _listed(self, node: FakeNode) -> dict[str, Any]:
        if node.down or not node.listed:
            return {
                "id": node.name,
                "voter": True,
                "error": "connection refused" if node.down else "",
            }
        return {"id": node.name, "voter": True, "api_addr": node.address}

    # What tests do with it.

    def play(self, flow: Flow[T]) -> T:
        return run(flow, self.send, self.sleep)

    def access(self) -> Access:
        options = resolve(Options(self.leader.address, transport="urllib3"))
        return Access(Cluster(options), options)

    def verify(self, *tables: str, seconds: float = 5.0, most_rows: int = 1000) -> Report:
        """Compare the nodes."""
        return self.comparison(*tables, seconds=seconds, most_rows=most_rows)[0]

    def comparison(
        self, *tables: str, seconds: float = 5.0, most_rows: int = 1000
    ) -> tuple[Report, Comparison]:
        settings = Settings(tables, most_rows, Patience(seconds))
        comparison = Comparison(self.access(), settings)
        return self.play(comparison.run()), comparison

    def plan(self) -> Plan:
        report, comparison = self.comparison()
        assert comparison.schema is not None
        return plan(report, comparison.schema)

    def repair(self, checked: Report | None = None) -> Report:
        """Compare the nodes, and repair what differs."""
        report = checked or self.verify()
        settings = Settings((), 1000, Patience(5.0))
        return self.play(Repair(self.access(), settings, None, report).run())


def found(report: Report, table: str) -> dict[str, str]:
    """What differs in a table: how, and on which nodes, by key or content."""
    [each] = [each for each in report.tables if each.name == table]
    seen: dict[str, str] = {}
    for row in each.rows:
        cells = row.leader or next(other for other in row.others.values() if other is not None)
        name = repr(tuple(row.key.values()) or cells)
        seen[name] = ", ".join(f"{node} {_how(row, node)}" for node in sorted(row.others))
    return seen


def _how(row: Any, node: str) -> str:
    kind = row.kind(node)
    return f"changed {'+'.join(row.columns(node))}" if kind == "changed" else str(kind)
