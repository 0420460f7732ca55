"""Balances are numbers, and not negative; the name is the owner's."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Change rows and table in one go."""
    op.execute("UPDATE account SET balance = 0 WHERE balance IS NULL OR balance < 0")
    with op.batch_alter_table("account") as batch:
        batch.alter_column("name", new_column_name="owner")
        batch.alter_column("balance", existing_type=sa.Integer, nullable=False, server_default="0")
        batch.create_check_constraint("not_negative", "balance >= 0")


def downgrade() -> None:
    """Back to the first table; the rows stay."""
    with op.batch_alter_table("account") as batch:
        batch.drop_constraint("not_negative", type_="check")
        batch.alter_column("balance", existing_type=sa.Integer, nullable=True, server_default=None)
        batch.alter_column("owner", new_column_name="name")
