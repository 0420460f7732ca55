"""The endpoints that run no statements of the client: state, backup, load, cluster."""

from __future__ import annotations

import json
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from . import backups
from . import status as state
from .body import Statement
from .exchange import JSON, TEXT, Block, Outcome, Request, Response, error
from .execution import Call, run_executes
from .results import encode_json, encode_response, encode_string, finish
from .statements import NOT_UTF8, Answer, submit
from .writer import Job

if TYPE_CHECKING:
    from .service import Service

_LICENSES = (
    "rqlite_embedded runs on SQLite (public domain, https://sqlite.org) through APSW "
    "(https://github.com/rogerbinns/apsw, any OSI approved license).\n"
)


def home(service: Service, request: Request) -> Outcome:
    """/ and /console lead to the console."""
    code, text = (301, "Moved Permanently") if request.path == "/console" else (302, "Found")
    location = {"Location": "/console/"}
    if request.method not in ("GET", "HEAD"):
        return Response(code, "", b"", location)
    body = f'<a href="/console/">{text}</a>.\n\n'.encode()
    return Response(code, "text/html; charset=utf-8", body, location)


def absent(service: Service, request: Request) -> Outcome:
    """/console/ and /debug/pprof: there is neither."""
    return error(404, "404 page not found")


def readyz(service: Service, request: Request) -> Outcome:
    """GET /readyz."""
    if "noleader" in request.params:
        return Response(200, TEXT, b"[+]node ok")
    lines = ["[+]node ok", "[+]leader ok", "[+]store ok"]
    if "sync" in request.params:
        lines.append("[+]sync ok")
    lines.append("[+]db ok")
    return Response(200, TEXT, "\n".join(lines).encode())


def status(service: Service, request: Request) -> Outcome:
    """GET /status."""
    key = request.params.get("key")
    document = state.report(service)
    if key:
        part = state.select(document, key)
        return Response(200, JSON, finish(encode_json(part, sort_keys=True)))
    return _json(request, document)


def nodes(service: Service, request: Request) -> Outcome:
    """GET /nodes, in both forms."""
    node = service.node.describe(_contact(service))
    if request.params.get("ver") == "2":
        return _json(request, {"nodes": [node]})
    return _json(request, {service.node.node_id: node})


def leader(service: Service, request: Request) -> Outcome:
    """GET and POST /leader: this node leads, and there is none to hand over to."""
    if request.method == "GET":
        return _json(request, service.node.describe(_contact(service)))
    if request.headers.get("content-type") == "application/json" and request.body:
        try:
            node_id = _wanted_leader(request.body)
        except ValueError as exc:
            return error(400, f"invalid JSON: {exc}")
        if node_id == service.node.node_id:
            return error(500, "stepdown: cannot step down to the current Leader")
        if node_id:
            return error(500, "stepdown: node not found in cluster")
    if "wait" in request.params:
        return error(500, "stepdown: cannot find peer")
    return Response(200, JSON, b"", service.node.served_by)


def _wanted_leader(body: bytes) -> str:
    wanted, _ = json.JSONDecoder().raw_decode(body.decode("utf-8", "replace").lstrip())
    if wanted is None:
        return ""
    if not isinstance(wanted, dict):
        raise ValueError("not an object")
    node_id = {name.lower(): value for name, value in wanted.items()}.get("id") or ""
    if not isinstance(node_id, str):
        raise ValueError("id is not a string")
    return node_id


def remove(service: Service, request: Request) -> Outcome:
    """DELETE /remove: no other node is known, and unknown ones are removed in silence."""
    try:
        wanted = json.loads(request.body)
    except ValueError:
        return Response(400)
    if not isinstance(wanted, dict) or list(wanted) != ["id"]:
        return Response(400)
    if not isinstance(wanted["id"], (str, type(None))):
        return Response(400)
    return Response(200, "", b"", service.node.served_by)


def snapshot(service: Service, request: Request) -> Outcome:
    """POST /snapshot: a checkpoint of the write-ahead log."""

    def run() -> Response:
        return Response(200 if service.database.checkpoint() else 204)

    return Block(run)


def reap(service: Service, request: Request) -> Outcome:
    """POST /reap: there are no snapshots that could pile up."""
    body = b'{"snapshots_reaped":0,"wals_checkpointed":0}\n'
    return Response(200, JSON, body)


def licenses(service: Service, request: Request) -> Outcome:
    """GET /licenses."""
    return Response(200, TEXT, _LICENSES.encode())


def variables(service: Service, request: Request) -> Outcome:
    """GET /debug/vars."""
    wanted = request.params.get("key")
    maps: dict[str, Any] = {
        "http": service.counters.snapshot(),
        "store": {"index": service.database.index},
    }
    lines = [
        f"{encode_string(name)}: {encode_json(value)}"
        for name, value in maps.items()
        if wanted in ("", name)
    ]
    return Response(200, JSON, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def backup(service: Service, request: Request) -> Outcome:
    """GET /db/backup."""
    params = request.params
    form = params.get("fmt").lower()
    form = form if form in ("sql", "delete") else "binary"
    if "vacuum" in params and form != "binary":
        return error(500, "invalid backup format")

    def run() -> Response:
        data = backups.make(
            service.database, form, vacuum="vacuum" in params, tables=params.tables()
        )
        service.last_backup = time()
        kind = "application/sql" if form == "sql" else "application/octet-stream"
        return Response(200, kind, pieces=backups.compress(data) if "compress" in params else data)

    return Block(run)


def load(service: Service, request: Request) -> Outcome:
    """POST /db/load: a whole database, or SQL text."""
    if backups.looks_like_sqlite(request.peek(backups.HEADER_SIZE)):
        return Block(lambda: _replace(service, request, _loaded(service, request)))
    # The answer is no more associative, and has no more of an index, than a script's is.
    answer = Answer(service, request, content_type=TEXT, indexed=False)
    try:
        sql = b"".join(request.pieces()).decode()
    except UnicodeDecodeError:
        return answer.failed(NOT_UTF8)
    call = Call(
        [Statement(sql)],
        timed=request.params.timings,
        returning=False,
        roll_back_on_error=True,
    )
    return submit(service, answer, Job(call, run_executes, shareable=False))


def boot(service: Service, request: Request) -> Outcome:
    """POST /boot: a whole database."""
    head = request.peek(backups.HEADER_SIZE)
    if len(head) < backups.HEADER_SIZE:
        return error(503, "EOF")
    if not backups.looks_like_sqlite(head):
        return error(400, "invalid SQLite data")
    return Block(lambda: _replace(service, request, Response()))


def _loaded(service: Service, request: Request) -> Response:
    body = finish(encode_response(), pretty=request.params.pretty)
    return Response(200, TEXT, body, service.node.served_by)


def _replace(service: Service, request: Request, success: Response) -> Response:
    try:
        backups.replace(service.database, request.pieces())
    except backups.InvalidDatabase as exc:
        return error(503 if request.path == "/boot" else 500, str(exc))
    return success


def _contact(service: Service) -> float:
    """How long it took to reach the only node: its own database."""
    start = perf_counter()
    service.database.put_back(service.database.take_reader())
    return perf_counter() - start


def _json(request: Request, document: Any) -> Response:
    return Response(200, JSON, finish(encode_json(document), pretty=request.params.pretty))
