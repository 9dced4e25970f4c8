"""When an invoice was last seen in Stripe's list of open ones.

Revision ID: 20261122_10
Revises: 20261122_05
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_10"
down_revision = "20261122_05"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoices", sa.Column("listed_at", sa.TIMESTAMP(timezone=True), nullable=True))


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
