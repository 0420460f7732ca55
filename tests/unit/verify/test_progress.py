"""The progress bar."""

from __future__ import annotations

import io

from pyrqlite.progress import Bar, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_bar_moves() -> None:
    output = Terminal()
    bar = Bar("comparing", 4_000, output)
    bar.advance(1_000)
    bar.advance(3_000)
    bar.close()
    lines = output.getvalue().split("\r")[1:]
    assert lines == [
        f"comparing [{'#' * 8}{'.' * 24}] 1,000 of 4,000 (25%)",
        f"comparing [{'#' * 32}] 4,000 of 4,000 (100%)",
        f"comparing [{'#' * 32}] 4,000 of 4,000 (100%)\n",
    ]


def test_elsewhere_there_is_one_line() -> None:
    output = io.StringIO()
    assert list(progress("loading", [[1, 2], [3]], 3, output)) == [[1, 2], [3]]
    assert output.getvalue() == "loading: 3\n"
