"""Servers of all profiles; each worker starts those that its cases need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.differential.perform import Targets, running_targets


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    with running_targets(tmp_path_factory.mktemp("embedded")) as targets:
        yield targets


@pytest.fixture(scope="session")
def rqlited(tmp_path_factory: pytest.TempPathFactory, rqlited_binary: Path) -> Iterator[Targets]:
    with running_targets(tmp_path_factory.mktemp("rqlited"), rqlited_binary) as targets:
        yield targets
