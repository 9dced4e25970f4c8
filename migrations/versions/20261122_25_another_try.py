"""Another try at the customer's wish: with which method, and from which attempt on.

Revision ID: 20261122_25
Revises: 20261122_20
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_25"
down_revision = "20261122_20"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("payments", sa.Column("asked_method_id", sa.Text(), nullable=True))
    op.add_column("payments", sa.Column("asked_n", sa.Integer(), nullable=True))


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
