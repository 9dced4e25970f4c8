"""Duties at rest: when each is due, what it found last time, where it goes on.

Claiming one moves `next_look_at` to when it is tried again should the worker die of it; somebody
who rings meanwhile moves it back to now, and the end of the run leaves that standing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Float, case, cast, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store import work
from twintill.store.clock import NOW
from twintill.store.doorbell import Bell, Kind, enqueue
from twintill.store.scoped import key, mine
from twintill.store.tables import duties
from twintill.store.work import DUTIES, Lease

_C = duties.c


@dataclass(frozen=True, slots=True)
class Claimed:
    """A duty under our lease."""

    lease: Lease  # its `looks`: tries since the last success, this one included
    cursor: Mapping[str, Any]
    now: datetime  # business time at the claim
    next_look_at: datetime  # what the claim wrote: another value means that somebody rang


@dataclass(frozen=True, slots=True)
class Standing:
    """How a duty stands, for people and figures."""

    name: str
    result: Mapping[str, Any] | None
    ran_at: datetime | None  # the last success
    age_s: float  # since the last success, or since it exists
    failures: int  # in a row
    last_error: str | None
    next_look_at: datetime


async def begin(db: AsyncConnection, scope: Scope, names: Collection[str]) -> None:
    """Rows for those that have none yet, due now."""
    rows = [
        {**key(scope), "name": n, "cursor": {}, "created_at": NOW, "next_look_at": NOW}
        for n in sorted(names)
    ]
    new = await db.execute(insert(duties).values(rows).on_conflict_do_nothing().returning(_C.name))
    await enqueue(db, *(Bell(Kind.DUTY, scope, name) for name in new.scalars()))


async def claim(
    db: AsyncConnection, scope: Scope, name: str, pauses: Sequence[timedelta]
) -> Claimed | None:
    """Take the lease if it is due and free; None: a stale bell.

    `pauses`: after the first, second, ... failure in a row; the last one repeats.
    """
    lease = await work.claim(db, DUTIES, scope, name)
    if lease is None:
        return None
    pause = pauses[min(lease.looks, len(pauses)) - 1]
    found = await db.execute(
        update(duties)
        .where(DUTIES.whose(scope, name))
        .values(next_look_at=NOW + pause)
        .returning(_C.cursor, _C.next_look_at, NOW.label("now"))
    )
    row = found.one()
    return Claimed(lease, row.cursor, row.now, row.next_look_at)


async def succeeded(
    db: AsyncConnection,
    claimed: Claimed,
    again_in: timedelta,
    result: Mapping[str, Any],
    cursor: Mapping[str, Any],
) -> bool:
    """The end of a run, and when the next one is; False when the lease was lost meanwhile."""
    changes = {
        "next_look_at": _unless_rung(claimed, NOW + again_in),
        "result": dict(result),
        "cursor": dict(cursor),
        "ran_at": NOW,
        "looks": 0,
        "failures": 0,
        "last_error": None,
    }
    return await _end(db, claimed, changes)


async def failed(db: AsyncConnection, claimed: Claimed, error: str) -> bool:
    """It is tried again as the claim said; nothing of the run is kept but the error."""
    return await _end(db, claimed, {"failures": claimed.lease.looks, "last_error": error})


async def ring(db: AsyncConnection, scope: Scope, name: str) -> None:
    """Run it now, or once more when it is running. Raises NotFoundError."""
    rung = await db.execute(
        update(duties).where(DUTIES.whose(scope, name)).values(next_look_at=NOW).returning(_C.name)
    )
    if rung.one_or_none() is None:
        raise NotFoundError(f"No such duty: {name}")
    await enqueue(db, Bell(Kind.DUTY, scope, name))


async def standings(db: AsyncConnection, scope: Scope) -> list[Standing]:
    """All of them, by name."""
    age = func.extract("epoch", NOW - func.coalesce(_C.ran_at, _C.created_at))
    rows = await db.execute(
        select(duties, cast(age, Float).label("age_s")).where(mine(duties, scope)).order_by(_C.name)
    )
    return [
        Standing(
            row.name,
            row.result,
            row.ran_at,
            max(0.0, row.age_s),
            row.failures,
            row.last_error,
            row.next_look_at,
        )
        for row in rows
    ]


def _unless_rung(claimed: Claimed, at: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((_C.next_look_at == claimed.next_look_at, at), else_=_C.next_look_at)


async def _end(db: AsyncConnection, claimed: Claimed, changes: Mapping[str, Any]) -> bool:
    lease = claimed.lease
    written = await db.execute(
        update(duties)
        .where(DUTIES.whose(lease.scope, lease.row_id), _C.lease_token == lease.token)
        .values(**changes)
    )
    if written.rowcount != 1:
        return False
    await work.release(db, DUTIES, lease)
    return True
