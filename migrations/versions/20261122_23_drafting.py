"""Rules for drafts, and the drafts that wait for a review.

Revision ID: 20261122_23
Revises: 20261122_24
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261122_23"
down_revision = "20261122_24"
branch_labels = None
depends_on = None

_SCOPE = ["stripe_account_id", "livemode"]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _rules()
    _reviews()
    op.execute("GRANT SELECT, INSERT, UPDATE ON draft_rules, invoice_reviews TO twintill_runtime")


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")


def _rules() -> None:
    op.create_table(
        "draft_rules",
        *_scope(),
        _text("rule_id"),
        _text("customer_id", null=True),
        sa.Column("place", sa.Integer(), nullable=False),
        _flag("enabled", "true"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("min_minor", sa.BigInteger(), nullable=True),
        sa.Column("max_minor", sa.BigInteger(), nullable=True),
        _text("currency", null=True),
        _text("billing_reason", null=True),
        _text("does"),
        _text("otherwise"),
        sa.Column("items", postgresql.JSONB(), nullable=False),
        _text("why", null=True),
        _flag("needs_approval", "true"),
        _text("hook_url", null=True),
        sa.Column("hook_timeout_s", sa.Integer(), nullable=True),
        sa.Column("hook_secret", sa.LargeBinary(), nullable=True),
        _time("hook_failed_at", null=True),
        _text("made_by"),
        _text("changed_by"),
        _time("created_at"),
        _time("changed_at"),
        _time("removed_at", null=True),
        sa.PrimaryKeyConstraint(*_SCOPE, "rule_id", name="pk_draft_rules"),
        sa.CheckConstraint(
            "does IN ('proceed', 'hold', 'finalize', 'ask')", name=op.f("ck_draft_rules_does")
        ),
        sa.CheckConstraint(
            "otherwise IN ('proceed', 'hold', 'finalize')", name=op.f("ck_draft_rules_otherwise")
        ),
        sa.CheckConstraint(
            "(does = 'ask') = (hook_url IS NOT NULL) "
            "AND (hook_url IS NULL) = (hook_timeout_s IS NULL)",
            name=op.f("ck_draft_rules_hook"),
        ),
        sa.CheckConstraint(
            "currency IS NOT NULL OR (min_minor IS NULL AND max_minor IS NULL)",
            name=op.f("ck_draft_rules_amount"),
        ),
    )
    op.create_index(
        "ix_draft_rules_on",
        "draft_rules",
        [*_SCOPE, "customer_id"],
        postgresql_where=sa.text("enabled AND removed_at IS NULL"),
    )


def _reviews() -> None:
    op.create_table(
        "invoice_reviews",
        *_scope(),
        _text("review_id"),
        _text("invoice_id"),
        _text("customer_id"),
        _text("subscription_id", null=True),
        _text("currency"),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        _text("state"),
        _text("why", null=True),
        sa.Column("round", sa.Integer(), nullable=False),
        _text("held_by"),
        _text("rule_id", null=True),
        sa.Column("rule_version", sa.Integer(), nullable=True),
        _flag("needs_approval", "true"),
        _text("doing", null=True),
        _flag("voiding", "false"),
        _text("changed_by", null=True),
        _time("changed_at", null=True),
        _text("approved_by", null=True),
        _time("approved_at", null=True),
        _text("ended_by", null=True),
        _time("ended_at", null=True),
        _time("period_ends_at", null=True),
        _flag("period_known", "false"),
        _time("announce_at", null=True),
        sa.Column("announced", sa.Integer(), nullable=False, server_default="0"),
        _time("held_at"),
        _time("created_at"),
        sa.PrimaryKeyConstraint(*_SCOPE, "review_id", name="pk_invoice_reviews"),
        sa.CheckConstraint(
            "state IN ('held', 'approved', 'released', 'voided', 'finalized_elsewhere', "
            "'voided_elsewhere', 'released_elsewhere', 'deleted')",
            name=op.f("ck_invoice_reviews_state"),
        ),
        sa.CheckConstraint(
            "(state IN ('held', 'approved')) = (ended_at IS NULL) "
            "AND (ended_at IS NULL) = (ended_by IS NULL)",
            name=op.f("ck_invoice_reviews_ended"),
        ),
        sa.CheckConstraint(
            "(state = 'approved') <= (approved_by IS NOT NULL)",
            name=op.f("ck_invoice_reviews_approved"),
        ),
    )
    invoice, created = [*_SCOPE, "invoice_id"], [*_SCOPE, "created_at", "review_id"]
    op.create_index("uq_invoice_reviews_invoice", "invoice_reviews", invoice, unique=True)
    op.create_index("ix_invoice_reviews_created", "invoice_reviews", created)
    op.create_index(
        "ix_invoice_reviews_waiting",
        "invoice_reviews",
        ["announce_at"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _scope() -> tuple[sa.Column[str], sa.Column[bool]]:
    livemode: sa.Column[bool] = sa.Column("livemode", sa.Boolean(), nullable=False)
    return _text("stripe_account_id"), livemode


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _flag(name: str, default: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.text(default))


def _time(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=null)
