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


def with_lock(owner: HasLock) -> None:
    """Give `owner` a lock, which a thread may take again, and another one in a child: the thread that holds this
    one may be the parent's."""
    owner._lock = threading.RLock()
    _owners.add(owner)


def _renew() -> None:
    for owner in _owners:
        owner._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
