"""The older dialect was a distribution of its own, `sqlalchemy-rqlite`, with this package in it: each of the two
overwrites files of the other."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

OLDER = "sqlalchemy-rqlite"


def refuse_older_dialect() -> None:
    """Raise ImportError where the older distribution is installed too."""
    try:
        found = version(OLDER)
    except PackageNotFoundError:
        return
    if int(found.partition(".")[0]) < 3:
        raise ImportError(
            f"{OLDER} {found} is installed beside pyrqlite, which brings the dialect itself: they overwrite each "
            f"other's files. Run: pip uninstall {OLDER}; then: pip install --force-reinstall --no-deps pyrqlite"
        )
