"""An end to a call, whatever it still wants to try."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from pyrqlite.flow.steps import Flow, OutOfTime, Send, Sleep, Together

T = TypeVar("T")


def within(flow: Flow[T], seconds: float, clock: Callable[[], float] = time.monotonic) -> Flow[T]:
    """The same flow, in which nothing is begun after so many seconds, and no wait for a node lasts longer.

    What is too late has OutOfTime thrown into the flow, which ends it with the error of what was tried before.
    """
    end = clock() + seconds
    step = next(flow)
    try:
        while True:
            left = end - clock()
            if left <= 0 and isinstance(step, Together):
                step = flow.send([])
                continue
            if left <= 0 or (isinstance(step, Sleep) and step.seconds >= left):
                step = flow.throw(OutOfTime(f"the deadline of {seconds:g} s is over"))
                continue
            try:
                sent: Any = yield _shortened(step, left, end, clock)
            except GeneratorExit:
                raise
            except BaseException as error:
                step = flow.throw(error)
            else:
                step = flow.send(sent)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        flow.close()


def _shortened(
    step: Send | Sleep | Together, left: float, end: float, clock: Callable[[], float]
) -> Send | Sleep | Together:
    if isinstance(step, Sleep):
        return step
    if isinstance(step, Together):
        return step._replace(seconds=min(step.seconds, left))
    request = step.request
    timeout = left if request.timeout is None else min(request.timeout, left)
    if step.watch is not None:
        watch = step.watch
        step = step._replace(watch=lambda: within(watch(), end - clock(), clock))
    return step._replace(request=request._replace(timeout=timeout, until=end))
