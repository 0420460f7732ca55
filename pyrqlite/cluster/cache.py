"""What is remembered of a cluster, shared by threads."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Generic, TypeVar

from pyrqlite.sql.schema import Schema

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """A dictionary that forgets what was not used for longest."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._items: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        with self._lock:
            value = self._items.get(key)
            if value is not None:
                self._items.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._items[key] = value
            self._items.move_to_end(key)
            if len(self._items) > self._size:
                self._items.popitem(last=False)


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
