"""The synchronous executor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from pyrqlite.cluster.node import Node
from pyrqlite.flow.steps import Flow, Request, Response, Sleep, TransportError

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
            if isinstance(step, Sleep):
                sleep(step.seconds)
                step = flow.send(None)
                continue
            try:
                response = send(step.node, step.request)
            except TransportError as error:
                step = flow.throw(error)
            else:
                step = flow.send(response)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
