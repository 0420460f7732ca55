"""A progress bar for commands that take seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import Protocol, TypeVar

T = TypeVar("T", bound=Sized)

_WIDTH = 32


class Output(Protocol):
    """Where to print: a text stream."""

    def write(self, text: str, /) -> object:
        """Take some text."""

    def flush(self) -> object:
        """Show it now."""

    def isatty(self) -> bool:
        """Whether a person sees it as it comes."""


class Bar:
    """Shows how many of `total` items have been worked on; None: nobody knows of how many.

    On a terminal the bar moves; elsewhere one line is printed at the end.
    """

    def __init__(self, title: str, total: int | None, output: Output | None = None) -> None:
        self._title = title
        self._total = total
        self._output = output or sys.stderr
        self._done = 0

    def advance(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        if self._output.isatty():
            self._show(f"\r{self._line()}")

    def close(self) -> None:
        """All is done."""
        if self._output.isatty():
            self._show(f"\r{self._line()}\n")
        else:
            self._show(f"{self._title}: {self._done:,}\n")

    def _line(self) -> str:
        return _bar(self._title, self._done, self._total)

    def _show(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()


def progress(
    title: str, batches: Iterable[T], total: int, output: Output | None = None
) -> Iterator[T]:
    """Hand on `batches`, and show by a bar how many of `total` items have been worked on."""
    bar = Bar(title, total, output)
    for batch in batches:
        yield batch
        bar.advance(len(batch))
    bar.close()


def _bar(title: str, done: int, total: int | None) -> str:
    if total is None:
        return f"{title} {done:,}"
    share = min(done / total, 1) if total else 1
    filled = round(share * _WIDTH)
    return f"{title} [{'#' * filled}{'.' * (_WIDTH - filled)}] {done:,} of {total:,} ({share:.0%})"
