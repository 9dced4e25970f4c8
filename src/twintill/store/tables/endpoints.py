"""Where the user's app listens, and what each of those addresses is to be told."""

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from twintill.store.tables.columns import (
    count,
    due,
    metadata,
    not_forgotten,
    primary_key,
    scope_columns,
    time,
    words,
    work_columns,
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    *scope_columns(),
    words("endpoint_id"),
    words("url"),
    Column("types", ARRAY(Text), nullable=True),  # null: all
    words("description"),
    words("source"),
    words("status"),
    Column("secret", LargeBinary, nullable=False),  # sealed
    Column("former_secret", LargeBinary, nullable=True),  # sealed; signs too, until then
    time("former_until"),
    count("failures"),  # in a row
    time("failing_since"),
    time("failed_at"),
    time("disabled_at"),
    words("disabled_why", null=True),
    time("created_at", null=False),
    time("removed_at"),
    primary_key("endpoint_id"),
    CheckConstraint("source IN ('api', 'settings')", name="source"),
    CheckConstraint("status IN ('enabled', 'disabled')", name="status"),
)

outgoing_deliveries = Table(
    "outgoing_deliveries",
    metadata,
    *scope_columns(),
    words("delivery_id"),
    words("event_id"),
    words("endpoint_id"),
    words("state"),
    count("sendings"),
    Column("last_status", Integer, nullable=True),
    words("last_error", null=True),
    words("answer", null=True),  # its first bytes
    time("sent_at"),
    time("created_at", null=False),
    *work_columns(),
    primary_key("delivery_id"),
    UniqueConstraint(
        "stripe_account_id",
        "livemode",
        "event_id",
        "endpoint_id",
        name="uq_outgoing_deliveries_event",
    ),
    ForeignKeyConstraint(
        ["stripe_account_id", "livemode", "event_id"],
        [
            "outgoing_events.stripe_account_id",
            "outgoing_events.livemode",
            "outgoing_events.event_id",
        ],
    ),
    ForeignKeyConstraint(
        ["stripe_account_id", "livemode", "endpoint_id"],
        [
            "webhook_endpoints.stripe_account_id",
            "webhook_endpoints.livemode",
            "webhook_endpoints.endpoint_id",
        ],
    ),
    CheckConstraint("state IN ('pending', 'delivered', 'failed')", name="state"),
    not_forgotten(),
    due("outgoing_deliveries"),
    Index(
        "ix_outgoing_deliveries_endpoint",
        "stripe_account_id",
        "livemode",
        "endpoint_id",
        "created_at",
        "delivery_id",
    ),
    Index(
        "ix_outgoing_deliveries_undelivered",
        "stripe_account_id",
        "livemode",
        "endpoint_id",
        "next_look_at",
        postgresql_where=text("ended_at IS NULL"),
    ),
)
