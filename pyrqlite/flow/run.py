"""The synchronous executor."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import Flow, Request, Response, Sleep, TransportError, interrupt

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


def run(
    flow: Flow[T],
    send: Callable[[Node, Request], Response],
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Run a flow to its end and return its result."""
    try:
        step = next(flow)
        while True:
            response: Response | None = None
            try:
                if isinstance(step, Sleep):
                    sleep(step.seconds)
                else:
                    response = send(step.node, step.request)
            except TransportError as error:
                step = flow.throw(error)
            except BaseException as cause:
                interrupt(flow, step, cause)
                raise
            else:
                step = flow.send(response)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


class Runs(Protocol):
    """What runs flows."""

    def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end and return its result."""


def blocking(flow: Callable[Concatenate[S, P], Flow[T]]) -> Callable[Concatenate[S, P], T]:
    """The method of a public class that runs what this method of its base, `_name`, describes as a flow."""

    @functools.wraps(flow)
    def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return cast(Runs, self).run(flow(self, *args, **kwargs))

    return named(method, flow)


def named(method: S, flow: Callable[..., object]) -> S:
    """The method, with the name of its flow without the underscore."""
    for attribute in ("__name__", "__qualname__"):
        setattr(method, attribute, flow.__name__.removeprefix("_"))
    return method
