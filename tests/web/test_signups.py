"""Signing up by API: one call; repeated, refused and listed as a Stripe user knows it."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.signing_up import price, work
from tests.postgres import Database
from tests.web.shop import Shop, open_shop
from twintill.flows import setups


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def test_one_call_answers_with_the_amount_and_a_checkout(shop: Shop) -> None:
    signup = await shop.sign_up(metadata={"user": "7"})
    assert signup["id"].startswith("sgn_")
    assert (signup["object"], signup["state"]) == ("signup", "checkout_open")
    assert signup["first_invoice"]["amount_due"] == 4900
    assert signup["first_invoice"]["currency"] == "eur"
    assert signup["customer"].startswith("cus_")
    assert signup["subscription"].startswith("sub_")
    assert signup["payment"].startswith("pay_")
    assert signup["checkout"]["url"].endswith(f"/checkout/{signup['checkout']['id']}")
    assert signup["metadata"] == {"user": "7"}
    assert signup["access_granted_at"] is None


async def test_repeated_with_the_same_key_it_is_the_same_sign_up(shop: Shop) -> None:
    params, key = await shop.params(), {"Idempotency-Key": "order-1"}
    first = await shop.api.post("/v1/signups", json=params, headers=key)
    again = await shop.api.post("/v1/signups", json=params, headers=key)
    assert again.content == first.content
    customers = await shop.world.means.stripe.client.v1.customers.list_async({})
    assert len(customers.data) == 1
    other = await shop.api.post(
        "/v1/signups", json=await shop.params(days_until_due=5), headers=key
    )
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"items": []}, "items"),
        ({"items": [{"price": "p", "quantity": 0}]}, "items[0][quantity]"),
        ({"days_until_due": 0}, "days_until_due"),
        ({"success_url": "javascript:alert(1)"}, "success_url"),
        ({"cancel_url": "/relative"}, "cancel_url"),
        ({"currency": "eur"}, "currency"),
        ({"customer": {"id": "cus_1", "email": "a@b.c"}}, "customer"),
        ({"customer": {"email": "no address"}}, "customer[email]"),
        ({"metadata": {"k": "\x00"}}, "metadata[k]"),
        ({"trial_period_days": -1}, "trial_period_days"),
    ],
)
async def test_bad_input_is_refused_by_name(
    shop: Shop, wrong: dict[str, object], param: str
) -> None:
    answer = await shop.api.post("/v1/signups", json=await shop.params(**wrong))
    assert (answer.status_code, answer.json()["param"]) == (422, param)


async def test_stripes_refusal_is_shown_with_its_words(shop: Shop) -> None:
    answer = await shop.api.post(
        "/v1/signups", json=await shop.params(items=[{"price": "price_gone"}])
    )
    assert answer.status_code == 400
    assert answer.json()["code"] == "resource_missing"
    assert "price_gone" in answer.json()["detail"]


async def test_an_unknown_customer_or_processor_is_refused(shop: Shop) -> None:
    for wrong in ({"customer": {"id": "cus_gone"}}, {"processor": "nobody"}):
        answer = await shop.api.post("/v1/signups", json=await shop.params(**wrong))
        assert answer.status_code == 400, answer.text


async def test_stripe_out_of_order_is_503_and_the_same_key_goes_on(shop: Shop) -> None:
    await shop.world.break_stripe("/v1/subscriptions", "status", code=500, times=3)
    params, key = await shop.params(), {"Idempotency-Key": "order-2"}
    first = await shop.api.post("/v1/signups", json=params, headers=key)
    assert (first.status_code, first.headers["Retry-After"]) == (503, "5")
    again = await shop.api.post("/v1/signups", json=params, headers=key)
    assert again.status_code == 201, again.text
    found = await shop.world.means.stripe.client.v1.subscriptions.list_async({})
    assert [s.metadata["twintill_op"] for s in found.data] == [again.json()["id"]]


async def test_lists_and_single_ones(shop: Shop) -> None:
    ids = [(await shop.sign_up())["id"] for _ in range(3)]
    page = await shop.get("/v1/signups?limit=2")
    assert ([s["id"] for s in page["data"]], page["has_more"]) == ([ids[2], ids[1]], True)
    rest = await shop.get(f"/v1/signups?limit=2&starting_after={ids[1]}")
    assert [s["id"] for s in rest["data"]] == [ids[0]]
    assert (await shop.get(f"/v1/signups/{ids[0]}"))["id"] == ids[0]
    assert (await shop.api.get("/v1/signups/sgn_none")).status_code == 404
    assert (await shop.browser.get("/v1/signups")).status_code == 401


async def test_access_is_granted_when_it_is_paid(shop: Shop) -> None:
    signup = await shop.sign_up()
    await shop.pay(signup["checkout"]["id"])
    shown = await shop.get(f"/v1/signups/{signup['id']}")
    assert shown["state"] == "active"
    assert shown["access_granted_at"] >= shown["created"]
    checkout = await shop.get(f"/v1/checkouts/{signup['checkout']['id']}")
    assert (checkout["state"], checkout["amount_agreed"]) == ("complete", 4900)
    assert checkout["payment_method"].startswith("pm_")


async def test_an_app_with_its_own_page_completes_by_call(shop: Shop) -> None:
    signup = await shop.sign_up(automatic_tax=True)
    path = f"/v1/checkouts/{signup['checkout']['id']}/complete"
    method = await shop.world.processor.post(
        "/v1/setup_sessions",
        headers={"Authorization": "Bearer sandbox_key_1", "Idempotency-Key": "own-page"},
        json={
            "customer_reference": signup["customer"],
            "return_url": "https://app.example/back",
            "cancel_url": "https://app.example/",
            "currency": "EUR",
            "description": "Pro",
        },
    )
    session, url = method.json()["id"], method.json()["url"]
    early = await shop.api.post(path, json={"setup_session": session})
    assert (early.status_code, early.json()["code"]) == (409, "setup_incomplete")
    await shop.world.processor.post(url, data={"method": "card_ok"})
    wrong = {"setup_session": session, "address": {"country": "DE", "postal_code": "00000"}}
    answer = await shop.api.post(path, json=wrong)
    assert (answer.status_code, answer.json()["param"]) == (400, "address")
    right = wrong | {"address": {"country": "DE", "postal_code": "10115"}}
    answer = await shop.api.post(path, json=right)
    assert (answer.status_code, answer.json()["state"]) == (200, "confirming")
    assert (answer.json()["amount_shown"], answer.json()["amount_final"]) == (4900, 5831)


async def test_a_set_up_of_another_customer_is_refused(shop: Shop) -> None:
    one, two = await shop.sign_up(), await shop.sign_up()
    url = await setups.start(shop.world.means, shop.world.means.scope, one["checkout"]["id"])
    assert url is not None
    await shop.choose(url, "card_ok")
    session = url.rpartition("/")[2]
    answer = await shop.api.post(
        f"/v1/checkouts/{two['checkout']['id']}/complete", json={"setup_session": session}
    )
    assert answer.status_code == 409
    await work(shop.world)
    assert (await shop.get(f"/v1/signups/{two['id']}"))["state"] == "checkout_open"


async def test_currencies_are_shown_in_minor_units(shop: Shop) -> None:
    yen = await price(shop.world, 500, "jpy")
    signup = await shop.sign_up(items=[{"price": yen, "quantity": 2}])
    assert signup["first_invoice"]["amount_due"] == 1000
    assert signup["first_invoice"]["currency"] == "jpy"
