"""The inbox from the worker's side: read a row with its delivery, and say what became of it."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.doorbell import Bell, Kind, enqueue
from twintill.store.scoped import mine
from twintill.store.tables import deliveries, inbox
from twintill.store.work import INBOX, Lease


@dataclass(frozen=True, slots=True)
class Received:
    """One event: which of its delivery's events it is, and the delivery's raw body."""

    inbox_id: int
    source: str  # "stripe", or "<processor>:<processor account>"
    type: str
    position: int
    body: bytes = field(repr=False)


async def read(db: AsyncConnection, scope: Scope, inbox_id: int) -> Received:
    """Raises NotFoundError."""
    joined = inbox.join(
        deliveries,
        (deliveries.c.stripe_account_id == inbox.c.stripe_account_id)
        & (deliveries.c.livemode == inbox.c.livemode)
        & (deliveries.c.delivery_id == inbox.c.delivery_id),
    )
    found = await db.execute(
        select(inbox.c.source, inbox.c.type, inbox.c.position, deliveries.c.body)
        .select_from(joined)
        .where(mine(inbox, scope), inbox.c.inbox_id == inbox_id)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFoundError(f"No such event in the inbox: {inbox_id}")
    return Received(inbox_id, row.source, row.type, row.position, row.body)


async def finish(db: AsyncConnection, lease: Lease, state: str, note: str | None) -> None:
    """Done with it, or nothing to be done; a parked one waits for a person and can be replayed."""
    ends: dict[str, Any] = {"parked_at": NOW} if state == "parked" else {"ended_at": NOW}
    await db.execute(
        update(inbox)
        .where(INBOX.whose(lease.scope, lease.row_id), inbox.c.lease_token == lease.token)
        .values(state=state, note=note, parked_why=note, lease_until=None, lease_token=None, **ends)
    )


async def list_parked(db: AsyncConnection, scope: Scope, limit: int) -> list[Any]:
    """Rows for a person, newest first."""
    c = inbox.c
    query = select(inbox).where(mine(inbox, scope), c.parked_at.is_not(None), c.ended_at.is_(None))
    return list(await db.execute(query.order_by(c.inbox_id.desc()).limit(limit)))


async def replay(db: AsyncConnection, scope: Scope, inbox_id: int) -> None:
    """A parked event back to work, with all its tries. Raises NotFoundError."""
    fresh = {"state": "new", "parked_at": None, "parked_why": None, "looks": 0}
    back = await db.execute(
        update(inbox)
        .where(INBOX.whose(scope, inbox_id), inbox.c.parked_at.is_not(None))
        .values(next_look_at=NOW, **fresh)
        .returning(inbox.c.inbox_id)
    )
    if back.one_or_none() is None:
        raise NotFoundError(f"No parked event in the inbox: {inbox_id}")
    await enqueue(db, Bell(Kind.INBOX, scope, str(inbox_id)))
