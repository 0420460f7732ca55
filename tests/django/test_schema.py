"""Tables are rebuilt, whether the server enforces foreign keys or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps.registry import Apps
from django.core import checks
from django.db import IntegrityError, connection, models, transaction
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


class Node(models.Model):
    """A tree whose branches go with what they hang on."""

    name = models.CharField(max_length=10)
    parent = models.ForeignKey("self", models.DO_NOTHING, null=True)

    class Meta:
        apps = Apps()
        app_label = "shop"
        db_table = "node"


LATE = "DEFERRABLE INITIALLY DEFERRED"
TREE = f"""
CREATE TABLE node (id INTEGER PRIMARY KEY AUTOINCREMENT, name, parent_id REFERENCES node ON DELETE CASCADE {LATE});
CREATE TABLE twig (id INTEGER PRIMARY KEY, n REFERENCES node ON DELETE CASCADE {LATE}, x AS (n + 1));
CREATE TABLE leaf (id INTEGER PRIMARY KEY AUTOINCREMENT, t REFERENCES TWIG ON DELETE CASCADE {LATE});
CREATE TABLE nest (id INTEGER PRIMARY KEY, n REFERENCES node ON DELETE SET NULL {LATE});
CREATE TABLE bird (id INTEGER PRIMARY KEY, n DEFAULT 1 REFERENCES node ON DELETE SET DEFAULT {LATE});
CREATE TABLE moss (n REFERENCES node ON DELETE RESTRICT, l REFERENCES leaf);
CREATE TABLE bark (n REFERENCES node {LATE});
CREATE TABLE noted (what);
CREATE INDEX twigs ON twig (n);
CREATE VIEW seen AS SELECT * FROM node;
CREATE TRIGGER lost AFTER DELETE ON twig BEGIN INSERT INTO noted VALUES (old.id); END;
CREATE TRIGGER "the new" AFTER INSERT ON leaf BEGIN INSERT INTO noted VALUES (new.id); END;
INSERT INTO node VALUES (1, 'a', NULL), (2, 'b', 1), (3, 'c', 2);
INSERT INTO twig (id, n) VALUES (1, 1), (2, 3), (3, 3);
INSERT INTO leaf VALUES (1, 2), (2, 3), (9, 3);
DELETE FROM leaf WHERE id = 9;
INSERT INTO nest VALUES (1, 2);
INSERT INTO bird VALUES (1, 3);
INSERT INTO moss VALUES (1, 2);
INSERT INTO bark VALUES (2);
DELETE FROM noted;
"""
OTHERS = ("twig", "leaf", "nest", "bird", "moss", "bark", "noted", "sqlite_sequence")


def grown() -> list[Any]:
    """All that a rebuild of the nodes has to leave alone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name, parent_id FROM node")
        found = [cursor.fetchall()]
        for table in OTHERS:
            cursor.execute(f"SELECT * FROM {table} ORDER BY 1")
            found.append(cursor.fetchall())
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name <> 'node' ORDER BY name")
        return [*found, cursor.fetchall()]


class TestActions:
    """Foreign keys with actions, which DROP TABLE sets off."""

    @pytest.fixture(autouse=True)
    def _tree(self, tables: Any) -> None:
        tables.ensure_connection()
        tables.connection.executescript(TREE)

    @pytest.mark.parametrize("atomic", [True, False])
    def test_are_not_set_off_by_a_rebuild(self, atomic: bool) -> None:
        before = grown()
        new = changed(models.CharField(max_length=90, null=True), "name")
        with connection.schema_editor(atomic=atomic) as editor:
            editor.alter_field(Node, Node._meta.get_field("name"), new)
        assert grown() == before

    def test_are_not_set_off_where_a_rebuild_fails(self) -> None:
        before = grown()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE node SET name = 'b'")
        new = changed(models.CharField(max_length=90, unique=True), "name")
        with connection.schema_editor() as editor, pytest.raises(IntegrityError, match="UNIQUE"):
            editor.alter_field(Node, Node._meta.get_field("name"), new)
        assert grown()[1:] == before[1:]

    def test_table_is_not_deleted_with_rows_of_others(self, tables: Any) -> None:
        before = grown()
        with pytest.raises(IntegrityError), connection.schema_editor() as editor:
            editor.delete_model(Node)
        assert grown() == before

    def test_table_is_deleted_to_which_no_row_refers(self, tables: Any) -> None:
        with connection.cursor() as cursor:
            for table in ("moss", "leaf", "twig", "bark"):
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute("UPDATE nest SET n = NULL")
            cursor.execute("UPDATE bird SET n = NULL")
        with connection.schema_editor() as editor:
            editor.delete_model(Node)
        assert "node" not in connection.introspection.table_names()


def test_check_warns_of_foreign_keys(tables: Any) -> None:
    found = checks.run_checks(databases=["default"], tags=[checks.Tags.database])
    enforced = tables.features.supports_foreign_keys
    assert [warning.id for warning in found] == ([] if enforced else ["rqlite.W001"])
    assert all("-fk" in warning.hint for warning in found)
