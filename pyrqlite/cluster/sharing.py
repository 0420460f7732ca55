"""What several connections share, until the last of them gives it back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Things by key, each with the number of its users; under the key None nothing is shared. Thread safe."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Share nothing that was made before, as in a forked process."""
        self._lock = threading.RLock()
        self._things: dict[Hashable, tuple[T, int]] = {}
        self._closing: dict[Hashable, threading.Event] = {}

    def things(self) -> list[T]:
        """What has users."""
        with self._lock:
            return [thing for thing, _ in self._things.values()]

    def acquire(self, key: Hashable, make: Callable[[], T]) -> T:
        """The thing of this key, made where there is none, once the last one has been closed."""
        if key is None:
            return make()
        while True:
            with self._lock:
                closed = self._closing.get(key)
                if closed is None:
                    thing, users = self._things.get(key) or (make(), 0)
                    self._things[key] = (thing, users + 1)
                    return thing
            closed.wait()

    def release(
        self, key: Hashable, thing: T, close: Callable[[T], object] = lambda thing: None
    ) -> bool:
        """Give back what `acquire` gave; True for its last user, who closes it, or has it closed by `close`."""
        closed = threading.Event()
        with self._lock:
            shared, users = self._things.get(key, (None, 0))
            if shared is thing and users > 1:
                self._things[key] = (thing, users - 1)
                return False
            if shared is thing:
                del self._things[key]
                self._closing[key] = closed
        try:
            close(thing)
        finally:
            if self._closing.get(key) is closed:
                del self._closing[key]
            closed.set()
        return True

    def drop(self, unwanted: Callable[[Hashable], bool]) -> None:
        """Forget the things of some keys, without closing them."""
        with self._lock:
            for key in [key for key in self._things if unwanted(key)]:
                del self._things[key]
