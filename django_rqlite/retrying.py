"""Running a view or a function as a transaction, again and again until nobody interferes."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, overload

import tenacity
from django.db import DEFAULT_DB_ALIAS, transaction
from django.http import HttpRequest

from django_rqlite.errors import SerializationError

P = ParamSpec("P")
T = TypeVar("T")


def until_nobody_interferes() -> tenacity.Retrying:
    """20 attempts with growing random pauses, for SerializationError only."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(SerializationError),
        stop=tenacity.stop_after_attempt(20),
        wait=tenacity.wait_random_exponential(multiplier=0.01, max=1),
        reraise=True,
    )


@overload
def retry_on_conflict(function: Callable[P, T]) -> Callable[P, T]: ...
@overload
def retry_on_conflict(
    *, using: str = DEFAULT_DB_ALIAS, retry: tenacity.Retrying | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]: ...


def retry_on_conflict(
    function: Callable[P, T] | None = None,
    *,
    using: str = DEFAULT_DB_ALIAS,
    retry: tenacity.Retrying | None = None,
) -> Any:
    """A decorator: run a view or function in `atomic(durable=True)`, and again where another client interferes.

    The function must do nothing that cannot be done twice, apart from its work on the database: leave mails and
    the like to `transaction.on_commit`. A view is taken out of ATOMIC_REQUESTS for this database, since its
    transaction begins and ends here. `retry` is a tenacity policy of your own. Inside of another atomic block,
    which alone could be run again, it raises RuntimeError.
    """
    if function is None:
        return functools.partial(retry_on_conflict, using=using, retry=retry)
    if asyncio.iscoroutinefunction(function):
        raise TypeError(
            "a transaction lives in one thread: decorate a plain function, and await "
            "sync_to_async(function)(...)"
        )

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        def attempt() -> T:
            with transaction.atomic(using=using, durable=True):
                return function(*args, **kwargs)

        requests = [value for value in args if isinstance(value, HttpRequest)]
        return until_committed(attempt, requests, retry)

    return transaction.non_atomic_requests(using)(run)


def until_committed(
    attempt: Callable[[], T],
    requests: Sequence[HttpRequest] = (),
    retry: tenacity.Retrying | None = None,
) -> T:
    """Call `attempt` until it meets no conflict; every time the requests are as they were."""
    marks = [(request, _queued(request)) for request in requests]

    def rewind(state: tenacity.RetryCallState) -> None:
        if state.attempt_number > 1:
            for request, count in marks:
                _rewind(request, count)

    return (retry or until_nobody_interferes()).copy(before=rewind)(attempt)


def _queued(request: HttpRequest) -> int:
    """How many messages for the user wait in the request."""
    return len(getattr(getattr(request, "_messages", None), "_queued_messages", ()))


def _rewind(request: HttpRequest, messages: int) -> None:
    """Take back what an attempt has left in a request: messages, and files that were read."""
    if _queued(request) > messages:
        del request._messages._queued_messages[messages:]
    if hasattr(request, "_files"):
        for _, files in request.FILES.lists():
            for file in files:
                file.seek(0)
