"""Brakes: is charging through this processor paused, and why? Put on, released, listed.

Read inside the transaction that commits an intent: from the commit of a brake on, no new intent is
committed. Payments that waited are rung when it is released: due now, the sweep brings them page
by page.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope, new_id
from twintill.store.clock import NOW
from twintill.store.scoped import key, mine, of, whose
from twintill.store.tables import attempts, brakes, payments

_B = brakes.c


@dataclass(frozen=True, slots=True)
class Brake:
    """One pause of one processor, from the trip to the release."""

    id: str
    processor: str
    why: str
    tripped_by: str
    tripped_at: datetime
    released_at: datetime | None
    released_by: str | None
    released_why: str | None
    told: bool  # whether the trip was told of; a release is told of once

    @property
    def on(self) -> bool:
        return self.released_at is None


async def why_on(db: AsyncConnection, scope: Scope, processor: str) -> str | None:
    """Why charging through this processor is paused; None when it is not."""
    found = await db.execute(_WHY, {**of(scope), "processor": processor})
    why: str | None = found.scalar_one_or_none()
    return why


async def refuses_us(db: AsyncConnection, scope: Scope, processor: str) -> str | None:
    """Why it is paused, if it is because nothing that we ask for would be taken there."""
    found = await db.execute(_REFUSES_US, {**of(scope), "processor": processor})
    why: str | None = found.scalar_one_or_none()
    return why


async def trip(db: AsyncConnection, scope: Scope, processor: str, why: str, by: str) -> bool:
    """Pause charging; False when it is paused already: the first reason stands.

    `by`: the tripwire's name, or "person:..." or "api:...".
    """
    row = {
        **key(scope),
        "brake_id": new_id("brk"),
        "processor": processor,
        "why": why,
        "tripped_by": by,
        "tripped_at": NOW,
    }
    tripped = insert(brakes).values(row).on_conflict_do_nothing().returning(_B.brake_id)
    return (await db.execute(tripped)).one_or_none() is not None


async def release(db: AsyncConnection, scope: Scope, processor: str, by: str, why: str) -> int:
    """Charge again; how many payments waited for it (none also when it was not paused)."""
    released = await db.execute(
        update(brakes)
        .where(mine(brakes, scope), _B.processor == processor, _B.released_at.is_(None))
        .values(released_at=NOW, released_by=by, released_why=why)
    )
    return await _ring_waiting(db, scope, processor) if released.rowcount else 0


async def all_on(db: AsyncConnection, scope: Scope) -> list[Brake]:
    """Those that are on, by processor."""
    return await _list(db, _ALL.where(mine(brakes, scope), _B.released_at.is_(None)))


async def history(
    db: AsyncConnection, scope: Scope, limit: int = 100, *, processor: str | None = None
) -> list[Brake]:
    """Those that are on, then the latest; of this processor or of all."""
    newest = _ALL.where(mine(brakes, scope)).order_by(None)
    if processor is not None:
        newest = newest.where(_B.processor == processor)
    order = (_B.released_at.is_not(None), _B.tripped_at.desc(), _B.brake_id)
    return await _list(db, newest.order_by(*order).limit(limit))


async def take_untold(db: AsyncConnection, scope: Scope) -> list[Brake]:
    """Trips and releases that nobody was told of yet; told when the transaction commits."""
    trips = _B.told_at.is_(None)
    releases = and_(_B.released_at.is_not(None), _B.release_told_at.is_(None))
    untold = _ALL.where(mine(brakes, scope), or_(trips, releases)).order_by(None)
    found = await _list(db, untold.order_by(_B.tripped_at).limit(100).with_for_update())
    await db.execute(
        update(brakes)
        .where(mine(brakes, scope), _B.brake_id.in_([brake.id for brake in found]))
        .values(
            told_at=func.coalesce(_B.told_at, NOW),
            release_told_at=func.coalesce(_B.release_told_at, _B.released_at),
        )
    )
    return found


async def _ring_waiting(db: AsyncConnection, scope: Scope, processor: str) -> int:
    """Charges that wait, and charges in doubt that could be sent again: due now.

    Rows that somebody holds at this moment are left out rather than waited for: a trip may wait
    for this very transaction with a payment locked.
    """
    p, a = payments.c, attempts.c
    in_doubt = exists().where(
        mine(attempts, scope),
        a.payment_id == p.payment_id,
        a.processor == processor,
        a.outcome.in_(("started", "no_answer")),
    )
    page = (
        select(p.payment_id)
        .where(
            mine(payments, scope),
            p.ended_at.is_(None),
            p.parked_at.is_(None),
            or_(p.reason == "braked", in_doubt),
        )
        .with_for_update(skip_locked=True)
        .cte("page")
    )
    rung = await db.execute(
        update(payments)
        .where(mine(payments, scope), p.payment_id == page.c.payment_id)
        .values(next_look_at=func.least(p.next_look_at, NOW))
    )
    return int(rung.rowcount)


async def _list(db: AsyncConnection, query: Any) -> list[Brake]:
    return [
        Brake(
            id=row.brake_id,
            processor=row.processor,
            why=row.why,
            tripped_by=row.tripped_by,
            tripped_at=row.tripped_at,
            released_at=row.released_at,
            released_by=row.released_by,
            released_why=row.released_why,
            told=row.told_at is not None,
        )
        for row in await db.execute(query)
    ]


_WHY = select(_B.why).where(
    whose(brakes), _B.processor == bindparam("processor"), _B.released_at.is_(None)
)
_REFUSES_US = _WHY.where(_B.tripped_by.in_(("tripwire:credentials", "tripwire:config")))
_ALL = select(brakes).order_by(_B.processor)
