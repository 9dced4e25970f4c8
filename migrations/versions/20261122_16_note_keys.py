"""Credit notes: a key that Stripe has answered with a failure of its own is not used again.

Revision ID: 20261122_16
Revises: 20261122_18
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_16"
down_revision = "20261122_18"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "credit_notes", sa.Column("key_n", sa.Integer(), server_default="0", nullable=False)
    )


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
