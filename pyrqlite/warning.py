"""Warnings that point at the user's line, however deep in the driver their cause was found."""

from __future__ import annotations

import sys
import warnings

# The driver, and what stands between it and those who write statements.
_BETWEEN = ("pyrqlite", "sqlalchemy")


def warn(message: str, category: type[Warning]) -> None:
    """Warn about the innermost line that is not the driver's own, nor SQLAlchemy's."""
    level = 2
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_BETWEEN):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
