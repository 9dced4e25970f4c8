"""Brakes: which processor's charging is paused, since when, by whom and why; released likewise.

Revision ID: 20261122_08
Revises: 20261122_07
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_08"
down_revision = "20261122_07"
branch_labels = None
depends_on = None

_ON = "released_at IS NULL"
_UNTOLD = "told_at IS NULL OR (released_at IS NOT NULL AND release_told_at IS NULL)"
_RELEASED = (
    "(released_at IS NULL) = (released_by IS NULL) "
    "AND (released_at IS NULL) = (released_why IS NULL)"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "brakes",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("brake_id", sa.Text(), nullable=False),
        sa.Column("processor", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("tripped_by", sa.Text(), nullable=False),
        sa.Column("tripped_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("told_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("released_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("released_by", sa.Text(), nullable=True),
        sa.Column("released_why", sa.Text(), nullable=True),
        sa.Column("release_told_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(_RELEASED, name=op.f("ck_brakes_released")),
        sa.PrimaryKeyConstraint("stripe_account_id", "livemode", "brake_id", name="pk_brakes"),
    )
    scoped = ["stripe_account_id", "livemode", "processor"]
    op.create_index("uq_brakes_on", "brakes", scoped, unique=True, postgresql_where=sa.text(_ON))
    op.create_index("ix_brakes_tripped", "brakes", [*scoped, "tripped_at"])
    op.create_index("ix_brakes_untold", "brakes", ["tripped_at"], postgresql_where=sa.text(_UNTOLD))
    op.create_index(
        "ix_attempts_answered",
        "attempts",
        ["stripe_account_id", "livemode", "answered_at"],
        postgresql_where=sa.text("answered_at IS NOT NULL"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON brakes TO twintill_runtime")


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
