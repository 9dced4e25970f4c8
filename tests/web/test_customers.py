"""/v1/customers: who they are, what they pay with, and replacing or removing it."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.signing_up import work
from tests.postgres import Database
from tests.web.shop import Shop, open_shop


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def subscriber(shop: Shop) -> str:
    signup = await shop.sign_up()
    await shop.pay(signup["checkout"]["id"])
    customer: str = signup["customer"]
    return customer


async def test_a_customer_with_his_default_method_and_subscriptions(shop: Shop) -> None:
    customer_id = await subscriber(shop)
    shown = await shop.get(f"/v1/customers/{customer_id}")
    (method,) = (await shop.get(f"/v1/customers/{customer_id}/payment_methods"))["data"]
    assert shown["default_payment_method"] == method["id"]
    assert len(shown["subscriptions"]) == 1
    assert (method["type"], method["display"]["last4"], method["default"]) == ("card", "4242", True)
    assert "token" not in str(method)
    listed = await shop.get("/v1/customers?limit=1")
    assert listed["data"] == [shown]


async def test_unknown_ones_are_404(shop: Shop) -> None:
    for path in ("/v1/customers/cus_x", "/v1/customers/cus_x/payment_methods"):
        assert (await shop.api.get(path)).status_code == 404
    answer = await shop.api.post(
        "/v1/customers/cus_x/payment_methods", json={"return_url": "https://app.example/"}
    )
    assert answer.status_code == 404


async def test_replacing_by_a_hosted_page(shop: Shop) -> None:
    customer_id = await subscriber(shop)
    path = f"/v1/customers/{customer_id}/payment_methods"
    key = {"Idempotency-Key": "replace-1"}
    params = {"return_url": "https://app.example/account"}
    asked = await shop.api.post(path, json=params, headers=key)
    assert asked.status_code == 201
    assert (asked.json()["purpose"], asked.json()["currency"]) == ("method", "eur")
    assert (await shop.api.post(path, json=params, headers=key)).json() == asked.json()
    checkout_id = asked.json()["id"]
    page = await shop.page(checkout_id)
    assert "Choose a new payment method" in page.text
    assert "Billing address" not in page.text
    there = await shop.submit(checkout_id)
    await shop.choose(there.headers["location"], "wallet_ok")
    assert "Payment method stored" in (await shop.page(checkout_id)).text
    await work(shop.world)
    (method,) = (await shop.get(path))["data"]
    assert (method["type"], method["default"]) == ("wallet", True)


async def test_removing_is_refused_while_it_is_needed(shop: Shop) -> None:
    customer_id = await subscriber(shop)
    path = f"/v1/customers/{customer_id}/payment_methods"
    (method,) = (await shop.get(path))["data"]
    refused = await shop.api.delete(f"{path}/{method['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "payment_method_needed")
    forced = await shop.api.delete(f"{path}/{method['id']}?force=true")
    assert (forced.status_code, forced.json()["status"]) == (200, "removing")
    await work(shop.world)
    assert (await shop.get(path))["data"] == []
    assert (await shop.api.delete(f"{path}/pm_x")).status_code == 404
