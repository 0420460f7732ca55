"""Who may import whom, and that what is optional is."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STANDARD = sys.stdlib_module_names
DRIVER = {"pyrqlite", "urllib3", "requests", "tenacity", "pycurl", "orjson", "aiohttp", "yarl"}
EMBEDDED = {"rqlite_embedded", "apsw", "aiohttp", "pytest"}
# The one place where the driver starts the server of its own process.
BRIDGE = Path("pyrqlite/transports/embedded.py")


@cache
def imports(file: Path) -> list[tuple[str, bool]]:
    """The modules that a file imports, and whether it does so when it is imported itself."""
    tree = ast.parse(file.read_text())
    lazy = {
        id(inner)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(function)
    }
    found: list[tuple[str, bool]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) not in lazy) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = file.relative_to(ROOT).parts[0] if node.level else ""
            found.append((".".join(filter(None, [package, node.module])), id(node) not in lazy))
    return found


def typing_only(file: Path) -> set[str]:
    """What is imported for annotations alone, under `if TYPE_CHECKING`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom):
                    found.add((inner.module or "").partition(".")[0])
    return found


def files(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found
    return found


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


@pytest.mark.parametrize("file", files("pyrqlite"), ids=named)
def test_driver(file: Path) -> None:
    allowed = DRIVER | STANDARD | (typing_only(file) & {"typing_extensions"})
    if file.relative_to(ROOT) == BRIDGE:
        allowed |= {"rqlite_embedded"}
    found = {module.partition(".")[0] for module, _ in imports(file)}
    assert found - allowed == set()


def test_driver_starts_the_embedded_server_only_when_asked() -> None:
    at_import = {module for module, eager in imports(ROOT / BRIDGE) if eager}
    assert not [module for module in at_import if module.startswith("rqlite_embedded")]


@pytest.mark.parametrize("file", files("rqlite_embedded"), ids=named)
def test_embedded_server(file: Path) -> None:
    found = {module.partition(".")[0] for module, _ in imports(file)}
    assert found - EMBEDDED - STANDARD - {"typing_extensions"} == set()


@pytest.mark.parametrize("file", files("sqlalchemy_rqlite"), ids=named)
def test_dialect(file: Path) -> None:
    found = {module.partition(".")[0] for module, _ in imports(file)}
    assert found - {"pyrqlite", "sqlalchemy", "sqlalchemy_rqlite", "tenacity"} - STANDARD == set()


@pytest.mark.parametrize("file", files("django_rqlite"), ids=named)
def test_django_backend(file: Path) -> None:
    found = {module.partition(".")[0] for module, _ in imports(file)}
    assert found - {"django_rqlite", "django", "pyrqlite", "tenacity"} - STANDARD == set()


def test_pytest_belongs_to_the_plugin_alone() -> None:
    users = [
        file.name
        for file in files("rqlite_embedded")
        for module, _ in imports(file)
        if module == "pytest"
    ]
    assert set(users) <= {"pytest_plugin.py"}


BLOCKED = """
import sys
for name in ("orjson", "pycurl", "aiohttp", "apsw", "typing_extensions", "sqlalchemy", "django"):
    sys.modules[name] = None
import pyrqlite, pyrqlite.dbapi2, pyrqlite.wire.json, pyrqlite.__main__
assert pyrqlite.wire.json.orjson is None
connection = pyrqlite.connect("http://127.0.0.1:1", autocommit=True)
try:
    connection.execute("SELECT 1")
except pyrqlite.OperationalError as error:
    assert "127.0.0.1:1" in str(error), error
else:
    raise AssertionError
for options in ({"target": ":memory:"}, {"target": "http://h", "transport": "curl"}):
    try:
        pyrqlite.connect(**options)
    except pyrqlite.Error as error:
        assert "pip install" in str(error) or "pycurl" in str(error), error
    else:
        raise AssertionError(options)
"""


def test_optional_modules_may_be_missing() -> None:
    script = [sys.executable, "-W", "error", "-c", BLOCKED]
    finished = subprocess.run(
        script, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert finished.returncode == 0, finished.stderr


def test_importing_the_driver_loads_nothing_optional() -> None:
    optional = {"pycurl", "aiohttp", "apsw", "rqlite_embedded"}
    script = f"import sys, pyrqlite; print(sorted({optional!r} & set(sys.modules)))"
    finished = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert finished.stdout.strip() == "[]"
