"""What becomes of the subscription whose payment was disputed: by setting, as an operation.

    cancel -> canceled

Stripe is asked first: one that we do not collect any more is left alone.
"""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.policy import Fate
from twintill.flows import ended
from twintill.flows.operating import Operating, Walk
from twintill.store import subscriptions
from twintill.stripe_billing.subscriptions import SubscriptionLook


async def cancel(operating: Operating) -> Operating | None:
    subscription_id = operating.data["subscription_id"]
    now = operating.data["fate"] == Fate.CANCEL_NOW
    look = await operating.means.stripe.read_subscription(subscription_id)
    if look.collection_method != "send_invoice":
        async with operating.means.database.begin() as db:
            await operating.end(db, "left_alone")
        return None
    # Perhaps by a worker that did not live to hear the answer: our books must show it all the same.
    if not _is_done(look, now=now):
        await _cancel(operating, subscription_id, now=now)
    async with operating.means.database.begin() as db:
        await _canceled(db, operating, subscription_id, now=now or look.ended)
        await operating.end(db, "canceled")
    return None


def _is_done(look: SubscriptionLook, *, now: bool) -> bool:
    return look.ended or (look.cancels_at_period_end and not now)


async def _cancel(operating: Operating, subscription_id: str, *, now: bool) -> None:
    if now:
        await operating.means.stripe.cancel_subscription(subscription_id)
    else:
        await operating.means.stripe.cancel_at_period_end(subscription_id, operating.key)


async def _canceled(
    db: AsyncConnection, operating: Operating, subscription_id: str, *, now: bool
) -> None:
    """As Stripe's own event of it will say, which may be late."""
    means, scope = operating.means, operating.scope
    if now:
        customer_id = str(operating.operation.customer_id)
        await ended.subscription(db, means, scope, subscription_id, customer_id, actor=operating.id)
    else:
        await subscriptions.ends_at_period(db, scope, subscription_id, ends=True)


STEPS: Mapping[str, Walk] = {"cancel": cancel}
