"""How long to wait for a node that keeps silent, and when to look meanwhile whether others go on without it."""

from __future__ import annotations

FIRST_LOOK = 1.0  # second; the later ones come when the silence is half as long again


def next_pause(silent: float, timeout: float | None) -> float:
    """For how many seconds to wait until the next look, behind so many of silence; TimeoutError once that is as
    long as `timeout`."""
    pause = max(FIRST_LOOK, silent / 2)
    if timeout is None:
        return pause
    if silent >= timeout:
        raise TimeoutError
    return min(pause, timeout - silent)
