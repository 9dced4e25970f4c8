"""A buyer who disputes: stages, where the money is, and what comes of it."""

import pytest

from tests.sandbox.paypal.merchant import START, Json, Merchant, issue

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def open_one(merchant: Merchant, **order: object) -> tuple[Json, str]:
    capture = await merchant.capture()
    opened = await merchant.admin(f"charges/{capture['id']}/dispute", **order)
    return capture, opened["id"]


async def show(merchant: Merchant, dispute_id: str) -> Json:
    shown: Json = (await merchant.get(f"/v1/customer/disputes/{dispute_id}")).json()
    return shown


def moves(dispute: Json) -> list[tuple[str, str, str]]:
    return [
        (one["type"], one["amount"]["value"], one["reason"]) for one in dispute["money_movements"]
    ]


async def test_a_chargeback_takes_the_money_at_once(merchant: Merchant) -> None:
    capture, dispute_id = await open_one(merchant)
    dispute = await show(merchant, dispute_id)
    assert (dispute["status"], dispute["dispute_life_cycle_stage"]) == (
        "WAITING_FOR_SELLER_RESPONSE",
        "CHARGEBACK",
    )
    (transaction,) = dispute["disputed_transactions"]
    assert transaction["seller_transaction_id"] == capture["id"]
    assert (transaction["invoice_number"], transaction["custom"]) == ("in_1", "tw-1")
    assert moves(dispute) == [("DEBIT", "49.00", "DISPUTE_SETTLEMENT")]
    assert (await merchant.event("CUSTOMER.DISPUTE.CREATED"))["resource"] == dispute
    refund = await merchant.post(f"/v2/payments/captures/{capture['id']}/refund", {})
    assert issue(refund) == (422, "TRANSACTION_DISPUTED")


async def test_an_inquiry_leaves_it_with_us(merchant: Merchant) -> None:
    _, dispute_id = await open_one(merchant, withheld=False)
    dispute = await show(merchant, dispute_id)
    assert (dispute["dispute_life_cycle_stage"], moves(dispute)) == ("INQUIRY", [])
    await merchant.admin(f"disputes/{dispute_id}/withhold")
    event = await merchant.event("CUSTOMER.DISPUTE.UPDATED")
    assert event["resource"]["dispute_life_cycle_stage"] == "CHARGEBACK"


@pytest.mark.parametrize(
    ("outcome", "code", "last"),
    [
        ("won", "RESOLVED_SELLER_FAVOUR", "CREDIT"),
        ("lost", "RESOLVED_BUYER_FAVOUR", "DEBIT"),
        ("accepted", "ACCEPTED", "DEBIT"),
    ],
)
async def test_it_is_resolved(merchant: Merchant, outcome: str, code: str, last: str) -> None:
    _, dispute_id = await open_one(merchant)
    await merchant.admin(f"disputes/{dispute_id}/review")
    assert (await show(merchant, dispute_id))["status"] == "UNDER_REVIEW"
    await merchant.admin(f"disputes/{dispute_id}/resolve", outcome=outcome)
    dispute = await show(merchant, dispute_id)
    assert dispute["status"] == "RESOLVED"
    assert dispute["dispute_outcome"]["outcome_code"] == code
    assert moves(dispute)[-1][0] == last
    assert (await merchant.event("CUSTOMER.DISPUTE.RESOLVED"))["resource"] == dispute


async def test_the_list_tells_less_and_goes_on_by_its_link(merchant: Merchant) -> None:
    opened = []
    for n in range(3):
        capture = await merchant.capture(invoice_id=f"in_{n}")
        opened.append((await merchant.admin(f"charges/{capture['id']}/dispute"))["id"])
    since = START.isoformat().replace("+00:00", "Z")
    first = (await merchant.get("/v1/customer/disputes", page_size=2, start_time=since)).json()
    (following,) = [one["href"] for one in first["links"] if one["rel"] == "next"]
    second = (await merchant.http.get(following)).json()
    seen = [one["dispute_id"] for page in (first, second) for one in page["items"]]
    assert seen == opened[::-1]
    assert "disputed_transactions" not in first["items"][0]
    assert not [one for one in second["links"] if one["rel"] == "next"]
    await merchant.pass_days(181)
    late = await merchant.get("/v1/customer/disputes", start_time=since)
    assert issue(late) == (400, "INVALID_PARAMETER_VALUE")
    none = await merchant.get("/v1/customer/disputes", start_time="2099-01-01T00:00:00Z")
    assert none.json()["items"] == []
    assert (await merchant.get("/v1/customer/disputes/PP-D-1")).status_code == 404
