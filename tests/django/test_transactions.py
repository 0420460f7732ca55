"""atomic() is real."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import (
    IntegrityError,
    NotSupportedError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.db.models import F
from django.db.transaction import TransactionManagementError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from django_rqlite import SerializationError, UniqueConflictError, retry_on_conflict
from tests.django.conftest import use
from tests.django.shop.models import Customer, Order

pytestmark = pytest.mark.usefixtures("shop")


def in_a_thread(function: Callable[[], Any]) -> Any:
    """Run it on connections of its own, as another client."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(function())
        except BaseException as error:
            outcome.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def names() -> list[str]:
    return sorted(Customer.objects.values_list("name", flat=True))


class TestAtomic:
    def test_others_see_nothing_before_the_commit(self) -> None:
        with transaction.atomic():
            Customer.objects.create(name="ann")
            assert names() == ["ann"]
            assert in_a_thread(names) == []
        assert in_a_thread(names) == ["ann"]

    def test_rolls_back(self) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            Customer.objects.create(name="ann")
            raise ZeroDivisionError
        assert names() == []

    def test_nests_by_savepoints(self) -> None:
        with transaction.atomic():
            Customer.objects.create(name="ann")
            with pytest.raises(IntegrityError), transaction.atomic():
                Customer.objects.create(name="bob")
                Customer.objects.create(name="ann")
            Customer.objects.create(name="cy")
        assert names() == ["ann", "cy"]

    def test_set_autocommit(self) -> None:
        transaction.set_autocommit(False)
        try:
            Customer.objects.create(name="ann")
            create = getattr(
                transaction, "savepoint_create", transaction.savepoint
            )  # since Django 6.1
            savepoint = create()
            Customer.objects.create(name="bob")
            transaction.savepoint_rollback(savepoint)
            assert in_a_thread(names) == []
            transaction.commit()
        finally:
            transaction.set_autocommit(True)
        assert in_a_thread(names) == ["ann"]

    def test_on_commit(self) -> None:
        seen: list[list[str]] = []
        with transaction.atomic():
            Customer.objects.create(name="ann")
            transaction.on_commit(lambda: seen.append(in_a_thread(names)))
            assert not seen
        assert seen == [["ann"]]

    def test_durable_is_never_inside(self) -> None:
        with pytest.raises(RuntimeError), transaction.atomic(), transaction.atomic(durable=True):
            pass

    def test_ddl_is_rolled_back(self) -> None:
        before = connection.introspection.table_names()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("CREATE TABLE made (a)")
            assert "made" in connection.introspection.table_names()
            raise ZeroDivisionError
        assert connection.introspection.table_names() == before

    def test_begin_of_ones_own_has_no_atomic_inside(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN EXCLUSIVE")
            Customer.objects.create(name="ann")
            with (
                pytest.raises(OperationalError, match="within a transaction"),
                transaction.atomic(),
            ):
                pass
            assert in_a_thread(names) == []
            cursor.execute("COMMIT")
        assert in_a_thread(names) == ["ann"]

    def test_deferred_foreign_key_fails_at_the_commit(self) -> None:
        with pytest.raises(IntegrityError, match="FOREIGN KEY"), transaction.atomic():
            Order.objects.create(customer_id=7, at=timezone.now())
        assert not Order.objects.exists()


class TestConflicts:
    @pytest.fixture(autouse=True)
    def _ann(self, shop: Any) -> None:
        Customer.objects.create(name="ann", balance=100)

    def take(self, amount: int, meanwhile: Callable[[], Any] = lambda: None) -> None:
        ann = Customer.objects.get(name="ann")
        meanwhile()
        ann.balance -= amount
        ann.save()

    def test_lost_update_is_refused(self) -> None:
        with (
            pytest.raises(SerializationError, match="run it again") as raised,
            transaction.atomic(),
        ):
            self.take(10, lambda: in_a_thread(lambda: self.take(20)))
        assert isinstance(raised.value, OperationalError)
        assert Customer.objects.get().balance == 80
        assert not connection.errors_occurred

    def test_both_effects_are_there_when_one_tries_again(self) -> None:
        both_have_read = threading.Barrier(2)
        attempts: list[int] = []

        @retry_on_conflict
        def view(request: HttpRequest, amount: int) -> HttpResponse:
            attempts.append(amount)

            def wait() -> None:
                if attempts.count(amount) == 1:
                    both_have_read.wait(20)

            self.take(amount, wait)
            return HttpResponse(b"done")

        def call(amount: int) -> int:
            return view(RequestFactory().post("/"), amount).status_code

        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda n=amount: answers.append(in_a_thread(lambda: call(n))))
            for amount in (10, 20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [200, 200]
        assert len(attempts) == 3
        assert Customer.objects.get().balance == 70

    def test_update_without_a_read_has_none(self) -> None:
        with transaction.atomic():
            Customer.objects.filter(name="ann").update(balance=F("balance") - 10)
            in_a_thread(lambda: self.take(20))
        assert Customer.objects.get().balance == 70

    def test_row_that_another_inserted_first_is_an_integrity_error(self) -> None:
        with pytest.raises(UniqueConflictError) as raised, transaction.atomic():
            Customer.objects.create(name="bob")
            in_a_thread(lambda: Customer.objects.create(name="bob"))
        assert isinstance(raised.value, IntegrityError)

    def test_get_or_create_finds_what_another_created(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ours = Customer.objects.all()
        create = ours.create

        def slowly(**kwargs: Any) -> Any:
            made = create(**kwargs)
            in_a_thread(lambda: Customer.objects.create(name="bob"))
            return made

        monkeypatch.setattr(ours, "create", slowly)
        found, created = ours.get_or_create(name="bob")
        assert (found.name, created) == ("bob", False)
        assert names() == ["ann", "bob"]


class TestRetrying:
    def test_needs_the_outermost_block(self) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            retry_on_conflict(names)()

    def test_leaves_other_errors_alone(self) -> None:
        attempts: list[int] = []

        @retry_on_conflict(using="default")
        def fail() -> None:
            attempts.append(1)
            Customer.objects.create(name="ann")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert attempts == [1]
        assert names() == []

    def test_takes_a_view_out_of_atomic_requests(self) -> None:
        view = retry_on_conflict(lambda request: HttpResponse())
        assert view._non_atomic_requests == {"default"}  # type: ignore[attr-defined]

    def test_refuses_coroutines(self) -> None:
        async def view(request: HttpRequest) -> HttpResponse:
            return HttpResponse()

        with pytest.raises(TypeError, match="sync_to_async"):
            retry_on_conflict(view)


class TestSelectForUpdate:
    def test_is_what_the_commit_checks_anyway(self) -> None:
        Customer.objects.create(name="ann", balance=100)
        with pytest.raises(SerializationError), transaction.atomic():
            ann = Customer.objects.select_for_update().get()
            in_a_thread(lambda: Customer.objects.update(balance=0))
            Customer.objects.create(name=f"not {ann.name}")
        assert names() == ["ann"]

    def test_needs_a_transaction(self) -> None:
        with pytest.raises(TransactionManagementError):
            Customer.objects.select_for_update().first()

    def test_is_refused_where_nothing_checks(self, url: str) -> None:
        use("default", url, isolation_level="READ COMMITTED")
        with (
            pytest.raises(NotSupportedError, match="READ COMMITTED"),
            transaction.atomic(),
        ):
            Customer.objects.select_for_update().first()
