"""Money by hand, asked for on its own: of an invoice, of a customer, what is left as credit."""

from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.hand import HandPayment, HandState
from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.hand_rows import hand_payment
from twintill.store.scoped import mine
from twintill.store.tables import customers, hand_payments

_C = hand_payments.c


class Recorded(NamedTuple):
    """One, and where it belongs."""

    hand: HandPayment
    payment_id: str
    invoice_id: str
    customer_id: str


async def read(db: AsyncConnection, scope: Scope, hand_id: str) -> Recorded:
    """Raises NotFoundError."""
    found = await find(db, scope, hand_id)
    if found is None:
        raise NotFoundError(f"No such payment by hand: {hand_id}", param="hand_payment")
    return found


async def find(db: AsyncConnection, scope: Scope, hand_id: str) -> Recorded | None:
    found = await _list(db, _all(scope).where(_C.hand_payment_id == hand_id))
    return found[0] if found else None


async def of_invoice(db: AsyncConnection, scope: Scope, invoice_id: str) -> list[Recorded]:
    """The oldest first."""
    return await _list(db, _all(scope).where(_C.invoice_id == invoice_id))


async def with_credit(
    db: AsyncConnection, scope: Scope, customer_id: str, currency: str | None = None
) -> list[Recorded]:
    """Those that a customer has credit of, the oldest first; also what still waits."""
    query = _all(scope).where(_C.customer_id == customer_id, _C.credit_minor > 0)
    if currency is not None:
        query = query.where(_C.currency == currency)
    return await _list(db, query)


class Credit(NamedTuple):
    """What a customer has left in one currency; `waiting_minor`: kept for its own invoice yet."""

    currency: str
    free_minor: int
    waiting_minor: int


async def credit_of(db: AsyncConnection, scope: Scope, customer_id: str) -> list[Credit]:
    waits = _C.state == HandState.WAITING
    total = func.sum(_C.credit_minor)
    query = (
        select(
            _C.currency,
            func.coalesce(total.filter(~waits), 0),
            func.coalesce(total.filter(waits), 0),
        )
        .where(mine(hand_payments, scope), _C.customer_id == customer_id, _C.credit_minor > 0)
        .group_by(_C.currency)
        .order_by(_C.currency)
    )
    return [Credit(c, int(free), int(waiting)) for c, free, waiting in await db.execute(query)]


async def lock_customer(db: AsyncConnection, scope: Scope, customer_id: str) -> None:
    """Whoever uses the credit holds it: taken before any payment's lock. Raises NotFoundError."""
    locked = await db.execute(
        select(customers.c.customer_id)
        .where(mine(customers, scope), customers.c.customer_id == customer_id)
        .with_for_update(key_share=True)
    )
    if locked.one_or_none() is None:
        raise NotFoundError(f"No such customer: {customer_id}", param="customer")


def _all(scope: Scope) -> Any:
    return select(hand_payments).where(mine(hand_payments, scope))


async def _list(db: AsyncConnection, query: Any) -> list[Recorded]:
    found = await db.execute(query.order_by(_C.recorded_at, _C.hand_payment_id))
    return [
        Recorded(hand_payment(row), row["payment_id"], row["invoice_id"], row["customer_id"])
        for row in map(dict, found.mappings())
    ]
