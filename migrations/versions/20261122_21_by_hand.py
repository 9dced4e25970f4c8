"""Money by hand: cheques, cash and transfers that people record, their evidence, and credit.

Revision ID: 20261122_21
Revises: 20261122_23
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_21"
down_revision = "20261122_23"
branch_labels = None
depends_on = None

_SCOPE = ["stripe_account_id", "livemode"]
_NEGATIVE = (
    "collected_minor > 0 AND reported_minor >= 0 AND stranded_minor >= 0 AND refunded_minor >= 0 "
    "AND disputed_minor >= 0 AND settled_minor >= 0 AND loss_minor >= 0 AND credit_minor >= 0"
)
_ONCE = (
    "reported_minor + stranded_minor + refunded_minor + disputed_minor + refund_due_minor "
    "+ note_due_minor + credit_minor <= collected_minor"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    credit = sa.Column("credit_minor", sa.BigInteger(), server_default="0", nullable=False)
    op.add_column("receipts", credit)
    rules = (
        ("source", "source IN ('attempt', 'hand', 'transfer', 'credit')"),
        ("nothing_negative", _NEGATIVE),
        ("not_more_than_collected", _ONCE),
    )
    for name, rule in rules:
        op.drop_constraint(name, "receipts", type_="check")
        op.create_check_constraint(name, "receipts", rule)
    _payments()
    _evidence()


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")


def _payments() -> None:
    op.create_table(
        "hand_payments",
        *_scoped("hand_payment_id", "payment_id", "invoice_id", "customer_id", "kind"),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("credit_minor", sa.BigInteger(), nullable=False),
        sa.Column("moved_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("paid_out_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("receipt_id", sa.Text(), nullable=True),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("taken_back_why", sa.Text(), nullable=True),
        sa.Column("taken_back_by", sa.Text(), nullable=True),
        sa.Column("taken_back_at", sa.TIMESTAMP(timezone=True), nullable=True),
        *_checks(),
        sa.PrimaryKeyConstraint(*_SCOPE, "hand_payment_id", name="pk_hand_payments"),
        sa.ForeignKeyConstraint(
            [*_SCOPE, "payment_id"],
            ["payments.stripe_account_id", "payments.livemode", "payments.payment_id"],
        ),
    )
    op.create_index("ix_hand_payments_payment", "hand_payments", [*_SCOPE, "payment_id"])
    op.create_index("ix_hand_payments_invoice", "hand_payments", [*_SCOPE, "invoice_id"])
    op.create_index(
        "ix_hand_payments_credit",
        "hand_payments",
        [*_SCOPE, "customer_id", "currency"],
        postgresql_where=sa.text("credit_minor > 0"),
    )
    op.create_index(
        "uq_hand_payments_reference",
        "hand_payments",
        [*_SCOPE, "invoice_id", "reference"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('undone', 'corrected') AND source_id IS NULL"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON hand_payments TO twintill_runtime")


def _checks() -> list[sa.CheckConstraint]:
    rules = {
        "kind": "kind IN ('cheque', 'cash', 'bank_transfer', 'other', 'credit')",
        "state": "state IN ('waiting', 'applied', 'credit', 'undone', 'corrected')",
        "amount": "amount_minor > 0 AND least(credit_minor, moved_minor, paid_out_minor) >= 0 "
        "AND credit_minor + moved_minor + paid_out_minor <= amount_minor",
        "source": "(kind = 'credit') = (source_id IS NOT NULL)",
    }
    return [
        sa.CheckConstraint(rule, name=op.f(f"ck_hand_payments_{name}"))
        for name, rule in rules.items()
    ]


def _evidence() -> None:
    """Never changed: its hash is what people go by."""
    op.create_table(
        "hand_evidence",
        *_scoped("evidence_id", "hand_payment_id", "name", "content_type", "sha256"),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(*_SCOPE, "evidence_id", name="pk_hand_evidence"),
        sa.UniqueConstraint(*_SCOPE, "hand_payment_id", "name"),
    )
    for name, when, each in (
        ("only_grows", "UPDATE OR DELETE", "ROW"),
        ("never_emptied", "TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER hand_evidence_{name} BEFORE {when} ON hand_evidence "
            f"FOR EACH {each} EXECUTE FUNCTION only_grows()"
        )
    op.execute("GRANT SELECT, INSERT ON hand_evidence TO twintill_runtime")


def _scoped(*names: str) -> list[sa.Column[str]]:
    ids = [sa.Column(name, sa.Text(), nullable=False) for name in names]
    return [
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        *ids,
    ]
