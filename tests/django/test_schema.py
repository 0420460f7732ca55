"""Tables are rebuilt, whether the server enforces foreign keys or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import checks
from django.db import IntegrityError, NotSupportedError, connection, models, transaction
from django.utils import timezone

from tests.django.conftest import make_tables, use
from tests.django.shop.models import Customer, Order
from tests.servers import Server, fresh

SERVERS = ["embedded_with_everything", "rqlited_with_keys", "embedded_server", "rqlited_node"]


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.rqlited) if name.startswith("rqlited") else name
        for name in SERVERS
    ]
)
def tables(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The shop on servers with and without -fk."""
    server: Server = request.getfixturevalue(request.param)
    fresh(server.url)
    made = use("default", server.url)
    make_tables(made)
    yield made
    made.close()
    made.settings_dict.update(NAME=":memory:", OPTIONS={})


def rows() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id, c.name, o.id FROM shop_customer c JOIN shop_order o ON o.customer_id = c.id ORDER BY o.id"
        )
        return [tuple(row) for row in cursor.fetchall()]


def changed(field: models.Field[Any, Any], name: str) -> models.Field[Any, Any]:
    field.set_attributes_from_name(name)
    field.model = Customer
    return field


class TestRebuild:
    @pytest.fixture(autouse=True)
    def _rows(self, tables: Any) -> None:
        for name in ("ann", "bob"):
            customer = Customer.objects.create(name=name)
            Order.objects.create(customer=customer, at=timezone.now())

    def test_parent_keeps_its_children(self) -> None:
        before = rows()
        new = changed(models.CharField(max_length=90, unique=True, db_default="x"), "name")
        with connection.schema_editor() as editor:
            editor.alter_field(Customer, Customer._meta.get_field("name"), new)
        assert rows() == before
        with connection.cursor() as cursor:
            constraints = connection.introspection.get_constraints(cursor, "shop_customer")
            columns = connection.introspection.get_table_description(cursor, "shop_customer")
        assert any(
            found["unique"] and found["columns"] == ["name"] for found in constraints.values()
        )
        assert "limited_debt" in constraints
        assert [column.display_size for column in columns if column.name == "name"] == [90]
        with pytest.raises(IntegrityError):
            Customer.objects.create(name="ann")
        assert Customer.objects.create(name="cy").pk == 3

    def test_is_undone_with_its_transaction(self) -> None:
        before = rows()
        new = changed(models.CharField(max_length=90), "name")
        with pytest.raises(ZeroDivisionError), connection.schema_editor() as editor:
            editor.alter_field(Customer, Customer._meta.get_field("name"), new)
            raise ZeroDivisionError
        assert rows() == before
        with pytest.raises(IntegrityError):
            Customer.objects.create(name="ann")

    def test_works_inside_of_atomic(self) -> None:
        before = rows()
        new = changed(models.CharField(max_length=90), "name")
        with transaction.atomic():
            with connection.schema_editor() as editor:
                editor.alter_field(Customer, Customer._meta.get_field("name"), new)
            assert rows() == before
        assert rows() == before

    def test_table_that_others_need_cannot_go(self) -> None:
        with pytest.raises(IntegrityError), connection.schema_editor() as editor:
            editor.delete_model(Customer)
        assert len(rows()) == 2

    def test_table_that_nobody_needs_goes(self) -> None:
        with connection.schema_editor() as editor:
            editor.delete_model(Order)
            editor.delete_model(Customer)
        assert connection.introspection.table_names() == []


@pytest.mark.usefixtures("shop")
def test_actions_of_foreign_keys_are_not_set_off() -> None:
    Customer.objects.create(name="ann")
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE child (c REFERENCES shop_customer ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)"
        )
        cursor.execute("INSERT INTO child VALUES (1)")
    new = changed(models.CharField(max_length=90), "name")
    with (
        pytest.raises(NotSupportedError, match="ON DELETE CASCADE"),
        connection.schema_editor() as editor,
    ):
        editor.alter_field(Customer, Customer._meta.get_field("name"), new)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM child")
        assert cursor.fetchone() == (1,)


def test_check_warns_of_foreign_keys(tables: Any) -> None:
    found = checks.run_checks(databases=["default"], tags=[checks.Tags.database])
    enforced = tables.features.supports_foreign_keys
    assert [warning.id for warning in found] == ([] if enforced else ["rqlite.W001"])
    assert all("-fk" in warning.hint for warning in found)
