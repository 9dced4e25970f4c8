"""Events to the user's app: a row in the commit of what they tell, delivered later, signed."""

from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.payment import Payment
from twintill.ids import Scope, new_id
from twintill.store.clock import NOW
from twintill.store.doorbell import Bell, Kind, enqueue
from twintill.store.scoped import key, mine
from twintill.store.tables import outgoing_events


async def add(
    db: AsyncConnection, scope: Scope, event_type: str, object_id: str, data: dict[str, Any]
) -> str:
    """One event, to be delivered at least once; its id lets the app drop duplicates."""
    event_id = new_id("evt")
    await db.execute(
        insert(outgoing_events).values(
            **key(scope),
            event_id=event_id,
            type=event_type,
            object_id=object_id,
            payload=data,
            created_at=NOW,
            next_look_at=NOW,
        )
    )
    await enqueue(db, Bell(Kind.OUTGOING, scope, event_id))
    return event_id


async def add_payment_event(
    db: AsyncConnection, scope: Scope, event_type: str, payment: Payment
) -> str:
    """What became of a payment, in the words of the API."""
    data = {
        "id": payment.id,
        "object": "payment",
        "invoice": payment.invoice_id,
        "customer": payment.customer_id,
        "state": payment.state.value,
        "reason": payment.reason.value if payment.reason else None,
        "currency": payment.currency.lower(),
        "collected": sum(r.collected_minor for r in payment.receipts if not r.failed),
        "reported": payment.reported_minor,
        "next_look_at": int(payment.next_look_at.timestamp()) if payment.next_look_at else None,
        "needs_person": payment.parked_why,
    }
    return await add(db, scope, event_type, payment.id, data)


async def read(db: AsyncConnection, scope: Scope, event_id: str) -> Any | None:
    """The whole row, or None."""
    c = outgoing_events.c
    found = await db.execute(
        select(outgoing_events).where(mine(outgoing_events, scope), c.event_id == event_id)
    )
    return found.one_or_none()


async def delivered(db: AsyncConnection, scope: Scope, event_id: str, status: int) -> None:
    """The app answered 2xx: done."""
    c = outgoing_events.c
    await db.execute(
        update(outgoing_events)
        .where(mine(outgoing_events, scope), c.event_id == event_id)
        .values(last_status=status, ended_at=NOW, lease_until=None, lease_token=None)
    )
