"""Switches: operations by what they are about, and the lock under which one may begin."""

from datetime import datetime
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.switching import KIND, To
from twintill.ids import Scope
from twintill.store.scoped import mine
from twintill.store.tables import customers, operations, subscriptions

_C = operations.c
_SIGNUP = "signup"


async def lock_customer(db: AsyncConnection, scope: Scope, customer_id: str) -> None:
    """One at a time may begin a switch, or change which method is the default."""
    await db.execute(
        select(customers.c.customer_id)
        .where(mine(customers, scope), customers.c.customer_id == customer_id)
        .with_for_update()
    )


async def running(
    db: AsyncConnection,
    scope: Scope,
    customer_id: str,
    subscription_id: str,
    *,
    asked_here: bool = False,
) -> str | None:
    """The switch of this subscription that has not ended; or only one that was asked for here."""
    its = _C.data["subscription_id"].as_string() == subscription_id
    if asked_here:
        its = its & _C.data["asked"]["seen"].is_(None)
    return await _first(db, scope, customer_id, KIND, its)


async def to_a_processor_since(
    db: AsyncConnection, scope: Scope, customer_id: str, since: datetime
) -> bool:
    """Whether one of his subscriptions is being switched to a processor, or was since then."""
    query = exists().where(
        mine(operations, scope),
        _C.customer_id == customer_id,
        _C.kind == KIND,
        _C.data["asked"]["to"].as_string() == To.PROCESSOR.value,
        or_(_C.ended_at.is_(None), _C.ended_at >= since),
    )
    return bool((await db.execute(select(query))).scalar_one())


async def unfinished_signup(
    db: AsyncConnection, scope: Scope, customer_id: str, subscription_id: str
) -> str | None:
    """The sign-up of this subscription, while its first invoice is not paid."""
    its = _C.data["subscription_id"].as_string() == subscription_id
    return await _first(db, scope, customer_id, _SIGNUP, its)


async def collection_method(db: AsyncConnection, scope: Scope, subscription_id: str) -> str | None:
    """As we saw it last."""
    c = subscriptions.c
    found = await db.execute(
        select(c.collection_method).where(
            mine(subscriptions, scope), c.subscription_id == subscription_id
        )
    )
    seen: str | None = found.scalar_one_or_none()
    return seen


async def _first(
    db: AsyncConnection, scope: Scope, customer_id: str, kind: str, its: Any
) -> str | None:
    found = await db.execute(
        select(_C.operation_id)
        .where(
            mine(operations, scope),
            _C.customer_id == customer_id,
            _C.kind == kind,
            _C.ended_at.is_(None),
            its,
        )
        .limit(1)
    )
    operation_id: str | None = found.scalar_one_or_none()
    return operation_id
