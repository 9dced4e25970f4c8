"""Which of a customer's stored methods is charged: the order, what can be, and what expires."""

from datetime import timedelta

from sqlalchemy import exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.methods import (
    MethodRow,
    active_default,
    change,
    demote,
    list_of_customer,
    lock_customer,
    method_row,
)
from twintill.store.scoped import mine
from twintill.store.tables import attempts, payment_methods, subscriptions

_METHODS = payment_methods.c


async def lock_of_customer(db: AsyncConnection, scope: Scope, customer_id: str) -> list[MethodRow]:
    """As `list_of_customer`, and nobody else changes the default until the transaction ends."""
    await lock_customer(db, scope, customer_id)
    return await list_of_customer(db, scope, customer_id)


async def put_in_order(
    db: AsyncConnection, scope: Scope, customer_id: str, method_ids: list[str]
) -> None:
    """All active ones, the default first; the caller holds the customer."""
    await demote(db, scope, customer_id)
    for place, method_id in enumerate(method_ids):
        first = {"is_default": True} if place == 0 else {}
        await db.execute(change(scope, method_id).values(place=place, **first))


async def promote_next(db: AsyncConnection, scope: Scope, customer_id: str) -> str | None:
    """Where the default is gone, the next one in the order takes its place: its id."""
    await lock_customer(db, scope, customer_id)
    stored = await list_of_customer(db, scope, customer_id)
    living = [method for method in stored if method.status == "active"]
    if living and not any(method.is_default for method in living):
        await db.execute(change(scope, living[0].id).values(is_default=True))
        return living[0].id
    return None


async def restore(db: AsyncConnection, scope: Scope, method: MethodRow) -> bool:
    """The processor says that it was not withdrawn, or is no more: as before, behind the default.

    It becomes the default where there is none.
    """
    await lock_customer(db, scope, method.customer_id)
    has_default = await active_default(db, scope, method.customer_id) is not None
    changed = await db.execute(
        change(scope, method.id)
        .where(_METHODS.status == "revoked", _METHODS.sealed_token.is_not(None))
        .values(status="active", is_default=not has_default)
    )
    return changed.rowcount == 1


async def has_usable(db: AsyncConnection, scope: Scope, customer_id: str) -> bool:
    """Whether a charge could succeed: active, not expired, and its token not refused for good."""
    same, c = payment_methods.alias("same"), attempts.c
    refused = exists().where(
        mine(attempts, scope),
        c.payment_method_id == same.c.payment_method_id,
        same.c.stripe_account_id == _METHODS.stripe_account_id,
        same.c.livemode == _METHODS.livemode,
        same.c.processor_account_id == _METHODS.processor_account_id,
        same.c.token_fingerprint == _METHODS.token_fingerprint,
        c.outcome == "declined",
        c.decline_kind.in_(("hard", "revoked", "fraud")),
    )
    query = exists().where(
        mine(payment_methods, scope),
        _METHODS.customer_id == customer_id,
        _METHODS.status == "active",
        or_(_METHODS.expires_at.is_(None), _METHODS.expires_at > NOW),
        ~refused,
    )
    return bool((await db.execute(select(query))).scalar_one())


async def take_expiring(
    db: AsyncConnection, scope: Scope, notice: timedelta, limit: int
) -> list[MethodRow]:
    """Defaults of live subscriptions that expire within `notice`: marked as told of, once each."""
    live = exists().where(
        mine(subscriptions, scope),
        subscriptions.c.customer_id == _METHODS.customer_id,
        subscriptions.c.collection_method == "send_invoice",
        subscriptions.c.ended_at.is_(None),
    )
    due = (
        select(_METHODS.payment_method_id)
        .where(
            mine(payment_methods, scope),
            _METHODS.is_default,
            _METHODS.status == "active",
            _METHODS.expiry_told_at.is_(None),
            _METHODS.expires_at <= NOW + notice,
            live,
        )
        .order_by(_METHODS.expires_at, _METHODS.payment_method_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = await db.execute(
        update(payment_methods)
        .where(mine(payment_methods, scope), _METHODS.payment_method_id.in_(due))
        .values(expiry_told_at=NOW)
        .returning(payment_methods)
    )
    return [method_row(row) for row in taken]
