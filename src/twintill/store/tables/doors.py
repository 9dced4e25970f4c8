"""What comes in and goes out: deliveries, inbox, operations, checkouts, events, API keys."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from twintill.store.tables.columns import (
    belongs_to,
    count,
    due,
    flag,
    metadata,
    minor,
    not_forgotten,
    primary_key,
    scope_columns,
    time,
    unique,
    words,
    work_columns,
)

operations = Table(
    "operations",
    metadata,
    *scope_columns(),
    words("operation_id"),
    words("kind"),
    words("customer_id", null=True),
    words("step"),
    Column("data", JSONB, nullable=False),
    words("error", null=True),
    time("created_at", null=False),
    *work_columns(),
    primary_key("operation_id"),
    not_forgotten(),
    due("operations"),
    Index("ix_operations_customer", "stripe_account_id", "livemode", "customer_id", "kind"),
    Index(
        "ix_operations_created",
        "stripe_account_id",
        "livemode",
        "kind",
        "created_at",
        "operation_id",
    ),
)

checkouts = Table(
    "checkouts",
    metadata,
    *scope_columns(),
    words("checkout_id"),
    words("operation_id"),
    words("purpose"),
    words("customer_id"),
    words("subscription_id", null=True),
    words("invoice_id", null=True),
    words("payment_id", null=True),
    words("state"),
    words("currency"),
    minor("shown_minor"),
    minor("final_minor", null=True),
    minor("agreed_minor", null=True),
    words("description"),
    words("success_url"),
    words("cancel_url"),
    words("processor"),
    words("setup_session_id", null=True),
    words("payment_method_id", null=True),
    words("problem", null=True),
    count("setups"),
    flag("charges_due", "true"),  # what is due is collected with the new method at once
    time("expires_at", null=False),
    time("completed_at"),
    time("created_at", null=False),
    primary_key("checkout_id"),
    unique("operation_id"),
    belongs_to("customers", "customer_id"),
    CheckConstraint(
        "state IN ('open', 'completing', 'confirming', 'complete', 'expired')", name="state"
    ),
    CheckConstraint(
        "purpose = 'method' OR purpose = 'signup' AND subscription_id IS NOT NULL AND "
        "invoice_id IS NOT NULL AND payment_id IS NOT NULL",
        name="purpose",
    ),
    Index("ix_checkouts_payment", "stripe_account_id", "livemode", "payment_id"),
    Index("ix_checkouts_invoice", "stripe_account_id", "livemode", "invoice_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    *scope_columns(),
    Column("delivery_id", BigInteger, Identity(), nullable=False),
    words("source"),
    time("received_at", null=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    words("verdict"),
    primary_key("delivery_id"),
)

inbox = Table(
    "inbox",
    metadata,
    *scope_columns(),
    Column("inbox_id", BigInteger, Identity(), nullable=False),
    words("source"),
    words("dedupe_key", null=True),
    words("type"),
    words("object_id", null=True),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("delivery_id", BigInteger, nullable=False),
    words("state"),
    words("note", null=True),
    time("occurred_at"),
    time("created_at", null=False),
    *work_columns(),
    primary_key("inbox_id"),
    unique("source", "dedupe_key"),
    belongs_to("deliveries", "delivery_id"),
    CheckConstraint("state IN ('new', 'done', 'ignored', 'parked')", name="state"),
    not_forgotten(),
    due("inbox"),
    # What was told of one object: the timeline of its invoice.
    Index(
        "ix_inbox_object",
        "stripe_account_id",
        "livemode",
        "object_id",
        "inbox_id",
        postgresql_where=text("object_id IS NOT NULL"),
    ),
)

outgoing_events = Table(
    "outgoing_events",
    metadata,
    *scope_columns(),
    words("event_id"),
    words("type"),
    words("object_id"),
    Column("payload", JSONB, nullable=False),
    Column("last_status", Integer, nullable=True),
    time("created_at", null=False),
    *work_columns(),
    primary_key("event_id"),
    not_forgotten(),
    due("outgoing_events"),
    Index(
        "ix_outgoing_events_created",
        "stripe_account_id",
        "livemode",
        "created_at",
        "event_id",
    ),
    Index("ix_outgoing_events_object", "stripe_account_id", "livemode", "object_id", "created_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    *scope_columns(),
    words("api_key_id"),
    Column("secret_hash", LargeBinary, nullable=False),
    words("owner"),
    Column("scopes", ARRAY(Text), nullable=False),
    time("created_at", null=False),
    time("revoked_at"),
    primary_key("api_key_id"),
    UniqueConstraint("secret_hash"),
)

api_requests = Table(
    "api_requests",
    metadata,
    *scope_columns(),
    words("api_key_id"),
    words("idempotency_key"),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer, nullable=True),
    Column("answer", LargeBinary, nullable=True),
    time("locked_until", null=False),
    time("created_at", null=False),
    primary_key("api_key_id", "idempotency_key"),
)

virtual_clocks = Table(
    "virtual_clocks",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("shift", Interval, nullable=False),
    CheckConstraint("one = 1", name="one_row"),
)
