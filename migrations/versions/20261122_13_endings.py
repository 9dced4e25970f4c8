"""How a payment is closed; the order, expiry and page of payment methods; a subscription's end ahead.

Revision ID: 20261122_13
Revises: 20261122_10
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_13"
down_revision = "20261122_10"
branch_labels = None
depends_on = None

# As the adapters show it: "08/27". The card is good through the last day of that month.
_EXPIRY = """
    UPDATE payment_methods SET expires_at = (
        to_date('01/' || (display ->> 'exp'), 'DD/MM/YY') + interval '1 month'
    ) AT TIME ZONE 'UTC'
    WHERE kind = 'card' AND display ->> 'exp' ~ '^(0[1-9]|1[0-2])/[0-9]{2}$'
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    op.add_column("payments", sa.Column("closing", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_payments_closing"), "payments", "closing IN ('void', 'mark_uncollectible')"
    )
    op.add_column("payment_methods", sa.Column("place", sa.Integer(), nullable=True))
    for name in ("expires_at", "expiry_told_at"):
        op.add_column(
            "payment_methods", sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=True)
        )
    op.execute(_EXPIRY)
    op.create_index(
        "ix_payment_methods_expiring",
        "payment_methods",
        ["expires_at"],
        postgresql_where=sa.text("is_default AND status = 'active' AND expiry_told_at IS NULL"),
    )
    op.add_column(
        "subscriptions",
        sa.Column(
            "cancels_at_period_end", sa.Boolean(), nullable=False, server_default=sa.text("false")
        ),
    )
    op.add_column(
        "checkouts",
        sa.Column("charges_due", sa.Boolean(), nullable=False, server_default=sa.text("true")),
    )


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
