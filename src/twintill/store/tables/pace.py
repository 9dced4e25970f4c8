"""How fast Stripe may be called, and how much was read there: shared by all processes."""

from sqlalchemy import BigInteger, Column, Date, Integer, Table

from twintill.store.tables.columns import (
    count,
    metadata,
    primary_key,
    scope_columns,
    time,
    words,
)

# One row for the account (lane "") and one for each endpoint of Stripe's that we call: see
# domain.pace.Lane.
stripe_lanes = Table(
    "stripe_lanes",
    metadata,
    *scope_columns(),
    words("lane"),
    time("free_at", null=False),
    Column("wanted", Integer, nullable=False),
    time("wanted_until", null=False),
    count("pushes"),
    time("pushed_until", null=False),
    primary_key("lane"),
)

stripe_reads = Table(
    "stripe_reads",
    metadata,
    *scope_columns(),
    Column("day", Date, nullable=False),
    Column("reads", BigInteger, nullable=False),
    primary_key("day"),
)
