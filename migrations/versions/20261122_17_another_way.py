"""Refunds that a person paid outside the processor: where that payment is found.

Revision ID: 20261122_17
Revises: 20261122_16
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_17"
down_revision = "20261122_16"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("attempts", sa.Column("another_way", sa.Text(), nullable=True))


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
