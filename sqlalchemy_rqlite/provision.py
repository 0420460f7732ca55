"""What SQLAlchemy's test plugin asks of a database. Nothing else loads this module."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Engine
from sqlalchemy.dialects.sqlite import provision as sqlite
from sqlalchemy.testing.provision import (
    create_db,
    drop_all_schema_objects,
    drop_db,
    follower_url_from_main,
    run_reap_dbs,
    stop_test_class_outside_fixtures,
    temp_table_keyword_args,
    upsert,
)


@create_db.for_db("rqlite")
@drop_db.for_db("rqlite")
def _nothing(config: Any, engine: Engine, ident: str) -> None:
    """Each worker of a test run has a server of its own."""


@follower_url_from_main.for_db("rqlite")
def _same(url: URL, ident: str) -> URL:
    return url


@run_reap_dbs.for_db("rqlite")
def _reap(url: URL, idents: object) -> None:
    """Servers end with the workers."""


@stop_test_class_outside_fixtures.for_db("rqlite")
def _clean_up(config: Any, db: Engine, cls: type) -> None:
    # Some classes leave tables behind, and are used to a database in memory.
    drop_all_schema_objects(config, db)
    db.dispose()


@temp_table_keyword_args.for_db("rqlite")
def _temporary(config: Any, engine: Engine) -> dict[str, list[str]]:
    return {"prefixes": ["TEMPORARY"]}


upsert.for_db("rqlite")(sqlite._upsert.fns["sqlite"])
