"""/v1/subscriptions: how one stands, cancelling it, once, and taking that back."""

from collections.abc import AsyncIterator

import pytest

from tests.postgres import Database
from tests.web.shop import Shop, open_shop


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def test_cancelled_at_the_period_end_taken_back_then_now(shop: Shop) -> None:
    signup = await shop.sign_up()
    await shop.pay(signup["checkout"]["id"])
    path = f"/v1/subscriptions/{signup['subscription']}"
    assert (await shop.get(path))["cancels_at_period_end"] is False
    key = {"Idempotency-Key": "leave-1"}
    asked = (await shop.api.post(f"{path}/cancel", json={}, headers=key)).json()
    assert (asked["at"], asked["state"]) == ("period_end", "done")
    assert (await shop.api.post(f"{path}/cancel", json={}, headers=key)).json() == asked
    assert await shop.get(f"/v1/cancellations/{asked['id']}") == asked
    assert (await shop.get(path))["cancels_at_period_end"] is True
    assert (await shop.api.post(f"{path}/uncancel")).json()["state"] == "done"
    assert (await shop.get(path))["cancels_at_period_end"] is False
    now = {"at": "now", "refund_last_payment": True}
    ended = (await shop.api.post(f"{path}/cancel", json=now)).json()
    assert (ended["state"], ended["payment"]) == ("done", signup["payment"])
    assert (await shop.get(path))["status"] == "canceled"
    again = await shop.api.post(f"{path}/cancel", json=now)
    assert (again.status_code, again.json()["code"]) == (409, "subscription_ended")


async def test_bad_input_names_its_rule(shop: Shop) -> None:
    assert (await shop.api.get("/v1/subscriptions/sub_x")).status_code == 404
    assert (await shop.api.get("/v1/cancellations/can_x")).status_code == 404
    assert (await shop.api.post("/v1/subscriptions/sub_x/cancel", json={})).status_code == 404
    signup = await shop.sign_up()
    path = f"/v1/subscriptions/{signup['subscription']}/cancel"
    wrong = await shop.api.post(path, json={"at": "yesterday"})
    assert wrong.status_code == 422
    nothing = await shop.api.post(path, json={"at": "now", "refund_last_payment": True})
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing_to_refund")
