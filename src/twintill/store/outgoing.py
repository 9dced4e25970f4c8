"""Events to the user's app: a row in the commit of what they tell, and one delivery row for each
endpoint that asks for them; what an endpoint missed is put back to work here too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, exists, func, insert, literal, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.event_types import TEST
from twintill.domain.hand import HandPayment
from twintill.domain.payment import Payment
from twintill.errors import NotFoundError
from twintill.ids import Scope, new_id
from twintill.store import endpoints
from twintill.store.clock import NOW, WALL
from twintill.store.doorbell import Bell, Kind, enqueue
from twintill.store.listing import Created, Page, read_page
from twintill.store.scoped import key, mine
from twintill.store.tables import outgoing_deliveries, outgoing_events, webhook_endpoints

_E, _D, _W = outgoing_events.c, outgoing_deliveries.c, webhook_endpoints.c
_SCOPE = ("stripe_account_id", "livemode")


@dataclass(frozen=True, slots=True)
class EventFilter:
    """None: any."""

    type: str | None = None
    object_id: str | None = None
    created: Created = field(default_factory=Created)


async def add(
    db: AsyncConnection, scope: Scope, event_type: str, object_id: str, data: dict[str, Any]
) -> str:
    """One event, to be delivered at least once to each endpoint that asks for its type.

    Its id lets the app drop duplicates.
    """
    event_id = await _add(db, scope, event_type, object_id, data)
    await _deliver(db, scope, event_id, endpoints.is_asked_for(_E.type))
    return event_id


async def add_test(db: AsyncConnection, scope: Scope, endpoint_id: str) -> str:
    """To this endpoint alone; the delivery's id."""
    data = {"id": endpoint_id, "object": "webhook_endpoint"}
    event_id = await _add(db, scope, TEST, endpoint_id, data)
    (delivery_id,) = await _deliver(db, scope, event_id, _W.endpoint_id == endpoint_id)
    return delivery_id


async def add_payment_event(
    db: AsyncConnection,
    scope: Scope,
    event_type: str,
    payment: Payment,
    more: Mapping[str, Any] | None = None,
) -> str:
    """What became of a payment, in the words of the API; `more`: what this event says besides."""
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
        **(more or {}),
    }
    return await add(db, scope, event_type, payment.id, data)


async def add_hand_event(
    db: AsyncConnection, scope: Scope, event_type: str, payment: Payment, hand: HandPayment
) -> str:
    """What became of money by hand, in the words of the API."""
    data = {
        "id": hand.id,
        "object": "hand_payment",
        "payment": payment.id,
        "invoice": payment.invoice_id,
        "customer": payment.customer_id,
        "kind": hand.kind.value,
        "amount": hand.amount_minor,
        "currency": hand.currency.lower(),
        "received_on": hand.received_on.isoformat(),
        "reference": hand.reference,
        "recorded_by": hand.recorded_by,
        "state": hand.state.value,
        "credit": hand.free_minor,
        "source": hand.source_id,
        "why": hand.taken_back_why,
    }
    return await add(db, scope, event_type, hand.id, data)


async def spread(db: AsyncConnection, scope: Scope, event_id: str) -> None:
    """A delivery for each endpoint that asks for it, and the event itself is done.

    Of an event of a former version, a worker does it: it was made before there were endpoints.
    """
    await _deliver(db, scope, event_id, endpoints.is_asked_for(_E.type))
    await db.execute(
        update(outgoing_events)
        .where(mine(outgoing_events, scope), _E.event_id == event_id)
        .values(ended_at=NOW, lease_until=None, lease_token=None)
    )


async def read(db: AsyncConnection, scope: Scope, event_id: str) -> Any:
    """The whole row. Raises NotFoundError."""
    found = await db.execute(
        select(outgoing_events).where(mine(outgoing_events, scope), _E.event_id == event_id)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFoundError(f"No such event: {event_id}", param="event")
    return row


async def is_told(db: AsyncConnection, scope: Scope, event_type: str, object_id: str) -> bool:
    """Whether there is such an event already: for what happens once to an object."""
    of_it = mine(outgoing_events, scope), _E.object_id == object_id, _E.type == event_type
    return bool((await db.execute(select(exists().where(*of_it)))).scalar_one())


async def page(
    db: AsyncConnection, scope: Scope, page: Page, only: EventFilter
) -> tuple[list[Any], bool]:
    """(rows, newest first; whether there are more)."""
    where = only.created.where(_E.created_at)
    if only.type is not None:
        where.append(_E.type == only.type)
    if only.object_id is not None:
        where.append(_E.object_id == only.object_id)
    return await read_page(db, scope, outgoing_events, "event_id", page, *where)


async def resend(
    db: AsyncConnection, scope: Scope, event_id: str, endpoint_id: str | None = None
) -> int:
    """Send it (again): to one endpoint, or to all that ask for its type; how many."""
    event = await read(db, scope, event_id)
    to = endpoints.is_asked_for(event.type)
    if endpoint_id is not None:
        to = _W.endpoint_id == endpoint_id
    return len(await _deliver(db, scope, event_id, to, again=True))


async def recover(
    db: AsyncConnection, scope: Scope, endpoint_id: str, since: datetime, limit: int
) -> int:
    """A page of what this endpoint asks for and has not got since then; how many events.

    Fewer than `limit`: that was the last page. What is due at this moment is left alone.
    """
    to = _W.endpoint_id == endpoint_id
    its = (_D.event_id == _E.event_id) & (_D.endpoint_id == endpoint_id)
    waits = (_D.state == "pending") & (_D.next_look_at > NOW)
    missed = await db.execute(
        select(_E.event_id)
        .select_from(
            outgoing_events.join(webhook_endpoints, _same_scope(_W)).outerjoin(
                outgoing_deliveries, _same_scope(_D) & its
            )
        )
        .where(
            mine(outgoing_events, scope),
            to,
            _E.created_at >= since,
            _E.type != TEST,
            endpoints.is_asked_for(_E.type),
            or_(_D.state.is_(None), _D.state == "failed", waits),
        )
        .order_by(_E.created_at, _E.event_id)
        .limit(limit)
    )
    event_ids = list(missed.scalars())
    if event_ids:
        await _deliver(db, scope, event_ids, to, again=True)
    return len(event_ids)


async def _add(
    db: AsyncConnection, scope: Scope, event_type: str, object_id: str, data: dict[str, Any]
) -> str:
    event_id = new_id("evt")
    await db.execute(
        insert(outgoing_events).values(
            **key(scope),
            event_id=event_id,
            type=event_type,
            object_id=object_id,
            payload=data,
            created_at=NOW,
            ended_at=NOW,  # its deliveries carry the work, from the same commit on
        )
    )
    return event_id


async def _deliver(
    db: AsyncConnection, scope: Scope, event_ids: str | list[str], to: Any, *, again: bool = False
) -> list[str]:
    """Rows and bells; `again`: those that ended are put back to work, with all their tries."""
    which = [event_ids] if isinstance(event_ids, str) else event_ids
    new = (
        select(
            _E.stripe_account_id,
            _E.livemode,
            literal("dlv_") + func.replace(cast(func.gen_random_uuid(), Text), "-", ""),
            _E.event_id,
            _W.endpoint_id,
            literal("pending"),
            NOW,
            NOW,
        )
        .select_from(outgoing_events.join(webhook_endpoints, _same_scope(_W)))
        .where(mine(outgoing_events, scope), _E.event_id.in_(which), _W.removed_at.is_(None), to)
    )
    columns = (*_SCOPE, "delivery_id", "event_id", "endpoint_id", "state", "created_at")
    put = insert_or(outgoing_deliveries).from_select([*columns, "next_look_at"], new)
    if again:
        put = put.on_conflict_do_update(
            constraint="uq_outgoing_deliveries_event",
            set_={"state": "pending", "looks": 0, "next_look_at": NOW, "ended_at": null()},
            # What is on its way at this moment is not sent twice.
            where=or_(_D.lease_until.is_(None), _D.lease_until < WALL),
        )
    else:
        put = put.on_conflict_do_nothing()
    delivery_ids = list((await db.execute(put.returning(_D.delivery_id))).scalars())
    await enqueue(db, *(Bell(Kind.DELIVERY, scope, one) for one in delivery_ids))
    return delivery_ids


def _same_scope(c: Any) -> Any:
    return (c.stripe_account_id == _E.stripe_account_id) & (c.livemode == _E.livemode)
