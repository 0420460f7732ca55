"""Running a view or a function as a transaction, again and again until nobody interferes."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar, overload

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

        marks = [mark(value) for value in args if isinstance(value, HttpRequest)]
        return until_committed(attempt, marks, retry)

    return transaction.non_atomic_requests(using)(run)


class Mark(NamedTuple):
    """A request, and how many messages for the user wait in it."""

    request: HttpRequest
    messages: int

    def rewind(self) -> None:
        """Take back what an attempt has left in the request: messages, and files that were read."""
        request = self.request
        if _queued(request) > self.messages:
            del request._messages._queued_messages[self.messages :]
        if hasattr(request, "_files"):
            for _, files in request.FILES.lists():
                for file in files:
                    file.seek(0)


def mark(request: HttpRequest) -> Mark:
    """What the request is like now."""
    return Mark(request, _queued(request))


def until_committed(
    attempt: Callable[[], T],
    marks: Sequence[Mark] = (),
    retry: tenacity.Retrying | None = None,
    *,
    failed: SerializationError | None = None,
) -> T:
    """Call `attempt` until it meets no conflict; every time the requests are as they were. `failed` is the conflict
    of an attempt that somebody else has made."""
    conflicts = [] if failed is None else [failed]

    def attempt_or_fail() -> T:
        if conflicts:
            raise conflicts.pop()
        return attempt()

    def rewind(state: tenacity.RetryCallState) -> None:
        if state.attempt_number > 1:
            for each in marks:
                each.rewind()

    return (retry or until_nobody_interferes()).copy(before=rewind)(attempt_or_fail)


def _queued(request: HttpRequest) -> int:
    """How many messages for the user wait in the request."""
    return len(getattr(getattr(request, "_messages", None), "_queued_messages", ()))
