"""Previews: what would be billed, to the cent what is then billed; nothing is created."""

from typing import Any

import pytest
import stripe

from tests.sandbox.stripe.test_discounts import coupon
from tests.sandbox.stripe.test_subscriptions import invoices_of
from tests.sandbox.stripe_world import DAY_S, HOUR_S, StripeWorld

EVERY_LINE = {"expand": ["total_discount_amounts.discount"]}


async def preview(world: StripeWorld, subscription: Any, **details: Any) -> Any:
    given: dict[str, Any] = {"subscription": subscription.id, **EVERY_LINE}
    if "discounts" in details:
        given["discounts"] = details.pop("discounts")
    if details:
        given["subscription_details"] = details
    return await world.v1.invoices.create_preview_async(given)


def said(invoice: Any) -> list[tuple[str, int]]:
    return sorted((line.description, line.amount) for line in invoice.lines.data)


def objects(world: StripeWorld) -> dict[str, int]:
    tables = world.sandbox.world.tables
    return {kind: len(rows) for kind, rows in tables.items()}


@pytest.mark.parametrize("percent", [None, 30])
@pytest.mark.parametrize("behavior", ["always_invoice", "create_prorations", "none"])
async def test_what_is_previewed_is_billed(
    world: StripeWorld, behavior: str, percent: int | None
) -> None:
    """Some time later, with the same proration date."""
    held = [] if percent is None else [{"coupon": await coupon(world, percent_off=percent)}]
    subscription = await world.subscribe(price=await world.price(3333), discounts=held)
    await world.advance(9 * DAY_S + 1234)
    dear = await world.price(9999)
    change: dict[str, Any] = {
        "items": [{"id": subscription["items"].data[0].id, "price": dear.id, "quantity": 3}],
        "proration_behavior": behavior,
    }
    if behavior != "none":
        change["proration_date"] = world.now
    lasting = await coupon(world, percent_off=15, duration="forever")
    given = [{"coupon": lasting}]
    before = objects(world)
    seen = await preview(world, subscription, **change, discounts=given)
    assert objects(world) == before
    await world.advance(2 * HOUR_S)
    await world.v1.subscriptions.update_async(subscription.id, {**change, "discounts": given})
    if behavior != "always_invoice":
        await world.advance(30 * DAY_S)
    billed = (await invoices_of(world, subscription))[-1]
    assert (seen.total, said(seen)) == (billed.total, said(billed))
    if behavior != "always_invoice":
        assert seen.created == billed.created


async def test_a_date_outside_the_period_is_refused(world: StripeWorld) -> None:
    subscription = await world.subscribe()
    item = {"id": subscription["items"].data[0].id, "quantity": 2}
    for date in (world.now - 1, world.now + 40 * DAY_S):
        change: dict[str, Any] = {"items": [item], "proration_date": date}
        with pytest.raises(stripe.InvalidRequestError, match="within the current period"):
            await preview(world, subscription, **change)
        with pytest.raises(stripe.InvalidRequestError, match="within the current period"):
            await world.v1.subscriptions.update_async(subscription.id, change)


async def test_a_date_needs_something_to_prorate(world: StripeWorld) -> None:
    subscription = await world.subscribe()
    item = {"id": subscription["items"].data[0].id, "quantity": 2}
    for details in (
        {},
        {"cancel_now": True},
        {"items": [item], "proration_behavior": "none"},
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await preview(world, subscription, **details, proration_date=world.now)
        assert refused.value.param == "subscription_details[proration_date]"


async def test_a_cancellation_now_gives_the_rest_back(world: StripeWorld) -> None:
    subscription = await world.subscribe(price=await world.price(2800))
    await world.advance(14 * DAY_S)
    seen = await preview(world, subscription, cancel_now=True)
    assert (seen.total, seen.amount_due, seen.ending_balance) == (-1400, 0, -1400)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await preview(world, subscription, cancel_now=True, proration_behavior="none")
    assert refused.value.code == "invoice_upcoming_none"


async def test_at_the_end_of_the_period_only_what_waits_is_billed(world: StripeWorld) -> None:
    subscription = await world.subscribe()
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await preview(world, subscription, cancel_at_period_end=True)
    assert refused.value.code == "invoice_upcoming_none"
    await world.v1.invoice_items.create_async(
        {"customer": subscription.customer, "amount": 700, "currency": "eur"}
    )
    seen = await preview(world, subscription, cancel_at_period_end=True)
    await world.v1.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    await world.advance(28 * DAY_S)
    last = (await invoices_of(world, subscription))[-1]
    assert (seen.total, seen.created) == (last.total, last.created) == (700, world.now)
    ended = await world.v1.subscriptions.retrieve_async(subscription.id)
    assert ended.status == "canceled"
    with pytest.raises(stripe.InvalidRequestError, match="No upcoming invoices"):
        await preview(world, subscription)


async def test_a_trial_puts_the_next_payment_off_and_credits_the_rest(world: StripeWorld) -> None:
    subscription = await world.subscribe(price=await world.price(2800))
    await world.v1.invoices.finalize_invoice_async(subscription.latest_invoice.id)
    await world.advance(14 * DAY_S)
    change: dict[str, Any] = {"trial_end": world.now + 20 * DAY_S, "proration_date": world.now}
    seen = await preview(world, subscription, **change)
    changed = await world.v1.subscriptions.update_async(
        subscription.id, {**change, "expand": ["latest_invoice"]}
    )
    assert (changed.status, said(changed.latest_invoice)) == ("trialing", said(seen))
    assert seen.total == changed.latest_invoice.total == -1400
    await world.advance(20 * DAY_S)
    billed = (await invoices_of(world, subscription))[-1]
    assert (billed.total, billed.amount_due) == (2800, 1400)


async def test_the_end_of_a_running_trial_is_moved(world: StripeWorld) -> None:
    subscription = await world.subscribe(price=await world.price(2800), trial_period_days=10)
    later = world.now + 20 * DAY_S
    for end, created in ((None, world.now + 10 * DAY_S), (later, later), ("now", world.now)):
        seen = await preview(world, subscription, **({"trial_end": end} if end else {}))
        assert (seen.total, seen.created) == (2800, created)
    for bad in (world.now - 5, "soon"):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await preview(world, subscription, trial_end=bad)
        assert refused.value.param == "subscription_details[trial_end]"


async def test_a_new_subscription_takes_what_waits_a_coupon_and_a_trial(
    world: StripeWorld,
) -> None:
    customer, price = await world.customer(), await world.price(1200)
    await world.v1.invoice_items.create_async(
        {"customer": customer.id, "amount": 300, "currency": "eur"}
    )
    half = await coupon(world, percent_off=50)
    given: dict[str, Any] = {"customer": customer.id, "discounts": [{"coupon": half}], **EVERY_LINE}
    details: dict[str, Any] = {"items": [{"price": price.id, "quantity": 2}]}
    seen = await world.v1.invoices.create_preview_async({**given, "subscription_details": details})
    assert (seen.subtotal, seen.total) == (2700, 1350)
    assert seen.total_discount_amounts[0].discount.source.coupon == half
    details["trial_end"] = world.now + DAY_S
    seen = await world.v1.invoices.create_preview_async({**given, "subscription_details": details})
    assert seen.total == 150
    assert (await world.v1.coupons.retrieve_async(half)).times_redeemed == 0


async def test_of_a_customer_alone_it_is_what_comes_next(world: StripeWorld) -> None:
    customer = await world.customer()
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.v1.invoices.create_preview_async({"customer": customer.id})
    assert refused.value.code == "invoice_upcoming_none"
    await world.v1.invoice_items.create_async(
        {"customer": customer.id, "amount": 300, "currency": "eur"}
    )
    assert (await world.v1.invoices.create_preview_async({"customer": customer.id})).total == 300
    await world.subscribe(customer)
    assert (await world.v1.invoices.create_preview_async({"customer": customer.id})).total == 4900


@pytest.mark.parametrize("change", [{"quantity": -1}, {"price": "price_none"}, {"price": "usd"}])
async def test_a_change_that_cannot_be_made_is_refused_in_both(
    world: StripeWorld, change: dict[str, Any]
) -> None:
    subscription = await world.subscribe()
    if change.get("price") == "usd":
        change = {"price": (await world.price(100, currency="usd")).id}
    items = [{"id": subscription["items"].data[0].id, **change}]
    with pytest.raises(stripe.InvalidRequestError):
        await preview(world, subscription, items=items)
    with pytest.raises(stripe.InvalidRequestError):
        await world.v1.subscriptions.update_async(subscription.id, {"items": items})
