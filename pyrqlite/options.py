"""The one table of options: the signature of `connect`, the keys of URLs and the documentation come from it."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
import tenacity

from pyrqlite.cluster.node import EMBEDDED, Node
from pyrqlite.cluster.policies import check_policy
from pyrqlite.cluster.selectors import NodeSelector, make_selector
from pyrqlite.errors import InterfaceError

LEVELS = ("none", "weak", "linearizable", "strong", "auto")
UNLIMITED_REDIRECTS = -1
DEFAULT_PORT = 4001
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+")


def _boolean(text: str) -> bool:
    values = {"1": True, "true": True, "yes": True, "on": True, "": True}
    values.update({"0": False, "false": False, "no": False, "off": False})
    try:
        return values[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither true nor false") from None


def _seconds(text: str) -> float | None:
    return None if text.lower() == "none" else float(text)


def _option(
    doc: str,
    default: Any,
    parse: Callable[[str], Any] | None = None,
    cluster: bool = False,
    secret: bool = False,
) -> Any:
    """An option: what it means, its default, how a URL's text becomes its value (None: not in URLs).

    `cluster` marks what belongs to the way to the nodes: connections that agree in it share their sockets.
    """
    metadata = {"doc": doc, "parse": parse, "cluster": cluster}
    return field(default=default, metadata=metadata, kw_only=True, repr=not secret)


@dataclass(frozen=True)
class Options:
    """Everything that `connect` takes."""

    target: str | None = field(
        default=None,
        metadata={
            "doc": "A URL `http(s)://user:password@host:4001,host2:4001/?level=...`; `:memory:` for a server "
            "in this process whose data is gone with the connection, `:memory:NAME` for one that all connections "
            "with that name share; `file:PATH` for one that keeps it.",
            "parse": None,
            "cluster": True,
        },
        repr=False,  # it may hold a password
    )
    scheme: str = _option("`http`, `https` or `:memory:`.", "http", None, True)
    host: str = _option(
        "The host of a node, or `host:port,host:port` of several.", "localhost", None, True
    )
    port: int = _option("The HTTP port, where `host` names none.", DEFAULT_PORT, None, True)
    user: str | None = _option("The user of HTTP basic authentication.", None, None, True)
    password: str | None = _option("The user's password.", None, None, True, secret=True)
    level: str | None = _option(
        "The read level: none, weak (the server's default), linearizable, strong or auto.",
        None,
        str,
    )
    freshness: str | float | None = _option(
        "With the level none: how long ago the node may have heard from the leader; seconds, or `1.5s`.",
        None,
        str,
    )
    freshness_strict: bool = _option(
        "With freshness: bound the age of the data too.", False, _boolean
    )
    read_from: str | NodeSelector = _option(
        "Which node answers reads at the levels none and auto: nearest, leader, round_robin, random, or an object "
        "of your own with a method select (pyrqlite.cluster.selectors).",
        "nearest",
        str,
        True,
    )
    timeout: float | None = _option(
        "How long to wait for a node to answer, in seconds, with each attempt; None waits for ever.",
        60.0,
        _seconds,
    )
    deadline: float | None = _option(
        "How long a call may take with all its attempts and pauses, in seconds: nothing is begun later. None: as "
        "timeout and the retry policies say.",
        None,
        _seconds,
    )
    connect_timeout: float | None = _option(
        "How long to wait for a connection, in seconds; None waits for ever.", 5.0, _seconds, True
    )
    autocommit: bool = _option(
        "Apply each statement at once; else commit() applies those since the last one.",
        False,
        _boolean,
    )
    detect_types: int = _option(
        "`PARSE_DECLTYPES`, `PARSE_COLNAMES`, both or 0: which columns to give to converters.",
        0,
        int,
    )
    isolation_level: str = _option(
        "SERIALIZABLE, READ COMMITTED, or AUTOCOMMIT, which is the same as autocommit=True.",
        "SERIALIZABLE",
        str,
    )
    exactly_once: bool = _option(
        "Repeat a write or commit whose answer was lost, and let it be applied once: each carries an id into "
        "the table _pyrqlite_commits.",
        False,
        _boolean,
    )
    steady_times: bool = _option(
        "Your word that no client lets the nodes' clocks fill columns declared as dates or times: then what "
        "was read of them is guarded too.",
        False,
        _boolean,
    )
    max_guard_bytes: int = _option(
        "Rows of more bytes than this are looked at again before a commit, not by it.", 1 << 20, int
    )
    freeze: bool = _option(
        "Replace clocks and random numbers by constants before a write is replicated; False leaves them to "
        "the server's rewriter.",
        True,
        _boolean,
    )
    clock: Callable[[], float] | None = _option(
        "A function in place of time.time, to freeze clocks by.", None, None
    )
    max_redirects: int = _option(
        "How often to follow a redirect to the leader; -1 for any number.",
        UNLIMITED_REDIRECTS,
        int,
        True,
    )
    max_request_bytes: int = _option(
        "The size of the largest request that executemany makes.", 256 * 1024 * 1024, int
    )
    ca_cert: str | None = _option(
        "A PEM file with the certificates to trust, in place of the system's.", None, str, True
    )
    client_cert: str | None = _option("A PEM file with the client's certificate.", None, str, True)
    client_key: str | None = _option(
        "A PEM file with the key of client_cert, if it is apart.", None, str, True
    )
    insecure: bool = _option(
        "Do not check the nodes' certificates. For tests only.", False, _boolean, True
    )
    ssl_context: ssl.SSLContext | None = _option(
        "A context of your own, in place of the four options above.", None, None, True
    )
    transport: str = _option(
        "auto (the fastest, which is urllib3), urllib3, curl or requests; for asyncio auto (the loop itself) or "
        "aiohttp.",
        "auto",
        str,
        True,
    )
    session: requests.Session | None = _option(
        "A requests.Session of your own, to send everything by.", None, None, True
    )
    discovery: bool = _option(
        "Learn from the cluster which nodes it has, and use those that can be reached at the addresses that they "
        "advertise.",
        True,
        _boolean,
        True,
    )
    translate_address: Callable[[str], str | None] | None = _option(
        "A function from the address that a node advertises (`http://host:port`) to the one to use; None leaves "
        "that node out.",
        None,
        None,
        True,
    )
    embedded: Mapping[str, Any] | None = _option(
        "With a server in this process: what `rqlite_embedded.open_database` takes beside the path, such as "
        "`{'fk': True}`. The first connection opens it.",
        None,
    )
    retry: tenacity.Retrying | None = _option(
        "A tenacity policy for waiting while the cluster has no leader, in place of 10 s with backoff.",
        None,
        None,
        True,
    )
    retry_once: tenacity.Retrying | None = _option(
        "A tenacity policy for sending a write again with exactly_once, in place of a minute and 5 attempts at "
        "least, with backoff.",
        None,
        None,
        True,
    )
    log_values: bool = _option(
        "Log the bodies of requests, with the values in them, at the level DEBUG.",
        False,
        _boolean,
        True,
    )

    def __post_init__(self) -> None:
        check_timeout("timeout", self.timeout)
        check_timeout("connect_timeout", self.connect_timeout)
        check_timeout("deadline", self.deadline)
        check_policy("retry", self.retry)
        check_policy("retry_once", self.retry_once)
        if self.level is not None and self.level.lower() not in LEVELS:
            raise InterfaceError(f"level {self.level!r} is none of {', '.join(LEVELS)}")
        if self.freshness is not None:
            duration(self.freshness)
        if self.freshness_strict and self.freshness is None:
            raise InterfaceError("freshness_strict needs freshness")
        if self.password is not None and self.user is None and self.target is None:
            raise InterfaceError("a password needs a user")
        if self.max_request_bytes < 1:
            raise InterfaceError("max_request_bytes is a number of bytes, 1 at the least")
        make_selector(self.read_from)
        if self.embedded_path == "":
            raise InterfaceError("file: needs the path of a file, as in file:app.db")

    @property
    def embedded_path(self) -> str | None:
        """The path of the in-process server's data; None for one in memory, or where there is none."""
        if self.target is not None and self.target.startswith("file:"):
            return self.target[len("file:") :]
        return None

    @property
    def is_embedded(self) -> bool:
        """Whether the server is the one in this process."""
        in_memory = self.scheme == ":memory:" or (self.target or "").startswith(":memory:")
        return in_memory or self.embedded_path is not None

    def nodes(self) -> list[Node]:
        """The nodes that the user named, in their order."""
        if self.is_embedded:
            return [EMBEDDED]
        named = (_node(self.scheme, part.strip(), self.port) for part in self.host.split(","))
        return list(dict.fromkeys(named))

    @property
    def is_secure(self) -> bool:
        """Whether the user's nodes are spoken to by TLS only."""
        return self.scheme == "https"

    def shared_by(self) -> tuple[Any, ...] | None:
        """What connections must have in common to share sockets and caches; None where nothing is shared."""
        if self.is_embedded:
            path = self.embedded_path
            if path is not None:
                return ("embedded", os.path.realpath(path))
            name = (self.target or "").removeprefix(":memory:")
            return ("in memory", name) if name else None
        fields = (f for f in dataclasses.fields(self) if f.metadata["cluster"])
        return tuple(_hashable(getattr(self, f.name)) for f in fields)


def _hashable(value: Any) -> Any:
    return id(value) if value.__class__.__hash__ is None else value


def resolve(options: Options) -> Options:
    """The options with those of the URL in them; InterfaceError where the URL is none, or says otherwise."""
    target = options.target
    if target is None or options.is_embedded:
        return options
    if target in ("http", "https"):  # the old driver's first argument was the scheme
        return dataclasses.replace(options, target=None, scheme=target)
    found = _from_url(target)
    for f in dataclasses.fields(options):
        given = getattr(options, f.name)
        if f.name in found and given not in (f.default, found[f.name]):
            raise InterfaceError(
                f"the URL and the keyword {f.name} say different things: leave one out"
            )
    return dataclasses.replace(options, target=None, **found)


def _from_url(url: str) -> Mapping[str, Any]:
    # No message here shows the URL: a part of a password could stand anywhere in it.
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in ("http", "https"):
        raise InterfaceError(
            "the target is no address: write http://host:4001, https://host:4001, :memory: or file:PATH"
        )
    credentials, _, place = rest.partition("?")[0].rpartition("@")
    query = rest.partition("?")[2]
    if not credentials and "@" in query:
        raise InterfaceError(
            "an @ or ? in the URL's user, password or options has to be percent-encoded"
        )
    hosts = place.rstrip("/")
    if not hosts or "/" in hosts:
        raise InterfaceError("the URL has a path, or no host: write http://host:4001/?option=value")
    found: dict[str, Any] = {"scheme": scheme, "host": hosts}
    if credentials:
        user, _, password = credentials.partition(":")
        found.update(user=unquote(user), password=unquote(password))
    for key, text in parse_qsl(query, keep_blank_values=True):
        found[key] = option_from_text(key, text)
    return found


def check_names(names: Iterable[str]) -> None:
    """TypeError for a keyword of connect() that is no option."""
    known = [field.name for field in dataclasses.fields(Options)]
    for name in names:
        if name not in known:
            raise TypeError(f"connect() has no option {name!r}: there are {', '.join(known)}")


def option_from_text(key: str, text: str) -> Any:
    """The value of an option as a URL writes it; InterfaceError for what is none."""
    known = {
        f.name: f.metadata["parse"] for f in dataclasses.fields(Options) if f.metadata["parse"]
    }
    if key not in known:
        raise InterfaceError(f"{key!r} is no option of a URL: there are {', '.join(sorted(known))}")
    try:
        return known[key](text)
    except ValueError as error:
        raise InterfaceError(f"the option {key}={text} of the URL: {error}") from error


def _node(scheme: str, address: str, port: int) -> Node:
    try:
        parts = urlsplit(
            f"//{address}" if address.count(":") < 2 or "[" in address else f"//[{address}]"
        )
        host, named = parts.hostname, parts.port
    except ValueError as error:
        raise InterfaceError(f"a host or port is no address of a node: {error}") from None
    if scheme not in ("http", "https"):
        raise InterfaceError(f"the scheme {scheme!r} is none of http, https, :memory:")
    if not host or not re.fullmatch(r"[^\s/?#@\\]+", address):
        raise InterfaceError("a host has to be written as host, host:port or [address]:port")
    if not isinstance(port, int) or not 0 < (named if named is not None else port) < 65536:
        raise InterfaceError("a port is a number from 1 to 65535")
    return Node(scheme, host, named or port)


def duration(value: str | float) -> str:
    """A length of time as the server takes it: a number is seconds, a text goes as it is if it is one."""
    if isinstance(value, str):
        if not _DURATION.fullmatch(value) or not re.search("[1-9]", value):
            raise InterfaceError(
                f"{value!r} is no duration: write 1.5s, 300ms or a number of seconds"
            )
        return value
    nanoseconds = round(value * 1e9) if math.isfinite(value) else 0
    if nanoseconds < 1:
        raise InterfaceError(f"{value} is no length of time: give seconds, more than none")
    return f"{nanoseconds}ns"


def check_timeout(name: str, seconds: float | None) -> None:
    """Raise InterfaceError for what is no time to wait."""
    if seconds is None:
        return
    if not isinstance(seconds, (int, float)) or not 0 < seconds <= threading.TIMEOUT_MAX:
        raise InterfaceError(
            f"{name}={seconds!r} is no time to wait: give seconds, or None for ever"
        )


def describe() -> str:
    """The table as text, a line or two for each option: part of connect's documentation."""
    return "\n".join(
        f"    {f.name}: {f.metadata['doc']} Default: {f.default!r}."
        for f in dataclasses.fields(Options)
    )
