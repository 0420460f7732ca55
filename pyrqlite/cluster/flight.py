"""Work that many threads want done, and one does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pyrqlite.cluster.forks import with_lock
from pyrqlite.flow.steps import Flow, OutOfTime, Sleep

T = TypeVar("T")
_PAUSE = 0.01


class SingleFlight(Generic[T]):
    """Runs one flow at a time; whoever comes meanwhile waits for it, and takes its result."""

    _lock: Any

    def __init__(self, longest: float) -> None:
        self._longest = longest  # seconds after which a flow counts as abandoned
        self._began: float | None = None
        self._landed = 0
        self._result: T | None = None
        with_lock(self)

    @property
    def is_on(self) -> bool:
        """Whether somebody is at it."""
        began = self._began
        return began is not None and time.monotonic() - began <= self._longest

    def run(self, make: Callable[[], Flow[T]]) -> Flow[T | None]:
        """The result of `make()`, or of the flow that is on; None where there is no time to wait for that one."""
        landed = self._landed
        while not self._take_off():
            try:
                yield Sleep(_PAUSE)
            except OutOfTime:
                return None
            if self._landed > landed:
                return self._result
        try:
            result = yield from make()
            with self._lock:
                self._result, self._landed = result, self._landed + 1
            return result
        finally:
            self._began = None

    def _take_off(self) -> bool:
        with self._lock:
            if self.is_on:
                return False
            self._began = time.monotonic()
            return True
