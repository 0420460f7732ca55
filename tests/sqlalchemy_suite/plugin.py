"""A plugin of pytest that gives SQLAlchemy's own plugin a server of ours."""

from __future__ import annotations

import contextlib

import pytest

from tests.sqlalchemy_suite.server import running_server


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the server, one for each worker of xdist, and tell the plugin its URL."""
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    config.option.dburi = [stack.enter_context(running_server())]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what uses a second schema without asking whether there is one."""
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if any(
            value is True for name, value in parameters.items() if name.startswith("use_schema")
        ):
            item.add_marker(pytest.mark.skip(reason="there is no ATTACH, so no second schema"))
