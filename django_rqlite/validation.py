"""System checks: `manage.py check --database default`, and `migrate`."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.db.backends.base.validation import BaseDatabaseValidation


class DatabaseValidation(BaseDatabaseValidation):
    """Warns of a server that does not do what models promise."""

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """W001 where foreign keys are not enforced."""
        if self.connection.server.foreign_keys:
            return []
        return [
            checks.Warning(
                f"The server of the database {self.connection.alias!r} does not enforce foreign keys.",
                hint="Start every rqlited with the flag -fk. Django checks foreign keys itself only in loaddata, "
                "in tests and after migrations.",
                id="rqlite.W001",
            )
        ]
