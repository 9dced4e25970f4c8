"""The tables: the grain of everything that follows.

Revision ID: 20261122_01
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_01"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("api_key_id", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "api_key_id", name=op.f("pk_api_keys")
        ),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_api_keys_secret_hash")),
    )
    op.create_table(
        "api_requests",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("api_key_id", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("locked_until", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "stripe_account_id",
            "livemode",
            "api_key_id",
            "idempotency_key",
            name=op.f("pk_api_requests"),
        ),
    )
    op.create_table(
        "customers",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("stale", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("deleted_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "customer_id", name=op.f("pk_customers")
        ),
    )
    op.create_table(
        "deliveries",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("received_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("headers", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "delivery_id", name=op.f("pk_deliveries")
        ),
    )
    op.create_table(
        "ledger_transactions",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("ledger_transaction_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "database_transaction",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text::bigint)"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id",
            "livemode",
            "ledger_transaction_id",
            name=op.f("pk_ledger_transactions"),
        ),
        sa.UniqueConstraint(
            "stripe_account_id",
            "livemode",
            "cause",
            name=op.f("uq_ledger_transactions_stripe_account_id_livemode_cause"),
        ),
    )
    op.create_index(
        "ix_ledger_transactions_payment",
        "ledger_transactions",
        ["stripe_account_id", "livemode", "payment_id"],
        unique=False,
    )
    op.create_table(
        "operations",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("next_look_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lease_until", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("looks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rung_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("parked_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("parked_why", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "ended_at IS NOT NULL OR next_look_at IS NOT NULL OR parked_at IS NOT NULL",
            name=op.f("ck_operations_not_forgotten"),
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "operation_id", name=op.f("pk_operations")
        ),
    )
    op.create_index(
        "ix_operations_created",
        "operations",
        ["stripe_account_id", "livemode", "kind", "created_at", "operation_id"],
        unique=False,
    )
    op.create_index(
        "ix_operations_customer",
        "operations",
        ["stripe_account_id", "livemode", "customer_id", "kind"],
        unique=False,
    )
    op.create_index(
        "ix_operations_due",
        "operations",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL AND parked_at IS NULL"),
    )
    op.create_table(
        "outgoing_events",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("next_look_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lease_until", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("looks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rung_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("parked_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("parked_why", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "ended_at IS NOT NULL OR next_look_at IS NOT NULL OR parked_at IS NOT NULL",
            name=op.f("ck_outgoing_events_not_forgotten"),
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "event_id", name=op.f("pk_outgoing_events")
        ),
    )
    op.create_index(
        "ix_outgoing_events_due",
        "outgoing_events",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL AND parked_at IS NULL"),
    )
    op.create_table(
        "stripe_accounts",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("installation_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("stripe_account_id", "livemode", name=op.f("pk_stripe_accounts")),
    )
    op.create_table(
        "virtual_clocks",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shift", sa.Interval(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_virtual_clocks_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_virtual_clocks")),
    )
    op.create_table(
        "checkouts",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("checkout_id", sa.Text(), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=True),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("shown_minor", sa.BigInteger(), nullable=False),
        sa.Column("final_minor", sa.BigInteger(), nullable=True),
        sa.Column("agreed_minor", sa.BigInteger(), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("success_url", sa.Text(), nullable=False),
        sa.Column("cancel_url", sa.Text(), nullable=False),
        sa.Column("processor", sa.Text(), nullable=False),
        sa.Column("setup_session_id", sa.Text(), nullable=True),
        sa.Column("payment_method_id", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("setups", sa.Integer(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("completed_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "purpose = 'method' OR purpose = 'signup' AND subscription_id IS NOT NULL AND invoice_id IS NOT NULL AND payment_id IS NOT NULL",
            name=op.f("ck_checkouts_purpose"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'completing', 'confirming', 'complete', 'expired')",
            name=op.f("ck_checkouts_state"),
        ),
        sa.ForeignKeyConstraint(
            ["stripe_account_id", "livemode", "customer_id"],
            ["customers.stripe_account_id", "customers.livemode", "customers.customer_id"],
            name=op.f("fk_checkouts_stripe_account_id_livemode_customer_id"),
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "checkout_id", name=op.f("pk_checkouts")
        ),
        sa.UniqueConstraint(
            "stripe_account_id",
            "livemode",
            "operation_id",
            name=op.f("uq_checkouts_stripe_account_id_livemode_operation_id"),
        ),
    )
    op.create_index(
        "ix_checkouts_invoice",
        "checkouts",
        ["stripe_account_id", "livemode", "invoice_id"],
        unique=False,
    )
    op.create_index(
        "ix_checkouts_payment",
        "checkouts",
        ["stripe_account_id", "livemode", "payment_id"],
        unique=False,
    )
    op.create_table(
        "inbox",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("inbox_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("next_look_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lease_until", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("looks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rung_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("parked_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("parked_why", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('new', 'done', 'ignored', 'parked')", name=op.f("ck_inbox_state")
        ),
        sa.CheckConstraint(
            "ended_at IS NOT NULL OR next_look_at IS NOT NULL OR parked_at IS NOT NULL",
            name=op.f("ck_inbox_not_forgotten"),
        ),
        sa.ForeignKeyConstraint(
            ["stripe_account_id", "livemode", "delivery_id"],
            ["deliveries.stripe_account_id", "deliveries.livemode", "deliveries.delivery_id"],
            name=op.f("fk_inbox_stripe_account_id_livemode_delivery_id"),
        ),
        sa.PrimaryKeyConstraint("stripe_account_id", "livemode", "inbox_id", name=op.f("pk_inbox")),
        sa.UniqueConstraint(
            "stripe_account_id",
            "livemode",
            "source",
            "dedupe_key",
            name=op.f("uq_inbox_stripe_account_id_livemode_source_dedupe_key"),
        ),
    )
    op.create_index(
        "ix_inbox_due",
        "inbox",
        ["next_look_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL AND parked_at IS NULL"),
    )
    op.create_table(
        "invoices",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=True),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("collection_method", sa.Text(), nullable=False),
        sa.Column("billing_reason", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_due_minor", sa.BigInteger(), nullable=False),
        sa.Column("amount_paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("amount_remaining_minor", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("stale", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("seen_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["stripe_account_id", "livemode", "customer_id"],
            ["customers.stripe_account_id", "customers.livemode", "customers.customer_id"],
            name=op.f("fk_invoices_stripe_account_id_livemode_customer_id"),
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "invoice_id", name=op.f("pk_invoices")
        ),
    )
    op.create_index(
        "ix_invoices_created",
        "invoices",
        ["stripe_account_id", "livemode", "created_at", "invoice_id"],
        unique=False,
    )
    op.create_index(
        "ix_invoices_customer",
        "invoices",
        ["stripe_account_id", "livemode", "customer_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "payment_methods",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_method_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("processor", sa.Text(), nullable=False),
        sa.Column("processor_account_id", sa.Text(), nullable=False),
        sa.Column("processor_customer_id", sa.Text(), nullable=False),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=True),
        sa.Column("token_fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("display", postgresql.JSONB(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("removed_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('active', 'removing', 'removed', 'revoked')",
            name=op.f("ck_payment_methods_status"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('active', 'removing') OR sealed_token IS NOT NULL",
            name=op.f("ck_payment_methods_token_present"),
        ),
        sa.ForeignKeyConstraint(
            ["stripe_account_id", "livemode", "customer_id"],
            ["customers.stripe_account_id", "customers.livemode", "customers.customer_id"],
            name=op.f("fk_payment_methods_stripe_account_id_livemode_customer_id"),
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "payment_method_id", name=op.f("pk_payment_methods")
        ),
    )
    op.create_index(
        "ix_payment_methods_customer",
        "payment_methods",
        ["stripe_account_id", "livemode", "customer_id"],
        unique=False,
    )
    op.create_index(
        "ix_payment_methods_fingerprint",
        "payment_methods",
        ["stripe_account_id", "livemode", "processor_account_id", "token_fingerprint"],
        unique=False,
    )
    op.create_index(
        "uq_payment_methods_default",
        "payment_methods",
        ["stripe_account_id", "livemode", "customer_id"],
        unique=True,
        postgresql_where=sa.text("is_default AND status = 'active'"),
    )
    op.create_table(
        "payments",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("limit_minor", sa.BigInteger(), nullable=True),
        sa.Column("continues", sa.Text(), nullable=True),
        sa.Column("reports", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unreadable", sa.Integer(), server_default="0", nullable=False),
        sa.Column("history_seq", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("next_look_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lease_until", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("looks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rung_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("parked_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("parked_why", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'charging', 'pending', 'collected', 'reported', 'exhausted', 'canceled', 'stranded', 'refunded')",
            name=op.f("ck_payments_state"),
        ),
        sa.CheckConstraint(
            "ended_at IS NOT NULL OR next_look_at IS NOT NULL OR parked_at IS NOT NULL",
            name=op.f("ck_payments_not_forgotten"),
        ),
        sa.ForeignKeyConstraint(
            ["stripe_account_id", "livemode", "customer_id"],
            ["customers.stripe_account_id", "customers.livemode", "customers.customer_id"],
            name=op.f("fk_payments_stripe_account_id_livemode_customer_id"),
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "payment_id", name=op.f("pk_payments")
        ),
        sa.UniqueConstraint(
            "stripe_account_id",
            "livemode",
            "invoice_id",
            name=op.f("uq_payments_stripe_account_id_livemode_invoice_id"),
        ),
    )
    op.create_index(
        "ix_payments_created",
        "payments",
        ["stripe_account_id", "livemode", "created_at", "payment_id"],
        unique=False,
    )
    op.create_index(
        "ix_payments_customer",
        "payments",
        ["stripe_account_id", "livemode", "customer_id", "created_at"],
        unique=False,
    )
    op.create_index(
        "ix_payments_due",
        "payments",
        ["lane", "next_look_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL AND parked_at IS NULL"),
    )
    op.create_index(
        "ix_payments_parked",
        "payments",
        ["parked_at"],
        unique=False,
        postgresql_where=sa.text("parked_at IS NOT NULL"),
    )
    op.create_table(
        "postings",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("ledger_transaction_id", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("receipt_id", sa.Text(), nullable=True),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_postings_amount")),
        sa.ForeignKeyConstraint(
            ["stripe_account_id", "livemode", "ledger_transaction_id"],
            [
                "ledger_transactions.stripe_account_id",
                "ledger_transactions.livemode",
                "ledger_transactions.ledger_transaction_id",
            ],
            name="fk_postings_ledger_transaction",
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "ledger_transaction_id", "n", name=op.f("pk_postings")
        ),
    )
    op.create_index(
        "ix_postings_account",
        "postings",
        ["stripe_account_id", "livemode", "account", "currency"],
        unique=False,
    )
    op.create_index(
        "ix_postings_payment",
        "postings",
        ["stripe_account_id", "livemode", "payment_id"],
        unique=False,
    )
    op.create_table(
        "subscriptions",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("collection_method", sa.Text(), nullable=False),
        sa.Column("stale", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("ended_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["stripe_account_id", "livemode", "customer_id"],
            ["customers.stripe_account_id", "customers.livemode", "customers.customer_id"],
            name=op.f("fk_subscriptions_stripe_account_id_livemode_customer_id"),
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "subscription_id", name=op.f("pk_subscriptions")
        ),
    )
    op.create_index(
        "ix_subscriptions_customer",
        "subscriptions",
        ["stripe_account_id", "livemode", "customer_id"],
        unique=False,
    )
    op.create_table(
        "attempts",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("payment_method_id", sa.Text(), nullable=True),
        sa.Column("receipt_id", sa.Text(), nullable=True),
        sa.Column("processor", sa.Text(), nullable=False),
        sa.Column("processor_account_id", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=True),
        sa.Column("first_sent_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("asked", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sendings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("finality", sa.Text(), nullable=True),
        sa.Column("processor_payment_id", sa.Text(), nullable=True),
        sa.Column("payment_record_id", sa.Text(), nullable=True),
        sa.Column("decline_kind", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("retry_after_s", sa.Integer(), nullable=True),
        sa.Column("action_url", sa.Text(), nullable=True),
        sa.Column("expected_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("answered_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('charge', 'refund')", name=op.f("ck_attempts_kind")),
        sa.CheckConstraint(
            "outcome IN ('started', 'approved', 'accepted', 'declined', 'needs_customer', 'no_answer', 'not_sent')",
            name=op.f("ck_attempts_outcome"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_attempts_amount")),
        sa.ForeignKeyConstraint(
            ["stripe_account_id", "livemode", "payment_id"],
            ["payments.stripe_account_id", "payments.livemode", "payments.payment_id"],
            name=op.f("fk_attempts_stripe_account_id_livemode_payment_id"),
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "attempt_id", name=op.f("pk_attempts")
        ),
        sa.UniqueConstraint(
            "stripe_account_id",
            "livemode",
            "payment_id",
            "kind",
            "n",
            name=op.f("uq_attempts_stripe_account_id_livemode_payment_id_kind_n"),
        ),
        sa.UniqueConstraint(
            "stripe_account_id",
            "livemode",
            "processor_account_id",
            "idempotency_key",
            name=op.f(
                "uq_attempts_stripe_account_id_livemode_processor_account_id_idempotency_key"
            ),
        ),
        sa.UniqueConstraint(
            "stripe_account_id",
            "livemode",
            "processor_account_id",
            "reference",
            name=op.f("uq_attempts_stripe_account_id_livemode_processor_account_id_reference"),
        ),
    )
    op.create_index(
        "uq_attempts_processor_payment",
        "attempts",
        ["stripe_account_id", "livemode", "processor_account_id", "kind", "processor_payment_id"],
        unique=True,
        postgresql_where=sa.text("processor_payment_id IS NOT NULL"),
    )
    op.create_index(
        "uq_attempts_unresolved",
        "attempts",
        ["stripe_account_id", "livemode", "payment_id", "kind"],
        unique=True,
        postgresql_where=sa.text(
            "outcome IN ('started', 'accepted', 'no_answer', 'needs_customer')"
        ),
    )
    op.create_table(
        "payment_history",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("fact", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.Column("state_before", sa.Text(), nullable=False),
        sa.Column("state_after", sa.Text(), nullable=False),
        sa.Column("reason_after", sa.Text(), nullable=True),
        sa.Column("attempt_id", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stripe_account_id", "livemode", "payment_id"],
            ["payments.stripe_account_id", "payments.livemode", "payments.payment_id"],
            name=op.f("fk_payment_history_stripe_account_id_livemode_payment_id"),
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "payment_id", "seq", name=op.f("pk_payment_history")
        ),
    )
    op.create_table(
        "receipts",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("receipt_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("processor_account_id", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("finality", sa.Text(), nullable=False),
        sa.Column("collected_minor", sa.BigInteger(), nullable=False),
        sa.Column("reported_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("stranded_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("disputed_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("settled_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("collected_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "source IN ('attempt', 'hand', 'transfer')", name=op.f("ck_receipts_source")
        ),
        sa.CheckConstraint(
            "collected_minor > 0 AND reported_minor >= 0 AND stranded_minor >= 0 AND refunded_minor >= 0 AND disputed_minor >= 0 AND settled_minor >= 0",
            name=op.f("ck_receipts_nothing_negative"),
        ),
        sa.CheckConstraint(
            "refunded_minor <= collected_minor AND reported_minor + stranded_minor <= collected_minor",
            name=op.f("ck_receipts_not_more_than_collected"),
        ),
        sa.ForeignKeyConstraint(
            ["stripe_account_id", "livemode", "payment_id"],
            ["payments.stripe_account_id", "payments.livemode", "payments.payment_id"],
            name=op.f("fk_receipts_stripe_account_id_livemode_payment_id"),
        ),
        sa.PrimaryKeyConstraint(
            "stripe_account_id", "livemode", "receipt_id", name=op.f("pk_receipts")
        ),
        sa.UniqueConstraint(
            "stripe_account_id",
            "livemode",
            "attempt_id",
            name=op.f("uq_receipts_stripe_account_id_livemode_attempt_id"),
        ),
    )
    op.create_index(
        "ix_receipts_payment",
        "receipts",
        ["stripe_account_id", "livemode", "payment_id"],
        unique=False,
    )


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
