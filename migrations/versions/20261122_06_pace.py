"""The pace of calls to Stripe, and how much was read there.

Revision ID: 20261122_06
Revises: 20261122_08
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_06"
down_revision = "20261122_08"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Waiting for a lock makes everybody else wait behind us: give up, and try at a better time.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    op.create_table(
        "stripe_lanes",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("free_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("wanted_until", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("pushes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("pushed_until", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "lane", name=op.f("pk_stripe_lanes")
        ),
    )
    op.create_table(
        "stripe_reads",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reads", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "day", name=op.f("pk_stripe_reads")
        ),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON stripe_lanes, stripe_reads TO twintill_runtime")


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
