"""Operations: things that need several calls; each step's findings are committed before the next.

Claiming one moves `next_look_at` to where the lease ends, so a worker that died is followed by
another; a bell rung meanwhile moves it back to now, and `pause` leaves that standing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, case, func, select, type_coerce, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError, TwintillError
from twintill.ids import Scope
from twintill.store import work
from twintill.store.clock import NOW, WALL
from twintill.store.doorbell import Bell, Kind, enqueue
from twintill.store.listing import Page, read_page
from twintill.store.scoped import key, mine
from twintill.store.tables import checkouts, operations, payments
from twintill.store.work import LEASE, OPERATIONS, Lease

_C = operations.c
_WAIT_FOR_PAYMENTS = (
    "drop_tokens",
    "remove_method",
    "first_payment",
    "cancel_subscription",
    "switch",
)


class LeaseLost(TwintillError):
    """Another worker took the operation over: whatever this one was about to write is void."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it stands; `data` holds what was asked for and the ids found so far."""

    id: str
    kind: str
    customer_id: str | None
    step: str
    data: Mapping[str, Any]
    error: str | None
    created_at: datetime
    next_look_at: datetime | None
    parked_why: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """An operation under our lease."""

    lease: Lease
    operation: Operation
    now: datetime
    next_look_at: datetime  # what the claim wrote: another value means that somebody rang


async def add(
    db: AsyncConnection,
    scope: Scope,
    *,
    operation_id: str,
    kind: str,
    customer_id: str | None,
    step: str,
    data: Mapping[str, Any],
    ring: bool = True,
) -> bool:
    """A new operation, due now; False when there is one of this id already.

    `ring` False: the caller walks it himself at once; the sweep finds it if he dies.
    """
    row = {
        **key(scope),
        "operation_id": operation_id,
        "kind": kind,
        "customer_id": customer_id,
        "step": step,
        "data": dict(data),
        "created_at": NOW,
        "next_look_at": NOW,
    }
    added = await db.execute(
        insert(operations).values(row).on_conflict_do_nothing().returning(_C.operation_id)
    )
    if added.one_or_none() is None:
        return False
    if ring:
        await enqueue(db, Bell(Kind.OPERATION, scope, operation_id))
    return True


async def read(db: AsyncConnection, scope: Scope, operation_id: str) -> Operation:
    """Raises NotFoundError."""
    known = await find(db, scope, operation_id)
    if known is None:
        raise NotFoundError(f"No such operation: {operation_id}")
    return known


async def find(db: AsyncConnection, scope: Scope, operation_id: str) -> Operation | None:
    found = await db.execute(_all(scope).where(_C.operation_id == operation_id))
    row = found.one_or_none()
    return None if row is None else _operation(row)


async def running(db: AsyncConnection, scope: Scope, kind: str, subscription_id: str) -> str | None:
    """The id of one that has not ended; the caller holds the subscription's row."""
    found = await db.execute(
        select(_C.operation_id).where(
            mine(operations, scope),
            _C.kind == kind,
            _C.data["subscription_id"].astext == subscription_id,
            _C.ended_at.is_(None),
        )
    )
    operation_id: str | None = found.scalars().first()
    return operation_id


async def begun_within(
    db: AsyncConnection,
    scope: Scope,
    kind: str,
    subscription_id: str,
    span: timedelta,
    change: Mapping[str, Any] | None = None,
) -> int:
    """How many of a subscription were begun so lately; `change`: those whose data say so."""
    where = [
        mine(operations, scope),
        _C.kind == kind,
        _C.data["subscription_id"].astext == subscription_id,
        _C.created_at > NOW - span,
    ]
    where += [_C.data["change"][name].astext == value for name, value in (change or {}).items()]
    found = await db.execute(select(func.count()).select_from(operations).where(*where))
    return int(found.scalar_one())


async def page(
    db: AsyncConnection,
    scope: Scope,
    kind: str,
    page: Page,
    customer_id: str | None = None,
    *,
    unended: bool = False,
) -> tuple[list[Operation], bool]:
    """(operations, newest first; whether there are more)."""
    where = [_C.kind == kind]
    if customer_id is not None:
        where.append(_C.customer_id == customer_id)
    if unended:
        where.append(_C.ended_at.is_(None))
    rows, has_more = await read_page(db, scope, operations, "operation_id", page, *where)
    return [_operation(row) for row in rows], has_more


async def ring(db: AsyncConnection, scope: Scope, operation_id: str, *, bell: bool = True) -> None:
    """Look at it now; nothing happens to one that has ended or waits for a person.

    `bell` False: the caller looks himself; who holds it now looks again before he rests.
    """
    rung = await db.execute(
        update(operations)
        .where(
            mine(operations, scope),
            _C.operation_id == operation_id,
            _C.ended_at.is_(None),
            _C.parked_at.is_(None),
        )
        .values(next_look_at=NOW)
        .returning(_C.operation_id)
    )
    if rung.one_or_none() is not None and bell:
        await enqueue(db, Bell(Kind.OPERATION, scope, operation_id))


async def ring_for_payment(db: AsyncConnection, scope: Scope, payment_id: str) -> None:
    """The payment moved: the sign-up that waits for it looks, and what waits for its end."""
    signups = select(checkouts.c.operation_id).where(
        mine(checkouts, scope), checkouts.c.payment_id == payment_id
    )
    customer = select(payments.c.customer_id).where(
        mine(payments, scope), payments.c.payment_id == payment_id
    )
    waiting = select(_C.operation_id).where(
        mine(operations, scope),
        _C.customer_id == customer.scalar_subquery(),
        _C.kind.in_(_WAIT_FOR_PAYMENTS),
        _C.ended_at.is_(None),
    )
    found = await db.execute(signups.union(waiting))
    for operation_id in sorted(found.scalars()):
        await ring(db, scope, operation_id)


async def ring_of_customer(db: AsyncConnection, scope: Scope, customer_id: str, kind: str) -> None:
    """All of this kind that wait for something of this customer."""
    found = await db.execute(
        select(_C.operation_id)
        .where(
            mine(operations, scope),
            _C.customer_id == customer_id,
            _C.kind == kind,
            _C.ended_at.is_(None),
        )
        .order_by(_C.operation_id)
    )
    for operation_id in found.scalars():
        await ring(db, scope, operation_id)


async def ask_again(
    db: AsyncConnection,
    scope: Scope,
    operation_id: str,
    first: str,
    data: Mapping[str, Any] | None = None,
) -> None:
    """For what may be asked for more than once: one that has ended begins again, another is rung.

    `data`: what is otherwise this time. Whoever holds it now sees the bell before he ends it
    (`was_rung`).
    """
    otherwise = type_coerce(dict(data or {}), JSONB)
    await db.execute(
        update(operations)
        .where(
            mine(operations, scope),
            _C.operation_id == operation_id,
            _C.ended_at.is_not(None),
        )
        .values(
            step=first,
            ended_at=None,
            next_look_at=NOW,
            error=None,
            data=_C.data.op("||")(otherwise),
        )
    )
    await ring(db, scope, operation_id)


async def is_held(db: AsyncConnection, scope: Scope, operation_id: str) -> bool:
    """Whether somebody is working on it at this moment."""
    found = await db.execute(
        select(_C.lease_until > WALL).where(
            mine(operations, scope), _C.operation_id == operation_id
        )
    )
    return bool(found.scalar_one_or_none())


async def another_is_held(
    db: AsyncConnection, scope: Scope, customer_id: str, operation_id: str, kind: str
) -> bool:
    """Whether somebody is working on one of this kind of the customer's, other than this."""
    found = await db.execute(
        select(_C.operation_id)
        .where(
            mine(operations, scope),
            _C.customer_id == customer_id,
            _C.kind == kind,
            _C.operation_id != operation_id,
            _C.ended_at.is_(None),
            _C.lease_until > WALL,
        )
        .limit(1)
    )
    return found.scalar_one_or_none() is not None


async def claim(db: AsyncConnection, scope: Scope, operation_id: str) -> Claimed | None:
    """Take the lease if it is due and free; None: a stale bell."""
    lease = await work.claim(db, OPERATIONS, scope, operation_id)
    if lease is None:
        return None
    found = await db.execute(
        update(operations)
        .where(mine(operations, scope), _C.operation_id == operation_id)
        .values(next_look_at=NOW + LEASE)
        .returning(operations, NOW.label("now"))
    )
    row = found.one()
    return Claimed(lease, _operation(row), row.now, row.next_look_at)


async def move(db: AsyncConnection, lease: Lease, step: str, data: Mapping[str, Any]) -> Operation:
    """Commit a step, keep the lease and make it last for the next call. Raises LeaseLost."""
    changes = {"step": step, "data": dict(data), "error": None, "lease_until": WALL + LEASE}
    changes["customer_id"] = data.get("customer_id", _C.customer_id)
    return await _write(db, lease, changes)


async def was_rung(db: AsyncConnection, claimed: Claimed) -> bool:
    """Whether somebody rang since the claim; the row is locked from here on."""
    found = await db.execute(
        select(_C.next_look_at)
        .where(mine(operations, claimed.lease.scope), _C.operation_id == claimed.lease.row_id)
        .with_for_update()
    )
    return bool(found.scalar_one() != claimed.next_look_at)


async def pause(
    db: AsyncConnection,
    claimed: Claimed,
    wait: timedelta,
    *,
    error: str | None = None,
    answered: bool = False,
) -> None:
    """Give the lease back and look again after `wait`, or at once if somebody rang meanwhile.

    With an error the failures in a row are counted; without one they are over. `answered`: the
    other side did answer, with a failure of its own that it may have stored under our key.
    """
    untouched = _C.next_look_at == claimed.next_look_at
    failures = func.coalesce(_C.data["failures"].as_integer(), 0) + 1 if error else 0
    noted = func.jsonb_build_object("failures", failures, "answered", answered)
    changes = {
        "data": _C.data.op("||")(noted),
        "error": error,
        "next_look_at": case((untouched, NOW + wait), else_=_C.next_look_at),
    }
    await _write(db, claimed.lease, changes)
    await work.release(db, OPERATIONS, claimed.lease)


async def park(db: AsyncConnection, lease: Lease, why: str) -> None:
    """For a person: nothing happens before it is unparked."""
    changes = {"parked_at": NOW, "parked_why": why, "error": why}
    await _write(db, lease, {**changes, "lease_until": None, "lease_token": None})


async def end(db: AsyncConnection, lease: Lease, step: str, data: Mapping[str, Any]) -> None:
    """The last word. Raises LeaseLost, so what is written beside it happens once."""
    changes = {"step": step, "data": dict(data), "ended_at": NOW, "next_look_at": None}
    await _write(db, lease, {**changes, "lease_until": None, "lease_token": None})


async def _write(db: AsyncConnection, lease: Lease, changes: Mapping[str, Any]) -> Operation:
    written = await db.execute(
        update(operations)
        .where(
            mine(operations, lease.scope),
            _C.operation_id == lease.row_id,
            _C.lease_token == lease.token,
            _C.ended_at.is_(None),
        )
        .values(looks=0, **changes)
        .returning(operations)
    )
    row = written.one_or_none()
    if row is None:
        raise LeaseLost(f"{lease.row_id} was taken over by another worker")
    return _operation(row)


def _all(scope: Scope) -> Select[Any]:
    return select(operations).where(mine(operations, scope))


def _operation(row: Any) -> Operation:
    return Operation(
        id=row.operation_id,
        kind=row.kind,
        customer_id=row.customer_id,
        step=row.step,
        data=row.data,
        error=row.error,
        created_at=row.created_at,
        next_look_at=row.next_look_at,
        parked_why=row.parked_why if row.parked_at is not None else None,
        ended_at=row.ended_at,
    )
