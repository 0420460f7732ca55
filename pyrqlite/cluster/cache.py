"""What is remembered of a cluster, shared by threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pyrqlite.cluster.forks import with_lock
from pyrqlite.sql.schema import Schema

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """A dictionary that forgets what came first when there is too much. Asking it takes no lock."""

    _lock: Any

    def __init__(self, size: int) -> None:
        self._size = size
        with_lock(self)
        self._items: dict[K, V] = {}
        self.get: Callable[[K], V | None] = self._items.get

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._items.pop(key, None)
            self._items[key] = value
            if len(self._items) > self._size:
                del self._items[next(iter(self._items))]


class SchemaCache:
    """The schema, and since when it is known; `schema` is None before that, and where it cannot be read."""

    def __init__(self) -> None:
        self.schema: Schema | None = None
        self._loaded_at: float | None = None

    def is_young(self, max_age: float) -> bool:
        """Whether it was put here at most `max_age` seconds ago."""
        return self._loaded_at is not None and time.monotonic() - self._loaded_at <= max_age

    def put(self, schema: Schema | None) -> None:
        """Remember it from now on."""
        self.schema, self._loaded_at = schema, time.monotonic()

    def renew(self) -> None:
        """Have it loaded again before it is next used."""
        self._loaded_at = None
