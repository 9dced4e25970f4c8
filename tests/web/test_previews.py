"""Previews and changes at the door: shapes, Stripe's reasons, once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.flows.signing_up import price
from tests.postgres import Database
from tests.web.shop import Shop, open_shop
from twintill.sandbox.dashboard import Dashboard


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def subscription(shop: Shop) -> str:
    signup = await shop.sign_up()
    await shop.pay(signup["checkout"]["id"])
    return str(signup["subscription"])


async def preview(shop: Shop, **params: Any) -> dict[str, Any]:
    answer = await shop.api.post("/v1/invoices/preview", json=params)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def test_a_preview_and_then_the_change_by_the_same_date(shop: Shop) -> None:
    its = await subscription(shop)
    off = await Dashboard(shop.world.stripe).create_coupon(percent_off=10, duration="forever")
    wanted = {"quantity": 4, "coupon": off, "proration_behavior": "always_invoice"}
    seen = await preview(shop, subscription=its, **wanted)
    assert {line["proration"] for line in seen["lines"]} == {True}
    wanted["proration_date"] = seen["proration_date"]
    path, key = f"/v1/subscriptions/{its}/change", {"Idempotency-Key": "seats-1"}
    done = (await shop.api.post(path, json=wanted, headers=key)).json()
    assert (done["state"], done["asked_by"]) == ("done", "api:tests")
    assert (await shop.api.post(path, json=wanted, headers=key)).json() == done
    assert await shop.get(f"/v1/subscription_changes/{done['id']}") == done
    billed = await shop.world.means.stripe.client.v1.invoices.retrieve_async(done["invoice"])
    assert (billed.total, billed.amount_due) == (seen["total"], seen["amount_due"])
    renewal = await preview(shop, subscription=its)
    assert renewal["discounts"] == [{"coupon": off, "amount": 1960}]
    assert (renewal["subtotal"], renewal["total"]) == (4 * 4900, 4 * 4900 - 1960)
    assert renewal["collected_at"] == renewal["created"] + 3600


async def test_of_a_new_subscription_with_a_trial(shop: Shop) -> None:
    signup = await shop.sign_up()
    monthly = await price(shop.world, 1900)
    new = {"customer": signup["customer"], "price": monthly, "quantity": 2}
    seen = await preview(shop, **new)
    assert (seen["amount_due"], seen["subscription"]) == (3800, None)
    later = await preview(shop, **new, trial_end=seen["created"] + 86400)
    assert (later["amount_due"], len(later["lines"])) == (0, 1)


async def test_stripes_reasons_come_through(shop: Shop) -> None:
    its = await subscription(shop)
    for params, code in (
        ({"cancel": "period_end"}, "invoice_upcoming_none"),
        ({"coupon": "nope"}, "resource_missing"),
        ({"price": "price_nope"}, "resource_missing"),
        ({"quantity": 2, "proration_date": 1}, None),
        ({"price": await price(shop.world, 500, "jpy")}, None),
        ({"trial_end": 1}, None),
    ):
        asked = {"subscription": its, **params}
        answer = await shop.api.post("/v1/invoices/preview", json=asked)
        told = answer.json()
        assert (answer.status_code, told["code"]) == (400, "stripe_refused"), told
        assert told["stripe_code"] == code, told
        if "cancel" not in params:
            change = await shop.api.post(f"/v1/subscriptions/{its}/change", json=params)
            assert (change.status_code, change.json()["stripe_code"]) == (400, code)
    unchanged = await preview(shop, subscription=its)
    assert unchanged["total"] == 4900


async def test_a_cancellation_is_shown_as_of_now(shop: Shop) -> None:
    its = await subscription(shop)
    seen = await preview(shop, subscription=its, cancel="now")
    assert (seen["amount_due"], abs(seen["total"] + 4900) < 10) == (0, True)
    dated = {"subscription": its, "cancel": "now", "proration_date": seen["proration_date"]}
    refused = (await shop.api.post("/v1/invoices/preview", json=dated)).json()
    assert (refused["code"], refused["param"]) == ("bad_request", "proration_date")


async def test_bad_input_names_its_rule(shop: Shop) -> None:
    for body in (
        {},
        {"subscription": "sub_x", "customer": "cus_x"},
        {"customer": "cus_x", "cancel": "now"},
        {"subscription": "sub_x", "quantity": -1},
        {"subscription": "sub_x", "quantity": 1, "items": [{"price": "price_x"}]},
        {"subscription": "sub_x", "proration_behavior": "perhaps"},
    ):
        assert (await shop.api.post("/v1/invoices/preview", json=body)).status_code == 422
    assert (await shop.api.get("/v1/subscription_changes/sch_x")).status_code == 404
    gone = await shop.api.post("/v1/subscriptions/sub_x/change", json={"quantity": 2})
    assert gone.status_code == 404
    its = await subscription(shop)
    nothing = await shop.api.post(f"/v1/subscriptions/{its}/change", json={})
    assert (nothing.status_code, nothing.json()["code"]) == (400, "bad_request")
