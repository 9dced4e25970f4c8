"""Refunds: guarded by the total, told when they arrive, and some come back."""

import pytest

from tests.sandbox.gocardless.merchant import Json, Merchant, reason_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def confirmed(merchant: Merchant, choice: str = "debit_ok") -> Json:
    payment = await merchant.payment(choice)
    await merchant.pass_days(3)
    return payment


async def test_parts_go_back_and_are_counted(merchant: Merchant) -> None:
    payment = await confirmed(merchant)
    first = (await merchant.refund(payment, 2000)).json()["refunds"]
    assert first["id"].startswith("RF")
    assert (first["status"], first["amount"]) == ("pending_submission", 2000)
    assert first["links"]["payment"] == payment["id"]
    await merchant.refund(payment, 3000, total=5000)
    shown = (await merchant.get(f"/payments/{payment['id']}"))["payments"]
    assert shown["amount_refunded"] == 5000
    listed = await merchant.get("/refunds", payment=payment["id"])
    assert [one["amount"] for one in listed["refunds"]] == [3000, 2000]


async def test_the_total_must_be_what_all_refunds_come_to(merchant: Merchant) -> None:
    payment = await confirmed(merchant)
    await merchant.refund(payment, 2000)
    answer = await merchant.refund(payment, 1000, total=1000)
    assert reason_of(answer) == (422, "invalid_state", "total_amount_confirmation_invalid")
    links = {"payment": payment["id"]}
    answer = await merchant.ask("refunds", amount=1000, links=links)
    assert reason_of(answer) == (422, "validation_failed", "total_amount_confirmation")


async def test_never_more_than_the_payment(merchant: Merchant) -> None:
    payment = await confirmed(merchant)
    answer = await merchant.refund(payment, 5001)
    assert reason_of(answer) == (422, "validation_failed", "amount")


async def test_only_what_is_confirmed_goes_back(merchant: Merchant) -> None:
    payment = await merchant.payment()
    answer = await merchant.refund(payment, 1000)
    assert reason_of(answer) == (422, "invalid_state", "refund_payment_invalid_state")


async def test_five_refunds_are_the_most(merchant: Merchant) -> None:
    payment = await confirmed(merchant)
    for n in range(1, 6):
        assert (await merchant.refund(payment, 100, total=100 * n)).status_code == 201
    answer = await merchant.refund(payment, 100, total=600)
    assert reason_of(answer) == (422, "invalid_state", "number_of_refunds_exceeded")


async def test_a_refund_arrives_days_later(merchant: Merchant) -> None:
    refund = (await merchant.refund(await confirmed(merchant), 1000)).json()["refunds"]
    await merchant.pass_days(5)
    assert (await merchant.get(f"/refunds/{refund['id']}"))["refunds"]["status"] == "paid"
    assert set(merchant.door.actions("refunds")) == {"created", "paid", "refund_settled"}


async def test_a_refund_may_bounce_and_its_money_comes_back(merchant: Merchant) -> None:
    payment = await confirmed(merchant, "debit_refund_fails")
    refund = (await merchant.refund(payment, 1000)).json()["refunds"]
    await merchant.simulate("refund_bounced", refund["id"])
    shown = (await merchant.get(f"/refunds/{refund['id']}"))["refunds"]
    assert shown["status"] == "bounced"
    await merchant.pass_days(7)
    shown = (await merchant.get(f"/refunds/{refund['id']}"))["refunds"]
    assert shown["status"] == "funds_returned"
    assert set(merchant.door.actions("refunds")) == {
        "created",
        "failed",
        "refund_settled",
        "funds_returned",
    }
    assert (await merchant.get(f"/payments/{payment['id']}"))["payments"]["amount_refunded"] == 0


async def test_the_same_key_gives_back_once(merchant: Merchant) -> None:
    payment = await confirmed(merchant)
    links = {"payment": payment["id"]}
    body = {"amount": 1000, "total_amount_confirmation": 1000, "links": links}
    made = await merchant.make("refunds", "key", **body)
    again = await merchant.ask("refunds", "key", **body)
    assert reason_of(again)[2] == "idempotent_creation_conflict"
    error = again.json()["error"]["errors"][0]
    assert error["links"]["conflicting_resource_id"] == made["id"]


async def test_an_account_that_may_not_refund(merchant: Merchant) -> None:
    payment = await confirmed(merchant)
    await merchant.behind("account", refunds_are_enabled=False)
    answer = await merchant.refund(payment, 1000)
    assert reason_of(answer) == (403, "invalid_api_usage", "forbidden")


async def test_there_must_be_money_to_give_back(merchant: Merchant) -> None:
    payment = await confirmed(merchant)
    await merchant.pass_days(7)  # the money has left with a payout
    await merchant.behind("account", refund_float_minor=0)
    answer = await merchant.refund(payment, 1000)
    reason = "available_refund_amount_insufficient"
    assert reason_of(answer) == (422, "validation_failed", reason)
