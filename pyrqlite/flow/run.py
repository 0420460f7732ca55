"""The synchronous executor."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TypeVar

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
)

T = TypeVar("T")
Sender = Callable[[Node, Request], Response]


def run(
    flow: Flow[T],
    send: Sender,
    sleep: Callable[[float], None] = time.sleep,
    together: Callable[[Together, Sender], list[Arrival]] | None = None,
) -> T:
    """Run a flow to its end and return its result."""
    try:
        step = next(flow)
        while True:
            if isinstance(step, Send):
                try:
                    response = send(step.node, step.request)
                except TransportError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(response)
            elif isinstance(step, Sleep):
                sleep(step.seconds)
                step = flow.send(None)
            else:
                step = flow.send((together or in_threads)(step, send))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        flow.close()


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
