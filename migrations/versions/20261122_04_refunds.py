"""Refunds: what a person agreed to, what the caps count, and that nothing is given back twice.

Revision ID: 20261122_04
Revises: 20261122_06
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_04"
down_revision = "20261122_06"
branch_labels = None
depends_on = None

_ONCE = "reported_minor + stranded_minor + refunded_minor <= collected_minor"


def upgrade() -> None:
    op.add_column(
        "payments",
        sa.Column("refund_agreed", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.create_index(
        "ix_attempts_refunds",
        "attempts",
        ["first_sent_at"],
        postgresql_where=sa.text("kind = 'refund'"),
    )
    op.create_index("ix_receipts_collected", "receipts", ["collected_at"])
    op.drop_constraint("not_more_than_collected", "receipts", type_="check")
    op.create_check_constraint("not_more_than_collected", "receipts", _ONCE)


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
