"""How columns, keys and indexes are made: the same grain in every table.

Every key begins with Stripe account and mode. Amounts are bigint minor units.
"""

from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def words(name: str, *, null: bool = False, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=null, server_default=default)


def time(name: str, *, null: bool = True) -> Column[Any]:
    return Column(name, TIMESTAMP(timezone=True), nullable=null)


def minor(name: str, *, null: bool = False, default: str | None = None) -> Column[int]:
    return Column(name, BigInteger, nullable=null, server_default=default)


def count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


def flag(name: str, default: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text(default))


def scope_columns() -> tuple[Column[str], Column[bool]]:
    return words("stripe_account_id"), Column("livemode", Boolean, nullable=False)


def work_columns() -> tuple[Column[Any], ...]:
    """What makes a row workable: due when, held by whom until, parked why, ended when.

    `lease_until` and `rung_at` follow the wall clock of the database (they measure network calls),
    everything else its business clock, which a sandbox may shift.
    """
    return (
        time("next_look_at"),
        time("lease_until"),
        Column("lease_token", Uuid, nullable=True),
        count("looks"),
        time("rung_at"),
        time("parked_at"),
        words("parked_why", null=True),
        time("ended_at"),
    )


def not_forgotten() -> CheckConstraint:
    return CheckConstraint(
        "ended_at IS NOT NULL OR next_look_at IS NOT NULL OR parked_at IS NOT NULL",
        name="not_forgotten",
    )


def primary_key(*columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint("stripe_account_id", "livemode", *columns)


def unique(*columns: str) -> UniqueConstraint:
    return UniqueConstraint("stripe_account_id", "livemode", *columns)


def belongs_to(table: str, column: str) -> ForeignKeyConstraint:
    key = {"payments": "payment_id", "customers": "customer_id", "deliveries": "delivery_id"}[table]
    return ForeignKeyConstraint(
        ["stripe_account_id", "livemode", column],
        [f"{table}.stripe_account_id", f"{table}.livemode", f"{table}.{key}"],
    )


def due(table: str, *first: str) -> Index:
    """What the sweep and the claim read: only rows that still wait for something."""
    return Index(
        f"ix_{table}_due",
        *first,
        "next_look_at",
        postgresql_where=text("ended_at IS NULL AND parked_at IS NULL"),
    )
