"""/v1/products, /v1/prices, /v1/invoice_items and making invoices: as a shop asks for them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.flows.signing_up import work
from tests.postgres import Database
from tests.web.shop import Shop, open_shop


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop


async def post(shop: Shop, path: str, status: int = 201, **params: Any) -> dict[str, Any]:
    answer = await shop.api.post(path, json=params)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def refused(shop: Shop, path: str, **params: Any) -> tuple[int, str]:
    answer = await shop.api.post(path, json=params)
    return answer.status_code, answer.json()["code"]


def an_amount(minor: int, description: str = "Setup") -> dict[str, Any]:
    return {"amount": minor, "description": description}


async def test_from_a_product_to_a_paid_invoice(shop: Shop) -> None:
    product = await post(shop, "/v1/products", name="Gold Special")
    price = await post(shop, "/v1/prices", product=product["id"], currency="usd", unit_amount=1000)
    assert (price["unit_amount"], price["interval"]) == (1000, None)
    assert (await shop.get("/v1/products"))["data"] == [product]
    assert (await shop.get(f"/v1/prices?product={product['id']}"))["data"] == [price]
    customer = await shop.world.customer()
    items = [{"price": price["id"], "quantity": 3}, an_amount(-500, "Discount")]
    made = await post(
        shop, "/v1/invoices", customer=customer, items=items, currency="usd", memo="Thank you"
    )
    assert (made["status"], made["amount_due"], made["memo"]) == ("open", 2500, "Thank you")
    await work(shop.world)
    paid = await shop.get(f"/v1/invoices/{made['id']}")
    assert paid["payment"]["state"] == "reported"


async def test_the_same_request_again_is_the_same_invoice(shop: Shop) -> None:
    customer = await shop.world.customer(None)
    params = {"customer": customer, "items": [an_amount(4900)], "currency": "eur"}
    key = {"Idempotency-Key": "order-7"}
    first = await shop.api.post("/v1/invoices", json=params, headers=key)
    again = await shop.api.post("/v1/invoices", json=params, headers=key)
    assert (first.status_code, again.content) == (201, first.content)
    other = {**params, "items": [an_amount(1)]}
    differs = await shop.api.post("/v1/invoices", json=other, headers=key)
    assert (differs.status_code, differs.json()["code"]) == (422, "idempotency_key_reused")


async def test_stripe_away_in_the_middle_the_same_request_goes_on(shop: Shop) -> None:
    customer = await shop.world.customer(None)
    params = {"customer": customer, "items": [an_amount(4900)], "currency": "eur"}
    key = {"Idempotency-Key": "order-8"}
    await shop.world.break_stripe("add_lines", "reset_after", times=3)
    away = await shop.api.post("/v1/invoices", json=params, headers=key)
    assert (away.status_code, away.json()["code"]) == (503, "stripe_unreachable")
    assert "Twintill goes on with it (op_" in away.json()["detail"]
    made = await shop.api.post("/v1/invoices", json=params, headers=key)
    assert (made.status_code, made.json()["amount_due"]) == (201, 4900)
    listed = await shop.world.means.stripe.client.v1.invoices.list_async({"customer": customer})
    assert [invoice.total for invoice in listed.data] == [4900]


async def test_a_draft_from_empty_to_void(shop: Shop) -> None:
    customer = await shop.world.customer(None)
    draft = await post(shop, "/v1/invoices", customer=customer, currency="eur", finalize=False)
    path = f"/v1/invoices/{draft['id']}"
    item = await post(shop, "/v1/invoice_items", invoice=draft["id"], **an_amount(4900))
    assert (item["invoice"], item["customer"]) == (draft["id"], customer)
    changed = await shop.api.patch(f"/v1/invoice_items/{item['id']}", json={"amount": 1900})
    assert changed.json()["amount"] == 1900
    draft = (await shop.api.patch(path, json={"days_until_due": 7, "footer": "VAT 7"})).json()
    assert (draft["amount_due"], draft["footer"]) == (1900, "VAT 7")
    assert (await post(shop, f"{path}/finalize", 200))["status"] == "open"
    late = await shop.api.patch(path, json={"memo": "too late"})
    assert (late.status_code, late.json()["stripe_code"]) == (400, "invoice_not_editable")
    written_off = await post(shop, f"{path}/mark_uncollectible", 200, why="bankrupt")
    assert written_off["status"] == "uncollectible"
    assert (await shop.api.post(f"{path}/void")).json()["status"] == "void"


async def test_items_wait_are_listed_removed_and_invoiced_now(shop: Shop) -> None:
    customer = await shop.world.customer(None)
    more: dict[str, Any] = {"customer": customer, "currency": "eur"}
    first = await post(shop, "/v1/invoice_items", **more, **an_amount(4900))
    second = await post(shop, "/v1/invoice_items", **more, **an_amount(-900))
    gone = await shop.api.delete(f"/v1/invoice_items/{second['id']}")
    assert gone.json() == {"id": second["id"], "object": "invoice_item", "deleted": True}
    waiting = await shop.get(f"/v1/invoice_items?customer={customer}&pending=true")
    assert waiting["data"] == [first]
    now = await post(shop, "/v1/invoices", customer=customer, include_pending=True)
    assert (now["amount_due"], now["currency"]) == (4900, "eur")
    assert await refused(shop, "/v1/invoices", customer=customer, include_pending=True) == (
        400,
        "nothing_to_invoice",
    )


async def test_items_before_the_first_subscription_are_on_its_first_invoice(shop: Shop) -> None:
    made = await shop.world.means.stripe.client.v1.customers.create_async({})
    await post(shop, "/v1/invoice_items", customer=made.id, currency="eur", **an_amount(1000))
    signup = await shop.sign_up(customer={"id": made.id})
    assert signup["first_invoice"]["amount_due"] == 5900


async def test_below_zero_is_moved_to_the_balance_and_said(shop: Shop) -> None:
    customer = await shop.world.customer(None)
    made = await post(
        shop, "/v1/invoices", customer=customer, currency="eur", items=[an_amount(-500)]
    )
    assert (made["status"], made["total"], made["amount_due"]) == ("paid", -500, 0)
    assert "5.00 EUR on the customer's balance" in made["note"]


async def test_a_draft_is_deleted_and_a_prefix_is_set(shop: Shop) -> None:
    customer = await shop.world.customer(None)
    more: dict[str, Any] = {"customer": customer, "currency": "eur", "items": [an_amount(4900)]}
    draft = await post(shop, "/v1/invoices", **more, finalize=False)
    assert (await shop.api.delete(f"/v1/invoices/{draft['id']}")).json()["status"] == "deleted"
    path = f"/v1/customers/{customer}/invoice_prefix"
    named = await shop.api.put(path, json={"invoice_prefix": "ACME"})
    assert named.json()["invoice_prefix"] == "ACME"
    made = await post(shop, "/v1/invoices", **more)
    assert made["number"] == "ACME-0001"
    kept = await shop.api.delete(f"/v1/invoices/{made['id']}")
    assert (kept.status_code, kept.json()["code"]) == (409, "invoice_not_a_draft")


async def test_bad_input_names_its_rule_and_makes_nothing(shop: Shop) -> None:
    customer = await shop.world.customer(None)
    await post(shop, "/v1/invoice_items", customer=customer, currency="eur", **an_amount(1))
    of = {"customer": customer}
    one = [an_amount(4900)]
    for params, expected in (
        ({"items": [an_amount(1)] * 251}, (400, "too_many_items")),
        ({"items": one, "currency": "usd"}, (400, "currency_differs")),
        ({"items": []}, (400, "nothing_to_invoice")),
        ({"items": one, "due_date": 1}, (400, "due_date_past")),
        ({"items": one, "due_date": 2**31, "days_until_due": 1}, (422, "invalid_request")),
        ({"items": [{"amount": 1, "quantity": 2}]}, (422, "invalid_request")),
        ({"items": [{"amount": 1, "price": "price_1"}]}, (422, "invalid_request")),
        ({"items": [{"price": "price_nothing"}]}, (404, "resource_missing")),
        ({"items": one, "customer": "cus_nothing"}, (404, "resource_missing")),
    ):
        assert await refused(shop, "/v1/invoices", **{**of, **params}) == expected, params
    stranger = await shop.world.customer(None)
    odd = {"customer": stranger, "currency": "isk", "items": [an_amount(150)]}
    assert await refused(shop, "/v1/invoices", **odd) == (400, "amount_invalid")
    wrong = await shop.api.put(
        f"/v1/customers/{customer}/invoice_prefix", json={"invoice_prefix": "ab"}
    )
    assert wrong.status_code == 422
    assert not (await shop.world.means.stripe.client.v1.invoices.list_async({})).data


async def test_nothing_in_flight_is_dropped(shop: Shop) -> None:
    customer = await shop.world.customer("debit_ok")
    made = await post(
        shop, "/v1/invoices", customer=customer, currency="eur", items=[an_amount(4900)]
    )
    await work(shop.world)
    for deed in ("void", "mark_uncollectible"):
        path = f"/v1/invoices/{made['id']}/{deed}"
        assert await refused(shop, path) == (409, "charge_out")
    assert (await shop.get(f"/v1/invoices/{made['id']}"))["status"] == "open"
