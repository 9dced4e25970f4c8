"""A subscription that has ended, known before its event: by our own doing, or with its customer.

What its event would lead to; the event itself then finds nothing left to do.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.flows import drop_tokens, ending
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import mirror, subscriptions


async def subscription(
    db: AsyncConnection,
    means: Means,
    scope: Scope,
    subscription_id: str,
    customer_id: str,
    *,
    actor: str,
) -> None:
    """In the caller's transaction."""
    await subscriptions.ended(db, scope, subscription_id, actor)
    await ending.subscription_ended(db, means, scope, subscription_id, actor=actor)
    await drop_tokens.ask(db, scope, customer_id)


async def with_its_customer(
    db: AsyncConnection, means: Means, scope: Scope, customer_id: str, *, actor: str
) -> None:
    """Stripe cancels the subscriptions of a deleted customer; their own events may be late."""
    for subscription_id in await mirror.live_subscriptions(db, scope, customer_id):
        await subscription(db, means, scope, subscription_id, customer_id, actor=actor)
    await drop_tokens.ask(db, scope, customer_id)
