"""Calls that `sqlite3` and this driver answer alike, or otherwise for a reason."""

from __future__ import annotations

from tests.differential.driver.calls import conveniences, faults, parameters, results
from tests.differential.driver.calls.model import CALLS, Call, Observed

__all__ = ["CALLS", "Call", "Observed", "conveniences", "faults", "parameters", "results"]
