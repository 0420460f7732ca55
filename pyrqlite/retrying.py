"""Running a transaction until it meets no conflict."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tenacity

from pyrqlite.cluster.policies import until_nobody_interferes
from pyrqlite.connection import Connection
from pyrqlite.errors import ProgrammingError

T = TypeVar("T")


def run_transaction(
    connection: Connection,
    function: Callable[[Connection], T],
    retry: tenacity.Retrying | None = None,
) -> T:
    """Run `function(connection)` as a transaction, commit it, and return what it returned.

    Where another client interferes (SerializationError) it is rolled back and run again, as `retry` says; so
    the function must do nothing but work on the connection. Any other error rolls back and is raised. Inside of
    another transaction, which alone could be run again, it raises ProgrammingError.
    """
    if connection.in_transaction:
        raise ProgrammingError(
            "run_transaction begins a transaction of its own: commit or roll back the open one first"
        )

    def attempt() -> T:
        with connection.transaction():
            return function(connection)

    return (retry or until_nobody_interferes())(attempt)
