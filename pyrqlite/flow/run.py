"""The synchronous executor."""

from __future__ import annotations

import functools
import queue
import threading
import time
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import (
    Arrival,
    Flow,
    NotSent,
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
Sender = Callable[[Node, Request], Response]
Looking = Callable[[Together, Sender], list[Arrival]]


def run(
    flow: Flow[T],
    send: Sender,
    sleep: Callable[[float], None] = time.sleep,
    together: Looking | None = None,
) -> T:
    """Run a flow to its end and return its result."""
    try:
        step = next(flow)
        while True:
            answer: Response | list[Arrival] | None = None
            try:
                if isinstance(step, Send):
                    request = watched(step, lambda flow: run(flow, send, sleep, together))
                    answer = send(step.node, request)
                elif isinstance(step, Sleep):
                    sleep(step.seconds)
                else:
                    answer = (together or in_threads)(step, send)
            except TransportError as error:
                step = flow.throw(error)
            except BaseException as cause:
                interrupt(flow, step, cause)
                raise
            else:
                step = flow.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def in_threads(step: Together, send: Sender) -> list[Arrival]:
    """The arrivals of exchanges that run at once, each in a thread; those given up end by their own time-outs."""
    arrived: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
    for one in step.sends:
        thread = threading.Thread(
            target=_exchange, args=(one, send, arrived), name="pyrqlite", daemon=True
        )
        thread.start()
    deadline = time.monotonic() + step.seconds
    found: list[Arrival] = []
    while len(found) < len(step.sends):
        try:
            found.append(arrived.get(timeout=max(0.0, deadline - time.monotonic())))
        except queue.Empty:
            break
        if step.enough(found):
            break
    return found


def _exchange(step: Send, send: Sender, arrived: queue.SimpleQueue[Arrival]) -> None:
    began = time.monotonic()
    try:
        outcome: Response | TransportError = send(step.node, step.request)
    except TransportError as error:
        outcome = error
    except Exception as error:  # nobody is there to catch it, and no other exchange is to suffer
        outcome = NotSent(str(error))
    arrived.put(Arrival(step.node, outcome, time.monotonic() - began))


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
