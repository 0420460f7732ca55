"""What rqlite can do, for the whole of SQLAlchemy's tests, which bring their own answers for SQLite.

Loaded in the root of SQLAlchemy's source distribution only, where `test` is its folder of that name.
"""

from __future__ import annotations

from test.requirements import DefaultRequirements  # type: ignore[import-not-found]

from tests.sqlalchemy_suite import flags


class Requirements(DefaultRequirements):  # type: ignore[misc]
    """SQLAlchemy's own answers, with ours where they differ."""


flags.set_flags(Requirements, flags.OPEN, flags.CLOSED)
