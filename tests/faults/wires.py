"""A wire to a node that can be cut and mended: what was sent meanwhile arrives when it is mended."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from types import TracebackType

PIECE = 65536


class Wire:
    """Forwards TCP connections to a port of this machine, in both directions, unless it is cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._mended = threading.Event()
        self._mended.set()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.held = threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """From now on nothing gets through; connections stay open, and new ones are taken."""
        self.held.clear()
        self._mended.clear()

    def mend(self) -> None:
        """Let through what was held, and all that comes."""
        self._mended.set()

    def __enter__(self) -> Wire:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._mended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._carry, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.socket() as node:
            self._wait_mended()
            node.connect(("127.0.0.1", self._port))
            while not self._ended.is_set():
                readable, _, _ = select.select([client, node], [], [], 0.2)
                for source in readable:
                    if not self._pass(source, node if source is client else client):
                        return

    def _pass(self, source: socket.socket, target: socket.socket) -> bool:
        data = source.recv(PIECE)
        self._wait_mended(holding=bool(data))
        # What the client has said before it gave up still arrives.
        if data:
            target.sendall(data)
        return bool(data)

    def _wait_mended(self, *, holding: bool = False) -> None:
        if not self._mended.is_set() and holding:
            self.held.set()
        self._mended.wait()
