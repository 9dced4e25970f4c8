"""Disputes as people read them."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.money_back import DisputeStage
from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.listing import Created, Page, read_page
from twintill.store.scoped import mine
from twintill.store.tables import disputes

_c = disputes.c


async def list_disputes(
    db: AsyncConnection,
    scope: Scope,
    page: Page,
    payment_id: str | None,
    stage: DisputeStage | None,
    created: Created,
) -> tuple[list[Any], bool]:
    """(rows, newest first; whether there are more)."""
    where = created.where(_c.created_at)
    if payment_id is not None:
        where.append(_c.payment_id == payment_id)
    if stage is not None:
        where.append(_c.stage == stage.value)
    return await read_page(db, scope, disputes, "dispute_id", page, *where)


async def read_dispute(db: AsyncConnection, scope: Scope, dispute_id: str) -> Any:
    """Raises NotFoundError."""
    found = await db.execute(
        select(disputes).where(mine(disputes, scope), _c.dispute_id == dispute_id)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFoundError(f"No such dispute: {dispute_id}", param="dispute")
    return row


async def known(
    db: AsyncConnection, scope: Scope, processor_account_id: str, processor_dispute_ids: list[str]
) -> set[str]:
    """Which of the processor's disputes are here."""
    found = await db.execute(
        select(_c.processor_dispute_id).where(
            mine(disputes, scope),
            _c.processor_account_id == processor_account_id,
            _c.processor_dispute_id.in_(processor_dispute_ids),
        )
    )
    return set(found.scalars())


async def of_payment(db: AsyncConnection, scope: Scope, payment_id: str) -> list[Any]:
    """Oldest first."""
    query = select(disputes).where(mine(disputes, scope), _c.payment_id == payment_id)
    return list(await db.execute(query.order_by(_c.created_at, _c.dispute_id)))
