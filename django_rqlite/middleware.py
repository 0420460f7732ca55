"""ATOMIC_REQUESTS with retries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connections, transaction
from django.http import HttpRequest, HttpResponseBase

from django_rqlite.errors import SerializationError
from django_rqlite.retrying import Mark, mark, until_committed


class _Call(NamedTuple):
    """A call of a view, and what the request was like before it."""

    view: Callable[[], HttpResponseBase]
    mark: Mark


class RetryOnConflict:
    """Runs views of ATOMIC_REQUESTS again where another client interferes.

    Django runs the view first, with all that other middleware does. Views outside of ATOMIC_REQUESTS are left
    alone.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The response of the view, or of what stands before it."""
        return self._get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        arguments: Sequence[Any],
        named: Mapping[str, Any],
    ) -> None:
        """Remember how to run the view again."""
        aliases = _atomic_aliases(view)
        if not aliases or asyncio.iscoroutinefunction(view):
            return
        atomic_view = view
        for alias in aliases:
            atomic_view = transaction.atomic(using=alias)(atomic_view)
        request._rqlite_call = _Call(
            lambda: atomic_view(request, *arguments, **named), mark(request)
        )

    def process_template_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """The transaction is committed: what fails from now on does not bring the view back."""
        request.__dict__.pop("_rqlite_call", None)
        return response

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """The view's response, from the first attempt that meets no conflict; None where it met another error."""
        call: _Call | None = request.__dict__.pop("_rqlite_call", None)
        if call is None or not isinstance(exception, SerializationError):
            return None
        return until_committed(call.view, [call.mark], failed=exception)


def _atomic_aliases(view: Callable[..., Any]) -> list[str]:
    """The databases of ATOMIC_REQUESTS for a view; none where this backend is not among them."""
    left_out: set[str] = getattr(view, "_non_atomic_requests", set())
    chosen = {
        alias: settings_dict["ENGINE"]
        for alias, settings_dict in connections.settings.items()
        if settings_dict["ATOMIC_REQUESTS"] and alias not in left_out
    }
    return list(chosen) if "django_rqlite" in chosen.values() else []
