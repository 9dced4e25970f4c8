"""Our payments against Stripe's list of open invoices: which lack one, which are not listed."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.payment import TIMED, Reason, State
from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.scoped import mine
from twintill.store.tables import invoices, payments

_I, _P = invoices.c, payments.c


async def listed(db: AsyncConnection, scope: Scope, invoice_ids: Collection[str]) -> None:
    """These are open at Stripe now; those that we do not mirror are not ours."""
    await db.execute(
        update(invoices)
        .where(mine(invoices, scope), _I.invoice_id.in_(invoice_ids))
        .values(listed_at=NOW)
    )


async def settled(
    db: AsyncConnection, scope: Scope, invoice_ids: Collection[str]
) -> dict[str, bool]:
    """Of those with a payment that has left the draft: whether it has ended."""
    rows = await db.execute(
        select(_P.invoice_id, _P.ended_at.is_not(None).label("ended")).where(
            mine(payments, scope),
            _P.invoice_id.in_(invoice_ids),
            or_(_P.reason.is_(None), _P.reason != Reason.DRAFT),
        )
    )
    return {row.invoice_id: row.ended for row in rows}


async def doubt(db: AsyncConnection, scope: Scope, payment_id: str) -> None:
    """The invoice of this payment may be another by now than the mirror shows."""
    its = select(_P.invoice_id).where(mine(payments, scope), _P.payment_id == payment_id)
    await db.execute(
        update(invoices)
        .where(mine(invoices, scope), _I.invoice_id == its.scalar_subquery())
        .values(stale=True)
    )


async def not_listed(
    db: AsyncConnection, scope: Scope, since: datetime, after: str, limit: int
) -> list[str]:
    """Payments older than this pass whose invoices it did not list, and that could be looked at.

    Not those that wait for a time of their own, or for the end of an attempt. In the order of
    their ids, from behind `after` on.
    """
    its = (_I.stripe_account_id, _I.livemode, _I.invoice_id)
    ours = (_P.stripe_account_id, _P.livemode, _P.invoice_id)
    same = [i == p for i, p in zip(its, ours, strict=True)]
    found = await db.execute(
        select(_P.payment_id)
        .select_from(payments.outerjoin(invoices, same[0] & same[1] & same[2]))
        .where(
            mine(payments, scope),
            _P.ended_at.is_(None),
            _P.parked_at.is_(None),
            _P.next_look_at > NOW,
            _P.state == State.WAITING,
            or_(_P.reason.is_(None), _P.reason.not_in(TIMED)),
            _P.created_at < since,
            or_(_I.listed_at.is_(None), _I.listed_at < since),
            _P.payment_id > after,
        )
        .order_by(_P.payment_id)
        .limit(limit)
    )
    return list(found.scalars())
