"""Brakes: charging through one processor is paused, by a tripwire or a person, until released."""

from sqlalchemy import CheckConstraint, Index, Table, text

from twintill.store.tables.columns import metadata, primary_key, scope_columns, time, words

brakes = Table(
    "brakes",
    metadata,
    *scope_columns(),
    words("brake_id"),
    words("processor"),
    words("why"),
    words("tripped_by"),
    time("tripped_at", null=False),
    time("told_at"),
    time("released_at"),
    words("released_by", null=True),
    words("released_why", null=True),
    time("release_told_at"),
    primary_key("brake_id"),
    CheckConstraint(
        "(released_at IS NULL) = (released_by IS NULL) "
        "AND (released_at IS NULL) = (released_why IS NULL)",
        name="released",
    ),
    # One at a time for each processor.
    Index(
        "uq_brakes_on",
        "stripe_account_id",
        "livemode",
        "processor",
        unique=True,
        postgresql_where=text("released_at IS NULL"),
    ),
    Index("ix_brakes_tripped", "stripe_account_id", "livemode", "processor", "tripped_at"),
    Index(
        "ix_brakes_untold",
        "tripped_at",
        postgresql_where=text(
            "told_at IS NULL OR (released_at IS NOT NULL AND release_told_at IS NULL)"
        ),
    ),
)
