"""Subscriptions as the mirror has them, with what is collected for each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store import subscription_history
from twintill.store.clock import NOW
from twintill.store.scoped import mine
from twintill.store.subscription_history import Told
from twintill.store.tables import UNRESOLVED, attempts, invoices, payments, receipts, subscriptions

_C = subscriptions.c


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """One row of the mirror; Stripe remains the source of truth."""

    id: str
    customer_id: str
    status: str
    collection_method: str
    cancels_at_period_end: bool
    created_at: datetime
    ended_at: datetime | None


async def read(db: AsyncConnection, scope: Scope, subscription_id: str) -> SubscriptionRow:
    """Raises NotFoundError for one that is not of a customer of ours."""
    return await _one(db, _of(scope, subscription_id), subscription_id)


async def lock(db: AsyncConnection, scope: Scope, subscription_id: str) -> SubscriptionRow:
    """The same, with its row locked: one at a time may ask for its end."""
    return await _one(db, _of(scope, subscription_id).with_for_update(), subscription_id)


async def ended(db: AsyncConnection, scope: Scope, subscription_id: str, actor: str) -> bool:
    """Known from elsewhere than its own event, from `actor`; whether it is news."""
    written = await db.execute(
        update(subscriptions)
        .where(
            mine(subscriptions, scope), _C.subscription_id == subscription_id, _C.ended_at.is_(None)
        )
        .values(status="canceled", ended_at=NOW)
    )
    await subscription_history.write(db, scope, subscription_id, Told(actor))
    return written.rowcount == 1


async def has_ended(db: AsyncConnection, scope: Scope, subscription_id: str) -> bool:
    """False also for one that we have not heard of."""
    query = exists().where(
        mine(subscriptions, scope), _C.subscription_id == subscription_id, _C.ended_at.is_not(None)
    )
    return bool((await db.execute(select(query))).scalar_one())


async def ends_at_period(
    db: AsyncConnection, scope: Scope, subscription_id: str, *, ends: bool
) -> None:
    """From our own answer of Stripe; its event says the same."""
    await db.execute(
        update(subscriptions)
        .where(mine(subscriptions, scope), _C.subscription_id == subscription_id)
        .values(cancels_at_period_end=ends)
    )


async def open_payments(db: AsyncConnection, scope: Scope, subscription_id: str) -> list[str]:
    """Those whose invoice is not paid or closed, given up or not; in the order of locking."""
    states = ("waiting", "charging", "pending", "collected", "exhausted")
    query = _payments(scope, subscription_id).where(payments.c.state.in_(states))
    return list((await db.execute(query.order_by(payments.c.payment_id))).scalars())


async def payments_under_way(db: AsyncConnection, scope: Scope, subscription_id: str) -> list[str]:
    """Those with a request out, or with money that Stripe was not told of yet."""
    out = exists().where(_of_payment(attempts), attempts.c.outcome.in_(UNRESOLVED))
    on_its_way = or_(out, payments.c.state == "collected")
    query = _payments(scope, subscription_id).where(on_its_way)
    return list((await db.execute(query.order_by(payments.c.payment_id))).scalars())


async def last_paid(db: AsyncConnection, scope: Scope, subscription_id: str) -> str | None:
    """The newest payment with money that Stripe counts."""
    counted = exists().where(
        _of_payment(receipts), receipts.c.reported_minor > 0, receipts.c.failed.is_(False)
    )
    query = (
        _payments(scope, subscription_id)
        .where(counted)
        .order_by(payments.c.created_at.desc(), payments.c.payment_id)
        .limit(1)
    )
    payment_id: str | None = (await db.execute(query)).scalar_one_or_none()
    return payment_id


async def was_ever_paid(db: AsyncConnection, scope: Scope, subscription_id: str) -> bool:
    """Whether money of any of its invoices reached us, wherever it is by now."""
    received = exists().where(_of_payment(receipts), receipts.c.failed.is_(False))
    query = _payments(scope, subscription_id).where(received).limit(1)
    return (await db.execute(query)).scalar_one_or_none() is not None


def _payments(scope: Scope, subscription_id: str) -> Any:
    return (
        select(payments.c.payment_id)
        .join_from(payments, invoices, _ITS_INVOICE)
        .where(mine(payments, scope), invoices.c.subscription_id == subscription_id)
    )


def _of_payment(table: Any) -> Any:
    return and_(
        table.c.stripe_account_id == payments.c.stripe_account_id,
        table.c.livemode == payments.c.livemode,
        table.c.payment_id == payments.c.payment_id,
    )


_ITS_INVOICE = and_(
    invoices.c.stripe_account_id == payments.c.stripe_account_id,
    invoices.c.livemode == payments.c.livemode,
    invoices.c.invoice_id == payments.c.invoice_id,
)


def _of(scope: Scope, subscription_id: str) -> Any:
    return select(subscriptions).where(
        mine(subscriptions, scope), _C.subscription_id == subscription_id
    )


async def _one(db: AsyncConnection, query: Any, subscription_id: str) -> SubscriptionRow:
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"No such subscription: {subscription_id}", param="subscription")
    return SubscriptionRow(
        id=row.subscription_id,
        customer_id=row.customer_id,
        status=row.status,
        collection_method=row.collection_method,
        cancels_at_period_end=row.cancels_at_period_end,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
