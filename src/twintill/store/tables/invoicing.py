"""What people did to invoices through us."""

from sqlalchemy import Column, Index, Table
from sqlalchemy.dialects.postgresql import JSONB

from twintill.store.tables.columns import metadata, primary_key, scope_columns, time, words

invoice_actions = Table(
    "invoice_actions",
    metadata,
    *scope_columns(),
    words("action_id"),
    words("invoice_id", null=True),
    words("customer_id", null=True),
    words("action"),
    words("actor"),
    words("why", null=True),
    Column("detail", JSONB, nullable=False),
    time("at", null=False),
    primary_key("action_id"),
    Index("ix_invoice_actions_invoice", "stripe_account_id", "livemode", "invoice_id", "at"),
    Index("ix_invoice_actions_customer", "stripe_account_id", "livemode", "customer_id", "at"),
)
