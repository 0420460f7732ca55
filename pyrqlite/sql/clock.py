"""The client's clock, as SQLite reads a clock: one moment for a whole statement, in UTC milliseconds."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass

from pyrqlite.sql.tokens import quote_text

_EPOCH = datetime.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Instant:
    """A moment, in whole milliseconds since 1970: the resolution of SQLite's clock.

    Source of the texts: https://www.sqlite.org/lang_datefunc.html
    """

    milliseconds: int

    @classmethod
    def now(cls) -> Instant:
        """The moment of the call."""
        return cls(time.time_ns() // 1_000_000)

    def _utc(self) -> datetime.datetime:
        return _EPOCH + datetime.timedelta(milliseconds=self.milliseconds)

    @property
    def time_value(self) -> str:
        """What `'now'` stands for in SQLite's date functions: `2026-11-23 12:00:00.123Z`.

        The Z tells newer SQLite that this is UTC already, as it knows of its own `'now'`.
        """
        return self._utc().isoformat(" ", "milliseconds") + "Z"

    def literal(self, keyword: str) -> str:
        """The value of CURRENT_TIMESTAMP, CURRENT_DATE or CURRENT_TIME as an SQL literal."""
        text = self._utc().isoformat(" ", "seconds")
        if keyword == "CURRENT_DATE":
            text = text[:10]
        elif keyword == "CURRENT_TIME":
            text = text[11:]
        return quote_text(text)
