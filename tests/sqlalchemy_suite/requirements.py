"""What rqlite can do, in the words of SQLAlchemy's compliance suite."""

from __future__ import annotations

from sqlalchemy.testing.requirements import SuiteRequirements

from tests.sqlalchemy_suite import flags


class Requirements(SuiteRequirements):
    """SQLAlchemy's defaults, with the answers of its SQLite dialect and with ours."""

    def get_order_by_collation(self, config: object) -> str:
        """A collation that there is."""
        return "NOCASE"


flags.set_flags(Requirements, flags.OPEN_LIKE_SQLITE, flags.CLOSED_LIKE_SQLITE)
flags.set_flags(Requirements, flags.OPEN, flags.CLOSED)
