"""The dialect over the synchronous driver: `rqlite+pyrqlite://`, or `rqlite://` for short."""

from __future__ import annotations

from types import ModuleType

import pyrqlite
from sqlalchemy_rqlite.alone import refuse_older_dialect
from sqlalchemy_rqlite.base import RqliteDialect

refuse_older_dialect()  # its __init__.py may stand in the place of ours


class RqliteDialect_pyrqlite(RqliteDialect):
    """The dialect over `pyrqlite.connect`."""

    driver = "pyrqlite"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The driver's module."""
        return pyrqlite


dialect = RqliteDialect_pyrqlite
