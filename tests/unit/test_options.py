"""Options: the table, URLs, what is refused, and what never shows."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import math
import re
import ssl
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests
import tenacity
from hypothesis import given
from hypothesis import strategies as st

import pyrqlite
import pyrqlite.aio
from pyrqlite import InterfaceError, dbapi2
from pyrqlite.cluster.cluster import Cluster
from pyrqlite.cluster.node import Node
from pyrqlite.flow.session import CallOptions
from pyrqlite.options import LEVELS, Options, describe, duration, resolve
from pyrqlite.transports import Wire

SECRET = "s3cret"


def options(target: str | None = None, **keywords: Any) -> Options:
    return resolve(Options(target, **keywords))


def nodes(target: str | None = None, **keywords: Any) -> list[tuple[str, str, int]]:
    return [(node.scheme, node.host, node.port) for node in options(target, **keywords).nodes()]


class TestAddresses:
    @pytest.mark.parametrize(
        ("keywords", "expected"),
        [
            ({}, [("http", "localhost", 4001)]),
            ({"host": "h"}, [("http", "h", 4001)]),
            ({"host": "h", "port": 5}, [("http", "h", 5)]),
            ({"host": "h:7", "port": 5}, [("http", "h", 7)]),
            ({"host": "h", "scheme": "https"}, [("https", "h", 4001)]),
            (
                {"host": "a,b:2, c", "port": 9},
                [("http", "a", 9), ("http", "b", 2), ("http", "c", 9)],
            ),
            ({"host": "::1"}, [("http", "::1", 4001)]),
            ({"host": "[::1]"}, [("http", "::1", 4001)]),
            ({"host": "[::1]:8"}, [("http", "::1", 8)]),
            (
                {"host": "[::1]:8,[fe80::2],h"},
                [("http", "::1", 8), ("http", "fe80::2", 4001), ("http", "h", 4001)],
            ),
            ({"host": "127.0.0.1"}, [("http", "127.0.0.1", 4001)]),
        ],
    )
    def test_by_keywords(self, keywords: dict[str, Any], expected: list[Any]) -> None:
        assert nodes(**keywords) == expected

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("http://h", [("http", "h", 4001)]),
            ("http://h/", [("http", "h", 4001)]),
            ("https://h:5", [("https", "h", 5)]),
            ("HTTP://h:5", [("http", "h", 5)]),
            ("http://a,b:2", [("http", "a", 4001), ("http", "b", 2)]),
            ("http://u:p@a,b:2/?timeout=1", [("http", "a", 4001), ("http", "b", 2)]),
            ("http://[::1]:8", [("http", "::1", 8)]),
            ("http://[::1]", [("http", "::1", 4001)]),
            ("http://[::1]:8,[::2]:9", [("http", "::1", 8), ("http", "::2", 9)]),
            ("http://h:1,[::2]:9", [("http", "h", 1), ("http", "::2", 9)]),
        ],
    )
    def test_by_url(self, url: str, expected: list[Any]) -> None:
        assert nodes(url) == expected

    def test_keywords_fill_what_the_url_leaves_open(self) -> None:
        assert nodes("http://a,b:2", port=9) == [("http", "a", 9), ("http", "b", 2)]

    def test_first_argument_may_be_the_scheme_as_in_2x(self) -> None:
        assert nodes("https", host="h") == [("https", "h", 4001)]

    @pytest.mark.parametrize(
        "target",
        ["", "h", "h:4001", "ftp://h", "http:", "http://", "//h", "http:///x", "rqlite://h"],
    )
    def test_no_urls(self, target: str) -> None:
        with pytest.raises(InterfaceError):
            nodes(target)

    @pytest.mark.parametrize(
        "keywords",
        [
            {"host": ""},
            {"host": "a,,b"},
            {"host": ","},
            {"host": "h:x"},
            {"host": "h:99999"},
            {"host": "h:-1"},
            {"host": "[::1"},
            {"host": "h", "scheme": "ftp"},
            {"host": "h", "port": 0},
            {"host": "h", "port": 70000},
            {"host": "h", "port": -1},
            {"host": "a b"},
            {"host": "h/path"},
            {"host": "h?x=1"},
            {"host": "user:pw@h"},
        ],
    )
    def test_bad_keywords(self, keywords: dict[str, Any]) -> None:
        with pytest.raises(InterfaceError):
            nodes(**keywords)

    @pytest.mark.parametrize("connect", [pyrqlite.connect, pyrqlite.aio.connect, dbapi2.connect])
    def test_unknown_keywords(self, connect: Callable[..., Any]) -> None:
        says = r"connect\(\) has no option 'check_same_thread': there are target, scheme, host"
        with pytest.raises(TypeError, match=says):
            connect(host="h", check_same_thread=False)

    @pytest.mark.parametrize(
        "url", ["http://h:4001/database", "http://h/db/query", "http://h/#part"]
    )
    def test_a_path_would_be_lost(self, url: str) -> None:
        with pytest.raises(InterfaceError):
            nodes(url)

    def test_node_shows_itself_as_in_a_url(self) -> None:
        assert str(Node("https", "h", 5)) == "https://h:5"
        assert str(Node("http", "::1", 5)) == "http://[::1]:5"


class TestCredentials:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("http://h", (None, None)),
            ("http://bob@h", ("bob", "")),
            ("http://bob:@h", ("bob", "")),
            ("http://bob:pw@h", ("bob", "pw")),
            ("http://bob:p:w@h", ("bob", "p:w")),
            ("http://bob:p@w@h", ("bob", "p@w")),
            ("http://b%40b:p%2Fw%3A%25@h", ("b@b", "p/w:%")),
            ("http://bob:p+w@h", ("bob", "p+w")),
            ("http://bob:p%2Bw%20x@h", ("bob", "p+w x")),
            ("http://bob:p%C3%A4ss@h", ("bob", "päss")),
            ("http://bob:päss@h", ("bob", "päss")),
            ("http://bob:p[w@h", ("bob", "p[w")),
            ("http://bob:[pw]@h", ("bob", "[pw]")),
            ("http://bob:p\u2100w@h", ("bob", "p\u2100w")),
        ],
    )
    def test_of_a_url(self, url: str, expected: tuple[str | None, str | None]) -> None:
        found = options(url)
        assert (found.user, found.password) == expected
        assert nodes(url) == [("http", "h", 4001)]

    @given(st.text(st.characters(codec="utf-8"), max_size=12))
    def test_any_quoted_password_survives(self, password: str) -> None:
        assert options(f"http://bob:{quote(password, safe='')}@h").password == password

    @pytest.mark.parametrize(
        ("user", "password", "expected"),
        [
            ("bob", "pw", "Basic Ym9iOnB3"),
            ("bob", None, "Basic Ym9iOg=="),
            ("bö", "pä", "Basic YsO2OnDDpA=="),
        ],
    )
    def test_header(self, user: str, password: str | None, expected: str) -> None:
        sent = header_of(user=user, password=password)
        assert sent == expected

    def test_no_user_no_header(self) -> None:
        assert header_of() is None

    def test_user_with_a_colon_cannot_be_sent(self) -> None:
        with pytest.raises(InterfaceError):
            header_of(user="a:b", password="c")

    def test_password_without_user_is_an_oversight(self) -> None:
        with pytest.raises(InterfaceError):
            header_of(password="c")


def header_of(**keywords: Any) -> str | None:
    """The Authorization header that goes out."""
    seen: list[str | None] = []

    class Session(requests.Session):
        def request(self, *args: Any, **sent: Any) -> requests.Response:
            seen.append(sent["headers"].get("Authorization"))
            raise requests.ConnectTimeout

    connection = pyrqlite.connect(host="h", session=Session(), **keywords)
    with connection, pytest.raises(pyrqlite.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    return seen[0]


URL_OPTIONS = [
    ("freeze", "no", False),
    ("isolation_level", "READ%20COMMITTED", "READ COMMITTED"),
    ("max_guard_bytes", "4096", 4096),
    ("exactly_once", "true", True),
    ("steady_times", "1", True),
    ("level", "none", "none"),
    ("level", "STRONG", "STRONG"),
    ("freshness", "1.5s", "1.5s"),
    ("freshness_strict", "true", True),
    ("timeout", "1.5", 1.5),
    ("timeout", "none", None),
    ("connect_timeout", "2", 2.0),
    ("connect_timeout", "None", None),
    ("autocommit", "yes", True),
    ("autocommit", "", True),
    ("autocommit", "0", False),
    ("detect_types", "3", 3),
    ("max_redirects", "4", 4),
    ("max_request_bytes", "1000", 1000),
    ("ca_cert", "/etc/ca%20cert.pem", "/etc/ca cert.pem"),
    ("client_cert", "c.pem", "c.pem"),
    ("client_key", "k.pem", "k.pem"),
    ("insecure", "on", True),
    ("insecure", "False", False),
    ("transport", "urllib3", "urllib3"),
    ("read_from", "round_robin", "round_robin"),
    ("deadline", "2.5", 2.5),
    ("deadline", "none", None),
    ("discovery", "off", False),
    ("log_values", "1", True),
]


class TestUrlOptions:
    @pytest.mark.parametrize(("name", "text", "value"), URL_OPTIONS)
    def test_each(self, name: str, text: str, value: object) -> None:
        extra = "&freshness=1s" if name == "freshness_strict" else ""
        found = getattr(options(f"http://h/?{name}={text}{extra}"), name)
        assert (found, type(found)) == (value, type(value))

    def test_all_that_can_stand_in_a_url_are_tested(self) -> None:
        simple = {f.name for f in dataclasses.fields(Options) if f.metadata["parse"]}
        tested = {name for name, _, _ in URL_OPTIONS}
        assert simple == tested

    def test_several(self) -> None:
        found = options("http://h/?level=none&freshness=1s&timeout=5")
        assert (found.level, found.freshness, found.timeout) == ("none", "1s", 5.0)

    @pytest.mark.parametrize(
        "query",
        [
            "unknown=1",
            "host=x",
            "password=x",
            "session=x",
            "timeout=abc",
            "timeout=",
            "timeout=-1",
            "timeout=nan",
            "deadline=0",
            "read_from=me",
            "timeout=inf",
            "connect_timeout=-1",
            "detect_types=x",
            "insecure=perhaps",
            "level=fastest",
            "freshness=soon",
            "freshness=-1s",
            "freshness_strict=1",
            "max_redirects=many",
            "max_request_bytes=0",
            "max_request_bytes=-5",
            "transport=pigeon",
        ],
    )
    def test_bad_ones(self, query: str) -> None:
        with pytest.raises(InterfaceError):
            pyrqlite.connect(f"http://h/?{query}")

    @pytest.mark.parametrize(
        ("url", "keywords"),
        [
            ("http://h/?level=none", {"level": "strong"}),
            ("http://h/?timeout=1", {"timeout": 2.0}),
            ("http://bob:pw@h", {"user": "eve"}),
            ("http://h", {"host": "other"}),
        ],
    )
    def test_url_and_keyword_that_disagree(self, url: str, keywords: dict[str, Any]) -> None:
        with pytest.raises(InterfaceError):
            options(url, **keywords)


class TestChecks:
    @pytest.mark.parametrize("name", ["timeout", "connect_timeout"])
    @pytest.mark.parametrize("value", [-1, -0.1, 0, math.nan, math.inf, "5", [1]])
    def test_timeouts(self, name: str, value: Any) -> None:
        with pytest.raises(InterfaceError):
            pyrqlite.connect(host="h", **{name: value})

    @pytest.mark.parametrize("value", [-1, 0, math.nan, "5"])
    def test_timeouts_of_a_call(self, value: Any) -> None:
        with pyrqlite.connect(host="h") as connection, pytest.raises(InterfaceError):
            connection.cursor().execute("SELECT 1", timeout=value)
        connection.close()

    @pytest.mark.parametrize("value", [None, 1, 0.5, 60])
    def test_good_timeouts(self, value: float | None) -> None:
        assert options(timeout=value, connect_timeout=value).timeout == value

    @pytest.mark.parametrize("level", [*LEVELS, "Weak", None])
    def test_levels(self, level: str | None) -> None:
        assert options(level=level).level == level
        expected = "" if level is None else f"&level={level.lower()}"
        expected += "" if level in ("none", "auto") else "&redirect"
        assert CallOptions(level=level).read_query == expected

    def test_levels_that_are_none(self) -> None:
        with pytest.raises(InterfaceError, match="weak"):
            options(level="fast")
        with pytest.raises(InterfaceError, match="weak"):
            CallOptions(level="fast")

    @pytest.mark.parametrize("text", ["1.5s", "1h30m", "10us", "300ms", "1m0.5s"])
    def test_durations_in_the_servers_words(self, text: str) -> None:
        assert duration(text) == text

    @pytest.mark.parametrize("value", [1, 0.5, 1.5, 0.0004, 1e-6, 86400])
    def test_durations_in_seconds(self, value: float) -> None:
        """Never 0: the server takes that for no bound."""
        number, unit = re.fullmatch(r"([0-9.]+)(ns|us|ms|s)", duration(value)).groups()  # type: ignore[union-attr]
        assert float(number) * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[unit] == pytest.approx(
            value
        )

    @pytest.mark.parametrize(
        "value", [-1, -0.5, math.nan, math.inf, "1", "soon", "", "-1s", "1 s", "s"]
    )
    def test_durations_that_are_none(self, value: Any) -> None:
        with pytest.raises(InterfaceError):
            duration(value)
        with pytest.raises(InterfaceError):
            options(freshness=value)

    @pytest.mark.parametrize("value", [0, 0.0, "0", "0s", "0ms"])
    def test_freshness_of_nothing_would_be_no_bound(self, value: Any) -> None:
        with pytest.raises(InterfaceError):
            options(level="none", freshness=value)

    def test_strict_needs_freshness(self) -> None:
        with pytest.raises(InterfaceError):
            options(freshness_strict=True)
        with pytest.raises(InterfaceError):
            CallOptions(freshness_strict=True)
        strict = CallOptions(level="none", freshness="2s", freshness_strict=True)
        assert strict.read_query == "&level=none&freshness=2s&freshness_strict"

    @pytest.mark.parametrize("name", ["retry", "retry_once"])
    def test_policies_that_cannot_be_followed(self, name: str) -> None:
        awaited: dict[str, Any] = {name: tenacity.AsyncRetrying()}
        with pytest.raises(InterfaceError, match=f"{name} .* asyncio waits by it too"):
            options(**awaited)
        for nonsense in (3, "x", tenacity.Retrying, tenacity.retry(reraise=True)):
            given: dict[str, Any] = {name: nonsense}
            with pytest.raises(InterfaceError, match=f"{name}=.* is no policy"):
                options(**given)

    def test_unknown_keyword(self) -> None:
        with pytest.raises(TypeError):
            pyrqlite.connect(hots="h")  # type: ignore[call-arg]

    @pytest.mark.parametrize("value", ["pigeon", "", "Curl "])
    def test_unknown_transport(self, value: str) -> None:
        with pytest.raises(InterfaceError):
            pyrqlite.connect(host="h", transport=value)

    @pytest.mark.parametrize("transport", ["curl", "requests"])
    def test_context_that_a_transport_cannot_use_is_refused(self, transport: str) -> None:
        with pytest.raises(InterfaceError, match="ssl_context"):
            pyrqlite.connect(
                "https://h", ssl_context=ssl.create_default_context(), transport=transport
            )

    def test_context_with_auto_transport(self) -> None:
        pyrqlite.connect("https://h", ssl_context=ssl.create_default_context()).close()


class TestSecrets:
    """Passwords stay out of everything that is printed."""

    @pytest.mark.parametrize(
        "url",
        [
            f"ftp://bob:{SECRET}@h",
            f"ftp://bob:x:{SECRET}@h",
            f"ftp://bob:{SECRET}:x@h",
            f"ftp://bob:{SECRET}/x@h",
            f"ftp://bob:{SECRET}@x@h",
            f"ftp://{SECRET}@h",
            f"http://bob:[{SECRET}]@h:x",
            f"http://bob:[{SECRET}@h]",
            f"http://bob:{SECRET}\u2100@h:x",
            f"http://bob:{SECRET}@h:x",
            f"http://bob:{SECRET}@",
            f"http://bob:{SECRET}@h/?timeout=x",
            f"http://bob:{SECRET}@h/?unknown=1",
            f"bob:{SECRET}@h",
            f"http://bob:x/{SECRET}@h",
            f"http://bob:x?{SECRET}@h",
            f"http://bob:x#{SECRET}@h",
        ],
    )
    def test_not_in_errors_about_urls(self, url: str) -> None:
        """Some of these can be read as the user meant them; the others are refused without a quotation."""
        try:
            found = options(url)
            found.nodes()
        except InterfaceError as error:
            shown = "".join(traceback.format_exception(error, limit=0))
            assert SECRET not in shown, shown
        else:
            assert SECRET in f"{found.user} {found.password}"
            assert SECRET not in found.host

    def test_not_in_representations(self) -> None:
        found = options(f"http://bob:{SECRET}@h")
        raw = Options(f"http://bob:{SECRET}@h", password=SECRET)
        with pyrqlite.connect(f"http://bob:{SECRET}@h") as connection:
            shown = [repr(found), repr(raw), str(raw), repr(connection), repr(connection.options)]
            shown.append(repr(connection.session))
            shown.append(repr(vars(connection)))
        connection.close()
        assert not [text for text in shown if SECRET in text]

    def test_not_in_the_wires_representation(self) -> None:
        assert SECRET not in repr(Wire({"Authorization": SECRET}))

    @pytest.mark.parametrize("transport", ["urllib3", "curl", "requests"])
    def test_not_in_errors_and_logs_of_statements(
        self, transport: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        url = f"http://{SECRET}:{SECRET}@127.0.0.1:1/?log_values=1"
        connection = pyrqlite.connect(url, transport=transport)
        with pytest.raises(pyrqlite.OperationalError) as caught:
            connection.execute("INSERT INTO t VALUES (1)")
        connection.close()
        shown = "".join(traceback.format_exception(caught.value))
        assert "127.0.0.1:1" in shown
        encoded = "czNjcmV0"
        assert not [text for text in (shown, caplog.text) if SECRET in text or encoded in text]


class TestConnect:
    def test_signature_is_the_tables(self) -> None:
        names = list(inspect.signature(pyrqlite.connect).parameters)
        assert names == [f.name for f in dataclasses.fields(Options)]

    def test_documentation_is_the_tables(self) -> None:
        for field in dataclasses.fields(Options):
            assert field.metadata["doc"] in (pyrqlite.connect.__doc__ or "")
            assert f"    {field.name}: " in describe()

    def test_nothing_is_sent_before_it_is_needed(self) -> None:
        pyrqlite.connect("http://127.0.0.1:1").close()

    def test_embedded_targets(self) -> None:
        assert options(":memory:").is_embedded
        assert options(scheme=":memory:").is_embedded
        assert options("file:some/dir").embedded_path == "some/dir"
        assert options(":memory:").embedded_path is None
        assert options("http://h").embedded_path is None
        assert not options("http://h").is_embedded

    def test_embedded_file_needs_a_path(self) -> None:
        with pytest.raises(InterfaceError):
            pyrqlite.connect("file:")


class TestSharing:
    def shared(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        first, second = pyrqlite.connect(**one), pyrqlite.connect(**other)
        try:
            return first.session.cluster is second.session.cluster
        finally:
            first.close()
            second.close()

    @pytest.mark.parametrize(
        "other",
        [
            {},
            {"level": "none"},
            {"timeout": 1.0},
            {"detect_types": 1},
            {"target": "http://h:4001"},
        ],
    )
    def test_one_way_one_cluster(self, other: dict[str, Any]) -> None:
        assert self.shared(
            {"host": "h:4001"}, {"host": "h:4001", **other} if "target" not in other else other
        )

    @pytest.mark.parametrize(
        "other",
        [
            {"host": "h2"},
            {"user": "bob"},
            {"password": "x", "user": "bob"},
            {"scheme": "https"},
            {"insecure": True},
            {"transport": "urllib3"},
            {"retry": tenacity.Retrying()},
            {"ssl_context": ssl.create_default_context()},
            {"session": requests.Session()},
        ],
    )
    def test_other_ways_other_clusters(self, other: dict[str, Any]) -> None:
        assert not self.shared({"host": "h"}, {"host": "h", **other})

    def test_last_one_closes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        closed: list[str] = []
        first, second = pyrqlite.connect(host="h3"), pyrqlite.connect(host="h3")
        shared: Cluster = first.session.cluster
        monkeypatch.setattr(shared.transport, "close", lambda: closed.append("closed"))
        first.close()
        first.close()
        assert closed == []
        second.close()
        assert closed == ["closed"]
        third = pyrqlite.connect(host="h3")
        assert third.session.cluster is not shared
        third.close()


def test_transactions_are_pep_249s_by_default_and_2xs_in_dbapi2() -> None:
    for connect, expected in ((pyrqlite.connect, False), (dbapi2.connect, True)):
        connection = connect(host="h")
        assert connection.autocommit is expected
        connection.close()
