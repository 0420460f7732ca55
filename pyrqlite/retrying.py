"""Running a transaction until it meets no conflict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import tenacity

from pyrqlite.base import BaseConnection
from pyrqlite.cluster.policies import check_policy, until_nobody_interferes
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
    policy = policy_of(connection, retry)

    def attempt() -> T:
        with connection.transaction():
            return function(connection)

    return policy(attempt)


def policy_of(
    connection: BaseConnection[Any], retry: tenacity.Retrying | None
) -> tenacity.Retrying:
    """How often to run a transaction on this connection; ProgrammingError where one is open, InterfaceError for
    what is no policy."""
    check_policy("retry", retry)
    if connection.in_transaction:
        raise ProgrammingError(
            "run_transaction begins a transaction of its own: commit or roll back the open one first"
        )
    return retry or until_nobody_interferes()
