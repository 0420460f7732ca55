"""The dialect over the synchronous driver: `rqlite+pyrqlite://`, or `rqlite://` for short."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import pyrqlite
from sqlalchemy_rqlite.alone import refuse_older_dialect
from sqlalchemy_rqlite.base import RqliteDialect

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection

refuse_older_dialect()  # its __init__.py may stand in the place of ours


class RqliteDialect_pyrqlite(RqliteDialect):
    """The dialect over `pyrqlite.connect`."""

    driver = "pyrqlite"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The driver's module."""
        return pyrqlite

    def do_close(self, dbapi_connection: DBAPIConnection) -> None:
        """Close the connection; what was not committed goes without a warning, as it does everywhere here."""
        if not dbapi_connection.closed:
            dbapi_connection.rollback()
        dbapi_connection.close()

    def do_ping(self, dbapi_connection: DBAPIConnection) -> bool:
        """Whether the cluster answers."""
        dbapi_connection.ping()
        dbapi_connection.rollback()  # the question began a transaction
        return True


dialect = RqliteDialect_pyrqlite
