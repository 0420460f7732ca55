"""Dates that the driver's converters may have read already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.sqlite.base import DATE, DATETIME

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import Dialect


def _driver_converts(dialect: Dialect) -> bool:
    return bool(getattr(dialect, "native_datetime", False))


class DriverDate(DATE):
    """A DATE; `native_datetime` says that the driver adapts and converts it."""

    def bind_processor(self, dialect: Dialect) -> Any:
        """From dates to texts, unless the driver does it."""
        return None if _driver_converts(dialect) else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """From texts to dates, unless the driver did it."""
        return None if _driver_converts(dialect) else super().result_processor(dialect, coltype)


class DriverTimestamp(DATETIME):
    """A TIMESTAMP, likewise."""

    def bind_processor(self, dialect: Dialect) -> Any:
        """From datetimes to texts, unless the driver does it."""
        return None if _driver_converts(dialect) else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """From texts to datetimes, unless the driver did it."""
        return None if _driver_converts(dialect) else super().result_processor(dialect, coltype)
