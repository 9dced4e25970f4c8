"""Each status that a subscription was seen in: rows that only grow."""

from sqlalchemy import BigInteger, Column, Identity, Table

from twintill.store.tables.columns import metadata, primary_key, scope_columns, time, words

subscription_history = Table(
    "subscription_history",
    metadata,
    *scope_columns(),
    Column("n", BigInteger, Identity(), nullable=False),
    words("subscription_id"),
    words("status_before", null=True),
    words("status_after"),
    words("actor"),  # the event that told it, or what we did ourselves
    time("occurred_at"),  # by Stripe's clock
    time("at", null=False),
    primary_key("subscription_id", "n"),
)
