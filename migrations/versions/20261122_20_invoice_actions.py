"""Who did what to an invoice through us: rows that only grow.

Revision ID: 20261122_20
Revises: 20261122_17
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_20"
down_revision = "20261122_17"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    scope = ["stripe_account_id", "livemode"]
    op.create_table(
        "invoice_actions",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("action_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(*scope, "action_id", name="pk_invoice_actions"),
    )
    op.create_index("ix_invoice_actions_invoice", "invoice_actions", [*scope, "invoice_id", "at"])
    op.create_index("ix_invoice_actions_customer", "invoice_actions", [*scope, "customer_id", "at"])
    op.execute(
        "CREATE TRIGGER invoice_actions_only_grows BEFORE UPDATE OR DELETE ON invoice_actions "
        "FOR EACH ROW EXECUTE FUNCTION only_grows()"
    )
    op.execute(
        "CREATE TRIGGER invoice_actions_never_emptied BEFORE TRUNCATE ON invoice_actions "
        "FOR EACH STATEMENT EXECUTE FUNCTION only_grows()"
    )
    op.execute("GRANT SELECT, INSERT ON invoice_actions TO twintill_runtime")


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
