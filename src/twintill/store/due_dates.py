"""Open invoices whose due date is near or has passed, and of which the app was not told yet."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.invoice import InvoiceStatus
from twintill.domain.payment import State
from twintill.ids import Scope
from twintill.store import clock
from twintill.store.scoped import mine
from twintill.store.tables import invoices, payments

_I = invoices.c


async def take_due_soon(
    db: AsyncConnection, scope: Scope, notice: timedelta, limit: int
) -> list[Any]:
    """Due within `notice`, and not yet: marked as told, the most urgent first."""
    now = await clock.now(db)
    near = and_(_I.due_told == "nothing", _I.due_at > now, _I.due_at <= now + notice)
    return await _take(db, scope, near, "due_soon", limit)


async def take_overdue(db: AsyncConnection, scope: Scope, limit: int) -> list[Any]:
    """Marked as told, the longest overdue first; not those whose money is here already."""
    now = await clock.now(db)
    late = and_(_I.due_told.in_(("nothing", "due_soon")), _I.due_at <= now, ~_is_collected())
    return await _take(db, scope, late, "overdue", limit)


async def _take(
    db: AsyncConnection, scope: Scope, which: ColumnElement[bool], told: str, limit: int
) -> list[Any]:
    due = (
        select(_I.invoice_id)
        .where(
            mine(invoices, scope),
            _I.status == InvoiceStatus.OPEN.value,
            _I.due_told != "overdue",  # as the index has it
            which,
        )
        .order_by(_I.due_at, _I.invoice_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = await db.execute(
        update(invoices)
        .where(mine(invoices, scope), _I.invoice_id.in_(due))
        .values(due_told=told)
        .returning(invoices)
    )
    return sorted(taken, key=lambda row: (row.due_at, row.invoice_id))


def _is_collected() -> ColumnElement[bool]:
    p = payments.c
    return exists(
        select(p.payment_id).where(
            p.stripe_account_id == _I.stripe_account_id,
            p.livemode == _I.livemode,
            p.invoice_id == _I.invoice_id,
            p.state == State.COLLECTED.value,
        )
    )
