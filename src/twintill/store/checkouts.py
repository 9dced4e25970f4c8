"""Checkouts: what a customer sees on our page, and what he agreed to there.

open -> completing -> complete            he chose a method, and agreed by what he was shown
  |         +-> confirming -> complete    the final amount is higher: he is asked once more
  +-> expired <---+
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, and_, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.scoped import key, mine
from twintill.store.tables import checkouts, invoices, payments

_C = checkouts.c

# The present set-up is over: the next one gets a key of its own.
NEXT_SETUP: Mapping[str, Any] = {"setup_session_id": None, "setups": _C.setups + 1}
# What is wrong, and the customer can mend: Stripe does not know his place.
ADDRESS = "address"


class Purpose(StrEnum):
    SIGNUP = "signup"
    METHOD = "method"  # a new payment method, and no purchase


class CheckoutState(StrEnum):
    OPEN = "open"
    COMPLETING = "completing"
    CONFIRMING = "confirming"
    COMPLETE = "complete"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Checkout:
    """One row; invoice, subscription and payment only where something is bought."""

    id: str
    operation_id: str
    purpose: Purpose
    customer_id: str
    subscription_id: str | None
    invoice_id: str | None
    payment_id: str | None
    state: CheckoutState
    currency: str
    shown_minor: int
    final_minor: int | None  # Stripe's, once the invoice is final
    agreed_minor: int | None
    description: str
    success_url: str
    cancel_url: str
    processor: str
    setup_session_id: str | None
    payment_method_id: str | None
    problem: str | None  # a word that the page has a sentence for
    setups: int  # how many set-ups are over; the present one's key is made of it
    charges_due: bool  # what is due is collected with the new method at once
    expires_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewCheckout:
    id: str
    operation_id: str
    purpose: Purpose
    customer_id: str
    currency: str
    description: str
    success_url: str
    cancel_url: str
    processor: str
    expires_after: timedelta
    shown_minor: int = 0
    subscription_id: str | None = None
    invoice_id: str | None = None
    payment_id: str | None = None
    charges_due: bool = True


@dataclass(frozen=True, slots=True)
class Due:
    """An open invoice that a new method is charged for at once, as last seen."""

    payment_id: str
    invoice_id: str
    number: str | None
    currency: str
    amount_minor: int


async def add(db: AsyncConnection, scope: Scope, new: NewCheckout) -> None:
    fields = {name: getattr(new, name) for name in NewCheckout.__slots__}
    del fields["id"], fields["expires_after"]
    row = {
        **key(scope),
        **fields,
        "checkout_id": new.id,
        "state": CheckoutState.OPEN,
        "expires_at": NOW + new.expires_after,
        "created_at": NOW,
    }
    await db.execute(insert(checkouts).values(row))


async def read(db: AsyncConnection, scope: Scope, checkout_id: str) -> Checkout:
    """Raises NotFoundError."""
    return await _one(db, _all(scope).where(_C.checkout_id == checkout_id), checkout_id)


async def lock(db: AsyncConnection, scope: Scope, checkout_id: str) -> Checkout:
    """The same, with the row locked: every change of its state begins with this."""
    query = _all(scope).where(_C.checkout_id == checkout_id).with_for_update()
    return await _one(db, query, checkout_id)


async def of_operation(db: AsyncConnection, scope: Scope, operation_id: str) -> Checkout | None:
    found = await of_operations(db, scope, [operation_id])
    return found.get(operation_id)


async def of_operations(
    db: AsyncConnection, scope: Scope, operation_ids: list[str]
) -> Mapping[str, Checkout]:
    """The checkouts of a page of operations, by operation."""
    found = await db.execute(_all(scope).where(_C.operation_id.in_(operation_ids)))
    return {row.operation_id: _checkout(row) for row in found}


async def change(db: AsyncConnection, scope: Scope, checkout_id: str, **changes: Any) -> None:
    """Write columns of a row that the caller has locked."""
    if changes.get("state") == CheckoutState.COMPLETE:
        changes["completed_at"] = NOW
    await db.execute(
        update(checkouts)
        .where(mine(checkouts, scope), _C.checkout_id == checkout_id)
        .values(changes)
    )


async def expire_now(db: AsyncConnection, scope: Scope, subscription_id: str) -> list[str]:
    """There is nothing left to pay for: open checkouts of it are over; whose they are."""
    over = await db.execute(
        update(checkouts)
        .where(
            mine(checkouts, scope),
            _C.subscription_id == subscription_id,
            _C.state.in_((CheckoutState.OPEN, CheckoutState.CONFIRMING)),
            _C.expires_at > NOW,
        )
        .values(expires_at=NOW)
        .returning(_C.operation_id)
    )
    return sorted(over.scalars())


async def address_has_changed(db: AsyncConnection, scope: Scope, customer_id: str) -> list[str]:
    """Perhaps: nobody is asked for it before it was tried again. Whose checkouts go on."""
    mended = await db.execute(
        update(checkouts)
        .where(
            mine(checkouts, scope),
            _C.customer_id == customer_id,
            _C.state == CheckoutState.OPEN,
            _C.problem == ADDRESS,
        )
        .values(problem=None)
        .returning(_C.operation_id)
    )
    return list(mended.scalars())


async def due(db: AsyncConnection, scope: Scope, its: Checkout) -> list[Due]:
    """What is collected when the customer has chosen; nothing where nothing is bought or asked."""
    if its.purpose is not Purpose.METHOD or not its.charges_due:
        return []
    i, p = invoices.c, payments.c
    found = await db.execute(
        select(p.payment_id, p.invoice_id, i.number, i.currency, i.amount_remaining_minor)
        .join_from(
            payments,
            invoices,
            and_(
                i.stripe_account_id == p.stripe_account_id,
                i.livemode == p.livemode,
                i.invoice_id == p.invoice_id,
            ),
        )
        .where(
            mine(payments, scope),
            p.customer_id == its.customer_id,
            p.state.in_(("waiting", "exhausted")),
            p.parked_at.is_(None),
            p.closing.is_(None),
            p.reason.not_in(("checkout", "consent", "uncollectible")),
            i.status == "open",
            i.amount_remaining_minor > 0,
        )
        .order_by(p.created_at, p.payment_id)
    )
    return [Due(*row) for row in found]


async def last_currency(db: AsyncConnection, scope: Scope, customer_id: str) -> str | None:
    """Of the customer's newest invoice."""
    c = invoices.c
    found = await db.execute(
        select(c.currency)
        .where(mine(invoices, scope), c.customer_id == customer_id)
        .order_by(c.created_at.desc(), c.invoice_id)
        .limit(1)
    )
    currency: str | None = found.scalar_one_or_none()
    return currency


def _all(scope: Scope) -> Select[Any]:
    return select(checkouts).where(mine(checkouts, scope))


async def _one(db: AsyncConnection, query: Select[Any], checkout_id: str) -> Checkout:
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"No such checkout: {checkout_id}", param="checkout")
    return _checkout(row)


def _checkout(row: Any) -> Checkout:
    return Checkout(
        id=row.checkout_id,
        operation_id=row.operation_id,
        purpose=Purpose(row.purpose),
        customer_id=row.customer_id,
        subscription_id=row.subscription_id,
        invoice_id=row.invoice_id,
        payment_id=row.payment_id,
        state=CheckoutState(row.state),
        currency=row.currency,
        shown_minor=row.shown_minor,
        final_minor=row.final_minor,
        agreed_minor=row.agreed_minor,
        description=row.description,
        success_url=row.success_url,
        cancel_url=row.cancel_url,
        processor=row.processor,
        setup_session_id=row.setup_session_id,
        payment_method_id=row.payment_method_id,
        problem=row.problem,
        setups=row.setups,
        charges_due=row.charges_due,
        expires_at=row.expires_at,
        completed_at=row.completed_at,
    )
