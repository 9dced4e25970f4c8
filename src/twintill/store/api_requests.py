"""Requests under an Idempotency-Key: who works on one, and what the first answer was.

Locks and retention follow the wall clock: they measure requests, not business time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope
from twintill.store.clock import WALL
from twintill.store.scoped import key as scoped_key
from twintill.store.scoped import mine
from twintill.store.tables import api_requests

# Longer than any request takes: after a crash the same key may be used again.
LOCK = timedelta(seconds=90)
RETENTION = timedelta(hours=48)
PURGE_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Claimed:
    """Ours to work on; `locked_until` proves it."""

    scope: Scope
    api_key_id: str
    key: str
    locked_until: datetime
    first_asked_at: datetime


@dataclass(frozen=True, slots=True)
class Replay:
    """Answered before."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class InFlight:
    """Somebody works on it right now."""


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """The key belongs to a request with another path or body."""


async def claim(
    db: AsyncConnection, scope: Scope, api_key_id: str, key: str, fingerprint: bytes
) -> Claimed | Replay | InFlight | OtherRequest:
    """Only one caller gets `Claimed`, however many ask at once."""
    c = api_requests.c
    row = {
        **scoped_key(scope),
        "api_key_id": api_key_id,
        "idempotency_key": key,
        "fingerprint": fingerprint,
        "locked_until": WALL + LOCK,
        "created_at": WALL,
    }
    new = insert(api_requests).values(row)
    free = and_(
        c.status.is_(None), c.locked_until <= WALL, c.fingerprint == new.excluded.fingerprint
    )
    taken = await db.execute(
        new.on_conflict_do_update(
            index_elements=[c.stripe_account_id, c.livemode, c.api_key_id, c.idempotency_key],
            set_={"locked_until": new.excluded.locked_until},
            where=free,
        ).returning(c.locked_until, c.created_at)
    )
    mine_now = taken.one_or_none()
    if mine_now is not None:
        return Claimed(scope, api_key_id, key, mine_now.locked_until, mine_now.created_at)
    found = await db.execute(select(api_requests).where(_whose(scope, api_key_id, key)))
    there = found.one_or_none()
    if there is None:
        return InFlight()  # forgotten between the two statements: the next try claims it
    if there.fingerprint != fingerprint:
        return OtherRequest()
    return InFlight() if there.status is None else Replay(there.status, there.answer)


async def finish(db: AsyncConnection, claimed: Claimed, status: int, answer: bytes) -> None:
    """The answer that every repetition gets from now on."""
    changes = {"status": status, "answer": answer}
    await db.execute(update(api_requests).where(_still_ours(claimed)).values(changes))


async def release(db: AsyncConnection, claimed: Claimed) -> None:
    """Not answered for good: the same request may be tried again at once."""
    await db.execute(update(api_requests).where(_still_ours(claimed)).values(locked_until=WALL))


async def forget(db: AsyncConnection, claimed: Claimed) -> None:
    """Never worked on: the key is free for any request."""
    await db.execute(delete(api_requests).where(_still_ours(claimed)))


async def purge(db: AsyncConnection) -> int:
    """Drop a page of those past their retention; how many."""
    c = api_requests.c
    identity = (c.stripe_account_id, c.livemode, c.api_key_id, c.idempotency_key)
    old = (
        select(*identity)
        .where(c.created_at < WALL - RETENTION, c.locked_until < WALL)
        .limit(PURGE_PAGE)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    same = and_(*(column == old.c[column.name] for column in identity))
    return (await db.execute(delete(api_requests).where(same))).rowcount


def _whose(scope: Scope, api_key_id: str, key: str) -> Any:
    c = api_requests.c
    return and_(mine(api_requests, scope), c.api_key_id == api_key_id, c.idempotency_key == key)


def _still_ours(claimed: Claimed) -> Any:
    c = api_requests.c
    whose = _whose(claimed.scope, claimed.api_key_id, claimed.key)
    return and_(whose, c.status.is_(None), c.locked_until == claimed.locked_until)
