"""Previews and changes over the gateway: what Stripe is sent, and what is read of its answer."""

import copy
from datetime import timedelta
from typing import Any

import pytest

from tests.stripe_billing.conftest import START, Sandbox
from tests.stripe_billing.test_subscriptions import subscribe
from twintill.domain.changing import Prorations
from twintill.errors import StripeForbidden, StripeRefused
from twintill.stripe_billing import preview as shapes
from twintill.stripe_billing.gateway import Gateway
from twintill.stripe_billing.preview import Change, ItemChange, Preview, WhatIf

NOW_S = int(START.timestamp())


async def shown(gateway: Gateway, what: WhatIf) -> Preview:
    return await gateway.preview(what)


async def test_a_renewal_is_read_with_its_tax_and_when_it_is_collected(
    gateway: Gateway, customer: str, price: str
) -> None:
    await gateway.write_location(customer, {"country": "DE", "postal_code": "10115"}, None)
    its = await gateway.create_subscription(
        customer, [(price, 2)], 14, {}, "op", "key", automatic_tax=True
    )
    seen = await shown(gateway, WhatIf(Change(), its.id))
    renewal = START + timedelta(days=31)
    assert (seen.currency, seen.subtotal_minor, seen.tax_minor) == ("EUR", 9800, 1862)
    assert (seen.total_minor, seen.tax_included_minor) == (11662, 0)
    assert (seen.created_at, seen.finalized_at) == (renewal, renewal + timedelta(hours=1))
    assert seen.due_at == renewal + timedelta(days=14)
    [line] = seen.lines
    assert (line.amount_minor, line.quantity, line.price) == (9800, 2, price)
    assert (line.period_start, line.proration) == (renewal, False)


async def test_a_change_takes_the_date_of_its_preview_and_leaves_our_mark(
    gateway: Gateway, sandbox: Sandbox, customer: str, price: str
) -> None:
    its = await subscribe(gateway, customer, price)
    [(item_id, _, quantity)] = (await gateway.read_changeable(its.id)).items
    assert quantity == 2
    items = (ItemChange(item_id, quantity=5),)
    change = Change(items, prorations=Prorations.AT_ONCE, proration_date=NOW_S)
    seen = await shown(gateway, WhatIf(change, its.id))
    changed = await gateway.change_subscription(its.id, change, "sch_1", "key_1")
    assert await gateway.change_subscription(its.id, change, "sch_1", "key_1") == changed
    found = await gateway.read_changeable(its.id)
    assert (found.changed_by, found.items) == ("sch_1", ((item_id, price, 5),))
    assert found.latest_invoice_id != its.latest_invoice_id
    billed = await gateway.read_invoice(str(found.latest_invoice_id))
    assert billed.amount_due_minor == seen.amount_due_minor == 3 * 4900
    sent = [r["params"] for r in await sandbox.requests() if r["path"].endswith("create_preview")]
    assert sent[0]["subscription_details"]["proration_date"] == str(NOW_S)


async def test_a_date_is_sent_only_where_something_is_prorated(
    gateway: Gateway, sandbox: Sandbox, customer: str, price: str
) -> None:
    """Stripe refuses a date where there is nothing to prorate."""
    its = await subscribe(gateway, customer, price)
    dated = Change(proration_date=NOW_S)
    await shown(gateway, WhatIf(dated, its.id))
    new = Change((ItemChange(price=price),), proration_date=NOW_S)
    await shown(gateway, WhatIf(new, customer_id=customer))
    quiet = Change(proration_date=NOW_S, prorations=Prorations.NONE)
    with pytest.raises(StripeRefused) as refused:
        await shown(gateway, WhatIf(quiet, its.id, cancel="now"))
    assert refused.value.code == "invoice_upcoming_none"
    assert (await shown(gateway, WhatIf(dated, its.id, cancel="now"))).total_minor == -9800
    sent = [r["params"] for r in await sandbox.requests() if r["path"].endswith("create_preview")]
    dates = ["proration_date" in s.get("subscription_details", {}) for s in sent]
    assert dates == [False, False, False, False]


async def test_coupons_are_told_by_name_and_taken_away(
    gateway: Gateway, customer: str, price: str
) -> None:
    v1 = gateway.client.v1
    off = await v1.coupons.create_async({"id": "SPRING25", "percent_off": 25, "duration": "once"})
    its = await subscribe(gateway, customer, price)
    seen = await shown(gateway, WhatIf(Change(coupon=off.id), its.id))
    assert (seen.discounts, seen.total_minor) == ((("SPRING25", 2450),), 7350)
    assert seen.lines[0].discount_minor == 2450
    await gateway.change_subscription(its.id, Change(coupon=off.id), "sch_1", "key_1")
    assert (await shown(gateway, WhatIf(Change(), its.id))).total_minor == 7350
    await gateway.change_subscription(its.id, Change(coupon=""), "sch_2", "key_2")
    assert (await shown(gateway, WhatIf(Change(), its.id))).total_minor == 9800


OLD: dict[str, Any] = {
    "object": "invoice",
    "livemode": False,
    "currency": "usd",
    "customer": {"id": "cus_1", "object": "customer"},
    "subtotal": 1000,
    "total": 900,
    "amount_due": 900,
    "created": NOW_S,
    "total_discount_amounts": [
        {"amount": 100, "discount": {"id": "di_1", "coupon": {"id": "OLD", "object": "coupon"}}}
    ],
    "lines": {
        "data": [
            {
                "amount": 1000,
                "description": None,
                "period": {"start": NOW_S, "end": NOW_S},
                "price": {"id": "price_1", "object": "price"},
                "proration": True,
                "quantity": 1,
            }
        ]
    },
}


def test_the_shape_before_basil_is_read_too(gateway: Gateway) -> None:
    seen = shapes._preview(gateway.read(shapes._Preview, OLD))
    assert (seen.customer_id, seen.discounts) == ("cus_1", (("OLD", 100),))
    assert (seen.lines[0].price, seen.lines[0].proration) == ("price_1", True)
    plain = copy.deepcopy(OLD)
    plain["total_discount_amounts"][0]["discount"] = "di_1"
    assert shapes._preview(gateway.read(shapes._Preview, plain)).discounts == (("?", 100),)


def test_one_of_the_other_mode_is_not_read(gateway: Gateway) -> None:
    with pytest.raises(StripeForbidden):
        gateway.read(shapes._Preview, {**OLD, "livemode": True})
