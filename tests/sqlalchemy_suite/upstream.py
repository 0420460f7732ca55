"""`python -m tests.sqlalchemy_suite.upstream sqlalchemy|alembic [arguments of pytest]`: the whole tests of those
projects, of the versions that are installed, against the dialect.

Their source distributions are downloaded into `.cache`, which nothing else needs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

from tests.sqlalchemy_suite import known
from tests.sqlalchemy_suite.server import running_server

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = HERE / ".cache"
TEST_CFG = """\
[sqla_testing]
requirement_cls = tests.sqlalchemy_suite.tree_requirements:Requirements
[db]
default = rqlite+pyrqlite://127.0.0.1:4001/
"""
PYTEST = ("-m", "pytest", "-q", "--tb=short", "--maxfail=100000", "-p", "no:logging")
# What measures Python itself, and what is of other databases.
SQLALCHEMY_TESTS = (
    *("--nomemory", "--notimingintensive", "--nomypy", "--ignore=test/aaa_profiling"),
    *(f"--ignore=test/dialect/{name}" for name in ("postgresql", "mysql", "mssql", "oracle")),
)


def main() -> int:
    """Run pytest in the unpacked distribution; its exit status."""
    project, *arguments = sys.argv[1:]
    directory = unpacked(project)
    if project == "sqlalchemy":
        (directory / "test.cfg").write_text(TEST_CFG)
        # With -s SQLAlchemy's tests take the package that is installed, not the one beside them.
        plugin = ("-p", "tests.sqlalchemy_suite.plugin", "-p", "no:warnings")
        command = (sys.executable, "-s", *PYTEST, *plugin, *SQLALCHEMY_TESTS, *arguments)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, cwd=directory, env=environment, check=False).returncode
    # Alembic's tests are a package of the name of ours: the server is started here.
    with running_server() as url:
        selection = ("-k", f"not ({' or '.join(known.ALEMBIC)})")
        command = (sys.executable, *PYTEST, "--dburi", url, *selection, *(arguments or ["tests"]))
        return subprocess.run(command, cwd=directory, check=False).returncode


def unpacked(project: str) -> Path:
    """The folder of a project's source distribution, downloaded where it is not there yet."""
    release = f"{project}-{version(project)}"
    if not (CACHE / release).exists():
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps")
        requirement = release.replace("-", "==")
        options = ("--no-binary", project, "--dest", str(CACHE))
        subprocess.run([*pip, *options, requirement], check=True)
        with tarfile.open(CACHE / f"{release}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
    return CACHE / release


if __name__ == "__main__":
    sys.exit(main())
