"""What comparing with the other books reads: payments by age, and who was not listed."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.scoped import mine
from twintill.store.tables import invoices, payments


class Place(NamedTuple):
    """A payment in the order of creation: where a page ends and the next begins."""

    created_at: datetime
    payment_id: str


async def listed_now(db: AsyncConnection, scope: Scope, invoice_ids: Collection[str]) -> None:
    """Stripe has just told of these. What it said of them is compared, and not taken over."""
    await db.execute(
        update(invoices)
        .where(mine(invoices, scope), invoices.c.invoice_id.in_(list(invoice_ids)))
        .values(seen_at=NOW)
    )


async def page(
    db: AsyncConnection, scope: Scope, since: datetime, after: Place | None, limit: int
) -> list[Place]:
    """Payments created from `since` on, oldest first."""
    return await _page(db, scope, since, after, limit, None)


async def page_unlisted(
    db: AsyncConnection,
    scope: Scope,
    since: datetime,
    after: Place | None,
    limit: int,
    *,
    began: datetime,
) -> list[Place]:
    """Of those, the ones whose invoice Stripe has not told of since `began`."""
    return await _page(db, scope, since, after, limit, began)


async def _page(
    db: AsyncConnection,
    scope: Scope,
    since: datetime,
    after: Place | None,
    limit: int,
    unseen_since: datetime | None,
) -> list[Place]:
    c, i = payments.c, invoices.c
    where = [mine(payments, scope), c.created_at >= since]
    source = payments.outerjoin(
        invoices,
        and_(
            i.stripe_account_id == c.stripe_account_id,
            i.livemode == c.livemode,
            i.invoice_id == c.invoice_id,
        ),
    )
    if after is not None:
        where.append(tuple_(c.created_at, c.payment_id) > tuple_(*after))
    if unseen_since is not None:
        where.append(i.seen_at.is_(None) | (i.seen_at < unseen_since))
        where.append(c.created_at < unseen_since)
    rows = await db.execute(
        select(c.created_at, c.payment_id)
        .select_from(source)
        .where(*where)
        .order_by(c.created_at, c.payment_id)
        .limit(limit)
    )
    return [Place(row.created_at, row.payment_id) for row in rows]
