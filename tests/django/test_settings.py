"""Settings, connections, introspection, the shell: what is around the ORM."""

from __future__ import annotations

import datetime
import io
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import NotSupportedError, OperationalError, connection, connections, models
from django.db.models import Max, StdDev
from django.db.models.functions import MD5, ExtractHour, Sqrt, TruncDate
from django.test import override_settings
from django.utils import timezone

import pyrqlite
from django_rqlite.base import DatabaseWrapper
from django_rqlite.client import DatabaseClient
from django_rqlite.settings import connection_parameters
from tests.django.conftest import make_tables, use
from tests.django.shop.models import Customer, Order
from tests.django.test_transactions import in_a_thread

DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("NAME", "HOST", "PORT", "USER", "PASSWORD"), ""),
    "OPTIONS": {},
}


def parameters(**given: Any) -> dict[str, Any]:
    return connection_parameters({**DEFAULTS, **given})


class TestParameters:
    def test_cluster(self) -> None:
        given = {"HOST": "a,b:4011", "PORT": "4001", "USER": "u", "PASSWORD": "p"}
        found = parameters(**given, OPTIONS={"level": "none", "exactly_once": True})
        assert found == {
            "host": "a,b:4011",
            "port": 4001,
            "user": "u",
            "password": "p",
            "level": "none",
            "exactly_once": True,
        }

    def test_server_in_the_process(self) -> None:
        assert parameters(NAME=":memory:")["target"] == ":memory:django-default"
        assert parameters(NAME=Path("/a/b.db"))["target"] == "file:/a/b.db"
        assert parameters(NAME="file:b.db")["embedded"] == {"fk": True, "extensions": True}
        options = {"embedded": {"fsync": "off", "fk": False}}
        found = parameters(NAME="b.db", OPTIONS=options)
        assert found["embedded"] == {"fk": False, "extensions": True, "fsync": "off"}

    def test_address(self) -> None:
        assert parameters(NAME="http://h:1") == {"target": "http://h:1"}

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"NAME": "shop", "HOST": "h"}, "no name"),
            ({"HOST": "h", "PORT": "x"}, "PORT 'x'"),
            ({"OPTIONS": {"pool": True}}, "no option pool"),
            ({"OPTIONS": {"levle": "none"}}, "'levle' is no option.*level"),
            ({"OPTIONS": {"host": "h"}}, "give HOST beside OPTIONS"),
            ({"OPTIONS": {"isolation_level": "autocommit"}}, "atomic\\(\\) do nothing"),
        ],
    )
    def test_what_cannot_be_meant(self, given: dict[str, Any], words: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=words):
            parameters(**given)

    def test_bad_value_of_an_option(self) -> None:
        wrapper = DatabaseWrapper({**connection.settings_dict, "OPTIONS": {"level": "sometimes"}})
        with pytest.raises(ImproperlyConfigured, match="sometimes"):
            wrapper.connect()

    def test_unknown_setting_of_the_server_in_the_process(self) -> None:
        options = {"embedded": {"fkk": True}}
        wrapper = DatabaseWrapper({**connection.settings_dict, "OPTIONS": options}, "unknown")
        with pytest.raises(ImproperlyConfigured, match="fkk"):
            wrapper.connect()


class TestShell:
    def test_cluster(self) -> None:
        given = {**DEFAULTS, "HOST": "h1:5,h2", "USER": "u", "PASSWORD": "p"}
        arguments, _ = DatabaseClient.settings_to_cmd_args_env(given, ["-v"])
        assert arguments == ["rqlite", "-H", "h1", "-p", "5", "-s", "http", "-u", "u:p", "-v"]

    def test_there_is_none_in_the_process(self) -> None:
        with pytest.raises(NotSupportedError, match="python -m rqlite_embedded"):
            DatabaseClient.settings_to_cmd_args_env({**DEFAULTS, "NAME": ":memory:"}, [])


class TestTestDatabases:
    def test_real_database_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        other = connections["other"]
        for real, test in (
            ({"NAME": "", "HOST": "a,b:4011"}, "http://B:4011"),
            ({"NAME": "shop.db", "HOST": ""}, "shop.db"),
            ({"NAME": Path("shop.db"), "HOST": ""}, "./shop.db"),
            ({"NAME": "http://a:4001", "HOST": ""}, "http://a:4001/"),
        ):
            for key, value in {
                **real,
                "TEST": {**other.settings_dict["TEST"], "NAME": test},
            }.items():
                monkeypatch.setitem(other.settings_dict, key, value)
            with pytest.raises(ImproperlyConfigured, match="tests would drop"):
                other.creation.create_test_db(verbosity=0)

    def test_is_made_and_removed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other = connections["other"]
        path = tmp_path / "test.db"
        test = {**other.settings_dict["TEST"], "NAME": path}
        for key, value in {"TEST": test, "NAME": "", "HOST": "127.0.0.1", "PORT": 1}.items():
            monkeypatch.setitem(other.settings_dict, key, value)
        other.creation.create_test_db(verbosity=0)
        assert "shop_customer" in other.introspection.table_names()
        other.creation.clone_test_db("2", verbosity=0)
        assert (tmp_path / "test_2.db").exists()
        other.creation.destroy_test_db(suffix="2", verbosity=0)
        assert not (tmp_path / "test_2.db").exists()
        assert other.settings_dict["HOST"] == ""
        other.creation.destroy_test_db("", verbosity=0)
        assert not path.exists()
        assert (other.settings_dict["HOST"], other.settings_dict["PORT"]) == ("127.0.0.1", 1)
        monkeypatch.undo()
        other.close()

    def test_server_is_emptied(self, url: str) -> None:
        with closing(pyrqlite.connect(url, autocommit=True)) as raw:
            raw.execute('CREATE TABLE "a ""b" (x PRIMARY KEY)')
            raw.execute('CREATE VIEW v AS SELECT * FROM "a ""b"')
            raw.execute(
                'CREATE TABLE c (x UNIQUE REFERENCES "a ""b", y REFERENCES d (x) ON DELETE CASCADE)'
            )
            raw.execute("CREATE TABLE d (x UNIQUE, y REFERENCES c (x) ON DELETE CASCADE)")
            connections["other"].creation._drop_everything(url)
            assert raw.execute("SELECT name FROM sqlite_master").fetchall() == []


@pytest.mark.usefixtures("shop")
class TestConnections:
    def test_health(self, url: str) -> None:
        assert connection.is_usable()
        dead = DatabaseWrapper({**connection.settings_dict, "NAME": "http://127.0.0.1:1"}, "dead")
        with pytest.raises(OperationalError):
            dead.ensure_connection()
        dead.connection = pyrqlite.connect("http://127.0.0.1:1", autocommit=True)
        assert not dead.is_usable()
        dead.close()

    def test_threads_have_their_own(self) -> None:
        assert in_a_thread(lambda: connection.connection is None)

    def test_closing_drops_what_was_not_committed(self) -> None:
        connection.set_autocommit(False)
        Customer.objects.create(name="ann")
        connection.close()
        assert not Customer.objects.exists()

    def test_table_of_exactly_once_is_hidden(self, url: str) -> None:
        use("default", url, exactly_once=True)
        Customer.objects.create(name="ann")
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM _pyrqlite_commits")
            assert cursor.fetchone() == (1,)
        assert connection.introspection.table_names() == ["shop_customer", "shop_order"]

    def test_raw_values_have_pythons_types(self) -> None:
        at = datetime.datetime(2024, 2, 29, 12, 30, 0, 5, tzinfo=datetime.timezone.utc)
        customer = Customer.objects.create(name="100%", since=at)
        Order.objects.create(customer=customer, at=at, paid=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, since FROM shop_customer WHERE name = '100%'")
            assert cursor.fetchall() == [("100%", at.replace(tzinfo=None))]
            cursor.execute("SELECT paid FROM shop_order WHERE 5 %% 3 = %(n)s", {"n": 2})
            assert cursor.fetchone() == (True,)
            cursor.execute("UPDATE shop_order SET paid = 0")
            assert (cursor.fetchone(), cursor.fetchall(), cursor.rowcount) == (None, [], 1)

    def test_flush_is_one_request(self) -> None:
        customer = Customer.objects.create(name="ann")
        Order.objects.create(customer=customer, at=timezone.now())
        statements = connection.ops.sql_flush(
            no_style(),
            ["shop_customer"],
            reset_sequences=True,
            allow_cascade=True,
        )
        assert len(statements) == 3
        connection.ops.execute_sql_flush(statements)
        assert not Customer.objects.exists()
        assert not Order.objects.exists()
        assert Customer.objects.create(name="ann").pk == 1

    def test_keys_go_in_one_query(self) -> None:
        key, name = (Customer._meta.get_field(field) for field in ("id", "name"))
        assert connection.ops.bulk_batch_size([key], range(40_000)) == 32_766
        assert connection.ops.bulk_batch_size([key, name], range(40_000)) < 2000

    def test_inspectdb(self) -> None:
        out = io.StringIO()
        call_command("inspectdb", stdout=out)
        text = out.getvalue()
        assert "class ShopOrder(models.Model):" in text
        assert "customer = models.ForeignKey(ShopCustomer" in text


@pytest.mark.usefixtures("shop")
class TestFunctions:
    def test_dates_in_a_zone(self) -> None:
        at = datetime.datetime(2024, 3, 31, 22, 30, tzinfo=datetime.timezone.utc)
        Customer.objects.create(name="ann", since=at)
        with timezone.override("Europe/Berlin"):
            found = Customer.objects.annotate(day=TruncDate("since"), hour=ExtractHour("since"))
            assert found.values_list("day", "hour").get() == (datetime.date(2024, 4, 1), 0)
            assert Customer.objects.filter(since__date=datetime.date(2024, 4, 1)).count() == 1
            last = Customer.objects.aggregate(last=TruncDate(Max("since")))
            assert last == {"last": datetime.date(2024, 4, 1)}

    def test_statistics_with_a_filter(self) -> None:
        for number in range(5):
            Customer.objects.create(name=str(number), balance=number * 10)
        spread = StdDev("balance", filter=models.Q(balance__lt=40))
        assert Customer.objects.aggregate(spread=spread)["spread"] == pytest.approx(11.180339887)
        assert Customer.objects.annotate(r=Sqrt("balance")).order_by(
            "-r"
        ).first().r == pytest.approx(40**0.5)

    def test_statistics_have_no_window(self) -> None:
        spread = models.Window(StdDev("balance"))
        with pytest.raises(NotSupportedError, match=r"STDDEV_POP.*no window"):
            list(Customer.objects.annotate(spread=spread))

    def test_extensions_are_used_where_they_are(self, url: str) -> None:
        Customer.objects.create(name="ann")
        query = Customer.objects.annotate(hash=MD5("name")).values_list("hash", flat=True)
        if "crypto_md5" in connection.server.functions:
            assert query.get() == "7e0d7f8a5d96c24ffcc840f31bce72b2"
            assert Customer.objects.filter(name__regex="^a.n").count() == 1
            return
        with pytest.raises(NotSupportedError, match="extensions-path"):
            query.get()
        with pytest.raises(NotSupportedError, match=r"REGEXP.*-extensions-path"):
            Customer.objects.filter(name__regex="^a.n").count()


def test_memory_is_shared_by_threads_and_outlives_connections() -> None:
    other = use("other", ":memory:")
    make_tables(other)
    in_a_thread(lambda: Customer.objects.using("other").create(name="ann"))
    other.close()
    assert Customer.objects.using("other").get().name == "ann"
    thread = threading.Thread(target=lambda: connections["other"].close())
    thread.start()
    thread.join()
    other.creation._destroy_test_db(":memory:", 0)
    other.close()
    assert other.introspection.table_names() == []
    other.close()


@override_settings(USE_TZ=False)
def test_without_zones(shop: Any) -> None:
    Customer.objects.create(name="ann", since=datetime.datetime(2024, 1, 1, 5))
    assert Customer.objects.annotate(h=ExtractHour("since")).get().h == 5
