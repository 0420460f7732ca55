"""Virtual environments for the subjects, made when they are missing and kept in a cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.subjects import ROOT, Kind, Subject

CACHE = Path(__file__).resolve().parent / ".cache"


def python_for(subject: Subject) -> Path:
    """The Python that has what the subject needs."""
    return python_with(subject.name, subject.install, subject.kind is Kind.DRIVER)


def python_with(name: str, install: tuple[str, ...], driver: bool) -> Path:
    """The Python of an environment of that name, for which pip gets the arguments `install`; this one where there
    are none. `driver`: the repository itself is installed."""
    if not install:
        return Path(sys.executable)
    folder = CACHE / name
    python = folder / "bin" / "python"
    stamp = folder / "installed"
    wanted = "\n".join((sys.version, *install))
    if driver:
        wanted += (ROOT / "setup.cfg").read_text()  # new requirements, perhaps
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {name}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, *install], check=True)
        stamp.write_text(wanted)
    return python
