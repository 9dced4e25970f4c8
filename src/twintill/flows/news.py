"""News for the user's app that are no payment's own: an ended subscription, a withdrawn method."""

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.event_types import ACCESS_WITHDRAWN, METHOD_REVOKED, SUBSCRIPTION_CANCELED
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import mirror, outgoing
from twintill.store.methods import MethodRow


async def subscription_ended(
    db: AsyncConnection, means: Means, scope: Scope, subscription_id: str
) -> None:
    """Once for each subscription, however often and from whomever we hear of its end."""
    if not means.tells_app or await outgoing.is_told(db, scope, ACCESS_WITHDRAWN, subscription_id):
        return
    data = {
        "id": subscription_id,
        "object": "subscription",
        "customer": await mirror.customer_of_subscription(db, scope, subscription_id),
        "status": "canceled",
    }
    for event_type in (SUBSCRIPTION_CANCELED, ACCESS_WITHDRAWN):
        await outgoing.add(db, scope, event_type, subscription_id, data)


async def method_revoked(
    db: AsyncConnection, means: Means, scope: Scope, method: MethodRow
) -> None:
    """Once for each method: when it first becomes revoked."""
    if not means.tells_app:
        return
    data = {
        "id": method.id,
        "object": "payment_method",
        "customer": method.customer_id,
        "processor": method.processor,
        "type": method.kind,
        "display": dict(method.display),
        "status": "revoked",
    }
    await outgoing.add(db, scope, METHOD_REVOKED, method.id, data)
