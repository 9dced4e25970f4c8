"""Disputes: how far each has come, what it holds, what it cost.

Revision ID: 20261122_15
Revises: 20261122_11
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_15"
down_revision = "20261122_11"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    scope = ["stripe_account_id", "livemode"]
    op.create_table(
        "disputes",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        *_words("dispute_id", "payment_id", "receipt_id"),
        *_words("processor", "processor_account_id", "processor_dispute_id"),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), server_default="0", nullable=False),
        *_words("currency", "stage"),
        sa.Column("withheld", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ask_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0 AND fee_minor >= 0", name=op.f("ck_disputes_amount")),
        sa.CheckConstraint(
            "stage IN ('opened', 'under_review', 'won', 'lost', 'accepted')",
            name=op.f("ck_disputes_stage"),
        ),
        sa.PrimaryKeyConstraint(*scope, "dispute_id", name="pk_disputes"),
        sa.ForeignKeyConstraint(
            [*scope, "payment_id"],
            ["payments.stripe_account_id", "payments.livemode", "payments.payment_id"],
            name="fk_disputes_payment_id",
        ),
        sa.UniqueConstraint(*scope, "processor_account_id", "processor_dispute_id"),
    )
    op.create_index("ix_disputes_payment", "disputes", [*scope, "payment_id"])
    op.create_index("ix_disputes_created", "disputes", [*scope, "created_at", "dispute_id"])
    op.execute("GRANT SELECT, INSERT, UPDATE ON disputes TO twintill_runtime")


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")


def _words(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]
