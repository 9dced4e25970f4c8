"""The mirror of Stripe's objects: ids, status and terms of customers, subscriptions, invoices.

Events move a status up a rank and mark what disagrees as stale. Amounts come from our own answers
of Stripe; from an event only with a further status, or of a draft, which nobody asks Stripe about.
Nothing about money is decided from the mirror.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, case, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.follow_on import KIND as FOLLOW_ON
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, rank
from twintill.domain.payment import Reason
from twintill.ids import Scope
from twintill.store import subscription_history
from twintill.store.clock import NOW
from twintill.store.scoped import key, mine, of, whose
from twintill.store.subscription_history import Told
from twintill.store.tables import (
    customers,
    invoices,
    operations,
    payment_methods,
    payments,
    subscriptions,
)


async def add_customer(db: AsyncConnection, scope: Scope, customer_id: str) -> None:
    """From now on this customer is ours to collect from."""
    row = {**key(scope), "customer_id": customer_id, "created_at": NOW}
    await db.execute(insert(customers).values(row).on_conflict_do_nothing())


async def customer_is_known(db: AsyncConnection, scope: Scope, customer_id: str) -> bool:
    known = await db.execute(_IS_KNOWN, {**of(scope), "customer": customer_id})
    return bool(known.scalar_one())


async def collects_from(db: AsyncConnection, scope: Scope, customer_id: str) -> bool:
    """Whether the customer gave us a method (even one that is dead now).

    `send_invoice` customers without one pay by wire: they are never touched.
    """
    c = payment_methods.c
    query = select(
        exists().where(
            mine(payment_methods, scope),
            c.customer_id == customer_id,
            c.status.in_(("active", "removing", "revoked")),
        )
    )
    return bool((await db.execute(query)).scalar_one())


async def collected_from_at(
    db: AsyncConnection, scope: Scope, customer_id: str, moment: datetime
) -> bool:
    """Whether the customer had a method of ours then, maybe another one than now."""
    c = payment_methods.c
    query = select(
        exists().where(
            mine(payment_methods, scope),
            c.customer_id == customer_id,
            c.created_at <= moment,
            or_(c.removed_at.is_(None), c.removed_at > moment),
        )
    )
    return bool((await db.execute(query)).scalar_one())


async def subscription_of_invoice(db: AsyncConnection, scope: Scope, invoice_id: str) -> str | None:
    """None for a one-off invoice."""
    c = invoices.c
    found = await db.execute(
        select(c.subscription_id).where(mine(invoices, scope), c.invoice_id == invoice_id)
    )
    subscription_id: str | None = found.scalar_one_or_none()
    return subscription_id


async def customer_of_invoice(db: AsyncConnection, scope: Scope, invoice_id: str) -> str | None:
    """None for one that was never seen here."""
    c = invoices.c
    found = await db.execute(
        select(c.customer_id).where(mine(invoices, scope), c.invoice_id == invoice_id)
    )
    customer_id: str | None = found.scalar_one_or_none()
    return customer_id


async def customer_deleted(db: AsyncConnection, scope: Scope, customer_id: str) -> None:
    await db.execute(
        update(customers)
        .where(mine(customers, scope), customers.c.customer_id == customer_id)
        .values(deleted_at=func.coalesce(customers.c.deleted_at, NOW))
    )


async def saw_subscription(
    db: AsyncConnection,
    scope: Scope,
    *,
    subscription_id: str,
    customer_id: str,
    status: str,
    collection_method: str,
    cancels_at_period_end: bool = False,
    by: Told,
) -> None:
    """From an event or an answer. Once ended, a late event cannot bring it back."""
    ended = status in ("canceled", "incomplete_expired")
    row = {
        **key(scope),
        "subscription_id": subscription_id,
        "customer_id": customer_id,
        "status": status,
        "collection_method": collection_method,
        "cancels_at_period_end": cancels_at_period_end,
        "created_at": NOW,
        "ended_at": NOW if ended else None,
    }
    statement = insert(subscriptions).values(row)
    await db.execute(
        statement.on_conflict_do_update(
            index_elements=["stripe_account_id", "livemode", "subscription_id"],
            set_={
                "status": statement.excluded.status,
                "collection_method": statement.excluded.collection_method,
                "cancels_at_period_end": statement.excluded.cancels_at_period_end,
                "ended_at": statement.excluded.ended_at,
            },
            where=subscriptions.c.ended_at.is_(None),
        )
    )
    await subscription_history.write(db, scope, subscription_id, by)


async def live_subscriptions(db: AsyncConnection, scope: Scope, customer_id: str) -> list[str]:
    """Ids of the customer's subscriptions that have not ended, as far as we know."""
    c = subscriptions.c
    found = await db.execute(
        select(c.subscription_id).where(
            mine(subscriptions, scope), c.customer_id == customer_id, c.ended_at.is_(None)
        )
    )
    return list(found.scalars())


async def customer_of_subscription(
    db: AsyncConnection, scope: Scope, subscription_id: str
) -> str | None:
    c = subscriptions.c
    found = await db.execute(
        select(c.customer_id).where(
            mine(subscriptions, scope), c.subscription_id == subscription_id
        )
    )
    customer_id: str | None = found.scalar_one_or_none()
    return customer_id


async def saw_invoice(db: AsyncConnection, scope: Scope, seen: dict[str, Any]) -> None:
    """From an event: adds the invoice, or moves its status up a rank; never its amounts back.

    `seen`: the invoices table's columns that Stripe shows.
    """
    await db.execute(_SAW, {**key(scope), **seen})


async def saw_look(db: AsyncConnection, scope: Scope, look: InvoiceLook) -> None:
    """From our own answer of Stripe: amounts as they were, and the status.

    An event that came while the answer was on its way may have told of more: it stands.
    """
    c = invoices.c
    overtaken = _rank(c.status) > rank(look.status)
    await db.execute(
        update(invoices)
        .where(mine(invoices, scope), c.invoice_id == look.invoice_id)
        .values(
            status=case((overtaken, c.status), else_=look.status.value),
            collection_method=look.collection_method,
            amount_due_minor=case((overtaken, c.amount_due_minor), else_=look.amount_due_minor),
            amount_paid_minor=case((overtaken, c.amount_paid_minor), else_=look.amount_paid_minor),
            amount_remaining_minor=case(
                (overtaken, c.amount_remaining_minor), else_=look.amount_remaining_minor
            ),
            due_at=func.coalesce(look.due_at, c.due_at),
            due_told=_told_of(c.due_at, func.coalesce(look.due_at, c.due_at)),
            stale=overtaken,
            seen_at=NOW,
        )
    )


class Seen(NamedTuple):
    """An invoice as it was last seen; `stale`: something said since that it is another by now."""

    status: str
    stale: bool


async def invoice_seen(db: AsyncConnection, scope: Scope, invoice_id: str) -> Seen | None:
    c = invoices.c
    found = await db.execute(
        select(c.status, c.stale).where(mine(invoices, scope), c.invoice_id == invoice_id)
    )
    row = found.one_or_none()
    return None if row is None else Seen(row.status, row.stale)


async def remaining_minor(db: AsyncConnection, scope: Scope, invoice_id: str) -> int:
    """What it was last seen to ask for; 0: nothing, or unknown here."""
    c = invoices.c
    found = await db.execute(
        select(c.amount_remaining_minor).where(
            mine(invoices, scope),
            c.invoice_id == invoice_id,
            c.status.in_(("open", "uncollectible")),
        )
    )
    return int(found.scalar_one_or_none() or 0)


async def payment_of_invoice(db: AsyncConnection, scope: Scope, invoice_id: str) -> str | None:
    """The payment that collects this invoice, if there is one."""
    found = await db.execute(_PAYMENT_OF, {**of(scope), "invoice": invoice_id})
    payment_id: str | None = found.scalar_one_or_none()
    return payment_id


async def open_payments_of(db: AsyncConnection, scope: Scope, customer_id: str) -> list[str]:
    """Payments of this customer that may need a method, oldest first, or are about to be opened.

    One that only waits for the end of a dispute needs none (a charge that is out keeps its own).
    """
    c, o = payments.c, operations.c
    begun = await db.execute(
        select(o.operation_id).where(
            mine(operations, scope),
            o.customer_id == customer_id,
            o.kind == FOLLOW_ON,
            o.ended_at.is_(None),
        )
    )
    found = await db.execute(
        select(c.payment_id)
        .where(
            mine(payments, scope),
            c.customer_id == customer_id,
            c.ended_at.is_(None),
            or_(c.reason.is_distinct_from(Reason.DISPUTED), c.parked_at.is_not(None)),
        )
        .order_by(c.created_at, c.payment_id)
    )
    return [*found.scalars(), *begun.scalars()]


def _rank(status: Any) -> Any:
    return case({s.value: rank(s) for s in InvoiceStatus}, value=status, else_=0)


def _saw() -> Any:
    """Built once: the longest statement of all, and the most frequent."""
    statement = insert(invoices).values(created_at=NOW, seen_at=NOW, stale=False)
    new, c = statement.excluded, invoices.c
    moves_up = _rank(new.status) > _rank(c.status)
    disagrees = new.amount_remaining_minor != c.amount_remaining_minor
    drafts = (c.status == InvoiceStatus.DRAFT) & (new.status == InvoiceStatus.DRAFT)
    due_at = func.coalesce(new.due_at, c.due_at)
    return statement.on_conflict_do_update(
        index_elements=["stripe_account_id", "livemode", "invoice_id"],
        set_={
            "status": case((moves_up, new.status), else_=c.status),
            "number": func.coalesce(new.number, c.number),
            "due_at": due_at,
            "due_told": _told_of(c.due_at, due_at),
            "finalized_at": func.coalesce(c.finalized_at, new.finalized_at),
            "collection_method": new.collection_method,
            "stale": c.stale | disagrees | moves_up,
            **{
                amount: case((moves_up | drafts, new[amount]), else_=c[amount])
                for amount in ("amount_due_minor", "amount_paid_minor", "amount_remaining_minor")
            },
            "total_minor": case(
                (moves_up | drafts, func.coalesce(new.total_minor, c.total_minor)),
                else_=func.coalesce(c.total_minor, new.total_minor),
            ),
        },
    )


def _told_of(known: Any, due_at: Any) -> Any:
    """Of another due date the app was told nothing yet."""
    return case((known.is_distinct_from(due_at), "nothing"), else_=invoices.c.due_told)


_SAW = _saw()
_IS_KNOWN = select(
    exists().where(whose(customers), customers.c.customer_id == bindparam("customer"))
)
_PAYMENT_OF = select(payments.c.payment_id).where(
    whose(payments), payments.c.invoice_id == bindparam("invoice")
)
