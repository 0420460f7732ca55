"""How Alembic reaches the database."""

from alembic import context
from models import Base
from sqlalchemy import create_engine

url = context.config.get_main_option("sqlalchemy.url")
engine = create_engine(url)
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # ALTER TABLE of SQLite can do little: changes are made by copying the table.
        render_as_batch=True,
        # All migrations are one transaction, DDL too: either the cluster is upgraded, or it is as it was.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
