"""The inbox from the worker's side: read a row with its delivery, and say what became of it."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.clock import NOW, WALL
from twintill.store.doorbell import Bell, Kind, enqueue
from twintill.store.scoped import mine, of, whose
from twintill.store.tables import deliveries, inbox
from twintill.store.work import INBOX


@dataclass(frozen=True, slots=True)
class Received:
    """One event: which of its delivery's events it is, and the delivery's raw body."""

    inbox_id: int
    source: str  # "stripe", or "<processor>:<processor account>"
    type: str
    position: int
    body: bytes = field(repr=False)
    left_lying: bool = False  # the sweep had to ring for it: it is late, or somebody died of it
    deaths: int = 0  # tries so far, if the last one ended with its worker


async def read(db: AsyncConnection, scope: Scope, inbox_id: int) -> Received:
    """Raises NotFoundError."""
    row = (await db.execute(_READ, {**of(scope), "id": inbox_id})).one_or_none()
    if row is None:
        raise NotFoundError(f"No such event in the inbox: {inbox_id}")
    return Received(inbox_id, row.source, row.type, row.position, row.body)


async def unknown(
    db: AsyncConnection, scope: Scope, source: str, dedupe_keys: Collection[str]
) -> set[str]:
    """Which of these events never came."""
    known = await db.execute(
        select(_C.dedupe_key).where(
            mine(inbox, scope), _C.source == source, _C.dedupe_key.in_(dedupe_keys)
        )
    )
    return set(dedupe_keys) - set(known.scalars())


async def hold(db: AsyncConnection, scope: Scope, inbox_id: int) -> Received | None:
    """The event if it is due, with its row locked until the transaction ends.

    None: a stale bell, or somebody else holds it. Taking an event in calls nobody, so it needs
    the lock only, no lease, and all of it is one commit.
    """
    row = (await db.execute(_HOLD, {**of(scope), "id": inbox_id})).one_or_none()
    if row is None:
        return None
    # A lease that ran out was never given back.
    deaths = row.looks if row.lease_token is not None else 0
    return Received(
        inbox_id, row.source, row.type, row.position, row.body, row.rung_at is not None, deaths
    )


async def finish(
    db: AsyncConnection, scope: Scope, inbox_id: int, state: str, note: str | None
) -> None:
    """Done with it, or nothing to be done; a parked one waits for a person and can be replayed."""
    said = {"state": state, "note": note, "parked_why": note}
    statement = _PARK if state == "parked" else _END
    await db.execute(statement, {**of(scope), "id": inbox_id, **said})


async def list_parked(
    db: AsyncConnection, scope: Scope, limit: int, before: int | None = None
) -> list[Any]:
    """Rows for a person, newest first, from behind the row `before` on."""
    c = inbox.c
    query = select(inbox).where(mine(inbox, scope), c.parked_at.is_not(None), c.ended_at.is_(None))
    if before is not None:
        query = query.where(c.inbox_id < before)
    return list(await db.execute(query.order_by(c.inbox_id.desc()).limit(limit)))


async def replay(db: AsyncConnection, scope: Scope, inbox_id: int) -> None:
    """A parked event back to work, with all its tries. Raises NotFoundError."""
    fresh = {"state": "new", "parked_at": None, "parked_why": None, "looks": 0}
    fresh |= {"rung_at": None, "lease_token": None, "lease_until": None}
    back = await db.execute(
        update(inbox)
        .where(INBOX.whose(scope, inbox_id), inbox.c.parked_at.is_not(None))
        .values(next_look_at=NOW, **fresh)
        .returning(inbox.c.inbox_id)
    )
    if back.one_or_none() is None:
        raise NotFoundError(f"No parked event in the inbox: {inbox_id}")
    await enqueue(db, Bell(Kind.INBOX, scope, str(inbox_id)))


_C = inbox.c
_THIS = (whose(inbox), _C.inbox_id == bindparam("id"))
_READ = (
    select(_C.source, _C.type, _C.position, deliveries.c.body)
    .select_from(
        inbox.join(
            deliveries,
            (deliveries.c.stripe_account_id == _C.stripe_account_id)
            & (deliveries.c.livemode == _C.livemode)
            & (deliveries.c.delivery_id == _C.delivery_id),
        )
    )
    .where(*_THIS)
)
_HOLD = (
    _READ.add_columns(_C.looks, _C.rung_at, _C.lease_token)
    .where(
        _C.next_look_at <= NOW,
        or_(_C.lease_until.is_(None), _C.lease_until < WALL),
        _C.parked_at.is_(None),
        _C.ended_at.is_(None),
    )
    .with_for_update(of=inbox, skip_locked=True)
)
_FINISH = update(inbox).where(*_THIS).values(looks=_C.looks + 1)
_END, _PARK = _FINISH.values(ended_at=NOW), _FINISH.values(parked_at=NOW)
