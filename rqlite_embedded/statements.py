"""The endpoints that run statements: /db/execute, /db/query, /db/request, /db/sql."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from .body import BodyError, Statement, parse_body
from .exchange import JSON, Block, Outcome, Read, Request, Response, Wait, error
from .execution import Call, CallError, Runner, run_executes, run_mixed, run_queries
from .plans import is_plain
from .queued import Entry
from .results import (
    EncodingError,
    Result,
    Shape,
    encode_response,
    encode_results,
    encode_string,
    finish,
)
from .session import Watch
from .values import replace_invalid_utf8
from .writer import Job

if TYPE_CHECKING:
    from .service import Service

NOT_UTF8 = "string field contains invalid UTF-8"
_DEFAULT_SHAPE = Shape()


def execute(service: Service, request: Request) -> Outcome:
    """POST /db/execute: writes, at once or through the queue."""
    if "queue" in request.params:
        service.counters.add("queued_executions")
        return _enqueue(service, request)
    service.counters.add("executions")
    try:
        statements = _statements(request)
        if request.is_text:
            request.body.decode()
    except UnicodeDecodeError:
        return Answer(service, request).failed(NOT_UTF8)
    except BodyError as exc:
        return error(400, str(exc))
    return _write(service, request, statements, run_executes)


def query(service: Service, request: Request) -> Outcome:
    """GET and POST /db/query: reads."""
    service.counters.add("queries")
    try:
        statements = _statements(request)
    except BodyError as exc:
        return error(400, str(exc))
    logged = _is_strong(service, request)
    return _read(service, request, statements, logged=logged)


def request(service: Service, request: Request) -> Outcome:
    """POST /db/request: reads and writes in one list."""
    service.counters.add("requests")
    try:
        statements = parse_body(request.body)
    except BodyError as exc:
        return error(400, str(exc))
    explains = "noparse" not in request.params
    is_read = service.database.is_read
    reads_only = all(not s.sql or is_read(s.sql, explains=explains) for s in statements)
    if reads_only and not _is_strong(service, request):
        return _read(service, request, statements, logged=False)
    return _write(service, request, statements, run_mixed)


def analyze(service: Service, request: Request) -> Outcome:
    """GET and POST /db/sql: nothing is ever rewritten here, so this only checks the syntax."""
    start = perf_counter()
    try:
        if request.method == "POST":
            statements = parse_body(request.body)
        elif "q" in request.params:
            statements = [Statement(request.params.get("q"))]
        else:
            return error(400, "query not specified")
    except BodyError as exc:
        return error(400, str(exc))
    entries = ",".join([_analysis(service, statement.sql) for statement in statements])
    time = perf_counter() - start if request.params.timings else 0.0
    text = encode_response(f"[{entries}]", time=time)
    return Response(200, JSON, finish(text, pretty=request.params.pretty))


def _analysis(service: Service, sql: str) -> str:
    problem = service.database.syntax_error(sql)
    member = "error" if problem else "rewritten"
    members = f'"original":{encode_string(sql)}'
    if problem or sql:
        members += f',"{member}":{encode_string(problem or sql)}'
    return "{" + members + "}"


def _statements(request: Request) -> list[Statement]:
    if request.method == "GET":
        return [Statement(request.params.get("q"))]
    if request.is_text:
        return [Statement(replace_invalid_utf8(request.body))]
    return parse_body(request.body)


def _is_strong(service: Service, request: Request) -> bool:
    level = request.params.level
    if level == "strong" or (level == "linearizable" and not service.linearizable):
        # The server sends the first linearizable read of a term through its log, too.
        service.linearizable = True
        return True
    return False


def _call(request: Request, statements: list[Statement]) -> Call:
    params = request.params
    return Call(
        statements,
        transaction=params.transaction,
        timed=params.timings,
        qualify="qualify_columns" in params,
        returning="noparse" not in params,
        db_timeout=params.db_timeout,
    )


def _read(
    service: Service, request: Request, statements: list[Statement], *, logged: bool
) -> Outcome:
    answer = Answer(service, request, Shape(request.params.associative, request.params.blob_array))
    call = _call(request, statements)
    database = service.database

    def run(watch: Watch | None) -> Response:
        session = database.take_reader()
        try:
            results = run_queries(session, call, watch)
        except CallError as exc:
            return answer.failed(str(exc))
        finally:
            database.put_back(session)
        return answer.succeeded(results, database.next_index() if logged else 0)

    try:
        call.check()
    except CallError as exc:
        return answer.failed(str(exc))
    return Read(run, statements[0].sql)


def _write(service: Service, request: Request, statements: list[Statement], run: Runner) -> Outcome:
    call = _call(request, statements)
    answer = Answer(service, request, Shape(request.params.associative, request.params.blob_array))
    shareable = not call.db_timeout and all(is_plain(s.sql) for s in statements)
    return submit(service, answer, Job(call, run, shareable=shareable))


def submit(service: Service, answer: Answer, job: Job) -> Outcome:
    """Send a job through the writer, and its outcome as ``answer`` has it."""
    try:
        job.call.check()
    except CallError as exc:
        return answer.failed(str(exc))
    writer = service.database.writer

    def start(done: Callable[[], None]) -> None:
        job.done = done
        writer.start(job)

    def finished() -> Response:
        if job.error:
            return answer.failed(job.error)
        return answer.succeeded(job.results, job.index)

    return Wait(start, lambda: writer.run(job), finished)


def _enqueue(service: Service, request: Request) -> Outcome:
    wait = "wait" in request.params
    try:
        statements = parse_body(request.body)
    except BodyError as exc:
        if str(exc) == "no statements" and not wait:
            return error(400, str(exc))
        statements = []  # other bodies are accepted and dropped
    queue = service.queue
    entry = Entry(statements)
    answer = Answer(service, request)
    timeout = request.params.timeout() if wait else 0.0

    def start(done: Callable[[], None]) -> None:
        entry.done = done
        queue.put(entry)

    def finished() -> Response:
        if wait and not entry.written:
            return error(408, "queue wait timeout")
        return answer.queued(entry.sequence_number)

    def run() -> None:
        queue.put(entry)
        if wait:
            queue.wait(entry, timeout)

    def block() -> Response:
        run()
        return finished()

    if queue.is_full():
        return Block(block)
    if wait:
        return Wait(start, run, finished, timeout)
    return block()


class Answer:
    """Makes the response to one request from what its statements gave."""

    def __init__(
        self,
        service: Service,
        request: Request,
        shape: Shape = _DEFAULT_SHAPE,
        content_type: str = JSON,
        *,
        indexed: bool = True,
    ) -> None:
        self._params = request.params
        self._shape = shape
        self._content_type = content_type
        self._indexed = indexed and request.params.raft_index
        self._served_by = service.node.served_by
        self._start = perf_counter()

    def succeeded(self, results: list[Result], raft_index: int) -> Response:
        """Results, statement by statement."""
        try:
            encoded = encode_results(results, self._shape)
        except EncodingError as exc:
            response = error(500, str(exc))
            response.headers.update(self._served_by)
            return response
        index = raft_index if self._indexed else 0
        text = encode_response(encoded, time=self._time(), raft_index=index)
        return self._respond(text, self._served_by)

    def failed(self, message: str) -> Response:
        """A call that failed as a whole."""
        text = encode_response(error=message, time=self._time())
        return self._respond(text, {})

    def queued(self, sequence_number: int) -> Response:
        """Statements that have been accepted for later."""
        text = encode_response(time=self._time(), sequence_number=sequence_number)
        return self._respond(text, {})

    def _respond(self, text: str, headers: dict[str, str]) -> Response:
        body = finish(text, pretty=self._params.pretty)
        return Response(200, self._content_type, body, headers)

    def _time(self) -> float:
        return perf_counter() - self._start if self._params.timings else 0.0
