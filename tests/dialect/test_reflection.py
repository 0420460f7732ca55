"""What the inspector finds."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, inspect, text
from sqlalchemy.engine import ObjectKind

from rqlite_embedded import EmbeddedServer
from tests.dialect.counting import requests
from tests.sqlalchemy_suite.server import dialect_url

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


def create(connection: Connection, schema: str = SCHEMA) -> None:
    for statement in schema.split(";"):
        connection.exec_driver_sql(statement.strip())


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


ODD = """
CREATE TABLE "br[ack]et" (`b``t` INTEGER PRIMARY KEY AUTOINCREMENT, 'si''ngle' TEXT UNIQUE, "k]k" weird type);
CREATE TABLE "quo""te" ("q""q" INT, other TEXT DEFAULT (datetime('now')), CONSTRAINT "p k" PRIMARY KEY ("q""q"))
    WITHOUT ROWID, STRICT;
CREATE TABLE checks (a INTEGER CHECK (a <> ')'), [b c] TEXT CONSTRAINT [c k] CHECK ([b c] IN ('x', 'CHECK (')));
CREATE TABLE far (
    x INTEGER REFERENCES nobody, y INT REFERENCES "br[ack]et", z INT REFERENCES CHECKS ("b c"),
    CONSTRAINT f FOREIGN KEY (x, y) REFERENCES checks (a, "b c") ON DELETE
    CASCADE, FOREIGN KEY (z) REFERENCES far
);
CREATE TABLE generated (a INT, b INT AS (a + 1), "c,d" TEXT GENERATED ALWAYS AS (coalesce(a, 'x')) STORED);
CREATE TABLE "per%cent" ("co:lon" INT, "?" REAL, ü TEXT COLLATE NOCASE, UNIQUE ("?", ü));
CREATE UNIQUE INDEX "ix[1]" ON "br[ack]et" ("k]k" DESC)
    where
    "k]k" <> ') where';
CREATE INDEX ix_expression ON checks (lower("b c"), a);
CREATE VIEW [a view] AS SELECT a AS one, [b c] FROM checks;
CREATE VIRTUAL TABLE words USING fts5(word, place UNINDEXED)
"""
BROKEN = "; CREATE VIEW broken AS SELECT missing FROM nobody"
NAMES = [
    "br[ack]et",
    'quo"te',
    "checks",
    "far",
    "generated",
    "per%cent",
    "a view",
    "words",
    "words_data",
]
OF_ONE = [answer.replace("multi_", "") for answer in ANSWERS if answer.startswith("get_multi_")] + [
    "has_table",
    "get_view_definition",
]


def outcome(ask: Callable[..., object], *arguments: object, **options: object) -> str:
    """What is answered, or the kind of the error."""
    try:
        return re.sub("0x[0-9a-f]+", "", repr(ask(*arguments, **options)))
    except sa.exc.DBAPIError:
        return "DBAPIError"
    except sa.exc.SQLAlchemyError as error:
        return repr(error)


def outcomes(connection: Connection) -> dict[object, str]:
    """All answers, each by an inspector that knows nothing yet."""
    return {
        **{
            (answer, name, schema): outcome(
                getattr(inspect(connection), answer), name, schema=schema
            )
            for answer in OF_ONE
            for name in [*NAMES, "FAR", "nobody", "broken", "sqlite_schema", "sqlite_sequence"]
            for schema in (None, "main", "other")
        },
        **{
            (answer, kind, names): outcome(
                getattr(inspect(connection), answer), kind=kind, filter_names=names
            )
            for answer in ANSWERS
            if "multi" in answer
            for kind in (ObjectKind.TABLE, ObjectKind.VIEW, ObjectKind.ANY)
            for names in (None, ("far", "a view", "nobody"))
        },
    }


@pytest.mark.parametrize("broken", [False, True])
def test_oddities_as_in_sqlite(engine: Engine, broken: bool) -> None:
    answers = []
    for each in (create_engine("sqlite://"), engine):
        with each.connect() as connection:
            create(connection, ODD + BROKEN * broken)
            connection.commit()
            answers.append(outcomes(connection))
        each.dispose()
    assert answers[0] == answers[1]


def test_an_inspector_may_be_kept(filled: Engine) -> None:
    inspector = inspect(filled)
    inspector.reflect_table(Table("parent", MetaData()), None)
    with filled.begin() as connection:
        connection.execute(text("ALTER TABLE parent ADD COLUMN extra TEXT"))
        connection.execute(text("CREATE INDEX ix_extra ON parent (extra)"))
    assert [index["name"] for index in inspector.get_indexes("parent")] == ["ix_extra"]
    inspector.clear_cache()
    assert [column["name"] for column in inspector.get_columns("parent")][-1] == "extra"


def test_a_server_that_is_gone() -> None:
    with EmbeddedServer(None) as server:
        engine = create_engine(dialect_url(server.url))
        connection = engine.connect()
        inspector = inspect(connection)
    with pytest.raises(sa.exc.OperationalError, match="could be reached") as caught:
        inspector.get_columns("parent")
    assert caught.value.connection_invalidated
    connection.close()
    engine.dispose()


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
    assert len(sent) <= 3  # the driver may look at the schema too
    with requests(engine) as sent:
        Table("t7", MetaData(), autoload_with=engine)
    assert len(sent) == 1
