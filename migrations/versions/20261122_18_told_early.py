"""Disputes: what was told of one before it could be booked.

Revision ID: 20261122_18
Revises: 20261122_15
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_18"
down_revision = "20261122_15"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("disputes", sa.Column("told_stage", sa.Text(), nullable=True))
    op.add_column(
        "disputes",
        sa.Column("told_withheld", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "disputes",
        sa.Column("told_fee_minor", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_disputes_told"),
        "disputes",
        "told_stage IN ('opened', 'under_review', 'won', 'lost', 'accepted') "
        "AND told_fee_minor >= 0",
    )


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
