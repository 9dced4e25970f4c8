"""What each call about a customer's money refuses: it names the rule, and nothing is changed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.flows.test_disputes import dispute, heard
from tests.flows.test_refunds import strand
from tests.flows.world import SCOPE
from tests.postgres import Database
from tests.web.shop import Shop, open_shop
from twintill.ids import payment_id

RETURN = {"return_url": "https://app.example/account"}


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def refused(shop: Shop, path: str, **params: Any) -> tuple[int, str]:
    answer = await shop.api.post(path, json=params)
    return answer.status_code, answer.json()["code"]


async def test_a_refund_in_each_wrong_state(shop: Shop) -> None:
    world = shop.world
    waits = await world.collect(await world.customer("card_declined"))
    debit = await world.collect(await world.customer("debit_ok"))
    disputed = await world.collect(await world.customer())
    stranded = await strand(world)
    await dispute(world, disputed)
    await heard(world, "opened")
    before = await shop.get("/v1/payments")
    for invoice_id, code in (
        (waits, "nothing_to_refund"),
        (debit, "nothing_to_refund"),
        (disputed, "disputed"),
        (stranded, "goes_back_by_itself"),
    ):
        path = f"/v1/payments/{payment_id(SCOPE, invoice_id)}/refunds"
        assert await refused(shop, path, why="a mistake") == (409, code)
    assert await shop.get("/v1/payments") == before
    assert (await shop.get("/v1/refunds"))["data"] == []


async def test_another_customers_method_is_nobodys(shop: Shop) -> None:
    mine, others = await shop.world.customer(), await shop.world.customer()
    path = f"/v1/customers/{mine}/payment_methods"
    own = (await shop.get(path))["data"][0]["id"]
    stranger = (await shop.get(f"/v1/customers/{others}/payment_methods"))["data"][0]["id"]
    before = await shop.get(path)
    for named in ([stranger], [own, stranger], [own, own]):
        answer = await shop.api.put(f"{path}/order", json={"payment_methods": named})
        assert answer.status_code in (400, 404, 422), answer.text
    assert (await shop.api.delete(f"{path}/{stranger}?force=true")).status_code == 404
    assert (await shop.get(path)) == before
    (there,) = (await shop.get(f"/v1/customers/{others}/payment_methods"))["data"]
    assert (there["id"], there["status"]) == (stranger, "active")


@pytest.mark.parametrize(
    ("customer", "params", "status"),
    [
        ("cus_nobody", RETURN, 404),
        ("", {**RETURN, "processor": "nobody"}, 400),
        ("", {**RETURN, "currency": "euros"}, 422),
        ("", {"return_url": "javascript:alert(1)"}, 422),
        ("", {}, 422),
    ],
)
async def test_a_method_cannot_be_asked_for_like_that(
    shop: Shop, customer: str, params: dict[str, Any], status: int
) -> None:
    customer = customer or await shop.world.customer()
    path = f"/v1/customers/{customer}/payment_methods"
    answer = await shop.api.post(path, json=params)
    assert answer.status_code == status, answer.text


async def test_what_has_ended_or_is_unknown_is_not_kept(shop: Shop) -> None:
    assert (await shop.api.post("/v1/subscriptions/sub_x/uncancel")).status_code == 404
    signup = await shop.sign_up()
    await shop.pay(signup["checkout"]["id"])
    path = f"/v1/subscriptions/{signup['subscription']}"
    assert (await shop.api.post(f"{path}/cancel", json={"at": "now"})).is_success
    before = await shop.get(path)
    answer = await shop.api.post(f"{path}/uncancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "subscription_ended")
    assert await shop.get(path) == before
