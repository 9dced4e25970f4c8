"""Rows that carry work: claim one for a network call, release it, find those left lying.

Facts need only the row lock; network calls need the lease. The lease is what makes "one call per
invoice at a time" true across all workers: HTTP deadlines (40 s) end before it does (60 s).
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, Table, and_, func, not_, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope
from twintill.store import tables
from twintill.store.clock import NOW, WALL
from twintill.store.doorbell import Bell, Kind, enqueue
from twintill.store.scoped import mine

LEASE = timedelta(seconds=60)
LEFT_LYING = timedelta(seconds=2)
RING_AGAIN = timedelta(seconds=30)
NO_LANE = "none"  # the payment's method is not known yet, or its processor is not any more


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to call the outside for one row; `token` proves it is still ours."""

    scope: Scope
    row_id: Any
    token: uuid.UUID
    looks: int


@dataclass(frozen=True, slots=True)
class Workable:
    """One of the six tables, and its id column."""

    kind: Kind
    table: Table
    key: str

    def whose(self, scope: Scope, row_id: Any) -> Any:
        return and_(mine(self.table, scope), self.table.c[self.key] == row_id)

    def bell(self, row: Any, lanes: frozenset[str] | None = None) -> Bell:
        """`lanes`: those that somebody listens to; a payment of another one goes to NO_LANE."""
        scope = Scope(row.stripe_account_id, row.livemode)
        lane = row.lane if self.kind is Kind.PAYMENT else ""
        if lane and lanes is not None and lane not in lanes:
            lane = NO_LANE
        return Bell(self.kind, scope, str(getattr(row, self.key)), lane)


PAYMENTS = Workable(Kind.PAYMENT, tables.payments, "payment_id")
INBOX = Workable(Kind.INBOX, tables.inbox, "inbox_id")
OPERATIONS = Workable(Kind.OPERATION, tables.operations, "operation_id")
OUTGOING = Workable(Kind.OUTGOING, tables.outgoing_events, "event_id")
DELIVERIES = Workable(Kind.DELIVERY, tables.outgoing_deliveries, "delivery_id")
DUTIES = Workable(Kind.DUTY, tables.duties, "name")
ALL = (PAYMENTS, INBOX, OPERATIONS, OUTGOING, DELIVERIES, DUTIES)


async def claim(db: AsyncConnection, work: Workable, scope: Scope, row_id: Any) -> Lease | None:
    """Take the lease if the row is due, free and not parked; None: a stale bell, done."""
    c = work.table.c
    token = uuid.uuid4()
    changes: dict[str, Any] = {
        "lease_until": WALL + LEASE,
        "lease_token": token,
        "looks": c.looks + 1,
    }
    if work is not INBOX:  # there it stays: what was rung for may have ended a worker's life
        # That bell is answered: the sweep must not keep the next one back.
        changes["rung_at"] = None
    if work is PAYMENTS:
        # "A report may have been begun" is committed before Stripe can be called.
        waits = c.reason.is_not_distinct_from("not_final")  # by setting, until it is final
        begun = and_(c.state == "collected", not_(waits)).cast(Integer)
        changes["reports"] = c.reports + begun
    taken = await db.execute(
        update(work.table)
        .where(
            work.whose(scope, row_id),
            c.next_look_at <= NOW,
            or_(c.lease_until.is_(None), c.lease_until < WALL),
            c.parked_at.is_(None),
            c.ended_at.is_(None),
        )
        .values(changes)
        .returning(c.looks)
    )
    looks = taken.scalar_one_or_none()
    return None if looks is None else Lease(scope, row_id, token, looks)


async def hold(db: AsyncConnection, work: Workable, scope: Scope, row_id: Any) -> Lease | None:
    """Take the lease for a person, also of a row that is parked or not due; None: it is held."""
    c = work.table.c
    token = uuid.uuid4()
    taken = await db.execute(
        update(work.table)
        .where(work.whose(scope, row_id), or_(c.lease_until.is_(None), c.lease_until < WALL))
        .values(lease_until=WALL + LEASE, lease_token=token)
        .returning(c.looks)
    )
    looks = taken.scalar_one_or_none()
    return None if looks is None else Lease(scope, row_id, token, looks)


async def release(db: AsyncConnection, work: Workable, lease: Lease) -> None:
    """Give the lease back, and ring again if the row is due by now: no wake-up is swallowed."""
    c = work.table.c
    columns = [c.stripe_account_id, c.livemode, c[work.key]]
    if work is PAYMENTS:
        columns.append(c.lane)
    due = and_(c.next_look_at <= NOW, c.parked_at.is_(None), c.ended_at.is_(None))
    freed = await db.execute(
        update(work.table)
        .where(work.whose(lease.scope, lease.row_id), c.lease_token == lease.token)
        .values(lease_until=None, lease_token=None)
        .returning(*columns, due.label("due"))
    )
    row = freed.one_or_none()
    if row is not None and row.due:
        await enqueue(db, work.bell(row))


async def keep(db: AsyncConnection, work: Workable, lease: Lease) -> bool:
    """Whether the lease is still ours; then it lasts for the next call, and the row is locked."""
    c = work.table.c
    kept = await db.execute(
        update(work.table)
        .where(work.whose(lease.scope, lease.row_id), c.lease_token == lease.token)
        .values(lease_until=WALL + LEASE)
    )
    return kept.rowcount == 1


async def ring_due(
    db: AsyncConnection,
    work: Workable,
    limit: int = 200,
    *,
    lanes: frozenset[str] | None = None,
) -> int:
    """The sweep: ring for rows that are due, unleased and were not rung lately; how many.

    `lanes`: the payment lanes that are answered here. A processor that left the settings must not
    take its payments along: they are looked at in NO_LANE, and end with a person.
    """
    c = work.table.c
    page = (
        select(c.stripe_account_id, c.livemode, c[work.key])
        .where(
            c.next_look_at <= NOW - LEFT_LYING,
            c.parked_at.is_(None),
            c.ended_at.is_(None),
            or_(c.lease_until.is_(None), c.lease_until < WALL),
            or_(c.rung_at.is_(None), c.rung_at < WALL - RING_AGAIN),
        )
        .order_by(c.next_look_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("page")
    )
    rung = await db.execute(
        update(work.table)
        .where(
            c.stripe_account_id == page.c.stripe_account_id,
            c.livemode == page.c.livemode,
            c[work.key] == page.c[work.key],
        )
        .values(rung_at=WALL)
        .returning(work.table)
    )
    bells = [work.bell(row, lanes) for row in rung]
    await enqueue(db, *bells)
    return len(bells)


async def back_off(
    db: AsyncConnection,
    work: Workable,
    lease: Lease,
    error: str,
    *,
    tries_max: int,
    pause: timedelta,
) -> bool:
    """After a failure that is not an outcome: look again later; True when it was parked instead."""
    park = lease.looks >= tries_max
    changes: dict[str, Any] = {"lease_until": None, "lease_token": None, "parked_why": error}
    changes |= {"parked_at": NOW} if park else {"next_look_at": NOW + pause}
    if work is INBOX and park:
        changes["state"] = "parked"
    c = work.table.c
    await db.execute(
        update(work.table)
        .where(work.whose(lease.scope, lease.row_id), c.lease_token == lease.token)
        .values(changes)
    )
    return park


async def oldest_overdue(db: AsyncConnection, work: Workable) -> datetime | None:
    """The figure that says whether the workers keep up."""
    c = work.table.c
    found = await db.execute(
        select(func.min(c.next_look_at)).where(
            c.next_look_at <= NOW, c.parked_at.is_(None), c.ended_at.is_(None)
        )
    )
    oldest: datetime | None = found.scalar_one()
    return oldest


async def wake(db: AsyncConnection) -> None:
    """One coalesced NOTIFY for the dispatchers, outside any other transaction."""
    payload = (
        "json_build_object('channel', 'ch_pgqueuer', 'operation', 'insert', 'sent_at', now(), "
        "'table', 'pgqueuer', 'type', 'table_changed_event')::text"
    )
    await db.execute(text(f"SELECT pg_notify('ch_pgqueuer', {payload})"))
