"""All cases of the differential suite, by subject."""

from __future__ import annotations

from tests.differential.corpus import (
    auth,
    backup,
    bodies,
    http,
    levels,
    nodes,
    parameters,
    queue,
    results,
    rewriting,
    scripts,
    transactions,
    values,
)
from tests.differential.model import Case

CASES: tuple[Case, ...] = (
    *http.CASES,
    *bodies.CASES,
    *parameters.CASES,
    *values.CASES,
    *results.CASES,
    *transactions.CASES,
    *scripts.CASES,
    *levels.CASES,
    *queue.CASES,
    *backup.CASES,
    *nodes.CASES,
    *rewriting.CASES,
    *auth.CASES,
)
