"""What recurs: one row for each duty, due again and again; it never ends."""

from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql import JSONB

from twintill.store.tables.columns import (
    count,
    due,
    metadata,
    not_forgotten,
    primary_key,
    scope_columns,
    time,
    words,
    work_columns,
)

duties = Table(
    "duties",
    metadata,
    *scope_columns(),
    words("name"),
    Column("cursor", JSONB, nullable=False),
    Column("result", JSONB, nullable=True),
    time("ran_at"),  # the last success
    count("failures"),  # in a row, since then
    words("last_error", null=True),
    time("created_at", null=False),
    *work_columns(),
    primary_key("name"),
    not_forgotten(),
    due("duties"),
)
