"""A Django database backend for rqlite: `"ENGINE": "django_rqlite"`."""

from django_rqlite.errors import OutcomeUnknownError, SerializationError, UniqueConflictError
from django_rqlite.retrying import retry_on_conflict

__all__ = ["OutcomeUnknownError", "SerializationError", "UniqueConflictError", "retry_on_conflict"]
