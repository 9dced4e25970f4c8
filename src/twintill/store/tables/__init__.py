"""The tables: what we remember, and what the database itself refuses.

Every key begins with Stripe account and mode. Amounts are bigint minor units. Six kinds of row
carry work (payments, inbox, operations, outgoing events and their deliveries, duties): see
`columns.work_columns`. The rows of ledger and history only grow: triggers of the migration "guards"
refuse the rest.
"""

from twintill.store.tables.brakes import brakes
from twintill.store.tables.by_hand import hand_evidence, hand_payments
from twintill.store.tables.columns import metadata
from twintill.store.tables.doors import (
    api_keys,
    api_requests,
    checkouts,
    deliveries,
    inbox,
    operations,
    outgoing_events,
    virtual_clocks,
)
from twintill.store.tables.drafting import draft_rules, invoice_reviews
from twintill.store.tables.duties import duties
from twintill.store.tables.endpoints import outgoing_deliveries, webhook_endpoints
from twintill.store.tables.invoicing import invoice_actions
from twintill.store.tables.mirror import (
    customers,
    invoices,
    payment_methods,
    stripe_accounts,
    subscriptions,
)
from twintill.store.tables.money import (
    UNRESOLVED,
    attempts,
    credit_notes,
    disputes,
    ledger_transactions,
    payment_history,
    payments,
    postings,
    receipts,
    refund_asks,
)
from twintill.store.tables.pace import stripe_lanes, stripe_reads
from twintill.store.tables.settlements import settlement_lines
from twintill.store.tables.subscription_history import subscription_history

__all__ = [
    "UNRESOLVED",
    "api_keys",
    "api_requests",
    "attempts",
    "brakes",
    "checkouts",
    "credit_notes",
    "customers",
    "deliveries",
    "disputes",
    "draft_rules",
    "duties",
    "hand_evidence",
    "hand_payments",
    "inbox",
    "invoice_actions",
    "invoice_reviews",
    "invoices",
    "ledger_transactions",
    "metadata",
    "operations",
    "outgoing_deliveries",
    "outgoing_events",
    "payment_history",
    "payment_methods",
    "payments",
    "postings",
    "receipts",
    "refund_asks",
    "settlement_lines",
    "stripe_accounts",
    "stripe_lanes",
    "stripe_reads",
    "subscription_history",
    "subscriptions",
    "virtual_clocks",
    "webhook_endpoints",
]
