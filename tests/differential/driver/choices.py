"""Random choices that hypothesis can shrink."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choices(Protocol):
    """Where a generator takes its decisions from."""

    def below(self, limit: int) -> int:
        """A number from 0 to limit - 1."""


class Chooser:
    """Decisions by a source of numbers; the first of several things is the simplest."""

    def __init__(self, below: Callable[[int], int]) -> None:
        self.below = below

    def one(self, things: Sequence[T]) -> T:
        return things[self.below(len(things))]

    def chance(self, percent: int) -> bool:
        return self.below(100) >= 100 - percent

    def between(self, least: int, most: int) -> int:
        return least + self.below(most - least + 1)

    def some(self, things: Sequence[T], least: int, most: int) -> list[T]:
        """So many of the things, each as often as it comes."""
        return [self.one(things) for _ in range(self.between(least, most))]


@st.composite
def choosers(draw: st.DrawFn) -> Chooser:
    """Choosers whose decisions hypothesis makes."""
    return Chooser(lambda limit: draw(st.integers(0, limit - 1)))
