"""A switch that somebody made in Stripe's Dashboard: followed, once Stripe confirms that it holds.

Each invoice says itself who collects it, so nothing has to be done about any of them. To Stripe:
the tokens are dropped, after a day in which it can be taken back. To us: the next invoice is
collected with the stored method, where there is one.
"""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.switching import BY_STRIPE, KIND, OpenInvoices, Step, To
from twintill.errors import StripeRefused
from twintill.flows.operating import Operating, Walk
from twintill.flows.switching import direction, end
from twintill.ids import Scope, derived_id
from twintill.store import operations, switches
from twintill.stripe_billing.events import StripeEvent
from twintill.stripe_billing.shapes import SubscriptionShape
from twintill.stripe_billing.switching import is_gone

_LOOK_AGAIN = timedelta(hours=1)


async def saw(
    db: AsyncConnection, scope: Scope, event: StripeEvent, seen: SubscriptionShape, customer_id: str
) -> None:
    """In the caller's transaction, before the mirror learns of it; one of ours is no news."""
    if "collection_method" not in event.changed or await _is_ours(db, scope, event):
        return
    to = To.STRIPE if seen.collection_method == BY_STRIPE else To.PROCESSOR
    former = await switches.collection_method(db, scope, seen.id)
    if former == seen.collection_method:
        return
    choice = OpenInvoices.FINISH if to is To.STRIPE else OpenInvoices.LEAVE
    asked = {"to": to.value, "open_invoices": choice.value, "seen": True}
    await operations.add(
        db,
        scope,
        operation_id=derived_id("swi", scope, event.id),
        kind=KIND,
        customer_id=customer_id,
        step=Step.SEEN,
        data={
            "asked": asked,
            "subscription_id": seen.id,
            "was": {"collection_method": to.former_collection_method},
            "invoices": {},
        },
    )


async def _is_ours(db: AsyncConnection, scope: Scope, event: StripeEvent) -> bool:
    """Made by a switch that we know of: of one of a database that was lost, nobody else is left."""
    switch_id = (event.request_idempotency_key or "").partition(":")[0]
    return switch_id.startswith("swi_") and await operations.find(db, scope, switch_id) is not None


async def confirm(operating: Operating) -> Operating | None:
    """Tokens cannot be had back: not on one event, which may be old, or a slip of the hand."""
    to, subscription_id = direction(operating), operating.data["subscription_id"]
    ripe = operating.operation.created_at + operating.means.policy.switch_seen_pause
    if to is To.STRIPE and operating.now < ripe:
        await operating.pause(ripe - operating.now)
        return None
    async with operating.means.database.connect() as db:
        customer_id = str(operating.operation.customer_id)
        asked_for = await switches.running(
            db, operating.scope, customer_id, subscription_id, asked_here=True
        )
    if asked_for is not None:  # its method may be the one that the customer is choosing right now
        await operating.pause(_LOOK_AGAIN)
        return None
    try:
        look = await operating.means.stripe.read_subscription(subscription_id)
    except StripeRefused as refused:
        if not is_gone(refused):
            raise
        look = None
    holds = look is not None and look.collection_method == to.collection_method
    async with operating.means.database.begin() as db:
        if not holds:
            await end(db, operating, Step.UNDONE)
            return None
        if to is To.STRIPE:
            return await operating.moved(db, Step.FINISH)
        await end(db, operating, Step.DONE)
    return None


STEPS: Mapping[str, Walk] = {Step.SEEN: confirm}
