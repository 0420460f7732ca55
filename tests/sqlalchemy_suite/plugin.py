"""A plugin of pytest that gives SQLAlchemy's own plugin a server of ours."""

from __future__ import annotations

import contextlib
import warnings

import pytest

from pyrqlite import DeterminismWarning
from tests.sqlalchemy_suite import known
from tests.sqlalchemy_suite.server import running_server


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the server, one for each worker of xdist, and tell the plugin its URL."""
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    config.option.dburi = [stack.enter_context(running_server())]


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup() -> None:
    """Let tests write what each node may do in an order of its own; some change the filters for others."""
    warnings.filterwarnings("ignore", category=DeterminismWarning)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what cannot pass here."""
    for item in items:
        if uses_second_schema(item):
            item.add_marker(pytest.mark.skip(reason="there is no ATTACH, so no second schema"))
        skipped = known.reason(item.nodeid, known.SKIPPED)
        if skipped:
            item.add_marker(pytest.mark.skip(reason=skipped))
        failing = known.reason(item.nodeid, known.FAILING)
        if failing:
            item.add_marker(pytest.mark.xfail(reason=failing, strict=True))


def uses_second_schema(item: pytest.Item) -> bool:
    """Whether a test of the compliance suite uses another schema without asking whether there is one."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return any(value is True for name, value in parameters.items() if name.startswith("use_schema"))
