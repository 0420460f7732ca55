"""One SQLite connection, driven statement by statement as the API's server drives its own.

A text may hold several SQL statements. Executing runs all of them and gives what the last one
gave; querying only prepares all but the last. Each statement is prepared when its turn comes,
and an error of preparation is told from one of running: the two end transactions differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from time import perf_counter
from typing import Any

import apsw

from .body import Statement
from .functions import error_text
from .plans import CACHEABLE, Plan, bind, describe, wrap_as_blobs
from .results import Change, Rows
from .values import Row, Value, ValueConversionError, convert_rows, keep_invalid_utf8

# Between two looks at the clock; a step of SQLite's virtual machine takes some 20 ns. Each look
# takes Python's lock, so work without a time limit, that may only be abandoned, looks less often.
_STEPS_PER_CHECK = 2_000
_STEPS_UNLIMITED = 100_000
_CACHED_PLANS = 512
_LONG_TAIL = 1 << 16


class StatementError(Exception):
    """A statement failed; the text is for the client."""


class PrepareError(StatementError):
    """A statement could not be prepared: it never ran."""


class ReadOnlyError(StatementError):
    """A statement tried to write through a read-only connection."""


class TimedOut(Exception):
    """The client's time limit has passed; what ran was interrupted."""


class OutOfBudget(Exception):
    """A read took longer than its caller can wait; it may be run again elsewhere."""


class Watch:
    """Someone who waits for a read: for ``budget`` seconds (None: longer), until they are gone."""

    __slots__ = ("budget", "gone")

    def __init__(self, budget: float | None = None) -> None:
        self.budget = budget
        self.gone = False


class Session:
    """A connection that runs statements. Not thread safe: its owner sees to that.

    ``plans`` is a cache that sessions of one kind may share.
    """

    def __init__(self, connection: apsw.Connection, plans: dict[str, Plan]) -> None:
        self.connection = connection
        self.generation = 0  # of the schema that the connection has seen
        self.epoch = 0  # of the pool that the connection belongs to
        self._plans = plans
        self._probing = False
        self._started = False
        self._scripting = False
        self._empty = False
        self._first = True
        self._qualify = False
        self._description: Sequence[Sequence[Any]] = ()
        self._deadline = inf
        self._late: type[Exception] = TimedOut
        self._watch: Watch | None = None
        connection.exec_trace = self._trace

    def close(self) -> None:
        """Close the connection, whatever it is doing."""
        self.connection.close(True)

    # Transactions

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.connection.in_transaction

    def control(self, sql: str) -> None:
        """Run a statement of transaction control. Raises StatementError."""
        try:
            self.connection.execute(sql)
        except apsw.Error as exc:
            raise StatementError(str(exc)) from None

    def roll_back(self) -> None:
        """Leave the transaction, if there is one."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    # Time limits

    def limit(
        self,
        deadline: float = inf,
        late: type[Exception] = TimedOut,
        watch: Watch | None = None,
    ) -> None:
        """Interrupt what runs past ``deadline`` (of perf_counter), or whose client is gone."""
        was_free = self._deadline == inf and self._watch is None
        self._deadline, self._late, self._watch = deadline, late, watch
        if deadline == inf and watch is None:
            if not was_free:
                self.connection.set_progress_handler(None)
            return
        steps = _STEPS_UNLIMITED if deadline == inf else _STEPS_PER_CHECK
        self.connection.set_progress_handler(self._is_late, steps)

    def check_limit(self) -> None:
        """Raises TimedOut, OutOfBudget or StatementError when the time is over."""
        if self._is_late():
            raise self._interruption()

    @property
    def is_limited(self) -> bool:
        """Whether there is a deadline."""
        return self._deadline != inf

    def _interruption(self) -> Exception:
        if self._watch is not None and self._watch.gone:
            return StatementError("context canceled")
        return self._late()

    def _is_late(self) -> bool:
        if self._watch is not None and self._watch.gone:
            return True
        return self._deadline != inf and perf_counter() > self._deadline

    # Statements

    def plan(self, sql: str) -> Plan:
        """Prepare the first statement of ``sql`` without running it. Raises PrepareError."""
        cached = self._plans.get(sql)
        if cached is not None:
            return cached
        text = sql.partition("\0")[0]
        cursor = self.connection.cursor()
        self._probing = True
        try:
            cursor.execute(text)
        except apsw.ExecTraceAbort:
            pass  # as the tracer was told to
        except apsw.BindingsError:
            pass  # it wants arguments: it is prepared all the same
        except apsw.Error as exc:
            raise PrepareError(error_text(exc)) from None
        finally:
            self._probing = False
        plan = describe(text, cursor)
        cursor.close(True)
        if plan.data_only and len(sql) <= CACHEABLE:
            if len(self._plans) >= _CACHED_PLANS:
                self._plans.clear()
            self._plans[sql] = plan
        return plan

    def query(self, statement: Statement, *, qualify: bool = False) -> Rows:
        """Run the last statement of the text and give its rows.

        Raises StatementError, TimedOut, OutOfBudget.
        """
        for plan, offset in self._parts(statement):
            _demand_arguments(plan, statement, offset, len(statement.args) - offset)
            if not plan.tail and not plan.empty:
                return self._rows(plan, bind(plan, statement, offset), qualify)
        return Rows()

    def execute(self, statement: Statement, *, returning: bool = True) -> Change | Rows:
        """Run the statements of the text and give the counts, or rows, of the last one.

        Raises StatementError, TimedOut, OutOfBudget.
        """
        change = Change()
        for plan, offset in self._parts(statement):
            if plan.empty:
                change = Change()
            elif returning and plan.returning and not plan.tail:
                _demand_arguments(plan, statement, offset, len(statement.args) - offset)
                return self._rows(plan, bind(plan, statement, offset), False)
            else:
                # Without any argument the server leaves the placeholders NULL.
                if statement.args or self.is_limited:
                    _demand_arguments(plan, statement, offset, len(statement.args))
                change = self._step_once(plan, bind(plan, statement, offset))
                if len(plan.tail) > _LONG_TAIL and not statement.args:
                    change = self._run_script(plan.tail)
                    break
        return change

    def _parts(self, statement: Statement) -> Iterator[tuple[Plan, int]]:
        """The statements of a text, each prepared after the one before it has been dealt with."""
        if statement.complaint:
            raise StatementError(statement.complaint)
        self.check_limit()
        self._first = True
        plan, offset = self.plan(statement.sql), 0
        yield plan, offset
        self._first = False
        while plan.tail:
            offset += plan.parameters
            try:
                plan = self.plan(plan.tail)
            except PrepareError as exc:
                raise StatementError(str(exc)) from None
            yield plan, offset

    def _step_once(self, plan: Plan, values: Sequence[Value]) -> Change:
        cursor = self._start(plan, values)
        connection = self.connection
        change = Change(connection.last_insert_rowid(), connection.changes())
        cursor.close(True)
        return change

    def _run_script(self, sql: str) -> Change:
        """Run many statements at a stretch: cutting each from what follows would take for ever."""
        cursor = self.connection.cursor()
        self._first = False
        self._scripting = True
        try:
            for _ in cursor.execute(sql):
                pass
        except apsw.ExecTraceAbort:
            raise self._interruption() from None
        except UnicodeDecodeError as exc:
            raise StatementError(f"text is not UTF-8: {exc}") from None
        except apsw.Error as exc:
            raise self._failure(exc) from None
        finally:
            self._scripting = False
            cursor.close(True)
        if self._empty:
            return Change()
        return Change(self.connection.last_insert_rowid(), self.connection.changes())

    def _rows(self, plan: Plan, values: Sequence[Value], qualify: bool) -> Rows:
        self._qualify = qualify
        cursor = self._start(plan, values)
        description = self._description
        if not description:
            cursor.close(True)
            return Rows()
        try:
            fetched: list[Row] = list(cursor.fetchall())
        except UnicodeDecodeError as exc:
            if not plan.readonly:
                raise StatementError(f"text is not UTF-8: {exc}") from None
            fetched = self._fetch_invalid_text(plan, values)
        except apsw.Error as exc:
            raise self._failure(exc) from None
        finally:
            cursor.close(True)
        types = [(column[1] or "").lower() for column in description]
        try:
            fetched = convert_rows(fetched, types)
        except ValueConversionError as exc:
            raise StatementError(str(exc)) from None
        if qualify:
            names = [f"{c[3]}.{c[0]}" if c[3] else c[0] for c in description]
        else:
            names = [column[0] for column in description]
        return Rows(names, types, fetched)

    def _start(self, plan: Plan, values: Sequence[Value]) -> apsw.Cursor:
        cursor = self.connection.cursor()
        self._started = False
        try:
            cursor.execute(plan.sql, values)
        except apsw.Error as exc:
            raise self._failure(exc) from None
        return cursor

    def _trace(self, cursor: apsw.Cursor, _sql: str, _bindings: object) -> bool:
        """Called between the preparation of a statement and its first step."""
        if self._probing:
            return False
        self._started = True
        if self._scripting:
            self._empty = not cursor.has_vdbe
            return not self._is_late()
        self._description = cursor.description_full if self._qualify else cursor.get_description()
        return True

    def _failure(self, error: apsw.Error) -> Exception:
        if isinstance(error, apsw.InterruptError):
            return self._interruption()
        if isinstance(error, apsw.ReadOnlyError):
            return ReadOnlyError(str(error))
        if self._first and not self._started:
            return PrepareError(error_text(error))
        return StatementError(error_text(error))

    def _fetch_invalid_text(self, plan: Plan, values: Sequence[Value]) -> list[Row]:
        """The rows of a query with texts that are not UTF-8, which only arrive as BLOBs."""
        width = len(self._description)
        wrapped = plan._replace(sql=wrap_as_blobs(plan.sql, width))
        cursor = self._start(wrapped, values)
        try:
            doubled = cursor.fetchall()
        except apsw.Error as exc:
            raise self._failure(exc) from None
        return [
            tuple(
                keep_invalid_utf8(value) if is_text and isinstance(value, bytes) else value
                for is_text, value in zip(row[:width], row[width:], strict=True)
            )
            for row in doubled
        ]


def _demand_arguments(plan: Plan, statement: Statement, offset: int, reported: int) -> None:
    if len(statement.args) - offset < plan.parameters:
        raise StatementError(
            f"not enough args to execute query: want {plan.parameters} got {reported}"
        )
