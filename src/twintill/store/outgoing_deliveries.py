"""One event to one endpoint: claimed, answered or not, tried again, given up.

An endpoint has few deliveries under way at a time, and a failing one has one: whatever it does, it
takes no more than that from the others. The end of one rings for the next.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store import clock, endpoints, outgoing, work
from twintill.store.clock import NOW, WALL
from twintill.store.doorbell import Bell, Kind, enqueue
from twintill.store.endpoints import Endpoint
from twintill.store.listing import Page, read_page
from twintill.store.scoped import mine
from twintill.store.tables import outgoing_deliveries
from twintill.store.work import DELIVERIES, Lease

AT_A_TIME = 4
_C = outgoing_deliveries.c


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery under our lease; None for an endpoint that was removed meanwhile."""

    lease: Lease
    event: Any
    endpoint: Endpoint | None
    now: datetime
    wall: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one sending: a status, or why there is none, and the answer's first bytes."""

    status: int | None
    error: str | None
    answer: str | None = None

    @property
    def delivered(self) -> bool:
        return self.error is None


async def claim(db: AsyncConnection, scope: Scope, delivery_id: str) -> Claimed | None:
    """None: a stale bell, or the endpoint has as many under way as it may."""
    its = await _read(db, scope, delivery_id)
    if its is None:
        return None
    endpoint = await endpoints.lock(db, scope, its.endpoint_id)
    if endpoint is not None and await _under_way(db, scope, endpoint.id) >= _limit(endpoint):
        return None
    lease = await work.claim(db, DELIVERIES, scope, delivery_id)
    if lease is None:
        return None
    event = await outgoing.read(db, scope, its.event_id)
    return Claimed(lease, event, endpoint, await clock.now(db), await clock.wall(db))


async def heard(db: AsyncConnection, lease: Lease, heard: Heard, again_at: datetime | None) -> bool:
    """What came of it; `again_at`: of a failure, when it is tried again (None: it is given up).

    False: the lease was lost meanwhile, and somebody else's answer counts.
    """
    changes: dict[str, Any] = {
        "last_status": heard.status,
        "last_error": heard.error,
        "answer": heard.answer,
        "sent_at": NOW,
        "sendings": _C.sendings + 1,
        "lease_until": None,
        "lease_token": None,
    }
    if heard.delivered:
        changes |= {"state": "delivered", "ended_at": NOW}
    elif again_at is None:
        changes |= {"state": "failed", "ended_at": NOW}
    else:
        changes |= {"next_look_at": again_at}
    written = await db.execute(
        update(outgoing_deliveries)
        .where(DELIVERIES.whose(lease.scope, lease.row_id), _C.lease_token == lease.token)
        .values(**changes)
    )
    return written.rowcount == 1


async def drop(db: AsyncConnection, lease: Lease, why: str) -> None:
    """Not sent at all, and it will not be: `recover` or `resend` puts it back to work."""
    gone = {"state": "failed", "last_error": why, "ended_at": NOW}
    await db.execute(
        update(outgoing_deliveries)
        .where(DELIVERIES.whose(lease.scope, lease.row_id), _C.lease_token == lease.token)
        .values(**gone, lease_until=None, lease_token=None)
    )


async def drop_all(db: AsyncConnection, scope: Scope, endpoint_id: str, why: str) -> int:
    """Those that wait for an endpoint that is off now; one under way ends by itself."""
    gone = {"state": "failed", "last_error": why, "ended_at": NOW}
    dropped = await db.execute(
        update(outgoing_deliveries).where(_waits(scope, endpoint_id)).values(**gone)
    )
    return dropped.rowcount


async def ring_next(db: AsyncConnection, scope: Scope, endpoint_id: str) -> None:
    """One that had to wait for its turn."""
    found = await db.execute(
        select(_C.delivery_id)
        .where(_waits(scope, endpoint_id), _C.next_look_at <= NOW)
        .order_by(_C.next_look_at)
        .limit(1)
    )
    await enqueue(db, *(Bell(Kind.DELIVERY, scope, one) for one in found.scalars()))


async def read(db: AsyncConnection, scope: Scope, delivery_id: str) -> Any:
    """The whole row. Raises NotFoundError."""
    row = await _read(db, scope, delivery_id)
    if row is None:
        raise NotFoundError(f"No such delivery: {delivery_id}", param="delivery")
    return row


async def of_event(db: AsyncConnection, scope: Scope, event_id: str) -> list[Any]:
    query = select(outgoing_deliveries).where(
        mine(outgoing_deliveries, scope), _C.event_id == event_id
    )
    return list(await db.execute(query.order_by(_C.created_at, _C.delivery_id)))


async def page(
    db: AsyncConnection, scope: Scope, endpoint_id: str, page: Page, state: str | None
) -> tuple[list[Any], bool]:
    """(rows, newest first; whether there are more)."""
    where = [_C.endpoint_id == endpoint_id]
    if state is not None:
        where.append(_C.state == state)
    return await read_page(db, scope, outgoing_deliveries, "delivery_id", page, *where)


async def _read(db: AsyncConnection, scope: Scope, delivery_id: str) -> Any | None:
    found = await db.execute(
        select(outgoing_deliveries).where(DELIVERIES.whose(scope, delivery_id))
    )
    return found.one_or_none()


async def _under_way(db: AsyncConnection, scope: Scope, endpoint_id: str) -> int:
    found = await db.execute(
        select(func.count()).where(
            mine(outgoing_deliveries, scope),
            _C.endpoint_id == endpoint_id,
            _C.ended_at.is_(None),
            _C.lease_until >= WALL,
        )
    )
    count: int = found.scalar_one()
    return count


def _limit(endpoint: Endpoint) -> int:
    return 1 if endpoint.standing.failures else AT_A_TIME


def _waits(scope: Scope, endpoint_id: str) -> Any:
    return and_(
        mine(outgoing_deliveries, scope),
        _C.endpoint_id == endpoint_id,
        _C.ended_at.is_(None),
        _C.parked_at.is_(None),
        or_(_C.lease_until.is_(None), _C.lease_until < WALL),
    )
