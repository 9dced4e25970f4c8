"""Duties: what recurs, one row each.

Revision ID: 20261122_07
Revises: 20261122_03
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "20261122_07"
down_revision = "20261122_03"
branch_labels = None
depends_on = None


def upgrade() -> None:
    time = sa.TIMESTAMP(timezone=True)
    op.create_table(
        "duties",
        sa.Column("stripe_account_id", sa.Text, nullable=False),
        sa.Column("livemode", sa.Boolean, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("cursor", JSONB, nullable=False),
        sa.Column("result", JSONB, nullable=True),
        sa.Column("ran_at", time, nullable=True),
        sa.Column("failures", sa.Integer, server_default="0", nullable=False),
        sa.Column("last_error", sa.Text, nullable=True),
        sa.Column("created_at", time, nullable=False),
        sa.Column("next_look_at", time, nullable=True),
        sa.Column("lease_until", time, nullable=True),
        sa.Column("lease_token", sa.Uuid, nullable=True),
        sa.Column("looks", sa.Integer, server_default="0", nullable=False),
        sa.Column("rung_at", time, nullable=True),
        sa.Column("parked_at", time, nullable=True),
        sa.Column("parked_why", sa.Text, nullable=True),
        sa.Column("ended_at", time, nullable=True),
        sa.PrimaryKeyConstraint("stripe_account_id", "livemode", "name", name="pk_duties"),
        sa.CheckConstraint(
            "ended_at IS NOT NULL OR next_look_at IS NOT NULL OR parked_at IS NOT NULL",
            name="ck_duties_not_forgotten",
        ),
    )
    op.create_index(
        "ix_duties_due",
        "duties",
        ["next_look_at"],
        postgresql_where=sa.text("ended_at IS NULL AND parked_at IS NULL"),
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON duties TO twintill_runtime")


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
