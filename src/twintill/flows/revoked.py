"""A method was withdrawn at its processor: is it so, is there another one, and what follows.

    check -> seek -> ask -> wait -> confirm -> list -> cancel -> canceled
               |       (by setting at once)       ^
               +----------------------------------+   (or: still_active, other_method, ...)

An event may be stale, and a decline a mistake: nothing is cancelled before the processor itself was
asked about the method, and Stripe about the subscriptions. A method that comes meanwhile ends it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill import ids
from twintill.domain.facts import MethodAdded, MethodLost
from twintill.domain.overrides import overlay
from twintill.domain.policy import Policy, Revoked, Unanswered
from twintill.domain.signup import Step
from twintill.errors import StripeRefused
from twintill.flows import ended, news
from twintill.flows.consequences import REVOKED as KIND
from twintill.flows.learn import learn_within
from twintill.flows.operating import Operating, Walk
from twintill.processors import MethodStatus, StoredMethod
from twintill.store import (
    checkouts,
    customer_policy,
    method_order,
    methods,
    mirror,
    operations,
    outgoing,
    subscriptions,
)
from twintill.store.checkouts import NewCheckout, Purpose
from twintill.store.methods import MethodRow

_GONE = "resource_missing"
# A processor may tell of it before its own record shows it: asked twice before it is disbelieved.
_ASK_AGAIN = timedelta(minutes=10)
_A_DAY = timedelta(days=1)
_NO_CURRENCY_YET = "USD"


async def check(operating: Operating) -> Operating | None:
    return await _ask_processor(operating, "seek")


async def confirm(operating: Operating) -> Operating | None:
    """Once more before the act: the customer was asked long ago."""
    return await _ask_processor(operating, "list")


async def seek(operating: Operating) -> Operating | None:
    """Another usable method takes its place; else what the setting says, if anything lives."""
    live = await _live(operating)
    async with operating.means.database.begin() as db:
        if await method_order.has_usable(db, operating.scope, _customer(operating)):
            await method_order.promote_next(db, operating.scope, _customer(operating))
            return await operating.moved(db, "tell_stripe")
        if not live:
            return await operating.moved(db, "nothing_lives")
        asks = (await _policy(db, operating)).revoked is Revoked.ASK_CUSTOMER
        return await operating.moved(db, "ask" if asks else "list")


async def tell_stripe(operating: Operating) -> Operating | None:
    """The metadata shows the method that is charged from now on."""
    async with operating.means.database.connect() as db:
        default = await methods.active_default(db, operating.scope, _customer(operating))
    if default is not None:
        token = methods.open_token(operating.means.vault, operating.scope, default)
        there = default.processor_customer_id
        await operating.means.stripe.write_method_ids(_customer(operating), there, token)
    return await operating.end_or_again("other_method", "check")


async def nothing_lives(operating: Operating) -> Operating | None:
    return await operating.end_or_again("nothing_lives", "check")


async def ask(operating: Operating) -> Operating | None:
    """A page for the customer on which he chooses another method, and an event with its address."""
    means, scope = operating.means, operating.scope
    async with means.database.begin() as db:
        method = await methods.read(db, scope, operating.data["payment_method_id"])
        policy = await _policy(db, operating)
        page = await _page(db, operating, method, policy.revoked_ask_for)
        until = operating.now + policy.revoked_ask_for
        if means.tells_app:
            told = _asked(operating, method, page, until)
            await outgoing.add(db, scope, "method.requested", method.id, told)
        return await operating.moved(db, "wait", until=until.isoformat(), checkout_id=page)


async def wait(operating: Operating) -> Operating | None:
    """Until another method is there, or the time is over."""
    until = datetime.fromisoformat(operating.data["until"])
    async with operating.means.database.connect() as db:
        answered = await method_order.has_usable(db, operating.scope, _customer(operating))
        live = await mirror.live_subscriptions(db, operating.scope, _customer(operating))
        policy = await _policy(db, operating)
    if answered:
        return await operating.end_or_again("answered", "check")
    if not live:
        return await operating.end_or_again("nothing_lives", "check")
    if operating.now < until:
        await operating.pause(min(until - operating.now, _A_DAY))
        return None
    if policy.revoked_unanswered is Unanswered.NOTHING:
        return await operating.end_or_again("unanswered", "check")
    async with operating.means.database.begin() as db:
        return await operating.moved(db, "confirm")


async def list_subscriptions(operating: Operating) -> Operating | None:
    """As Stripe shows them now."""
    live = await _live(operating)
    async with operating.means.database.begin() as db:
        return await operating.moved(db, "cancel", subscriptions=live)


async def cancel(operating: Operating) -> Operating | None:
    """One subscription after the other; not any more when a usable method has come."""
    left = list(operating.data["subscriptions"])
    async with operating.means.database.connect() as db:
        answered = await method_order.has_usable(db, operating.scope, _customer(operating))
        policy = await _policy(db, operating)
    if answered or not left:
        return await operating.end_or_again("answered" if answered else "canceled", "check")
    now = policy.revoked is Revoked.CANCEL_NOW
    await _cancel(operating, left[0], now=now)
    async with operating.means.database.begin() as db:
        await _canceled(db, operating, left[0], now=now)
        return await operating.moved(db, "cancel", subscriptions=left[1:])


async def _ask_processor(operating: Operating, following: str) -> Operating | None:
    """What the processor itself shows; where it is charged as ever, all is as it was."""
    means, scope = operating.means, operating.scope
    async with means.database.connect() as db:
        method = await methods.read(db, scope, operating.data["payment_method_id"])
    if method.sealed_token is None or method.status not in ("active", "revoked"):
        return await operating.end_or_again("removed", "check")
    processor = means.processor(method.processor, method.processor_account_id)
    token = methods.open_token(means.vault, scope, method)
    stored = StoredMethod(method.processor_customer_id, token, method.kind)
    state = await processor.get_method(stored)
    if state.status is not MethodStatus.ACTIVE:
        async with means.database.begin() as db:
            await _withdrawn(db, operating, method)
            return await operating.moved(db, following, found=state.status.value)
    if not operating.data.get("disbelieved"):
        async with means.database.begin() as db:
            await operating.moved(db, operating.operation.step, disbelieved=True)
        await operating.pause(_ASK_AGAIN)
        return None
    async with means.database.begin() as db:
        await _restored(db, operating, method)
    return await operating.end_or_again("still_active", "check", disbelieved=False)


async def _withdrawn(db: AsyncConnection, operating: Operating, method: MethodRow) -> None:
    """A decline said so, and it is so: no charge begins with it any more."""
    if not await methods.mark_revoked(db, operating.scope, method.id):
        return
    await news.method_revoked(db, operating.means, operating.scope, method)
    for payment_id in await methods.payments_that_wait(db, operating.scope, method.customer_id):
        fact = MethodLost(method.id)
        await learn_within(db, operating.means, operating.scope, payment_id, fact)


async def _restored(db: AsyncConnection, operating: Operating, method: MethodRow) -> None:
    """What had waited for a method, or was given up for the lack of one, is tried again."""
    if not await method_order.restore(db, operating.scope, method):
        return
    for payment_id in await methods.payments_it_may_help(db, operating.scope, method.customer_id):
        fact = MethodAdded(method.id)
        await learn_within(db, operating.means, operating.scope, payment_id, fact)


async def _live(operating: Operating) -> list[str]:
    """The customer's subscriptions that we collect, and that are not to end anyway."""
    try:
        found = await operating.means.stripe.list_live_subscriptions(_customer(operating))
    except StripeRefused as refused:
        if refused.code != _GONE:
            raise
        return []
    ours = [one for one in found if one.collection_method == "send_invoice"]
    return [one.id for one in ours if not one.cancels_at_period_end]


async def _cancel(operating: Operating, subscription_id: str, *, now: bool) -> None:
    stripe = operating.means.stripe
    if now:
        await stripe.cancel_subscription(subscription_id)
        return
    try:
        key = f"{operating.key}:{subscription_id}"
        await stripe.cancel_at_period_end(subscription_id, key)
    except StripeRefused:
        if not (await stripe.read_subscription(subscription_id)).ended:
            raise


async def _canceled(
    db: AsyncConnection, operating: Operating, subscription_id: str, *, now: bool
) -> None:
    means, scope = operating.means, operating.scope
    if now:
        customer_id = _customer(operating)
        await ended.subscription(db, means, scope, subscription_id, customer_id, actor=operating.id)
    else:
        await subscriptions.ends_at_period(db, scope, subscription_id, ends=True)


async def _page(
    db: AsyncConnection, operating: Operating, method: MethodRow, open_for: timedelta
) -> str:
    """A checkout without a purchase; its own page is where the customer ends up."""
    scope, means = operating.scope, operating.means
    checkout_id, operation_id = ids.new_id("chk"), ids.new_id("op")
    here = f"{means.public_url}/checkout/{checkout_id}"
    currency = await checkouts.last_currency(db, scope, method.customer_id)
    await operations.add(
        db,
        scope,
        operation_id=operation_id,
        kind="replace_method",
        customer_id=method.customer_id,
        step=Step.CHECKOUT,
        data={"checkout_id": checkout_id},
    )
    new = NewCheckout(
        id=checkout_id,
        operation_id=operation_id,
        purpose=Purpose.METHOD,
        customer_id=method.customer_id,
        currency=currency or _NO_CURRENCY_YET,
        description="Your payment method",
        success_url=here,
        cancel_url=here,
        processor=method.processor,
        expires_after=max(open_for, means.checkout_expires_after),
    )
    await checkouts.add(db, scope, new)
    return checkout_id


def _asked(
    operating: Operating, method: MethodRow, checkout_id: str, until: datetime
) -> dict[str, Any]:
    return {
        "id": method.id,
        "object": "payment_method",
        "customer": method.customer_id,
        "processor": method.processor,
        "type": method.kind,
        "display": dict(method.display),
        "status": method.status,
        "found": operating.data["found"],
        "checkout": checkout_id,
        "checkout_url": f"{operating.means.public_url}/checkout/{checkout_id}",
        "until": int(until.timestamp()),
    }


async def _policy(db: AsyncConnection, operating: Operating) -> Policy:
    own = await customer_policy.read(db, operating.scope, _customer(operating))
    return overlay(operating.means.policy, own)


def _customer(operating: Operating) -> str:
    return str(operating.operation.customer_id)


STEPS: Mapping[str, Walk] = {
    "check": check,
    "seek": seek,
    "tell_stripe": tell_stripe,
    "nothing_lives": nothing_lives,
    "ask": ask,
    "wait": wait,
    "confirm": confirm,
    "list": list_subscriptions,
    "cancel": cancel,
}
__all__ = ["KIND", "STEPS"]
