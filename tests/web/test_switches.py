"""Switching by the API: what it answers, what it refuses, and that a refusal changes nothing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.flows import switching
from tests.flows.signing_up import work
from tests.postgres import Database
from tests.web.shop import Shop, open_shop


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def test_to_stripe_and_what_it_answers(shop: Shop) -> None:
    customer_id = await shop.world.customer()
    subscription_id = await switching.subscription(shop.world, customer_id)
    draft = await switching.latest(shop.world, subscription_id)
    method_id = await switching.card(shop.world, customer_id)
    path, key = f"/v1/subscriptions/{subscription_id}/switch", {"Idempotency-Key": "switch-1"}
    params = {"to": "stripe", "payment_method": method_id}
    answer = await shop.api.post(path, json=params, headers=key)
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert (shown["state"], shown["open_invoices"], shown["customer"]) == (
        "done",
        "finish",
        customer_id,
    )
    assert shown["invoices"] == [
        {"invoice": draft, "was": "draft", "did": "changed", "replaced_by": None, "why": None}
    ]
    assert (await shop.api.post(path, json=params, headers=key)).json() == shown
    assert await shop.get(f"/v1/switches/{shown['id']}") == shown
    assert (await shop.get(f"/v1/switches?customer={customer_id}"))["data"] == [shown]
    again = await shop.api.post(path, json=params)
    assert (again.status_code, again.json()["code"]) == (409, "already_there")
    assert (await shop.api.get(f"/v1/switches/{customer_id}")).status_code == 404
    await work(shop.world)


async def test_a_page_for_the_customer(shop: Shop) -> None:
    customer_id = await shop.world.customer(None)
    subscription_id = await switching.subscription(shop.world, customer_id)
    params = {
        "to": "processor",
        "processor": "sandbox",
        "return_url": "https://app.example/account",
    }
    path = f"/v1/subscriptions/{subscription_id}/switch"
    shown = (await shop.api.post(path, json=params)).json()
    assert (shown["state"], shown["page"]["state"]) == ("waiting", "open")
    assert (await shop.browser.get(shown["page"]["url"])).status_code == 200
    running = await shop.api.post(path, json=params)
    assert (running.status_code, running.json()["code"]) == (409, "switch_running")


async def test_bad_input_is_refused_and_nothing_changes(shop: Shop) -> None:
    world = shop.world
    customer_id, other_id = await world.customer(), await world.customer()
    subscription_id = await switching.subscription(world, customer_id)
    ours = (await shop.get(f"/v1/customers/{customer_id}/payment_methods"))["data"][0]["id"]
    others = (await shop.get(f"/v1/customers/{other_id}/payment_methods"))["data"][0]["id"]
    others_card = await switching.card(world, other_id, "pm_1Others")
    processor = {"to": "processor"}
    page = {"return_url": "https://app.example/"}
    refused: list[tuple[dict[str, Any], int, str]] = [
        ({"to": "nobody"}, 422, "invalid_request"),
        ({"to": "stripe"}, 400, "bad_request"),
        ({"to": "stripe", "payment_method": others_card}, 400, "payment_method_not_the_customers"),
        ({"to": "stripe", "payment_method": "pm_nope"}, 400, "payment_method_not_the_customers"),
        (
            {"to": "stripe", "payment_method": others_card, "open_invoices": "leave"},
            400,
            "bad_request",
        ),
        (processor, 400, "bad_request"),
        ({**processor, "payment_method": others}, 404, "resource_missing"),
        ({**processor, "payment_method": "pm_nope"}, 404, "resource_missing"),
        ({**processor, "payment_method": ours}, 409, "already_there"),
        ({**processor, **page, "processor": "nobody"}, 400, "processor_unknown"),
        ({**processor, **page, "payment_method": ours}, 400, "bad_request"),
    ]
    path = f"/v1/subscriptions/{subscription_id}/switch"
    for params, status, code in refused:
        answer = await shop.api.post(path, json=params)
        assert (answer.status_code, answer.json()["code"]) == (status, code), params
    assert (await shop.get("/v1/switches"))["data"] == []
    missing = {"to": "stripe", "payment_method": "pm_x"}
    answer = await shop.api.post("/v1/subscriptions/sub_nope/switch", json=missing)
    assert answer.status_code == 404


async def test_an_ended_one_and_one_that_is_being_signed_up_are_not_switched(shop: Shop) -> None:
    world = shop.world
    customer_id = await world.customer()
    ended = await switching.subscription(world, customer_id)
    await world.means.stripe.cancel_subscription(ended)
    method_id = await switching.card(world, customer_id)
    params = {"to": "stripe", "payment_method": method_id}
    answer = await shop.api.post(f"/v1/subscriptions/{ended}/switch", json=params)
    assert (answer.status_code, answer.json()["code"]) == (409, "subscription_ended")
    signup = await shop.sign_up()
    method_id = await switching.card(world, signup["customer"], "pm_1Signing")
    params = {"to": "stripe", "payment_method": method_id}
    path = f"/v1/subscriptions/{signup['subscription']}/switch"
    answer = await shop.api.post(path, json=params)
    assert (answer.status_code, answer.json()["code"]) == (409, "signup_unfinished")
