"""Money that did not come through a processor, and what proves it."""

from sqlalchemy import CheckConstraint, Column, Date, Index, Integer, LargeBinary, Table, text

from twintill.store.tables.columns import (
    belongs_to,
    metadata,
    minor,
    primary_key,
    scope_columns,
    time,
    unique,
    words,
)

hand_payments = Table(
    "hand_payments",
    metadata,
    *scope_columns(),
    words("hand_payment_id"),
    words("payment_id"),
    words("invoice_id"),
    words("customer_id"),
    words("kind"),
    minor("amount_minor"),
    words("currency"),
    Column("received_on", Date, nullable=False),
    words("reference"),
    words("note", null=True),
    words("recorded_by"),
    time("recorded_at", null=False),
    words("state"),
    minor("credit_minor"),
    minor("moved_minor", default="0"),
    minor("paid_out_minor", default="0"),
    words("receipt_id", null=True),
    words("source_id", null=True),
    words("taken_back_why", null=True),
    words("taken_back_by", null=True),
    time("taken_back_at"),
    primary_key("hand_payment_id"),
    belongs_to("payments", "payment_id"),
    CheckConstraint("kind IN ('cheque', 'cash', 'bank_transfer', 'other', 'credit')", name="kind"),
    CheckConstraint(
        "state IN ('waiting', 'applied', 'credit', 'undone', 'corrected')", name="state"
    ),
    CheckConstraint(
        "amount_minor > 0 AND least(credit_minor, moved_minor, paid_out_minor) >= 0 "
        "AND credit_minor + moved_minor + paid_out_minor <= amount_minor",
        name="amount",
    ),
    CheckConstraint("(kind = 'credit') = (source_id IS NOT NULL)", name="source"),
    Index("ix_hand_payments_payment", "stripe_account_id", "livemode", "payment_id"),
    Index("ix_hand_payments_invoice", "stripe_account_id", "livemode", "invoice_id"),
    # What a customer has left.
    Index(
        "ix_hand_payments_credit",
        "stripe_account_id",
        "livemode",
        "customer_id",
        "currency",
        postgresql_where=text("credit_minor > 0"),
    ),
    # One row of an invoice for each reference; what was taken back may be recorded anew.
    Index(
        "uq_hand_payments_reference",
        "stripe_account_id",
        "livemode",
        "invoice_id",
        "reference",
        unique=True,
        postgresql_where=text("state NOT IN ('undone', 'corrected') AND source_id IS NULL"),
    ),
)

hand_evidence = Table(
    "hand_evidence",
    metadata,
    *scope_columns(),
    words("evidence_id"),
    words("hand_payment_id"),
    words("name"),
    words("content_type"),
    words("sha256"),  # of the bytes as they were given, in hex
    Column("size_bytes", Integer, nullable=False),
    Column("sealed_body", LargeBinary, nullable=False),
    words("added_by"),
    time("added_at", null=False),
    primary_key("evidence_id"),
    unique("hand_payment_id", "name"),
)
