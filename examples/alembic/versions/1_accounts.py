"""Accounts."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "account",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("balance", sa.Integer),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("account")
