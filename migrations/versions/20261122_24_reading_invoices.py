"""What people ask about invoices: their totals, what is told of due dates, indexes of the lists.

And each status that a subscription has had: rows that only grow.

Revision ID: 20261122_24
Revises: 20261122_25
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_24"
down_revision = "20261122_25"
branch_labels = None
depends_on = None

_SCOPE = ["stripe_account_id", "livemode"]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '10min'")
    _columns()
    _subscription_history()
    _indexes()


def _columns() -> None:
    op.add_column("invoices", sa.Column("total_minor", sa.BigInteger(), nullable=True))
    op.add_column("invoices", sa.Column("finalized_at", sa.TIMESTAMP(timezone=True), nullable=True))
    op.add_column(
        "invoices", sa.Column("due_told", sa.Text(), server_default="nothing", nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_invoices_due_told"), "invoices", "due_told IN ('nothing', 'due_soon', 'overdue')"
    )


def _subscription_history() -> None:
    op.create_table(
        "subscription_history",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("n", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("status_before", sa.Text(), nullable=True),
        sa.Column("status_after", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(*_SCOPE, "subscription_id", "n", name="pk_subscription_history"),
    )
    op.execute(
        "CREATE TRIGGER subscription_history_only_grows BEFORE UPDATE OR DELETE "
        "ON subscription_history FOR EACH ROW EXECUTE FUNCTION only_grows()"
    )
    op.execute(
        "CREATE TRIGGER subscription_history_never_emptied BEFORE TRUNCATE "
        "ON subscription_history FOR EACH STATEMENT EXECUTE FUNCTION only_grows()"
    )
    op.execute("GRANT SELECT, INSERT ON subscription_history TO twintill_runtime")


def _indexes() -> None:
    # Not CONCURRENTLY: it would wait for a second migrator, which waits for this one. What is told
    # of invoices waits while they are built: up to a minute for a million.
    _index("status", ["status", "created_at", "invoice_id"])
    _index("subscription", ["subscription_id", "created_at", "invoice_id"], "subscription_id")
    _index("number", ["number", "created_at", "invoice_id"], "number")
    _index("due", ["due_at", "invoice_id"], "due_at")
    _index("amount_due", ["currency", "amount_due_minor", "invoice_id"])
    is_open = sa.text("status = 'open'")
    op.create_index(
        "ix_invoices_overdue",
        "invoices",
        [*_SCOPE, "due_at", "invoice_id"],
        postgresql_where=is_open,
    )
    op.create_index(
        "ix_invoices_to_tell",
        "invoices",
        [*_SCOPE, "due_told", "due_at"],
        postgresql_where=sa.text("status = 'open' AND due_told <> 'overdue'"),
    )
    op.create_index(
        "ix_inbox_object",
        "inbox",
        [*_SCOPE, "object_id", "inbox_id"],
        postgresql_where=sa.text("object_id IS NOT NULL"),
    )


def _index(name: str, columns: list[str], where_known: str | None = None) -> None:
    where = None if where_known is None else sa.text(f"{where_known} IS NOT NULL")
    op.create_index(f"ix_invoices_{name}", "invoices", [*_SCOPE, *columns], postgresql_where=where)


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
