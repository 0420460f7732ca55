"""How many requests of an event loop a node has at once; the others wait for one of them to end."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from pyrqlite.flow.steps import NotSent, OutOfTime, TurnedAway


class Room:
    """So many places, handed on in the order in which they were asked for."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self, until: float | None) -> None:
        """Take a place, which `leave` gives back; OutOfTime where none is free until then, by time.monotonic()."""
        if self._free:
            self._free -= 1
            return
        loop = asyncio.get_running_loop()
        place: asyncio.Future[None] = loop.create_future()
        self._waiting.append(place)
        timer = None
        if until is not None:
            late = OutOfTime("all connections were in use until the deadline was over")
            timer = loop.call_later(until - time.monotonic(), _refuse, place, late)
        try:
            await place
        except BaseException as error:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave()  # it came together with the cancellation
            place.cancel()
            if isinstance(error, asyncio.CancelledError):
                raise error from NotSent("it was cancelled before it was sent")
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def leave(self) -> None:
        """Give a place back."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1

    def turn_away(self, why: str) -> None:
        """Have all that wait raise TurnedAway: they have better go elsewhere."""
        while self._waiting:
            _refuse(self._waiting.popleft(), TurnedAway(why))


def _refuse(place: asyncio.Future[None], error: NotSent) -> None:
    if not place.done():
        place.set_exception(error)
