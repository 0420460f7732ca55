"""Idle connections, kept by node until they are wanted again."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Generic, TypeVar

C = TypeVar("C")


_all: weakref.WeakSet[Idle[object]] = weakref.WeakSet()
_inherited: list[object] = []


def _forget_after_fork() -> None:
    """Leave the parent's connections to the parent: they are not even closed here, since that could say
    goodbye in the parent's name."""
    for idle in _all:
        _inherited.extend(idle.forget())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


class Idle(Generic[C]):
    """A stack of idle connections for each key; the warmest is taken first. Shared by threads."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._stacks: dict[object, list[C]] = {}
        self._closed = False
        _all.add(self)  # type: ignore[arg-type]

    def take(self, key: object) -> C | None:
        """The connection that was put back last, or None."""
        stack = self._stacks.get(key)
        try:
            return stack.pop() if stack else None
        except IndexError:  # another thread took the last one
            return None

    def put(self, key: object, connection: C) -> bool:
        """Keep `connection`; False where enough are kept and the caller has to close it."""
        stack = self._stacks.get(key)
        if stack is None:
            with self._lock:
                stack = self._stacks.setdefault(key, [])
        if self._closed or len(stack) >= self._most:
            return False
        stack.append(connection)
        return True

    def forget(self) -> list[C]:
        """As `drain`, in a process that was forked while another thread may have held the lock."""
        self._lock = threading.Lock()
        return self.drain()

    def close(self) -> list[C]:
        """As `drain`, and keep none that come back later, from exchanges that were given up."""
        self._closed = True
        return self.drain()

    def drain(self) -> list[C]:
        """All idle connections, which are the caller's to close now."""
        with self._lock:
            stacks, self._stacks = self._stacks, {}
        return [connection for stack in stacks.values() for connection in stack]
