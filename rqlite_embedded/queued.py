"""Queued writes: collected from many requests, written together a moment later."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .body import Statement


@dataclass
class Settings:
    """When a batch is written. ``timeout`` is in seconds."""

    capacity: int = 1024
    batch_size: int = 128
    timeout: float = 0.05
    transaction: bool = False


@dataclass
class Entry:
    """What one request left in the queue."""

    statements: list[Statement]
    sequence_number: int = 0
    written: bool = False
    done: Callable[[], None] | None = field(default=None, repr=False)


class WriteQueue:
    """Hands batches to ``write`` from a thread of its own. Thread safe."""

    def __init__(self, settings: Settings, write: Callable[[list[Statement], bool], None]) -> None:
        self.settings = settings
        self.written_number = 0
        self._write = write
        self._entries: deque[Entry] = deque()
        self._changed = threading.Condition()
        self._last_number = time.time_ns()
        self._closed = False
        self._thread: threading.Thread | None = None

    def put(self, entry: Entry) -> int:
        """Add an entry, waiting while the queue is full; returns its sequence number."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="rqlite-queue", daemon=True
                )
                self._thread.start()
            self._changed.wait_for(lambda: len(self._entries) < self.settings.capacity)
            self._last_number += 1
            entry.sequence_number = self._last_number
            self._entries.append(entry)
            self._changed.notify_all()
            return self._last_number

    def is_full(self) -> bool:
        """Whether put would have to wait."""
        return len(self._entries) >= self.settings.capacity

    def wait(self, entry: Entry, timeout: float) -> None:
        """Return when the entry has been written, or after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: entry.written, timeout)

    def close(self) -> None:
        """Write what is left and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _serve(self) -> None:
        while batch := self._next_batch():
            statements = [statement for entry in batch for statement in entry.statements]
            if statements:
                self._write(statements, self.settings.transaction)
            self.written_number = batch[-1].sequence_number
            with self._changed:
                for entry in batch:
                    entry.written = True
                self._changed.notify_all()
            for entry in batch:
                if entry.done is not None:
                    entry.done()

    def _next_batch(self) -> list[Entry]:
        size = self.settings.batch_size
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._entries))
            self._changed.wait_for(
                lambda: self._closed or len(self._entries) >= size, self.settings.timeout
            )
            batch = [self._entries.popleft() for _ in range(min(size, len(self._entries)))]
            self._changed.notify_all()
            return batch
