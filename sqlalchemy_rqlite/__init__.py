"""The SQLAlchemy dialect for rqlite: `create_engine("rqlite+pyrqlite://host:4001/")`."""

from sqlalchemy_rqlite.alone import refuse_older_dialect

refuse_older_dialect()

from sqlalchemy.dialects.sqlite import (  # noqa: E402
    BLOB,
    BOOLEAN,
    CHAR,
    DATE,
    DATETIME,
    DECIMAL,
    FLOAT,
    INTEGER,
    JSON,
    NUMERIC,
    REAL,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    VARCHAR,
    Insert,
    insert,
)

from sqlalchemy_rqlite.retrying import run_transaction  # noqa: E402
from sqlalchemy_rqlite.sync import dialect  # noqa: E402

__all__ = [
    "BLOB",
    "BOOLEAN",
    "CHAR",
    "DATE",
    "DATETIME",
    "DECIMAL",
    "FLOAT",
    "INTEGER",
    "JSON",
    "NUMERIC",
    "REAL",
    "SMALLINT",
    "TEXT",
    "TIME",
    "TIMESTAMP",
    "VARCHAR",
    "Insert",
    "dialect",
    "insert",
    "run_transaction",
]
