"""Webhooks, the list of events behind them, and payouts with what they consist of."""

import hashlib
import hmac
import json

import pytest

from tests.sandbox.gocardless.merchant import SECRET, Merchant, reason_of
from twintill.sandbox.gocardless import GoCardless

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_webhook_is_signed_over_its_raw_body(merchant: Merchant) -> None:
    await merchant.payment()
    await merchant.behind("tick")
    for body, signature in merchant.door.requests:
        assert signature == hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert json.loads(body)["meta"]["webhook_id"].startswith("WB")


async def test_what_happens_together_comes_in_one_request(merchant: Merchant) -> None:
    mandate = await merchant.mandate()
    for _ in range(12):
        await merchant.make("payments", **merchant.order(mandate))
    await merchant.behind("tick")
    merchant.door.requests.clear()
    await merchant.pass_days(1)
    sizes = [len(json.loads(body)["events"]) for body, _ in merchant.door.requests]
    assert sizes == [13]  # each payment is submitted, and the mandate
    assert GoCardless.most_events == 250


async def test_an_event_has_the_documented_shape(merchant: Merchant) -> None:
    payment = await merchant.payment()
    listed = await merchant.get("/events", payment=payment["id"])
    (event,) = listed["events"]
    assert event.pop("id").startswith("EV")
    assert event.pop("created_at").endswith("Z")
    assert event == {
        "resource_type": "payments",
        "action": "created",
        "links": {"payment": payment["id"]},
        "details": {
            "origin": "api",
            "cause": "payment_created",
            "description": "Payment created via the API.",
        },
        "metadata": {},
        "resource_metadata": {"ref": "tw-1"},
    }


async def test_events_are_listed_the_newest_first_from_a_time_on(merchant: Merchant) -> None:
    await merchant.payment()
    await merchant.pass_days(1)
    listed = await merchant.get("/events", resource_type="payments")
    assert [one["action"] for one in listed["events"]] == ["submitted", "created"]
    since = {"created_at[gte]": listed["events"][0]["created_at"], "resource_type": "payments"}
    assert [one["action"] for one in (await merchant.get("/events", **since))["events"]] == [
        "submitted"
    ]
    one = listed["events"][0]
    assert (await merchant.get(f"/events/{one['id']}"))["events"] == one


async def test_a_payout_is_the_sum_of_its_items(merchant: Merchant) -> None:
    one, two = await merchant.payment(), await merchant.payment(amount=10_000)
    await merchant.pass_days(7)
    (payout,) = (await merchant.get("/payouts"))["payouts"]
    assert (payout["amount"], payout["deducted_fees"]) == (15_000 - 190, 190)
    assert payout["status"] == "paid"
    items = (await merchant.get("/payout_items", payout=payout["id"]))["payout_items"]
    assert [(one["type"], one["amount"]) for one in items] == [
        ("payment_paid_out", "5000.0"),
        ("gocardless_fee", "-70.0"),
        ("payment_paid_out", "10000.0"),
        ("gocardless_fee", "-120.0"),
    ]
    assert [item["links"]["payment"] for item in items[::2]] == [one["id"], two["id"]]
    shown = (await merchant.get(f"/payments/{one['id']}"))["payments"]
    assert shown["links"]["payout"] == payout["id"]
    told = [event for event in merchant.door.events() if event["action"] == "paid_out"]
    assert [event["links"]["payout"] for event in told] == [payout["id"]] * 2
    assert merchant.door.actions("payouts") == ["paid"]


async def test_refunds_are_deducted_from_the_next_payout(merchant: Merchant) -> None:
    payment = await merchant.payment()
    await merchant.pass_days(7)
    await merchant.refund(payment, 5000)
    await merchant.payment(amount=20_000)
    await merchant.pass_days(7)
    payout = (await merchant.get("/payouts"))["payouts"][0]
    items = (await merchant.get("/payout_items", payout=payout["id"]))["payout_items"]
    assert [item["type"] for item in items] == [
        "payment_refunded",
        "payment_paid_out",
        "gocardless_fee",
    ]
    assert items[0]["amount"] == "-5000.0"
    assert items[0]["links"]["refund"].startswith("RF")


async def test_old_payouts_have_lost_their_items(merchant: Merchant) -> None:
    await merchant.payment()
    await merchant.pass_days(7)
    (payout,) = (await merchant.get("/payouts"))["payouts"]
    await merchant.pass_days(190)
    answer = await merchant.http.get("/payout_items", params={"payout": payout["id"]})
    assert answer.status_code == 410


@pytest.mark.parametrize(
    ("scenario", "status"),
    [
        ("payment_submitted", "submitted"),
        ("payment_confirmed", "confirmed"),
        ("payment_paid_out", "paid_out"),
        ("payment_failed", "failed"),
        ("payment_charged_back", "charged_back"),
        ("payment_chargeback_settled", "charged_back"),
        ("payment_late_failure", "failed"),
        ("payment_late_failure_settled", "failed"),
    ],
)
async def test_a_scenario_brings_a_payment_there_at_once(
    merchant: Merchant, scenario: str, status: str
) -> None:
    payment = await merchant.payment()
    answer = await merchant.simulate(scenario, payment["id"])
    assert answer.json() == {"scenario_simulators": {"id": scenario}}
    assert await merchant.status(payment) == status
    await merchant.pass_days(14)
    steady = {"submitted": "paid_out"}  # only this one goes on by itself
    assert await merchant.status(payment) == steady.get(status, status)


async def test_scenarios_of_mandates_and_refunds(merchant: Merchant) -> None:
    mandate = await merchant.mandate()
    await merchant.simulate("mandate_activated", mandate)
    assert (await merchant.get(f"/mandates/{mandate}"))["mandates"]["status"] == "active"
    payment = await merchant.make("payments", **merchant.order(mandate))
    await merchant.simulate("payment_paid_out", payment["id"])
    refund = (await merchant.refund(payment, 1000)).json()["refunds"]
    await merchant.simulate("refund_bounced", refund["id"])
    assert (await merchant.get(f"/refunds/{refund['id']}"))["refunds"]["status"] == "bounced"
    await merchant.simulate("mandate_failed", mandate)
    assert (await merchant.get(f"/mandates/{mandate}"))["mandates"]["status"] == "failed"
    wrong = await merchant.simulate("payment_confirmed", payment["id"])
    assert reason_of(wrong)[1] == "invalid_state"
    assert (await merchant.simulate("make_rich", payment["id"])).status_code == 404
