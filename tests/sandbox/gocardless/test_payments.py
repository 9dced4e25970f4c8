"""Payments: never decided at once, cancellable for a day, and failing days after success."""

import pytest

from tests.sandbox.gocardless.merchant import Merchant, error_of, reason_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_payment_walks_through_its_states_over_business_days(merchant: Merchant) -> None:
    payment = await merchant.payment()
    assert payment["status"] == "pending_submission"
    assert payment["charge_date"] == merchant.day(3)
    seen = []
    for _ in range(8):
        await merchant.pass_days(1)
        seen.append(await merchant.status(payment))
    assert seen[:4] == ["submitted", "submitted", "confirmed", "confirmed"]
    assert seen[-1] == "paid_out"
    expected = ["created", "submitted", "confirmed", "paid_out"]
    assert merchant.door.actions("payments") == expected


async def test_weekends_do_not_count(merchant: Merchant) -> None:
    mandate = await merchant.mandate()
    await merchant.pass_days(4)  # a Friday
    payment = await merchant.make("payments", **merchant.order(mandate))
    assert payment["charge_date"] == merchant.day(5)
    await merchant.pass_days(2)
    assert await merchant.status(payment) == "pending_submission"
    await merchant.pass_days(1)
    assert await merchant.status(payment) == "submitted"


async def test_a_mandate_need_not_be_active_yet(merchant: Merchant) -> None:
    mandate = await merchant.mandate()
    shown = (await merchant.get(f"/mandates/{mandate}"))["mandates"]
    assert (shown["status"], shown["scheme"]) == ("pending_submission", "sepa_core")
    await merchant.make("payments", **merchant.order(mandate))
    await merchant.pass_days(1)
    assert (await merchant.get(f"/mandates/{mandate}"))["mandates"]["status"] == "submitted"
    await merchant.pass_days(1)
    assert (await merchant.get(f"/mandates/{mandate}"))["mandates"]["status"] == "active"


@pytest.mark.parametrize(
    ("choice", "currency", "cause", "code"),
    [
        ("debit_fails", "EUR", "insufficient_funds", "AM04"),
        ("debit_fails", "GBP", "refer_to_payer", "ARUDD-0"),
        ("debit_closed", "EUR", "bank_account_closed", "AC04"),
        ("card_declined", "EUR", "insufficient_funds", "AM04"),
    ],
)
async def test_a_failure_says_what_the_bank_said(
    merchant: Merchant, choice: str, currency: str, cause: str, code: str
) -> None:
    mandate = await merchant.mandate(choice, currency)
    payment = await merchant.make("payments", **merchant.order(mandate, currency=currency))
    await merchant.pass_days(7)
    assert await merchant.status(payment) == "failed"
    event = next(one for one in merchant.door.events() if one["action"] == "failed")
    details = event["details"]
    assert (details["origin"], details["cause"], details["reason_code"]) == ("bank", cause, code)
    assert details["will_attempt_retry"] is False
    assert event["links"] == {"payment": payment["id"]}
    assert event["resource_metadata"] == {"ref": "tw-1"}


async def test_a_payment_may_fail_after_it_was_confirmed(merchant: Merchant) -> None:
    await merchant.payment("debit_fails_late")
    await merchant.pass_days(14)
    assert merchant.door.actions("payments") == ["created", "submitted", "confirmed", "failed"]
    assert merchant.door.actions("payouts") == []


async def test_a_chargeback_comes_after_the_payout_and_is_debited_from_the_next(
    merchant: Merchant,
) -> None:
    payment = await merchant.payment("debit_charged_back")
    await merchant.pass_days(10)
    assert await merchant.status(payment) == "charged_back"
    other = await merchant.payment(amount=90_00)
    await merchant.pass_days(10)
    assert await merchant.status(other) == "paid_out"
    its = [one["action"] for one in merchant.door.events() if _is_about(one, payment["id"])]
    assert its[-3:] == ["paid_out", "charged_back", "chargeback_settled"]


async def test_a_chargeback_can_be_won(merchant: Merchant) -> None:
    payment = await merchant.payment("debit_charged_back")
    await merchant.pass_days(10)
    dispute = (await merchant.get("/_sandbox/state"))["disputes"][0]
    await merchant.behind(f"disputes/{dispute['id']}/resolve", outcome="won")
    assert await merchant.status(payment) == "paid_out"
    await merchant.behind("tick")
    assert merchant.door.actions("payments")[-1] == "chargeback_cancelled"


async def test_only_what_is_not_submitted_can_be_cancelled(merchant: Merchant) -> None:
    payment, other = await merchant.payment(), await merchant.payment()
    answer = await merchant.act(f"payments/{payment['id']}", "cancel")
    assert answer.json()["payments"]["status"] == "cancelled"
    again = await merchant.act(f"payments/{payment['id']}", "cancel")
    assert reason_of(again) == (422, "invalid_state", "cancellation_failed")
    await merchant.pass_days(1)
    late = await merchant.act(f"payments/{other['id']}", "cancel")
    assert reason_of(late) == (422, "invalid_state", "cancellation_failed")
    assert await merchant.status(other) == "submitted"


async def test_a_failed_payment_can_be_retried_three_times(merchant: Merchant) -> None:
    payment = await merchant.payment("debit_fails")
    for _ in range(3):
        await merchant.pass_days(7)
        assert await merchant.status(payment) == "failed"
        answer = await merchant.act(f"payments/{payment['id']}", "retry")
        assert answer.json()["payments"]["status"] == "pending_submission"
    await merchant.pass_days(7)
    refused = await merchant.act(f"payments/{payment['id']}", "retry")
    assert reason_of(refused) == (422, "invalid_state", "retry_failed")
    assert merchant.door.actions("payments").count("failed") == 4


async def test_the_same_key_creates_once_and_names_what_it_created(merchant: Merchant) -> None:
    order = merchant.order(await merchant.mandate())
    payment = await merchant.make("payments", "key-1", **order)
    for body in (order, {**order, "amount": 1}, {}):
        answer = await merchant.ask("payments", "key-1", **body)
        assert reason_of(answer) == (409, "invalid_state", "idempotent_creation_conflict")
        links = error_of(answer)["errors"][0]["links"]
        assert links == {"conflicting_resource_id": payment["id"]}
    assert len((await merchant.get("/payments"))["payments"]) == 1


async def test_a_refused_request_frees_its_key(merchant: Merchant) -> None:
    order = merchant.order(await merchant.mandate())
    refused = await merchant.ask("payments", "key-1", **{**order, "amount": 0})
    assert reason_of(refused) == (422, "validation_failed", "amount")
    await merchant.make("payments", "key-1", **order)


async def test_a_key_is_forgotten_after_thirty_days(merchant: Merchant) -> None:
    order = merchant.order(await merchant.mandate())
    first = await merchant.make("payments", "key-1", **order)
    await merchant.pass_days(31)
    second = await merchant.make("payments", "key-1", **order)
    assert first["id"] != second["id"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"amount": None}, "amount"),
        ({"amount": 12.5}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": "much"}, "amount"),
        ({"currency": None}, "currency"),
        ({"currency": "JPY"}, "currency"),
        ({"currency": "GBP"}, "currency"),  # the mandate is for euros
        ({"links": {}}, "links.mandate"),
        ({"metadata": {"a": "1", "b": "2", "c": "3", "d": "4"}}, "metadata"),
        ({"metadata": {"k" * 51: "1"}}, "metadata"),
        ({"metadata": {"a": "v" * 501}}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"charge_date": "2026-03-02"}, "charge_date"),  # too soon
        ({"charge_date": "soon"}, "charge_date"),
        ({"reference": "r" * 141}, "reference"),
    ],
)
async def test_a_wrong_field_is_named(
    merchant: Merchant, fields: dict[str, object], field: str
) -> None:
    answer = await merchant.ask(
        "payments", **{**merchant.order(await merchant.mandate()), **fields}
    )
    assert reason_of(answer) == (422, "validation_failed", field)
    assert error_of(answer)["errors"][0]["request_pointer"].startswith("/payments/")
    assert (await merchant.get("/payments"))["payments"] == []


async def test_a_later_charge_date_waits(merchant: Merchant) -> None:
    day = merchant.day(17)
    payment = await merchant.payment(charge_date=day)
    assert payment["charge_date"] == day
    await merchant.pass_days(13)
    assert await merchant.status(payment) == "pending_submission"
    await merchant.pass_days(4)
    assert await merchant.status(payment) == "confirmed"


async def test_an_unknown_mandate_is_not_found(merchant: Merchant) -> None:
    answer = await merchant.ask("payments", **merchant.order("MD000NOBODY000"))
    assert answer.status_code == 404
    assert error_of(answer)["type"] == "invalid_api_usage"


async def test_payments_are_listed_the_newest_first_in_pages(merchant: Merchant) -> None:
    mandate, other = await merchant.mandate(), await merchant.mandate()
    ids = [(await merchant.make("payments", **merchant.order(mandate)))["id"] for _ in range(5)]
    await merchant.make("payments", **merchant.order(other))
    first = await merchant.get("/payments", mandate=mandate, limit=2)
    assert [one["id"] for one in first["payments"]] == [ids[4], ids[3]]
    assert first["meta"] == {"cursors": {"before": None, "after": ids[3]}, "limit": 2}
    second = await merchant.get("/payments", mandate=mandate, limit=3, after=ids[3])
    assert [one["id"] for one in second["payments"]] == [ids[2], ids[1], ids[0]]
    assert second["meta"]["cursors"] == {"before": ids[2], "after": None}
    back = await merchant.get("/payments", mandate=mandate, limit=2, before=ids[2])
    assert [one["id"] for one in back["payments"]] == [ids[4], ids[3]]


async def test_payments_are_found_by_when_they_were_created(merchant: Merchant) -> None:
    old = await merchant.payment()
    await merchant.pass_days(1)
    new = await merchant.payment()
    bound = {"created_at[gte]": new["created_at"]}
    assert [one["id"] for one in (await merchant.get("/payments", **bound))["payments"]] == [
        new["id"]
    ]
    bound = {"created_at[lt]": new["created_at"]}
    assert [one["id"] for one in (await merchant.get("/payments", **bound))["payments"]] == [
        old["id"]
    ]


@pytest.mark.parametrize("query", [{"limit": "501"}, {"colour": "red"}, {"after": "PM0"}])
async def test_a_list_that_makes_no_sense_is_refused(
    merchant: Merchant, query: dict[str, str]
) -> None:
    answer = await merchant.http.get("/payments", params=query)
    assert reason_of(answer) == (400, "invalid_api_usage", "invalid_filters")


def _is_about(event: dict[str, dict[str, str]], payment_id: str) -> bool:
    return event["links"].get("payment") == payment_id
