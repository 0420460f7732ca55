"""Ratios of timings that were taken side by side."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How many times faster; `low` and `high` bound the median with 95 % confidence."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}..{self.high:.2f})"


def times_faster(samples: Sequence[float], reference: Sequence[float]) -> Ratio:
    """How many times as long the reference took, in the median of all pairs of neighbours."""
    quotients = sorted(theirs / ours for ours, theirs in zip(samples, reference, strict=True))
    # Order statistics: how many of n samples lie below the median is binomial.
    reach = 0.98 * math.sqrt(len(quotients))
    low = max(0, math.floor((len(quotients) - 1) / 2 - reach))
    return Ratio(statistics.median(quotients), quotients[low], quotients[-1 - low])


def fastest(samples: Mapping[str, Sequence[float]], among: Iterable[str]) -> str:
    """The name with the least median."""
    return min(among, key=lambda name: statistics.median(samples[name]))
