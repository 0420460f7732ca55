"""Runs SQLAlchemy's test plugin against a server of our own."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")
pytest_plugins = ["sqlalchemy.testing.plugin.pytestplugin", "tests.sqlalchemy_suite.plugin"]
