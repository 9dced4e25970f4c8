"""Each status that a subscription was seen in, when, and who told: the mirror keeps only the last.

Written with the mirror's row, whose lock orders the writers.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.scoped import mine, of, whose
from twintill.store.tables import subscription_history, subscriptions

_H, _S = subscription_history.c, subscriptions.c


class Told(NamedTuple):
    """Who says so: an event, or what we did ourselves; and when it was, by Stripe's clock."""

    actor: str
    occurred_at: datetime | None = None


async def write(db: AsyncConnection, scope: Scope, subscription_id: str, by: Told) -> None:
    """The status that the mirror shows now, if it is news."""
    said = {"subscription": subscription_id, **by._asdict()}
    await db.execute(_WRITE, {**of(scope), **said})


async def between(
    db: AsyncConnection,
    scope: Scope,
    subscription_id: str,
    since: datetime,
    until: datetime | None,
    limit: int,
) -> list[Any]:
    """Its changes in that time, the oldest first; `until` None: up to now."""
    query = select(subscription_history).where(
        mine(subscription_history, scope), _H.subscription_id == subscription_id, _H.at >= since
    )
    if until is not None:
        query = query.where(_H.at < until)
    return list(await db.execute(query.order_by(_H.n).limit(limit)))


async def last(db: AsyncConnection, scope: Scope, subscription_id: str) -> Any | None:
    """How it came to its present status; None: it was not followed yet."""
    query = select(subscription_history).where(
        mine(subscription_history, scope), _H.subscription_id == subscription_id
    )
    return (await db.execute(query.order_by(_H.n.desc()).limit(1))).one_or_none()


def _write() -> Any:
    last = (
        select(_H.status_after)
        .where(whose(subscription_history), _H.subscription_id == _S.subscription_id)
        .order_by(_H.n.desc())
        .limit(1)
        .scalar_subquery()
    )
    news = select(
        _S.stripe_account_id,
        _S.livemode,
        _S.subscription_id,
        last,
        _S.status,
        bindparam("actor", type_=_H.actor.type),
        bindparam("occurred_at", type_=_H.occurred_at.type),
        NOW,
    ).where(
        whose(subscriptions),
        _S.subscription_id == bindparam("subscription"),
        _S.status.is_distinct_from(last),
    )
    columns = ("subscription_id", "status_before", "status_after", "actor", "occurred_at", "at")
    return insert(subscription_history).from_select(
        ["stripe_account_id", "livemode", *columns], news
    )


_WRITE = _write()
