"""The older dialect beside this one, and what is loaded when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(directory: Path, script: str) -> str:
    """What a script says in a fresh Python that looks into `directory` first."""
    finished = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(directory)!r}]\n{script}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return finished.stdout + finished.stderr


def test_older_distribution_is_refused(tmp_path: Path) -> None:
    metadata = tmp_path / "sqlalchemy_rqlite-2.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: sqlalchemy-rqlite\nVersion: 2.0\n")
    said = run(tmp_path, "import sqlalchemy_rqlite")
    assert "ImportError: sqlalchemy-rqlite 2.0 is installed beside pyrqlite" in said
    assert "pip uninstall sqlalchemy-rqlite" in said
    metadata.write_text("Metadata-Version: 2.1\nName: sqlalchemy-rqlite\nVersion: 3.0\n")
    assert run(tmp_path, "import sqlalchemy_rqlite") == ""


def test_files_of_the_older_distribution_are_refused(tmp_path: Path) -> None:
    package = tmp_path / "sqlalchemy_rqlite"
    package.mkdir()
    (package / "__init__.py").write_text("")
    said = run(tmp_path, "import sqlalchemy_rqlite\nfrom pyrqlite import dbapi2")
    assert "ImportError: the files of sqlalchemy-rqlite 2 stand in the place" in said


def test_old_and_new_import_together(tmp_path: Path) -> None:
    assert run(tmp_path, "import sqlalchemy_rqlite\nfrom pyrqlite import dbapi2") == ""


def test_tests_of_sqlalchemy_are_not_loaded(tmp_path: Path) -> None:
    script = (
        "import sys, sqlalchemy_rqlite\n"
        "print([name for name in sys.modules if name.startswith(('sqlalchemy.testing', 'apsw', 'alembic'))])"
    )
    assert run(tmp_path, script).strip() == "[]"
