"""The package as a whole."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rqlite_embedded

PACKAGE = Path(rqlite_embedded.__file__).parent
ALLOWED = {*sys.stdlib_module_names, "apsw", "aiohttp"}


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.name)
def test_imports(path: Path) -> None:
    allowed = ALLOWED | ({"pytest"} if path.name == "pytest_plugin.py" else set())
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").partition(".")[0] in allowed


def test_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_them.py").write_text(
        """
from urllib.request import urlopen

def test_one(rqlite_server, rqlite_server_session):
    for server in (rqlite_server, rqlite_server_session):
        assert urlopen(server.url + "/readyz").status == 200
    assert rqlite_server.url != rqlite_server_session.url
    test_one.url = rqlite_server_session.url

def test_two(rqlite_server_session):
    assert rqlite_server_session.url == test_one.url
"""
    )
    flags = ["-p", "rqlite_embedded.pytest_plugin", "-p", "no:cacheprovider", "-c", "/dev/null"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *flags, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=PACKAGE.parent,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 passed" in run.stdout


def test_the_plugin_alone_loads_no_server() -> None:
    script = "import sys, rqlite_embedded.pytest_plugin; print('asyncio' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.stdout == "False\n"
