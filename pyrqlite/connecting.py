"""The ways in: `connect`, with the options' signature."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pyrqlite.connection import Connection
from pyrqlite.options import Options, check_names, describe

P = ParamSpec("P")
C = TypeVar("C")


def way_in(options: Callable[P, Options], kind: Callable[[Options], C], doc: str) -> Callable[P, C]:
    """A function that takes what `options` takes and opens a connection of `kind`."""

    @functools.wraps(options, assigned=(), updated=())
    def connect(*args: P.args, **kwargs: P.kwargs) -> C:
        check_names(kwargs)
        return kind(options(*args, **kwargs))

    connect.__doc__ = f"{doc}\n\nOptions:\n\n{describe()}\n"
    connect.__signature__ = inspect.signature(Options)  # type: ignore[attr-defined]
    connect.__name__ = connect.__qualname__ = "connect"
    return connect


connect = way_in(Options, Connection, "Open a connection. Nothing is sent before it is needed.")
