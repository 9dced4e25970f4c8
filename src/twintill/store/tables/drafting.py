"""Drafts: the rules that judge them, and those that wait for somebody's review."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, LargeBinary, Table, text
from sqlalchemy.dialects.postgresql import JSONB

from twintill.store.tables.columns import (
    count,
    flag,
    metadata,
    minor,
    primary_key,
    scope_columns,
    time,
    words,
)

draft_rules = Table(
    "draft_rules",
    metadata,
    *scope_columns(),
    words("rule_id"),
    words("customer_id", null=True),  # None: all of the account's
    Column("place", Integer, nullable=False),
    flag("enabled", "true"),
    Column("version", Integer, nullable=False),
    minor("min_minor", null=True),
    minor("max_minor", null=True),
    words("currency", null=True),
    words("billing_reason", null=True),
    words("does"),
    words("otherwise"),
    Column("items", JSONB, nullable=False),
    words("why", null=True),
    flag("needs_approval", "true"),
    words("hook_url", null=True),
    Column("hook_timeout_s", Integer, nullable=True),
    Column("hook_secret", LargeBinary, nullable=True),
    time("hook_failed_at"),
    words("made_by"),
    words("changed_by"),
    time("created_at", null=False),
    time("changed_at", null=False),
    time("removed_at"),
    primary_key("rule_id"),
    CheckConstraint("does IN ('proceed', 'hold', 'finalize', 'ask')", name="does"),
    CheckConstraint("otherwise IN ('proceed', 'hold', 'finalize')", name="otherwise"),
    CheckConstraint(
        "(does = 'ask') = (hook_url IS NOT NULL) AND (hook_url IS NULL) = (hook_timeout_s IS NULL)",
        name="hook",
    ),
    CheckConstraint(
        "currency IS NOT NULL OR (min_minor IS NULL AND max_minor IS NULL)", name="amount"
    ),
    Index(
        "ix_draft_rules_on",
        "stripe_account_id",
        "livemode",
        "customer_id",
        postgresql_where=text("enabled AND removed_at IS NULL"),
    ),
)

invoice_reviews = Table(
    "invoice_reviews",
    metadata,
    *scope_columns(),
    words("review_id"),
    words("invoice_id"),
    words("customer_id"),
    words("subscription_id", null=True),
    words("currency"),
    minor("total_minor"),
    words("state"),
    words("why", null=True),
    Column("round", Integer, nullable=False),  # how often it was held
    words("held_by"),
    words("rule_id", null=True),
    Column("rule_version", Integer, nullable=True),
    flag("needs_approval", "true"),
    words("doing", null=True),  # the operation that does something with it just now
    flag("voiding", "false"),  # ... and it is voided: nobody opens a payment for it meanwhile
    words("changed_by", null=True),
    time("changed_at"),
    words("approved_by", null=True),
    time("approved_at"),
    words("ended_by", null=True),
    time("ended_at"),
    time("period_ends_at"),
    flag("period_known", "false"),
    time("announce_at"),
    count("announced"),
    time("held_at", null=False),
    time("created_at", null=False),
    primary_key("review_id"),
    CheckConstraint(
        "state IN ('held', 'approved', 'released', 'voided', 'finalized_elsewhere', "
        "'voided_elsewhere', 'released_elsewhere', 'deleted')",
        name="state",
    ),
    CheckConstraint(
        "(state IN ('held', 'approved')) = (ended_at IS NULL) "
        "AND (ended_at IS NULL) = (ended_by IS NULL)",
        name="ended",
    ),
    CheckConstraint("(state = 'approved') <= (approved_by IS NOT NULL)", name="approved"),
    Index("uq_invoice_reviews_invoice", "stripe_account_id", "livemode", "invoice_id", unique=True),
    Index("ix_invoice_reviews_created", "stripe_account_id", "livemode", "created_at", "review_id"),
    Index(
        "ix_invoice_reviews_waiting",
        "announce_at",
        postgresql_where=text("ended_at IS NULL"),
    ),
)
