"""Endpoints of the user's app, and one delivery row for each event and endpoint.

Revision ID: 20261122_12
Revises: 20261122_13
"""

import sqlalchemy as sa
from alembic import op

revision = "20261122_12"
down_revision = "20261122_13"
branch_labels = None
depends_on = None

_SCOPE = ["stripe_account_id", "livemode"]
_TIME = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _endpoints()
    _deliveries()
    for name, columns in (
        ("created", ["created_at", "event_id"]),
        ("object", ["object_id", "created_at"]),
    ):
        op.create_index(f"ix_outgoing_events_{name}", "outgoing_events", [*_SCOPE, *columns])
    op.execute(
        "GRANT SELECT, INSERT, UPDATE ON webhook_endpoints, outgoing_deliveries TO twintill_runtime"
    )


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("former_secret", sa.LargeBinary(), nullable=True),
        sa.Column("former_until", _TIME, nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", _TIME, nullable=True),
        sa.Column("failed_at", _TIME, nullable=True),
        sa.Column("disabled_at", _TIME, nullable=True),
        sa.Column("disabled_why", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("removed_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "source IN ('api', 'settings')", name=op.f("ck_webhook_endpoints_source")
        ),
        sa.CheckConstraint(
            "status IN ('enabled', 'disabled')", name=op.f("ck_webhook_endpoints_status")
        ),
        sa.PrimaryKeyConstraint(*_SCOPE, "endpoint_id", name=op.f("pk_webhook_endpoints")),
    )


def _deliveries() -> None:
    op.create_table(
        "outgoing_deliveries",
        sa.Column("stripe_account_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sendings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("sent_at", _TIME, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("next_look_at", _TIME, nullable=True),
        sa.Column("lease_until", _TIME, nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("looks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rung_at", _TIME, nullable=True),
        sa.Column("parked_at", _TIME, nullable=True),
        sa.Column("parked_why", sa.Text(), nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'failed')", name=op.f("ck_outgoing_deliveries_state")
        ),
        sa.CheckConstraint(
            "ended_at IS NOT NULL OR next_look_at IS NOT NULL OR parked_at IS NOT NULL",
            name=op.f("ck_outgoing_deliveries_not_forgotten"),
        ),
        sa.PrimaryKeyConstraint(*_SCOPE, "delivery_id", name=op.f("pk_outgoing_deliveries")),
        sa.UniqueConstraint(
            *_SCOPE, "event_id", "endpoint_id", name=op.f("uq_outgoing_deliveries_event")
        ),
        _belongs_to("outgoing_events", "event_id"),
        _belongs_to("webhook_endpoints", "endpoint_id"),
    )
    op.create_index(
        "ix_outgoing_deliveries_due",
        "outgoing_deliveries",
        ["next_look_at"],
        postgresql_where=sa.text("ended_at IS NULL AND parked_at IS NULL"),
    )
    op.create_index(
        "ix_outgoing_deliveries_endpoint",
        "outgoing_deliveries",
        [*_SCOPE, "endpoint_id", "created_at", "delivery_id"],
    )
    op.create_index(
        "ix_outgoing_deliveries_undelivered",
        "outgoing_deliveries",
        [*_SCOPE, "endpoint_id", "next_look_at"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _belongs_to(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [*_SCOPE, column],
        [f"{table}.stripe_account_id", f"{table}.livemode", f"{table}.{column}"],
        name=op.f(f"fk_outgoing_deliveries_stripe_account_id_livemode_{column}"),
    )


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
