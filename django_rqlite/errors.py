"""The driver's errors as Django's: PEP 249's classes by their names, and two that only rqlite has."""

from __future__ import annotations

from types import TracebackType

from django.db.utils import DatabaseErrorWrapper, IntegrityError, OperationalError

import pyrqlite


class SerializationError(OperationalError):
    """Another client has changed what this transaction saw. Nothing was applied: run the transaction again."""


class UniqueConflictError(SerializationError, IntegrityError):
    """Another client has meanwhile inserted a row that a unique constraint allows once.

    As an IntegrityError it lets `get_or_create` find that row.
    """


class OutcomeUnknownError(OperationalError):
    """The answer to a write was lost: it may have been applied, or may still be."""


class ErrorWrapper(DatabaseErrorWrapper):
    """Django's wrapper, which also knows the classes of this module."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        known = _class_of(exc_value)
        if exc_value is None or known is None:
            super().__exit__(exc_type, exc_value, traceback)
            return
        if known is OutcomeUnknownError:
            self.wrapper.errors_occurred = True
        raise known(*exc_value.args).with_traceback(traceback) from exc_value


def _class_of(error: BaseException | None) -> type[OperationalError] | None:
    if isinstance(error, pyrqlite.OutcomeUnknownError):
        return OutcomeUnknownError
    if isinstance(error, pyrqlite.SerializationError):
        return (
            UniqueConflictError if "UNIQUE constraint failed" in str(error) else SerializationError
        )
    return None
