"""Finding an attempt by the names that a processor knows it under."""

from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope
from twintill.store.scoped import mine
from twintill.store.tables import attempts


class Found(NamedTuple):
    attempt_id: str
    payment_id: str


async def find(
    db: AsyncConnection,
    scope: Scope,
    processor_account_id: str,
    *,
    reference: str | None,
    processor_payment_id: str | None,
) -> Found | None:
    """By our reference (unique there), else by the processor's own id."""
    c = attempts.c
    names = []
    if reference is not None:
        names.append(c.reference == reference)
    if processor_payment_id is not None:
        names.append(c.processor_payment_id == processor_payment_id)
    if not names:
        return None
    rows = await db.execute(
        select(c.attempt_id, c.payment_id, c.reference)
        .where(
            mine(attempts, scope),
            c.processor_account_id == processor_account_id,
            c.kind == "charge",
            or_(*names),
        )
        .order_by((c.reference == reference).desc() if reference else c.n)
        .limit(1)
    )
    row = rows.one_or_none()
    return None if row is None else Found(row.attempt_id, row.payment_id)
