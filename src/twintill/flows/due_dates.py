"""Timers of our own for due dates: Stripe's events for them need an automation there.

Of every open invoice of a known customer, also of one that nobody charges. Once for each due date:
one that was changed in Stripe's Dashboard is told of again.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.due_events import DUE_SOON, OVERDUE
from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import due_dates, invoice_pages, outgoing

_PAGE = 100
_AGAIN = timedelta(minutes=15)


async def tell_due_dates(means: Means, scope: Scope, _: Mapping[str, Any]) -> Ran:
    """The mark that it was told and the event are one commit."""
    if not means.tells_app:
        return Ran(_AGAIN, {"due_soon": 0, "overdue": 0}, {})
    async with means.database.begin() as db:
        late = await due_dates.take_overdue(db, scope, _PAGE)
        await _tell(db, scope, OVERDUE, late)
    async with means.database.begin() as db:
        near = await due_dates.take_due_soon(db, scope, means.policy.due_notice, _PAGE)
        await _tell(db, scope, DUE_SOON, near)
    again_in = timedelta(0) if _PAGE in (len(late), len(near)) else _AGAIN
    return Ran(again_in, {"due_soon": len(near), "overdue": len(late)}, {})


async def _tell(db: AsyncConnection, scope: Scope, event_type: str, rows: list[Any]) -> None:
    ids = [row.invoice_id for row in rows]
    collecting = await invoice_pages.payments_of_invoices(db, scope, ids)
    for row in rows:
        told = _told(row, collecting.get(row.invoice_id))
        await outgoing.add(db, scope, event_type, row.invoice_id, told)


def _told(row: Any, payment: Any | None) -> dict[str, Any]:
    return {
        "id": row.invoice_id,
        "object": "invoice",
        "customer": row.customer_id,
        "subscription": row.subscription_id,
        "number": row.number,
        "currency": row.currency.lower(),
        "amount_due": row.amount_due_minor,
        "amount_remaining": row.amount_remaining_minor,
        "due_date": int(row.due_at.timestamp()),
        "payment": None if payment is None else payment.payment_id,
        "payment_state": None if payment is None else payment.state,
    }
