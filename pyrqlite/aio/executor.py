"""The executor for event loops."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from pyrqlite.cluster.node import Node
from pyrqlite.flow.run import named
from pyrqlite.flow.steps import (
    Arrival,
    Flow,
    Request,
    Response,
    Send,
    Sleep,
    Together,
    TransportError,
    interrupt,
    watched,
)

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
Sender = Callable[[Node, Request], Awaitable[Response]]


async def run(flow: Flow[T], send: Sender) -> T:
    """Run a flow to its end and return its result. A cancellation ends the flow before it is raised."""
    try:
        step = next(flow)
        while True:
            answer: Response | list[Arrival] | None = None
            try:
                if isinstance(step, Send):
                    answer = await send(step.node, watched(step, lambda flow: run(flow, send)))
                elif isinstance(step, Sleep):
                    await asyncio.sleep(step.seconds)
                else:
                    answer = await _together(step, send)
            except TransportError as error:
                step = flow.throw(error)
            except BaseException as cause:
                interrupt(flow, step, cause)
                raise
            else:
                step = flow.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


async def _together(step: Together, send: Sender) -> list[Arrival]:
    """The arrivals of exchanges that run at once; those that are given up are cancelled."""
    tasks = [asyncio.create_task(_exchange(one, send)) for one in step.sends]
    end = time.monotonic() + step.seconds
    waiting, found, enough = set(tasks), list[Arrival](), False
    try:
        while waiting and not enough and (left := end - time.monotonic()) > 0:
            done, waiting = await asyncio.wait(
                waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                found.append(task.result())
                enough = enough or step.enough(found)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _exchange(step: Send, send: Sender) -> Arrival:
    began = time.monotonic()
    try:
        outcome: Response | TransportError = await send(step.node, step.request)
    except TransportError as error:
        outcome = error
    return Arrival(step.node, outcome, time.monotonic() - began)


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
