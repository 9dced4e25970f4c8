"""Refunds that were asked for, as people read them: with what their request came to."""

from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.listing import Created, Page, read_page
from twintill.store.scoped import mine
from twintill.store.tables import attempts, payments, refund_asks

_c, _a, _p = refund_asks.c, attempts.c, payments.c
_SHOWN = (
    select(refund_asks, _p.currency, _a.processor_payment_id, _a.outcome, _a.detail)
    .join(
        payments,
        and_(
            _p.stripe_account_id == _c.stripe_account_id,
            _p.livemode == _c.livemode,
            _p.payment_id == _c.payment_id,
        ),
    )
    .outerjoin(
        attempts,
        and_(
            _a.stripe_account_id == _c.stripe_account_id,
            _a.livemode == _c.livemode,
            _a.attempt_id == _c.attempt_id,
        ),
    )
)


async def list_refunds(
    db: AsyncConnection, scope: Scope, page: Page, payment_id: str | None, created: Created
) -> tuple[list[Any], bool]:
    """(rows, newest first; whether there are more)."""
    where = created.where(_c.created_at)
    if payment_id is not None:
        where.append(_c.payment_id == payment_id)
    rows, has_more = await read_page(db, scope, refund_asks, "refund_ask_id", page, *where)
    wanted = [row.refund_ask_id for row in rows]
    shown = await db.execute(_SHOWN.where(mine(refund_asks, scope), _c.refund_ask_id.in_(wanted)))
    whole = {row.refund_ask_id: row for row in shown}
    return [whole[refund_id] for refund_id in wanted], has_more


async def read_refund(db: AsyncConnection, scope: Scope, refund_id: str) -> Any:
    """Raises NotFoundError."""
    found = await db.execute(_SHOWN.where(mine(refund_asks, scope), _c.refund_ask_id == refund_id))
    row = found.one_or_none()
    if row is None:
        raise NotFoundError(f"No such refund: {refund_id}", param="refund")
    return row


async def of_payment(db: AsyncConnection, scope: Scope, payment_id: str) -> list[Any]:
    """Oldest first."""
    query = _SHOWN.where(mine(refund_asks, scope), _c.payment_id == payment_id)
    return list(await db.execute(query.order_by(_c.created_at, _c.refund_ask_id)))
