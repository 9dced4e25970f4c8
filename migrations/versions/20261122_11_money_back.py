"""Money back after the report: who asked for refunds, credit notes, and what stands between them.

Revision ID: 20261122_11
Revises: 20261122_12
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_11"
down_revision = "20261122_12"
branch_labels = None
depends_on = None

_BRIDGES = ("refund_due_minor", "note_due_minor", "withheld_minor", "loss_minor")
_NEGATIVE = (
    "collected_minor > 0 AND reported_minor >= 0 AND stranded_minor >= 0 AND refunded_minor >= 0 "
    "AND disputed_minor >= 0 AND settled_minor >= 0 AND loss_minor >= 0"
)
_ONCE = (
    "reported_minor + stranded_minor + refunded_minor + disputed_minor + refund_due_minor "
    "+ note_due_minor <= collected_minor"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("payments", sa.Column("compare_at", sa.TIMESTAMP(timezone=True), nullable=True))
    for name in _BRIDGES:
        column = sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
        op.add_column("receipts", column)
    for name, rule in (("nothing_negative", _NEGATIVE), ("not_more_than_collected", _ONCE)):
        op.drop_constraint(name, "receipts", type_="check")
        op.create_check_constraint(name, "receipts", rule)
    op.add_column("attempts", sa.Column("refund_of", sa.Text(), nullable=True))
    op.create_check_constraint("refund_of", "attempts", "refund_of IN ('stranded', 'reported')")
    _asks()
    _notes()
    op.execute("GRANT SELECT, INSERT, UPDATE ON refund_asks, credit_notes TO twintill_runtime")


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")


def _asks() -> None:
    op.create_table(
        "refund_asks",
        *_scoped("refund_ask_id", "payment_id", "receipt_id"),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt_id", sa.Text(), nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refund_asks_amount")),
        sa.CheckConstraint(
            "state IN ('wanted', 'under_way', 'done', 'refused')",
            name=op.f("ck_refund_asks_state"),
        ),
        *_keys("refund_asks", "refund_ask_id"),
    )
    scope = ["stripe_account_id", "livemode"]
    op.create_index("ix_refund_asks_payment", "refund_asks", [*scope, "payment_id"])
    op.create_index(
        "ix_refund_asks_created", "refund_asks", [*scope, "created_at", "refund_ask_id"]
    )


def _notes() -> None:
    op.create_table(
        "credit_notes",
        *_scoped("note_id", "payment_id"),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("out_of_band_minor", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("credit_note_id", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amount_minor > 0 AND out_of_band_minor >= 0", name=op.f("ck_credit_notes_amount")
        ),
        sa.CheckConstraint(
            "purpose IN ('given_back', 'rest', 'foreign')", name=op.f("ck_credit_notes_purpose")
        ),
        sa.CheckConstraint(
            "state IN ('started', 'made', 'refused')", name=op.f("ck_credit_notes_state")
        ),
        *_keys("credit_notes", "note_id"),
    )
    scope = ["stripe_account_id", "livemode"]
    op.create_index("ix_credit_notes_payment", "credit_notes", [*scope, "payment_id"])
    op.create_index(
        "uq_credit_notes_started",
        "credit_notes",
        [*scope, "payment_id"],
        unique=True,
        postgresql_where=sa.text("state = 'started'"),
    )
    op.create_index(
        "uq_credit_notes_stripe",
        "credit_notes",
        [*scope, "credit_note_id"],
        unique=True,
        postgresql_where=sa.text("credit_note_id IS NOT NULL"),
    )


def _scoped(*names: str) -> list[sa.Column[str]]:
    ids = [sa.Column(name, sa.Text(), nullable=False) for name in names]
    return [
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        *ids,
    ]


def _keys(table: str, key: str) -> list[sa.Constraint]:
    scope = ["stripe_account_id", "livemode"]
    return [
        sa.PrimaryKeyConstraint(*scope, key, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            [*scope, "payment_id"],
            ["payments.stripe_account_id", "payments.livemode", "payments.payment_id"],
        ),
    ]
