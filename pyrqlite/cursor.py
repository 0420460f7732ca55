"""The synchronous cursor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pyrqlite.base import BaseCursor, level_of
from pyrqlite.flow.executing import execute, execute_many, execute_script
from pyrqlite.flow.session import DEFAULT, CallOptions
from pyrqlite.sql.parameters import Parameters

if TYPE_CHECKING:
    from typing_extensions import Self

    from pyrqlite.connection import Connection


class Cursor(BaseCursor):
    """Runs statements and hands out their rows; PEP 249's cursor, with `sqlite3`'s additions."""

    def __init__(self, connection: Connection, options: CallOptions | None = None) -> None:
        super().__init__(options or connection.defaults)
        self._connection = connection
        self.row_factory = connection.row_factory

    @property
    def connection(self) -> Connection:
        """The connection that made this cursor."""
        return self._connection

    def execute(
        self,
        operation: str,
        parameters: Parameters | None = None,
        queue: bool = DEFAULT,
        wait: bool = DEFAULT,
        consistency: str | None = None,
        *,
        level: str | None = DEFAULT,
        freshness: str | float | None = DEFAULT,
        freshness_strict: bool = DEFAULT,
        timeout: float | None = DEFAULT,
        freeze: bool = DEFAULT,
    ) -> Self:
        """Run one statement and return this cursor.

        `parameters`: a sequence for `?`, `?1` and `:1`, a mapping for `:name`, `@name` and `$name`.
        `queue` hands a write to the node's queue: no result, and no promise that it is durable; `wait`
        returns only once it was applied. `level`, `freshness`, `freshness_strict` and `timeout` (seconds)
        replace the connection's for this call; `consistency` is an older name of `level`. `freeze=False`
        leaves clocks and random numbers in a write to the server's rewriter.

        Raises ProgrammingError for more than one statement or for parameters that do not fit, before
        anything is sent; IntegrityError, OperationalError and the rest of PEP 249's tree as fits.
        """
        options = self._call_options(
            level=level_of(level, consistency),
            freshness=freshness,
            freshness_strict=freshness_strict,
            timeout=timeout,
            queue=queue,
            wait=wait,
            freeze=freeze,
        )
        self._forget()
        connection = self._connection
        outcome = connection.run(execute(connection.session, _text(operation), parameters, options))
        self._take(outcome, connection.options.detect_types)
        return self

    def executemany(
        self,
        operation: str,
        seq_of_parameters: Iterable[Parameters],
        queue: bool = DEFAULT,
        wait: bool = DEFAULT,
        *,
        timeout: float | None = DEFAULT,
    ) -> Self:
        """Run one INSERT, UPDATE or DELETE for each set of parameters, as one request: all or nothing.

        `rowcount` is the sum of all.
        """
        options = self._call_options(timeout=timeout, queue=queue, wait=wait)
        self._forget()
        connection = self._connection
        outcome = connection.run(
            execute_many(connection.session, _text(operation), seq_of_parameters, options)
        )
        self._take(outcome, connection.options.detect_types)
        return self

    def executescript(self, sql_script: str) -> Self:
        """Run the statements of a script as one request: all or nothing."""
        self._check_open()
        self._forget()
        connection = self._connection
        connection.run(execute_script(connection.session, _text(sql_script), self._defaults))
        return self

    def close(self) -> None:
        """Forget the rows. The cursor cannot be used afterwards; its counts can be read as in `sqlite3`."""
        self._rows, self._closed = None, True

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._at_end():
            raise StopIteration
        return self.fetchone()

    def next(self) -> Any:
        """The next row; StopIteration behind the last."""
        return next(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _text(operation: object) -> str:
    if not isinstance(operation, str):
        raise TypeError(f"a statement is a str, not {type(operation).__name__}")
    return operation
