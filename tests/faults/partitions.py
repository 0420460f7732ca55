"""The network between nodes: each pair of them can be cut, in one direction or in both.

A node advertises the address of a relay in front of its Raft port. The relay has to know which node a connection
comes from; on Linux /proc says which process has the other end of it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from tests.rqlited import RqlitedNode, wait_until

PIECE = 65536
CAN_TELL_NODES_APART = Path("/proc/self/net/tcp").exists() and Path("/proc/self/fd").exists()
Way = tuple[RqlitedNode, RqlitedNode]


class Network:
    """Carries what nodes say to each other, unless the way is cut: then it is held, and arrives when it is mended.

    Connections stay open meanwhile, and new ones are taken, as by a network that loses all packets.
    """

    def __init__(self) -> None:
        self._relays: dict[RqlitedNode, socket.socket] = {}
        self._cut: set[Way] = set()
        self._changed = threading.Condition()
        self._ended = False
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def add(self, node: RqlitedNode) -> str:
        """Put a relay in front of a node that has not started yet; the address to advertise."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._relays[node] = listener
        self._start(self._accept, node, listener)
        return _address(listener.getsockname())

    def cut(self, *ways: Way) -> None:
        """From now on nothing that the first node of a way says reaches the second."""
        with self._changed:
            self._cut.update(ways)

    def part(self, one: RqlitedNode, *others: RqlitedNode) -> None:
        """Cut the ways between a node and others, in both directions."""
        self.cut(*((one, other) for other in others), *((other, one) for other in others))

    def isolate(self, node: RqlitedNode) -> None:
        """Part a node from all the others."""
        self.part(node, *(other for other in self._relays if other is not node))

    def mend(self) -> None:
        """Let through what was held, and all that comes."""
        with self._changed:
            self._cut.clear()
            self._changed.notify_all()

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            ends = [*self._relays.values(), *self._open]
        for end in ends:
            _hang_up(end)
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, node: RqlitedNode, listener: socket.socket) -> None:
        with listener:
            while not self._ended:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                self._start(self._carry, client, node)

    def _carry(self, client: socket.socket, node: RqlitedNode) -> None:
        """Carry one connection to its end."""
        with client, socket.socket() as server, contextlib.suppress(OSError):
            caller = self._caller(client)
            if caller is None:
                return  # it is gone
            self._wait_for((caller, node))
            server.connect(("127.0.0.1", node.raft_port))
            with self._changed:
                if self._ended:
                    return
                self._open.update((client, server))
            back = threading.Thread(
                target=self._pass_all, args=(server, client, (node, caller)), daemon=True
            )
            back.start()
            self._pass_all(client, server, (caller, node))
            back.join()
        with self._changed:
            self._open.difference_update((client, server))

    def _pass_all(self, source: socket.socket, target: socket.socket, way: Way) -> None:
        """Carry what comes from one end, and its end."""
        try:
            while data := source.recv(PIECE):
                self._wait_for(way)
                target.sendall(data)
            self._wait_for(way)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            _hang_up(source)
            _hang_up(target)

    def _wait_for(self, way: Way) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or way not in self._cut)

    def _caller(self, client: socket.socket) -> RqlitedNode | None:
        """The node that has the other end of a connection; None where it has let go of it."""
        here, there = _address(client.getsockname()), _address(client.getpeername())

        def found() -> Sequence[RqlitedNode | None]:
            inode = _inode(there, here)
            if inode is None or self._ended:
                return [None]
            # A node that has only just started may have called before its process is known here.
            return [node for node in self._relays if node.running and inode in _sockets(node.pid)]

        return wait_until(found, what=f"the caller {there} of {here} is known")[0]


def _address(name: tuple[str, int]) -> str:
    return f"{name[0]}:{name[1]}"


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def _inode(here: str, there: str) -> str | None:
    """The inode of the socket of this machine that has these two ends."""
    wanted = [_in_hexadecimal(here), _in_hexadecimal(there)]
    with open("/proc/self/net/tcp", encoding="ascii") as table:
        for line in table:
            columns = line.split()
            if columns[1:3] == wanted:
                return columns[9] if columns[9] != "0" else None
    return None


def _in_hexadecimal(address: str) -> str:
    host, _, port = address.rpartition(":")
    number = int.from_bytes(socket.inet_aton(host), "little")
    return f"{number:08X}:{int(port):04X}"


def _sockets(pid: int) -> Iterable[str]:
    """The inodes of the sockets of a process."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found
