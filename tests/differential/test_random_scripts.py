"""Random scripts on both servers: the same answers, and the same tables afterwards."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.differential.corpus.scripts import ENDPOINTS, FLAGS, READS, WRITES, script
from tests.differential.model import Case, Step
from tests.differential.perform import Targets

flags = st.lists(st.sampled_from(FLAGS), unique=True, max_size=3)
items = st.lists(st.sampled_from(WRITES + READS), min_size=1, max_size=6)
requests = st.tuples(st.sampled_from(sorted(set(ENDPOINTS))), flags, items)
scripts = st.lists(requests, min_size=1, max_size=4).map(script)


@pytest.mark.rqlited
@settings(max_examples=150)
@given(steps=scripts)
def test_scripts(steps: tuple[Step, ...], embedded: Targets, rqlited: Targets) -> None:
    case = Case("random script", steps)
    assert embedded["plain"].perform(case) == rqlited["plain"].perform(case)
