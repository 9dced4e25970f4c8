"""Where customers are, by the API: at the sign-up, later, and whose place is missing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.flows.signing_up import stripes_customer, work
from tests.flows.switching import subscription
from tests.flows.world import SCOPE
from tests.postgres import Database
from tests.web.shop import Shop, open_shop
from twintill.flows import tax

GOOD = {"country": "DE", "postal_code": "10115"}


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def test_a_sign_up_says_where_the_customer_is(shop: Shop) -> None:
    customer = {"email": "ada@example.com", "address": GOOD, "ip_address": "203.0.113.7"}
    signup = await shop.sign_up(customer=customer, automatic_tax=True)
    assert signup["first_invoice"]["amount_due"] == 4900 * 119 // 100
    there = await stripes_customer(shop.world, signup["customer"])
    assert there["address"]["postal_code"] == "10115"


@pytest.mark.parametrize(
    ("customer", "code"),
    [
        ({"address": {"country": "DE", "postal_code": "00000"}}, "customer_tax_location_invalid"),
        ({"address": {"country": "US", "postal_code": "1"}}, "address_invalid"),
        ({"ip_address": "nowhere"}, "bad_request"),
    ],
)
async def test_a_place_that_cannot_be_is_refused(
    shop: Shop, customer: dict[str, Any], code: str
) -> None:
    params = await shop.params(customer=customer)
    answer = await shop.api.post("/v1/signups", json=params)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_whose_place_is_missing_is_listed_until_it_is_mended(shop: Shop) -> None:
    world = shop.world
    customer_id = await world.customer()
    await subscription(world, customer_id)
    path = f"/v1/customers/{customer_id}/tax_location"
    assert (await shop.get(path))["problem"] is None
    async with world.db() as db:
        await tax.ask(db, SCOPE, customer_id)
    await work(world)
    (listed,) = (await shop.get("/v1/tax_locations"))["data"]
    assert (listed["customer"], listed["problem"]) == (customer_id, "location_unknown")
    assert listed["what_to_do"]
    wrong = await shop.api.post(path, json={"address": {"country": "DE", "postal_code": "00000"}})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "customer_tax_location_invalid")
    mended = await shop.api.post(path, json={"address": GOOD})
    assert (mended.status_code, mended.json()["problem"]) == (200, None)
    assert (await shop.get("/v1/tax_locations"))["data"] == []


async def test_bad_input(shop: Shop) -> None:
    customer_id = await shop.world.customer()
    path = f"/v1/customers/{customer_id}/tax_location"
    for params in ({}, {"clear_shipping": True, "shipping_address": GOOD}, {"adress": GOOD}):
        assert (await shop.api.post(path, json=params)).status_code == 422
    answer = await shop.api.post("/v1/customers/cus_x/tax_location", json={"address": GOOD})
    assert answer.status_code == 404
    assert (await shop.api.get("/v1/customers/cus_x/tax_location")).status_code == 404
