"""The end of a subscription, told to the payments of its invoices: by setting, they go with it."""

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.facts import SubscriptionEnded
from twintill.flows import news
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import subscriptions


async def subscription_ended(
    db: AsyncConnection, means: Means, scope: Scope, subscription_id: str, *, actor: str
) -> None:
    """In the caller's transaction: each payment that is not over learns of it, and the app."""
    await news.subscription_ended(db, means, scope, subscription_id)
    for payment_id in await subscriptions.open_payments(db, scope, subscription_id):
        fact = SubscriptionEnded(subscription_id)
        await learn_within(db, means, scope, payment_id, fact, actor=actor)
