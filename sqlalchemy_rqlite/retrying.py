"""Running a transaction until it meets no conflict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

import tenacity
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from pyrqlite import SerializationError
from pyrqlite.cluster.policies import until_nobody_interferes

S = TypeVar("S", bound=Session)
T = TypeVar("T")


@overload
def run_transaction(
    bind: Engine | Connection,
    function: Callable[[Connection], T],
    retry: tenacity.Retrying | None = None,
) -> T: ...
@overload
def run_transaction(
    bind: sessionmaker[S] | scoped_session[S] | S,
    function: Callable[[S], T],
    retry: tenacity.Retrying | None = None,
) -> T: ...
def run_transaction(
    bind: Any, function: Callable[[Any], T], retry: tenacity.Retrying | None = None
) -> T:
    """Run `function(connection)` or `function(session)` as a transaction, and return what it returned.

    Where another client interferes it is rolled back and run again, with the stop and the waits of `retry` (20
    times, by default); so the function must do nothing but work on what it is given. `bind` has no open
    transaction.
    """

    def attempt() -> T:
        with bind.begin() as begun:
            return function(begun if isinstance(bind, (Engine, sessionmaker)) else bind)

    return conflict_policy(retry)(attempt)


def conflict_policy(retry: tenacity.Retrying | None) -> tenacity.Retrying:
    """The stop and the waits of `retry`, or the driver's own, for SQLAlchemy's form of conflicts."""
    return (retry or until_nobody_interferes()).copy(
        retry=tenacity.retry_if_exception(is_conflict), reraise=True
    )


def is_conflict(error: BaseException) -> bool:
    """Whether SQLAlchemy's error says that another client interfered."""
    return isinstance(error, DBAPIError) and isinstance(error.orig, SerializationError)
