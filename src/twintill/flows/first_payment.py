"""A first payment that failed for good: Stripe calls the subscription active, and nobody ever paid.

    wait -> look_back -> close -> closing -> cancel -> canceled   (or: saved, paid_before)

By setting (`first_payment_failed`). Another method within the time of grace saves it; so does any
money that comes. A subscription that was paid for before we collected it is left to dunning.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.facts import FirstPaymentGivenUp
from twintill.domain.overrides import overlay
from twintill.domain.payment import Payment, Reason, State
from twintill.flows import ended
from twintill.flows.consequences import FIRST_PAYMENT as KIND
from twintill.flows.learn import learn_within
from twintill.flows.operating import Operating, Walk
from twintill.store import operations, outgoing, payments

_WAIT = timedelta(hours=6)  # a payment that ends rings before that


async def wait(operating: Operating) -> Operating | None:
    """For another method: the customer may still be at the checkout."""
    payment = await _payment(operating)
    if payment.state is not State.EXHAUSTED:
        return await _saved(operating)
    policy = overlay(operating.means.policy, payment.overrides)
    given = operating.data.get("until")
    until = datetime.fromisoformat(given) if given else operating.now + policy.first_payment_grace
    async with operating.means.database.begin() as db:
        step = "wait" if operating.now < until else "look_back"
        moved = await operating.moved(db, step, until=until.isoformat())
    if step == "look_back":
        return moved
    await operating.pause(until - operating.now)
    return None


async def look_back(operating: Operating) -> Operating | None:
    """At Stripe: what was collected before us, or by others, is not in our books."""
    if await operating.means.stripe.was_ever_paid(operating.data["subscription_id"]):
        return await operating.end_or_again("paid_before", "wait", until=None)
    async with operating.means.database.begin() as db:
        return await operating.moved(db, "close")


async def close(operating: Operating) -> Operating | None:
    """The payment voids its invoice under its own lease."""
    async with operating.means.database.begin() as db:
        await learn_within(
            db,
            operating.means,
            operating.scope,
            operating.data["payment_id"],
            FirstPaymentGivenUp(),
            actor=operating.id,
        )
        return await operating.moved(db, "closing")


async def closing(operating: Operating) -> Operating | None:
    payment = await _payment(operating)
    if payment.state is State.CANCELED or payment.reason is Reason.UNCOLLECTIBLE:
        async with operating.means.database.begin() as db:
            return await operating.moved(db, "cancel")
    if payment.closing is None or payment.state not in (State.EXHAUSTED, State.WAITING):
        return await _saved(operating)
    await operating.pause(_WAIT)
    return None


async def cancel(operating: Operating) -> Operating | None:
    """At once; the method that failed goes with the last subscription that needs it."""
    subscription_id = operating.data["subscription_id"]
    await operating.means.stripe.cancel_subscription(subscription_id)
    async with operating.means.database.begin() as db:
        await _canceled(db, operating, subscription_id)
        await operating.end(db, "canceled")
    return None


async def _canceled(db: AsyncConnection, operating: Operating, subscription_id: str) -> None:
    means, scope = operating.means, operating.scope
    customer_id = str(operating.operation.customer_id)
    await ended.subscription(db, means, scope, subscription_id, customer_id, actor=operating.id)
    await operations.ring_for_payment(db, scope, operating.data["payment_id"])
    if means.tells_app:
        told = {
            "id": subscription_id,
            "object": "subscription",
            "customer": customer_id,
            "status": "canceled",
            "payment": operating.data["payment_id"],
        }
        await outgoing.add(db, scope, "subscription.first_payment_failed", subscription_id, told)


async def _saved(operating: Operating) -> Operating | None:
    return await operating.end_or_again("saved", "wait", until=None)


async def _payment(operating: Operating) -> Payment:
    async with operating.means.database.connect() as db:
        return await payments.read(db, operating.scope, operating.data["payment_id"])


STEPS: Mapping[str, Walk] = {
    "wait": wait,
    "look_back": look_back,
    "close": close,
    "closing": closing,
    "cancel": cancel,
}
__all__ = ["KIND", "STEPS"]
