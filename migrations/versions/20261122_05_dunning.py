"""What a customer's policy has otherwise, and the attempts of a payment method, found by it.

Revision ID: 20261122_05
Revises: 20261122_04
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_05"
down_revision = "20261122_04"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Waiting for a lock makes everybody else wait behind us: give up, and try at a better time.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    op.add_column("customers", sa.Column("policy", postgresql.JSONB(), nullable=True))
    # Not CONCURRENTLY: it would wait for a second migrator, which waits for this one. New attempts
    # wait while it is built: seconds for millions.
    op.create_index(
        "ix_attempts_method", "attempts", ["stripe_account_id", "livemode", "payment_method_id"]
    )


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
