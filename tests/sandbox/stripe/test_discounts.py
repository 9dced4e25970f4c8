"""Coupons, and what they take off invoices."""

from typing import Any

import pytest
import stripe

from tests.sandbox.stripe.test_subscriptions import invoices_of
from tests.sandbox.stripe_world import BERLIN, DAY_S, StripeWorld

MONTH_S = 31 * DAY_S


async def coupon(world: StripeWorld, **params: Any) -> str:
    made = await world.v1.coupons.create_async({"percent_off": 25, **params})
    return str(made.id)


async def totals(world: StripeWorld, subscription: Any) -> list[int]:
    return [invoice.total for invoice in await invoices_of(world, subscription)]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"duration": "once"}, [750, 1000, 1000, 1000]),
        ({"duration": "repeating", "duration_in_months": 2}, [750, 750, 1000, 1000]),
        ({"duration": "forever"}, [750, 750, 750, 750]),
    ],
)
async def test_a_coupon_lasts_as_long_as_it_says(
    world: StripeWorld, terms: Any, expected: list[int]
) -> None:
    half = await coupon(world, **terms)
    price = await world.price(1000)
    subscription = await world.subscribe(price=price, discounts=[{"coupon": half}])
    await world.advance(90 * DAY_S)
    assert await totals(world, subscription) == expected
    assert (await world.v1.coupons.retrieve_async(half)).times_redeemed == 1


async def test_one_for_one_invoice_waits_for_the_end_of_the_trial(world: StripeWorld) -> None:
    once = await coupon(world, duration="once")
    subscription = await world.subscribe(
        price=await world.price(1000), trial_period_days=10, discounts=[{"coupon": once}]
    )
    await world.advance(45 * DAY_S)
    assert await totals(world, subscription) == [0, 750, 1000]


async def test_amounts_are_spread_over_the_lines_and_tax_is_on_the_rest(
    world: StripeWorld,
) -> None:
    customer = await world.customer(address=BERLIN)
    off = await coupon(world, percent_off=None, amount_off=1000, currency="eur")
    draft = await world.v1.invoices.create_async(
        {
            "customer": customer.id,
            "automatic_tax": {"enabled": True},
            "discounts": [{"coupon": off}],
        }
    )
    for amount, discountable in ((1000, True), (2000, True), (500, False)):
        await world.v1.invoice_items.create_async(
            {
                "customer": customer.id,
                "invoice": draft.id,
                "amount": amount,
                "currency": "eur",
                "discountable": discountable,
            }
        )
    shown = await world.v1.invoices.retrieve_async(
        draft.id, {"expand": ["total_discount_amounts.discount.source.coupon"]}
    )
    lines = shown.lines.data
    assert [sum(d.amount for d in line.discount_amounts) for line in lines] == [333, 667, 0]
    assert (shown.subtotal, shown.total_excluding_tax) == (3500, 2500)
    assert shown.total == 2500 + 127 + 253 + 95
    [row] = shown.total_discount_amounts
    assert (row.amount, row.discount.source.coupon.id) == (1000, off)


async def test_an_items_own_discount_comes_first_and_is_inside_the_subtotal(
    world: StripeWorld,
) -> None:
    customer = await world.customer()
    tenth, half = await coupon(world, percent_off=10), await coupon(world, percent_off=50)
    draft = await world.v1.invoices.create_async(
        {"customer": customer.id, "discounts": [{"coupon": half}]}
    )
    item = await world.v1.invoice_items.create_async(
        {
            "customer": customer.id,
            "invoice": draft.id,
            "amount": 1000,
            "currency": "eur",
            "discounts": [{"coupon": tenth}],
        }
    )
    await world.v1.invoice_items.create_async(
        {"customer": customer.id, "invoice": draft.id, "amount": -100, "currency": "eur"}
    )
    shown = await world.v1.invoices.retrieve_async(draft.id)
    assert (item.net_amount, shown.subtotal, shown.total) == (900, 800, 350)
    cleared = await world.v1.invoices.update_async(draft.id, {"discounts": ""})
    assert cleared.total == 800


async def test_a_coupon_is_refused_where_it_cannot_be_redeemed(world: StripeWorld) -> None:
    dollars = await coupon(world, percent_off=None, amount_off=100, currency="usd")
    one = await coupon(world, max_redemptions=1)
    late = await coupon(world, redeem_by=world.now - 1)
    await world.subscribe(discounts=[{"coupon": one}])
    for bad, code in (
        ("nope", "resource_missing"),
        (one, "coupon_expired"),
        (late, "coupon_expired"),
        (dollars, None),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await world.subscribe(discounts=[{"coupon": bad}])
        assert (refused.value.code, refused.value.param) == (code, "discounts[0][coupon]")


@pytest.mark.parametrize(
    "bad",
    [
        {"percent_off": 0},
        {"percent_off": 101},
        {"amount_off": 5, "currency": "eur"},
        {"percent_off": None},
        {"percent_off": None, "amount_off": 5},
        {"duration": "repeating"},
        {"duration_in_months": 3},
    ],
)
async def test_a_coupon_takes_one_amount_and_its_own_time(world: StripeWorld, bad: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await coupon(world, **bad)


async def test_a_deleted_coupon_stays_with_who_redeemed_it(world: StripeWorld) -> None:
    forever = await coupon(world, duration="forever")
    subscription = await world.subscribe(
        price=await world.price(1000), discounts=[{"coupon": forever}]
    )
    await world.v1.coupons.delete_async(forever)
    await world.advance(30 * DAY_S)
    assert await totals(world, subscription) == [750, 750]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.v1.coupons.retrieve_async(forever)
    assert refused.value.code == "resource_missing"
    assert (await world.v1.coupons.list_async()).data == []


async def test_unused_time_is_credited_as_it_was_billed(world: StripeWorld) -> None:
    """One month for half the price gives half of a half back, not half of the whole."""
    half = await coupon(world, percent_off=50, duration="once")
    subscription = await world.subscribe(
        price=await world.price(2800), discounts=[{"coupon": half}]
    )
    assert subscription.latest_invoice.total == 1400
    await world.advance(14 * DAY_S)
    item = {"id": subscription["items"].data[0].id, "quantity": 2}
    await world.v1.subscriptions.update_async(subscription.id, {"items": [item]})
    pending = await world.v1.invoice_items.list_async({"pending": True})
    assert sorted(row.amount for row in pending.data) == [-700, 2800]


async def test_a_discounted_invoice_is_credited_by_an_amount(world: StripeWorld) -> None:
    half = await coupon(world, percent_off=50)
    its = await world.subscribe(price=await world.price(1000), discounts=[{"coupon": half}])
    invoice = await world.v1.invoices.finalize_invoice_async(its.latest_invoice.id)
    by_line: Any = {"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id}
    with pytest.raises(stripe.InvalidRequestError, match="discounted"):
        await world.v1.credit_notes.create_async(
            {"invoice": invoice.id, "lines": [{**by_line, "quantity": 1}]}
        )
    await world.v1.credit_notes.create_async({"invoice": invoice.id, "amount": 500})
    assert (await world.v1.invoices.retrieve_async(invoice.id)).status == "paid"
