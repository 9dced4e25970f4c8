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


def _of_invoices(name: str, *columns: str, known: bool = False, where: str | None = None) -> Index:
    """`known`: only the rows where the first column is."""
    only = f"{columns[0]} IS NOT NULL" if known else where
    return Index(
        f"ix_invoices_{name}",
        "stripe_account_id",
        "livemode",
        *columns,
        postgresql_where=None if only is None else text(only),
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
    minor("total_minor", null=True),
    time("due_at"),
    words("due_told", default="nothing"),  # to the app, of this due date
    time("finalized_at"),
    flag("stale", "false"),
    time("created_at", null=False),
    time("seen_at", null=False),
    time("listed_at"),  # when it was last in Stripe's list of open ones
    primary_key("invoice_id"),
    belongs_to("customers", "customer_id"),
    CheckConstraint("due_told IN ('nothing', 'due_soon', 'overdue')", name="due_told"),
    # What each is for: docs/invoices.md. Every filter of the list has one in the list's order.
    _of_invoices("created", "created_at", "invoice_id"),
    _of_invoices("customer", "customer_id", "created_at"),
    _of_invoices("status", "status", "created_at", "invoice_id"),
    _of_invoices("subscription", "subscription_id", "created_at", "invoice_id", known=True),
    _of_invoices("number", "number", "created_at", "invoice_id", known=True),
    _of_invoices("amount_due", "currency", "amount_due_minor", "invoice_id"),
    _of_invoices("due", "due_at", "invoice_id", known=True),
    _of_invoices("overdue", "due_at", "invoice_id", where="status = 'open'"),
    _of_invoices(
        "to_tell", "due_told", "due_at", where="status = 'open' AND due_told <> 'overdue'"
    ),
)
