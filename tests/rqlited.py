"""Real rqlited processes for tests: single nodes and clusters on free ports of 127.0.0.1."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from tests.plain_http import Response, send_once

T = TypeVar("T")

READY_SECONDS = 30.0
START_ATTEMPTS = 5
# Below the range from which the kernel gives ports to outgoing connections.
PORTS = range(15000, 32000)


class RqlitedError(Exception):
    """A node or a cluster did not do what a test needs of it."""


class PortTaken(RqlitedError):
    """Somebody else took the port between the choice and the start."""


def find_rqlited() -> Path | None:
    """The program that RQLITED_PATH names, else rqlited on PATH, else None.

    Raises:
        FileNotFoundError: RQLITED_PATH is set but is no program.
    """
    named = os.environ.get("RQLITED_PATH")
    found = shutil.which(named or "rqlited")
    if named and found is None:
        raise FileNotFoundError(f"RQLITED_PATH={named!r} is not an executable file")
    return Path(found).resolve() if found else None


def wait_until(
    condition: Callable[[], T | None], *, what: str, seconds: float = READY_SECONDS
) -> T:
    """Poll until the condition gives something true, and return that.

    Raises:
        RqlitedError: the deadline passed.
    """
    deadline = time.monotonic() + seconds
    pause = 0.005
    while True:
        outcome = condition()
        if outcome:
            return outcome
        if time.monotonic() > deadline:
            raise RqlitedError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on just now."""
    for port in random.SystemRandom().sample(PORTS, 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise RqlitedError("no free port found")


@dataclass(frozen=True)
class User:
    """An entry of rqlited's authentication file."""

    username: str
    password: str
    perms: tuple[str, ...]

    @property
    def authorization(self) -> str:
        """The value of the Authorization header."""
        return basic_authorization(self.username, self.password)


def basic_authorization(username: str, password: str) -> str:
    """The value of an Authorization header of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def write_users(users: Sequence[User], directory: Path) -> Path:
    """Write the authentication file of these users into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "auth.json"
    file.write_text(json.dumps([vars(user) for user in users]), encoding="utf-8")
    return file


@dataclass(frozen=True)
class TLSFiles:
    """PEM files of the HTTPS listener, and of the authority that signed them."""

    cert: Path
    key: Path
    ca: Path
    verify_client: bool = False

    def client_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if self.verify_client:
            context.load_cert_chain(self.cert, self.key)
        return context


@dataclass(frozen=True)
class NodeOptions:
    """How a node is started.

    Args:
        users: switches authentication on; one of them needs the permission "all".
        raft_timeout: heartbeat, election and leader lease; small so that a node is soon ready.
        extra: more command-line flags.
    """

    foreign_keys: bool = False
    users: tuple[User, ...] = ()
    tls: TLSFiles | None = None
    raft_timeout: str = "100ms"
    extra: tuple[str, ...] = ()

    def flags(self, directory: Path) -> list[str]:
        """The command-line flags; the authentication file is written into the directory."""
        flags = []
        for name in ("heartbeat", "election", "leader-lease"):
            flags += [f"-raft-{name}-timeout", self.raft_timeout]
        if self.foreign_keys:
            flags.append("-fk")
        if self.users:
            flags += ["-auth", str(write_users(self.users, directory))]
        if self.tls:
            flags += ["-http-cert", str(self.tls.cert), "-http-key", str(self.tls.key)]
            if self.tls.verify_client:
                flags += ["-http-verify-client", "-http-ca-cert", str(self.tls.ca)]
        return [*flags, *self.extra]

    @property
    def admin(self) -> User | None:
        """The user as whom the helper itself asks."""
        for user in self.users:
            if "all" in user.perms and user.username != "*":
                return user
        if self.users:
            raise ValueError('one of the users needs the permission "all"')
        return None


class RqlitedNode:
    """One rqlited process with a directory of its own (data, log, authentication file)."""

    def __init__(
        self,
        binary: Path,
        directory: Path,
        options: NodeOptions | None = None,
        *,
        join: Sequence[str] = (),
        bootstrap_expect: int = 0,
    ) -> None:
        self.binary = binary
        self.directory = directory
        self.options = options or NodeOptions()
        self.join = tuple(join)
        self.bootstrap_expect = bootstrap_expect
        self.http_port = 0
        self.raft_port = 0
        self.advertised: str | None = (
            None  # where the other nodes are to reach it, if not at its port
        )
        self.suspended = False
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"<RqlitedNode {self.url} in {self.directory}>"

    @property
    def url(self) -> str:
        return f"{'https' if self.options.tls else 'http'}://{self.http_address}"

    @property
    def http_address(self) -> str:
        return f"127.0.0.1:{self.http_port}"

    @property
    def raft_address(self) -> str:
        """What it advertises; also the node's id."""
        return self.advertised or self._raft_listener

    @property
    def _raft_listener(self) -> str:
        return f"127.0.0.1:{self.raft_port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._expect_process().pid

    @property
    def log(self) -> str:
        """What the process has written so far, over all its starts."""
        file = self.directory / "log.txt"
        return file.read_text(errors="replace") if file.exists() else ""

    def choose_ports(self) -> None:
        self.http_port, self.raft_port = free_port(), free_port()

    def start(self) -> None:
        """Start on new ports and wait until the HTTP API answers."""
        for _ in range(START_ATTEMPTS):
            self.choose_ports()
            with contextlib.suppress(PortTaken):
                self.spawn()
                self.wait_answering()
                return
            shutil.rmtree(self.directory / "data", ignore_errors=True)
        raise RqlitedError(f"no port of {START_ATTEMPTS} could be had")

    def spawn(self) -> None:
        """Start the process on the ports chosen, waiting for nothing."""
        arguments = [
            *("-http-addr", self.http_address, "-raft-addr", self._raft_listener),
            *(("-raft-adv-addr", self.advertised) if self.advertised else ()),
            *self.options.flags(self.directory),
        ]
        if self.join:
            arguments += ["-join", ",".join(self.join), "-join-interval", "200ms"]
            arguments += ["-join-attempts", "50"]
        if self.bootstrap_expect:
            arguments += ["-bootstrap-expect", str(self.bootstrap_expect)]
        self._log_start = len(self.log)
        self.suspended = False
        with (self.directory / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                [self.binary, *arguments, self.directory / "data"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "TZ": "UTC"},
            )

    def wait_answering(self, seconds: float = READY_SECONDS) -> None:
        """Wait until the HTTP API answers anything at all."""
        wait_until(lambda: self._probe() is not None, what=f"{self} answers", seconds=seconds)

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until the node knows a leader and serves requests."""

        def ready() -> bool:
            response = self._probe()
            return response is not None and response.status == 200

        wait_until(ready, what=f"{self} is ready", seconds=seconds)

    def restart(self, seconds: float = READY_SECONDS) -> None:
        """Start again on the same ports with the same data, and wait until the API answers."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.spawn()
                self.wait_answering(seconds)
                return
            except PortTaken:
                if time.monotonic() > deadline:
                    raise

    def kill(self) -> None:
        """End the process at once, as `kill -9` does."""
        process = self._expect_process()
        process.kill()
        process.wait()

    def terminate(self, seconds: float = READY_SECONDS) -> None:
        """Ask the process to end, and wait for it."""
        process = self._expect_process()
        self.resume()
        process.terminate()
        process.wait(seconds)

    def suspend(self) -> None:
        """Stop the process as it stands (SIGSTOP): its ports stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)
        # The signal is on its way only: until the last thread has stopped, requests may still be answered.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT)
        self.suspended = True

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
        self.suspended = False

    def send(
        self, method: str, target: str, body: bytes | None = None, *, timeout: float = 30.0
    ) -> Response:
        """One request to this node, as the user that may do everything."""
        admin = self.options.admin
        headers = {"Authorization": admin.authorization} if admin else {}
        context = self.options.tls.client_context() if self.options.tls else None
        return send_once(self.url, method, target, body, headers, timeout=timeout, context=context)

    def status(self, key: str, timeout: float = 2.0) -> Any:
        """A part of /status, such as "store.raft"."""
        return self.send("GET", f"/status?key={key}", timeout=timeout).json

    def _expect_process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RqlitedError(f"{self} was not started")
        return self._process

    def _probe(self) -> Response | None:
        if not self.running:
            written = self.log[self._log_start :]
            kind = PortTaken if "address already in use" in written else RqlitedError
            raise kind(f"{self} ended; its log:\n{written[-2000:]}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.send("GET", "/readyz?timeout=1s", timeout=2.0)
        return None


class RqlitedCluster:
    """Some nodes that elect a leader among them."""

    def __init__(self, nodes: Sequence[RqlitedNode]) -> None:
        self.nodes = tuple(nodes)

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    def revive(self) -> None:
        """Have all nodes run, and wait until they are ready."""
        for node in self.nodes:
            if node.suspended:
                node.resume()
            if not node.running:
                node.restart()
        self.wait_ready()

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until all running nodes are ready and agree about the leader."""
        for node in self._alive():
            node.wait_ready(seconds)
        self.leader(seconds)

    def leader(self, seconds: float = READY_SECONDS) -> RqlitedNode:
        """The node that calls itself leader and that a majority follows, once there is one."""
        return wait_until(self._agreed_leader, what="the cluster has a leader", seconds=seconds)

    def followers(self, seconds: float = READY_SECONDS) -> list[RqlitedNode]:
        """The running nodes other than the leader."""
        leader = self.leader(seconds)
        return [node for node in self._alive() if node is not leader]

    def stop(self) -> None:
        for node in self.nodes:
            if node.running:
                node.kill()

    def _alive(self) -> list[RqlitedNode]:
        return [node for node in self.nodes if node.running and not node.suspended]

    def _agreed_leader(self) -> RqlitedNode | None:
        votes: list[str] = []
        claims: list[RqlitedNode] = []
        for node in self._alive():
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError):
                store = node.status("store")
                votes.append(store["leader"]["addr"])
                if store["raft"]["state"] == "Leader":
                    claims.append(node)
        for node in claims:
            if votes.count(node.raft_address) * 2 > len(self.nodes):
                return node
        return None


@contextlib.contextmanager
def running_node(
    binary: Path, directory: Path, options: NodeOptions | None = None
) -> Iterator[RqlitedNode]:
    """A single node that is ready; it is killed at the end."""
    node = RqlitedNode(binary, directory, options)
    try:
        node.start()
        node.wait_ready()
        yield node
    finally:
        if node.running:
            node.kill()


@contextlib.contextmanager
def running_cluster(
    binary: Path,
    directory: Path,
    size: int = 3,
    options: NodeOptions | None = None,
    *,
    bootstrap_expect: bool = False,
    per_node: Mapping[int, tuple[str, ...]] | None = None,
    advertise: Callable[[RqlitedNode], str] | None = None,
) -> Iterator[RqlitedCluster]:
    """A cluster that is ready; all its nodes are killed at the end.

    Args:
        options: for all nodes; the default has Raft time-outs that a busy machine keeps.
        bootstrap_expect: all nodes start together and find each other; else each further node
            joins the first.
        per_node: more command-line flags by node number, such as ``{2: ("-raft-non-voter",)}``.
        advertise: the address at which the other nodes are to reach a node, if not at its port.
    """
    options = options or NodeOptions(raft_timeout="500ms")
    cluster = RqlitedCluster(
        [
            RqlitedNode(
                binary,
                directory / f"node-{number}",
                replace(options, extra=options.extra + (per_node or {}).get(number, ())),
            )
            for number in range(size)
        ]
    )
    if advertise is not None:
        for node in cluster.nodes:
            node.advertised = advertise(node)
    try:
        if bootstrap_expect:
            _bootstrap(cluster)
        else:
            _join_first(cluster)
        cluster.wait_ready()
        yield cluster
    finally:
        cluster.stop()


def _join_first(cluster: RqlitedCluster) -> None:
    first, *others = cluster.nodes
    first.start()
    first.wait_ready()
    for node in others:
        node.join = (first.raft_address,)
        node.start()


def _bootstrap(cluster: RqlitedCluster) -> None:
    for _ in range(START_ATTEMPTS):
        for node in cluster.nodes:
            node.choose_ports()
        for node in cluster.nodes:
            node.join = tuple(other.raft_address for other in cluster.nodes)
            node.bootstrap_expect = len(cluster.nodes)
            node.spawn()
        try:
            for node in cluster.nodes:
                node.wait_answering()
            return
        except PortTaken:
            cluster.stop()
            for node in cluster.nodes:
                shutil.rmtree(node.directory / "data", ignore_errors=True)
    raise RqlitedError(f"no ports of {START_ATTEMPTS} choices could be had")
