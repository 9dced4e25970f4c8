"""Settlement lines: what the processors' own reports say moved our balances there.

Revision ID: 20261122_26
Revises: 20261122_21
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261122_26"
down_revision = "20261122_21"
branch_labels = None
depends_on = None

SCOPE = ["stripe_account_id", "livemode"]
RULES = {
    "kind": "kind IN ('charge', 'charge_failed', 'refund', 'refund_failed', 'dispute', "
    "'dispute_won', 'fee', 'payout', 'payout_returned', 'hold', 'other')",
    "whose": "whose IN ('ours', 'foreign', 'account')",
    "ours": "(whose = 'ours') = (payment_id IS NOT NULL)",
    "fee": "(fee_minor IS NULL) = (fee_currency IS NULL)",
    "changed": "(changed IS NULL) = (changed_at IS NULL)",
}
INDEXES = {
    "occurred": ([*SCOPE, "occurred_at", "settlement_line_id"], None),
    "payment": ([*SCOPE, "payment_id"], "payment_id IS NOT NULL"),
    "payout": ([*SCOPE, "processor_account_id", "payout_id"], "payout_id IS NOT NULL"),
    "changed": (["changed_at"], "changed_at IS NOT NULL"),
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "settlement_lines",
        *_words("stripe_account_id"),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        *_words("settlement_line_id", "processor", "processor_account_id", "line_id"),
        *_words("kind", "raw_type"),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        *_words("currency"),
        sa.Column("fee_minor", sa.BigInteger(), nullable=True),
        *_words("fee_currency", null=True),
        *_words("processor_payment_id", "reference", "object_id", "payout_id", null=True),
        sa.Column("occurred_at", sa.TIMESTAMP(timezone=True), nullable=False),
        *_words("whose"),
        *_words("payment_id", "attempt_id", "refund_id", "dispute_id", null=True),
        *_words("our_currency", null=True),
        sa.Column("covered_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("booked_n", sa.Integer(), server_default="0", nullable=False),
        *_words("not_booked", null=True),
        sa.Column("changed", JSONB(), nullable=True),
        sa.Column("changed_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("accepted", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        *(
            sa.CheckConstraint(rule, name=op.f(f"ck_settlement_lines_{name}"))
            for name, rule in RULES.items()
        ),
        sa.PrimaryKeyConstraint(*SCOPE, "settlement_line_id", name="pk_settlement_lines"),
        sa.ForeignKeyConstraint(
            [*SCOPE, "payment_id"],
            ["payments.stripe_account_id", "payments.livemode", "payments.payment_id"],
            name="fk_settlement_lines_payment_id",
        ),
        sa.UniqueConstraint(*SCOPE, "processor_account_id", "line_id"),
    )
    for name, (columns, where) in INDEXES.items():
        op.create_index(
            f"ix_settlement_lines_{name}",
            "settlement_lines",
            columns,
            postgresql_where=None if where is None else sa.text(where),
        )
    op.execute("GRANT SELECT, INSERT, UPDATE ON settlement_lines TO twintill_runtime")


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")


def _words(*names: str, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=null) for name in names]
