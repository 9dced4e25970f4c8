"""Stripe's objects as we know them, and the payment methods that customers gave us."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, LargeBinary, Table, text
from sqlalchemy.dialects.postgresql import JSONB

from twintill.store.tables.columns import (
    belongs_to,
    flag,
    metadata,
    minor,
    primary_key,
    scope_columns,
    time,
    words,
)

stripe_accounts = Table(
    "stripe_accounts",
    metadata,
    *scope_columns(),
    words("installation_id"),
    time("created_at", null=False),
    primary_key(),
)

customers = Table(
    "customers",
    metadata,
    *scope_columns(),
    words("customer_id"),
    Column("policy", JSONB, nullable=True),  # what it has otherwise than the account
    flag("stale", "false"),
    time("deleted_at"),
    time("created_at", null=False),
    primary_key("customer_id"),
)

payment_methods = Table(
    "payment_methods",
    metadata,
    *scope_columns(),
    words("payment_method_id"),
    words("customer_id"),
    words("processor"),
    words("processor_account_id"),
    words("processor_customer_id"),
    Column("sealed_token", LargeBinary, nullable=True),
    Column("token_fingerprint", LargeBinary, nullable=False),
    words("kind"),
    Column("display", JSONB, nullable=False),
    words("status"),
    flag("is_default", "false"),
    Column("place", Integer, nullable=True),  # in the fall-back order, behind the default
    time("expires_at"),  # the moment after its last day, where it has one
    time("expiry_told_at"),
    time("created_at", null=False),
    time("removed_at"),
    primary_key("payment_method_id"),
    belongs_to("customers", "customer_id"),
    CheckConstraint("status IN ('active', 'removing', 'removed', 'revoked')", name="status"),
    CheckConstraint(
        "status NOT IN ('active', 'removing') OR sealed_token IS NOT NULL", name="token_present"
    ),
    Index(
        "uq_payment_methods_default",
        "stripe_account_id",
        "livemode",
        "customer_id",
        unique=True,
        postgresql_where=text("is_default AND status = 'active'"),
    ),
    Index(
        "ix_payment_methods_fingerprint",
        "stripe_account_id",
        "livemode",
        "processor_account_id",
        "token_fingerprint",
    ),
    Index("ix_payment_methods_customer", "stripe_account_id", "livemode", "customer_id"),
    Index(
        "ix_payment_methods_expiring",
        "expires_at",
        postgresql_where=text("is_default AND status = 'active' AND expiry_told_at IS NULL"),
    ),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    *scope_columns(),
    words("subscription_id"),
    words("customer_id"),
    words("status"),
    words("collection_method"),
    flag("cancels_at_period_end", "false"),
    flag("stale", "false"),
    time("ended_at"),
    time("created_at", null=False),
    primary_key("subscription_id"),
    belongs_to("customers", "customer_id"),
    Index("ix_subscriptions_customer", "stripe_account_id", "livemode", "customer_id"),
)

invoices = Table(
    "invoices",
    metadata,
    *scope_columns(),
    words("invoice_id"),
    words("customer_id"),
    words("subscription_id", null=True),
    words("number", null=True),
    words("status"),
    words("collection_method"),
    words("billing_reason", null=True),
    words("currency"),
    minor("amount_due_minor"),
    minor("amount_paid_minor"),
    minor("amount_remaining_minor"),
    time("due_at"),
    flag("stale", "false"),
    time("created_at", null=False),
    time("seen_at", null=False),
    time("listed_at"),  # when it was last in Stripe's list of open ones
    primary_key("invoice_id"),
    belongs_to("customers", "customer_id"),
    Index("ix_invoices_created", "stripe_account_id", "livemode", "created_at", "invoice_id"),
    Index("ix_invoices_customer", "stripe_account_id", "livemode", "customer_id", "created_at"),
)
