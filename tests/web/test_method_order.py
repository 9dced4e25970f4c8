"""Payment methods in order by API, what is due with a new one, and trials that end at a time."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.postgres import Database
from tests.web.shop import Shop, open_shop
from twintill.store import clock


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def test_the_order_is_put_listed_and_refused_by_name(shop: Shop) -> None:
    signup = await shop.sign_up()
    await shop.pay(signup["checkout"]["id"])
    path = f"/v1/customers/{signup['customer']}/payment_methods"
    await shop.world.add_method(signup["customer"], "card_expired")
    listed = (await shop.get(path))["data"]
    assert [m["expiring"] for m in listed] == [True, False]
    wanted = [m["id"] for m in reversed(listed)]
    for _ in range(2):
        put = await shop.api.put(f"{path}/order", json={"payment_methods": wanted})
        assert [m["id"] for m in put.json()["data"]] == wanted
    assert (await shop.get(path))["data"][0]["default"] is True
    missing = await shop.api.put(f"{path}/order", json={"payment_methods": wanted[:1]})
    assert (missing.status_code, missing.json()["code"]) == (400, "order_incomplete")
    unknown = await shop.api.put(f"{path}/order", json={"payment_methods": ["pm_x"]})
    assert unknown.status_code == 404


async def test_what_is_due_stands_in_the_answer_and_on_the_page(shop: Shop) -> None:
    customer_id = await shop.world.customer("card_hard_declined")
    await shop.world.collect(customer_id)
    path = f"/v1/customers/{customer_id}/payment_methods"
    params = {"return_url": "https://app.example/account"}
    asked = (await shop.api.post(path, json=params)).json()
    assert [(d["amount"], d["currency"]) for d in asked["due"]] == [(4900, "eur")]
    assert "49" in (await shop.page(asked["id"])).text
    without = (await shop.api.post(path, json={**params, "charge_due": False})).json()
    assert without["due"] == []
    assert "Nothing is charged by choosing it" in (await shop.page(without["id"])).text


async def test_a_trial_that_ends_at_a_time(shop: Shop) -> None:
    async with shop.world.db() as db:
        ends = int((await clock.now(db) + timedelta(days=9)).timestamp())
    signup = await shop.sign_up(trial_end=ends)
    assert signup["first_invoice"]["amount_due"] == 0
    both = await shop.params(trial_end=ends, trial_period_days=9)
    assert (await shop.api.post("/v1/signups", json=both)).status_code == 422
