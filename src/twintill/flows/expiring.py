"""Telling ahead of cards that expire: once for each that a live subscription is collected with."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from twintill.domain.event_types import METHOD_EXPIRING
from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import method_order, outgoing
from twintill.store.methods import MethodRow

_PAGE = 100
_AGAIN = timedelta(hours=6)
_A_DAY = timedelta(days=1)


async def tell_expiring(means: Means, scope: Scope, _: Mapping[str, Any]) -> Ran:
    """The mark that it was told and the event are one commit."""
    if not means.tells_app:
        return Ran(_AGAIN, {"told": 0}, {})
    async with means.database.begin() as db:
        found = await method_order.take_expiring(db, scope, means.policy.expiry_notice, _PAGE)
        for method in found:
            await outgoing.add(db, scope, METHOD_EXPIRING, method.id, _told(method))
    again_in = timedelta(0) if len(found) == _PAGE else _AGAIN
    return Ran(again_in, {"told": len(found)}, {})


def _told(method: MethodRow) -> dict[str, Any]:
    """`expires`: the last month in which it can be charged."""
    assert method.expires_at is not None, "it was found by that"
    return {
        "id": method.id,
        "object": "payment_method",
        "customer": method.customer_id,
        "processor": method.processor,
        "type": method.kind,
        "display": dict(method.display),
        "status": method.status,
        "expires": f"{method.expires_at - _A_DAY:%Y-%m}",
    }
