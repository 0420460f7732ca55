"""The API over one database: which checks come in which order, and what they lead to.

No transport is known here: the HTTP server and ``open_database`` put the same bytes in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from . import admin, statements
from .auth import Credentials
from .body import Statement
from .database import Database
from .exchange import JSON, TEXT, Block, Outcome, Pieces, Read, Request, Response, error
from .execution import Call, CallError, run_executes
from .params import ParameterError, parse_params, unescape
from .queued import Settings, WriteQueue
from .status import Counters, Node
from .writer import Job


class Service:
    """Answers requests. Thread safe."""

    def __init__(
        self,
        database: Database,
        node: Node,
        *,
        credentials: Credentials | None = None,
        queue: Settings | None = None,
        allow_origin: str = "",
    ) -> None:
        self.database = database
        self.node = node
        self.credentials = credentials
        self.allow_origin = allow_origin
        self.counters = Counters()
        self.queue = WriteQueue(queue or Settings(), self._write_batch)
        self.linearizable = False  # whether a read has gone through the log yet
        self.last_backup = 0.0
        self.headers = self._common_headers()

    def handle(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer one request in the calling thread: status, headers and body.

        ``target`` is path and query string, as in the first line of an HTTP request.
        """
        status, complete, pieces = self.stream(method, target, headers, body, None)
        return status, complete, b"".join(pieces)

    def stream(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        upload: BinaryIO | None,
    ) -> tuple[int, dict[str, str], Pieces]:
        """As ``handle``, with bodies that need not fit into memory: ``upload`` is read behind ``body``."""
        lowered = {name.lower(): value for name, value in headers.items()}
        response = perform(self.dispatch(method, target, lowered, body, upload))
        complete = {**self.headers, **response.headers}
        if response.content_type:
            complete["Content-Type"] = response.content_type
        return response.status, complete, response.pieces or _in_one(response.body)

    def dispatch(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        upload: BinaryIO | None = None,
    ) -> Outcome:
        """The response, or the work that leads to it. Names in ``headers`` are in lower case."""
        if method == "OPTIONS":
            return Response()
        raw_path, _, query = target.partition("?")
        try:
            params = parse_params(query)
            path = unescape(raw_path, plus=False)
        except ParameterError as exc:
            return error(400, str(exc))
        route = _find_route(path)
        if route is None:
            return Response(404)
        if not self.allows(headers, *route.permissions):
            return Response(401, route.content_type)
        if route.methods is not None and method not in route.methods:
            return Response(405, route.content_type)
        return route.handler(self, Request(method, path, params, headers, body, upload))

    def allows(self, headers: Mapping[str, str], *permissions: str) -> bool:
        """Whether the sender of these headers has all of the permissions."""
        if self.credentials is None:
            return True
        return self.credentials.allow(headers.get("authorization", ""), *permissions)

    def close(self) -> None:
        """Write what is queued, then close the database."""
        self.queue.close()
        self.database.close()

    def _common_headers(self) -> dict[str, str]:
        headers = {
            "X-Rqlite-Version": self.node.version,
            "Access-Control-Allow-Methods": "OPTIONS, GET, POST",
            "Access-Control-Allow-Headers": "Content-Type",
        }
        if self.allow_origin:
            headers["Access-Control-Allow-Origin"] = self.allow_origin
        if self.credentials is not None:
            headers["Access-Control-Allow-Headers"] = "Content-Type, Authorization"
            headers["Access-Control-Allow-Credentials"] = "true"
            headers["Www-Authenticate"] = 'Basic realm="rqlite"'
        return headers

    def _write_batch(self, batch: list[Statement], transaction: bool) -> None:
        call = Call(batch, transaction=transaction)
        try:
            call.check()
        except CallError:
            self.counters.add("queued_executions_failed")
            return
        job = Job(call, run_executes, shareable=False)
        self.database.writer.run(job)
        self.counters.add("queued_executions_failed" if job.error else "queued_executions_ok")


def _in_one(body: bytes) -> Pieces:
    yield body


def perform(outcome: Outcome) -> Response:
    """Do the work in the calling thread, however long it takes."""
    if isinstance(outcome, Response):
        return outcome
    if isinstance(outcome, Read):
        return outcome.run(None)
    if isinstance(outcome, Block):
        return outcome.run()
    outcome.run()
    return outcome.finish()


@dataclass(frozen=True)
class Route:
    """One endpoint. The content type is the one of its refusals, too; no methods means all."""

    handler: Callable[[Service, Request], Outcome]
    permissions: tuple[str, ...] = ()
    methods: frozenset[str] | None = frozenset(("GET",))
    content_type: str = ""


_POST = frozenset(("POST",))
_BOTH = frozenset(("GET", "POST"))
_PREFIXES = {
    "/console": Route(admin.absent, ("ui",), frozenset(("GET", "HEAD"))),
    "/db/execute": Route(statements.execute, ("execute",), _POST, JSON),
    "/db/query": Route(statements.query, ("query",), _BOTH, JSON),
    "/db/request": Route(statements.request, ("query", "execute"), _POST, JSON),
    "/db/backup": Route(admin.backup, ("backup",)),
    "/db/load": Route(admin.load, ("load",), _POST),
    "/db/sql": Route(statements.analyze, ("query",), _BOTH, JSON),
    "/remove": Route(admin.remove, ("remove",), frozenset(("DELETE",))),
    "/status": Route(admin.status, ("status",), content_type=JSON),
    "/nodes": Route(admin.nodes, ("status",), content_type=JSON),
    "/readyz": Route(admin.readyz, ("ready",)),
    "/debug/pprof": Route(admin.absent, ("status",), None),
}
_EXACT = {
    **_PREFIXES,
    "": Route(admin.home, methods=None),
    "/": Route(admin.home, methods=None),
    "/console": Route(admin.home, methods=None),
    "/boot": Route(admin.boot, ("load",), _POST),
    "/snapshot": Route(admin.snapshot, ("snapshot",), _POST),
    "/reap": Route(admin.reap, ("snapshot",), _POST),
    "/leader": Route(admin.leader, ("leader-ops",), _BOTH, JSON),
    "/licenses": Route(admin.licenses, ("status",), content_type=TEXT),
    "/debug/vars": Route(admin.variables, ("status",), None, JSON),
}


def _find_route(path: str) -> Route | None:
    route = _EXACT.get(path)
    if route is None:
        for prefix, candidate in _PREFIXES.items():
            if path.startswith(prefix):
                return candidate
    return route
