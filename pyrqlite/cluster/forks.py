"""Locks that a forked child finds open."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Protocol


class HasLock(Protocol):
    """Keeps a lock in `_lock`."""

    _lock: Any


_owners: weakref.WeakSet[HasLock] = weakref.WeakSet()


def with_lock(owner: HasLock, kind: type | Any = threading.Lock) -> None:
    """Give `owner` a lock, and another one in a child: the thread that held it may be the parent's."""
    owner._lock = kind()
    owner._make_lock = kind  # type: ignore[attr-defined]
    _owners.add(owner)


def _renew() -> None:
    for owner in _owners:
        owner._lock = owner._make_lock()  # type: ignore[attr-defined]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
