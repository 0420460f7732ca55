"""ATOMIC_REQUESTS with retries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import connections, transaction
from django.http import HttpRequest, HttpResponseBase

from django_rqlite.retrying import until_committed


class RetryOnConflict:
    """Runs views of ATOMIC_REQUESTS again where another client interferes.

    It has to be the last in MIDDLEWARE, since it calls the view; views outside of ATOMIC_REQUESTS are left alone.
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
    ) -> HttpResponseBase | None:
        """The view's response, from the first attempt that met no conflict; None where it is not ours."""
        aliases = _atomic_aliases(view)
        if not aliases or asyncio.iscoroutinefunction(view):
            return None
        atomic_view = view
        for alias in aliases:
            atomic_view = transaction.atomic(using=alias)(atomic_view)
        return until_committed(lambda: atomic_view(request, *arguments, **named), [request])


def _atomic_aliases(view: Callable[..., Any]) -> list[str]:
    """The databases of ATOMIC_REQUESTS for a view; none where this backend is not among them."""
    left_out: set[str] = getattr(view, "_non_atomic_requests", set())
    chosen = {
        alias: settings_dict["ENGINE"]
        for alias, settings_dict in connections.settings.items()
        if settings_dict["ATOMIC_REQUESTS"] and alias not in left_out
    }
    return list(chosen) if "django_rqlite" in chosen.values() else []
