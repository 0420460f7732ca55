"""ATOMIC_REQUESTS with retries, as Django runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.test import Client, override_settings
from django.urls import path

from django_rqlite import SerializationError
from tests.django.shop.models import Customer
from tests.django.test_transactions import in_a_thread

attempts: list[Any] = []


def take(request: HttpRequest, meanwhile: Callable[[], Any] | None = None) -> int:
    """Take one from ann's balance; another client sets it in the first attempt."""
    ann = Customer.objects.get()
    attempts.append(request.FILES["file"].read() if request.FILES else len(attempts))
    if len(attempts) == 1:
        in_a_thread(meanwhile or (lambda: Customer.objects.update(balance=50)))
    ann.balance -= 1
    ann.save()
    return int(ann.balance)


def simple(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(take(request)).encode())


def missing(request: HttpRequest) -> HttpResponse:
    if attempts:
        raise Http404
    return simple(request)


def own_error(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


@transaction.non_atomic_requests
def not_atomic(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        return simple(request)


def rendered(request: HttpRequest) -> HttpResponse:
    take(request, lambda: None)
    template = engines["django"].from_string("{{ conflict }}")
    return TemplateResponse(request, template, {"conflict": a_conflict})


def a_conflict() -> None:
    raise SerializationError("while the page is made")


urlpatterns = [
    path(f"{view.__name__}/", view) for view in (simple, missing, own_error, not_atomic, rendered)
]


def explaining(get_response: Any) -> Any:
    """A middleware that makes pages of errors."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response: HttpResponse = get_response(request)
        return response

    def process_exception(request: HttpRequest, exception: Exception) -> HttpResponse:
        return HttpResponse(type(exception).__name__.encode())

    middleware.process_exception = process_exception  # type: ignore[attr-defined]
    return middleware


@pytest.fixture
def client(shop: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
    Customer.objects.create(name="ann", balance=100)
    attempts.clear()
    middleware = [f"{__name__}.explaining", "django_rqlite.middleware.RetryOnConflict"]
    templates = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
    with override_settings(
        ROOT_URLCONF=__name__, MIDDLEWARE=middleware, TEMPLATES=templates, ALLOWED_HOSTS=["*"]
    ):
        yield Client(raise_request_exception=False)


def test_view_runs_again(client: Client) -> None:
    file = SimpleUploadedFile("file.txt", b"text")
    assert client.post("/simple/", {"file": file}).content == b"49"
    assert attempts == [b"text", b"text"]
    assert Customer.objects.get().balance == 49


def test_other_errors_of_the_second_attempt(client: Client) -> None:
    assert client.get("/missing/").status_code == 404
    assert Customer.objects.get().balance == 50


def test_other_middleware_sees_errors(client: Client) -> None:
    assert client.get("/own_error/").content == b"ZeroDivisionError"


def test_views_without_a_transaction_of_their_own_are_left_alone(client: Client) -> None:
    assert client.get("/not_atomic/").content == b"SerializationError"
    assert len(attempts) == 1


def test_what_is_committed_does_not_run_again(client: Client) -> None:
    assert client.get("/rendered/").content == b"SerializationError"
    assert Customer.objects.get().balance == 99
