"""What the inspector finds."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, inspect, text

from tests.dialect.counting import requests

SCHEMA = """
CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT NOT NULL, CONSTRAINT uq_code UNIQUE (code)) STRICT;
CREATE TABLE child (
    a INTEGER NOT NULL, b VARCHAR(20) DEFAULT 'x' COLLATE NOCASE, c NUMERIC(10, 2),
    d DATETIME DEFAULT CURRENT_TIMESTAMP, e INTEGER GENERATED ALWAYS AS (a + 1) STORED,
    parent_id INTEGER CONSTRAINT fk_parent REFERENCES parent (id) ON DELETE CASCADE,
    CONSTRAINT pk PRIMARY KEY (a, b),
    CONSTRAINT positive CHECK (c > 0)
) WITHOUT ROWID;
CREATE INDEX ix_c ON child (c, d);
CREATE UNIQUE INDEX ix_partial ON child (d) WHERE c > 5;
CREATE VIEW v AS SELECT a, b FROM child;
CREATE TABLE "odd name" ("a b" INTEGER, "select" TEXT, "ü" BLOB);
CREATE TABLE keys (
    x INTEGER, y TEXT, z INTEGER REFERENCES parent ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT both UNIQUE (x, y), CONSTRAINT far FOREIGN KEY (x, y) REFERENCES child (a, b) ON UPDATE CASCADE
);
CREATE INDEX ix_expression ON keys (lower(y), x DESC)
"""
# As over SQLite itself.
pytestmark = pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression")


def create(connection: Connection) -> None:
    for statement in SCHEMA.split(";"):
        connection.execute(text(statement.strip()))


@pytest.fixture
def filled(engine: Engine) -> Engine:
    with engine.begin() as connection:
        create(connection)
    return engine


ANSWERS = [
    "get_table_names",
    "get_view_names",
    "get_schema_names",
    "get_sorted_table_and_fkc_names",
    "get_multi_columns",
    "get_multi_pk_constraint",
    "get_multi_foreign_keys",
    "get_multi_indexes",
    "get_multi_unique_constraints",
    "get_multi_check_constraints",
    "get_multi_table_options",
]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("committed", [True, False])
def test_same_as_sqlite(engine: Engine, answer: str, committed: bool) -> None:
    answers = []
    for each in (create_engine("sqlite://"), engine):
        with each.connect() as connection:
            create(connection)
            if committed:
                connection.commit()
            found = repr(getattr(inspect(connection), answer)())
            answers.append(re.sub("0x[0-9a-f]+", "", found))
        each.dispose()
    assert answers[0] == answers[1]
    assert answers[1] not in ("[]", "{}")


def test_views_and_tables(filled: Engine) -> None:
    inspector = inspect(filled)
    assert inspector.get_view_definition("v") == "CREATE VIEW v AS SELECT a, b FROM child"
    assert inspector.has_table("child")
    assert inspector.has_table("v")
    assert not inspector.has_table("nobody")
    assert inspector.get_temp_table_names() == inspector.get_temp_view_names() == []
    with pytest.raises(sa.exc.NoSuchTableError):
        inspector.get_columns("nobody")


def test_no_comments_as_in_sqlite(filled: Engine) -> None:
    with pytest.raises(NotImplementedError):
        inspect(filled).get_table_comment("child")


def test_round_trip(filled: Engine) -> None:
    metadata = MetaData()
    metadata.reflect(filled, views=True)
    assert sorted(metadata.tables) == ["child", "keys", "odd name", "parent", "v"]
    with filled.begin() as connection:
        metadata.drop_all(connection, tables=[metadata.tables[n] for n in ("child", "parent")])
        metadata.create_all(connection, tables=[metadata.tables[n] for n in ("child", "parent")])
    again = MetaData()
    again.reflect(filled)
    assert [c.name for c in again.tables["child"].columns] == ["a", "b", "c", "d", "e", "parent_id"]


def test_what_is_not_committed(filled: Engine) -> None:
    with filled.connect() as connection:
        connection.execute(text("ALTER TABLE parent ADD COLUMN extra TEXT"))
        Table("new", MetaData(), sa.Column("id", sa.Integer, primary_key=True)).create(connection)
        seen = [column["name"] for column in inspect(connection).get_columns("parent")]
        assert seen == ["id", "code", "extra"]
        assert inspect(connection).has_table("new")
    assert not inspect(filled).has_table("new")
    assert len(inspect(filled).get_columns("parent")) == 2


def test_temporary_tables_are_refused(engine: Engine) -> None:
    table = Table("t", MetaData(), sa.Column("id", sa.Integer), prefixes=["TEMPORARY"])
    with pytest.raises(sa.exc.NotSupportedError, match=r"(?i)temp"):
        table.create(engine)


def test_requests_for_a_schema_of_many_tables(engine: Engine) -> None:
    metadata = MetaData()
    for n in range(20):
        Table(
            f"t{n}",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("a", sa.Integer, index=True),
            sa.Column("b", sa.Integer, unique=True),
        )
    metadata.create_all(engine)
    with requests(engine) as sent:
        MetaData().reflect(engine)
    assert len(sent) < 400
