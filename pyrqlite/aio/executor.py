"""The executor for event loops."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from pyrqlite.cluster.node import Node
from pyrqlite.flow.run import named
from pyrqlite.flow.steps import Flow, Request, Response, Sleep, TransportError, interrupt

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


async def run(flow: Flow[T], send: Callable[[Node, Request], Awaitable[Response]]) -> T:
    """Run a flow to its end and return its result. A cancellation ends the flow before it is raised."""
    try:
        step = next(flow)
        while True:
            response: Response | None = None
            try:
                if isinstance(step, Sleep):
                    await asyncio.sleep(step.seconds)
                else:
                    response = await send(step.node, step.request)
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

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end and return its result."""


def awaiting(
    flow: Callable[Concatenate[S, P], Flow[T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """The method of a public class that awaits what this method of its base, `_name`, describes as a flow."""

    @functools.wraps(flow)
    async def method(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await cast(Runs, self).run(flow(self, *args, **kwargs))

    return named(method, flow)
