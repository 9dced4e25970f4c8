"""How a mandate comes about, and what ends it."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.sandbox.gocardless.merchant import Merchant, reason_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_billing_request_waits_for_its_payer(merchant: Merchant) -> None:
    request, flow = await merchant.billing_request()
    assert request["id"].startswith("BRQ")
    assert (request["status"], request["mandate_request"]["scheme"]) == ("pending", "sepa_core")
    assert request["links"]["customer"].startswith("CU")
    assert "mandate_request_mandate" not in request["links"]
    assert flow["id"].startswith("BRF")
    assert flow["links"] == {"billing_request": request["id"]}
    assert flow["expires_at"][:10] == merchant.day(7)


async def test_the_payer_finishes_on_the_page_and_comes_back(merchant: Merchant) -> None:
    request, flow = await merchant.billing_request()
    page = urlsplit(flow["authorisation_url"])
    shown = await merchant.http.get(f"{page.path}?{page.query}")
    assert "Stand-in GoCardless" in shown.text
    assert 'value="debit_ok" required checked' in shown.text
    back = await merchant.http.post(page.path, data={"method": "debit_ok"})
    assert (back.status_code, back.headers["location"]) == (303, "https://shop.example/back")
    done = (await merchant.get(f"/billing_requests/{request['id']}"))["billing_requests"]
    assert done["status"] == "fulfilled"
    mandate = await merchant.get(f"/mandates/{done['links']['mandate_request_mandate']}")
    assert mandate["mandates"]["links"]["customer"] == done["links"]["customer"]
    await merchant.behind("tick")
    expected = ["created", "flow_created", "payer_details_confirmed", "fulfilled"]
    assert merchant.door.actions("billing_requests") == expected
    fulfilled = [one for one in merchant.door.events() if one["action"] == "fulfilled"]
    assert fulfilled[0]["links"]["mandate_request_mandate"] == mandate["mandates"]["id"]


async def test_without_auto_fulfil_the_merchant_fulfils(merchant: Merchant) -> None:
    request, _ = await merchant.billing_request(auto_fulfil=False)
    early = await merchant.act(f"billing_requests/{request['id']}", "fulfil")
    assert early.status_code == 422
    await merchant.behind(f"setup_sessions/{request['id']}/complete", method="debit_ok")
    ready = (await merchant.get(f"/billing_requests/{request['id']}"))["billing_requests"]
    assert ready["status"] == "ready_to_fulfil"
    assert (await merchant.get("/mandates"))["mandates"] == []
    done = await merchant.act(f"billing_requests/{request['id']}", "fulfil")
    links = done.json()["billing_requests"]["links"]
    assert [links["mandate_request_mandate"]] == [
        one["id"] for one in (await merchant.get("/mandates"))["mandates"]
    ]


async def test_a_flow_is_a_new_one_each_time(merchant: Merchant) -> None:
    request = await merchant.make("billing_requests", mandate_request={"currency": "GBP"})
    links = {"billing_request": request["id"]}
    one = await merchant.make("billing_request_flows", "key", links=links)
    two = await merchant.make("billing_request_flows", "key", links=links)
    assert one["id"] != two["id"]


async def test_the_same_key_makes_one_billing_request(merchant: Merchant) -> None:
    wanted = {"mandate_request": {"currency": "EUR"}}
    made = await merchant.make("billing_requests", "key", **wanted)
    again = await merchant.ask("billing_requests", "key", **wanted)
    assert reason_of(again) == (409, "invalid_state", "idempotent_creation_conflict")
    error = again.json()["error"]["errors"][0]
    assert error["links"]["conflicting_resource_id"] == made["id"]


async def test_a_flow_expires_and_another_can_follow(merchant: Merchant) -> None:
    request, flow = await merchant.billing_request()
    await merchant.pass_days(8)
    late = await merchant.http.post(
        urlsplit(flow["authorisation_url"]).path, data={"method": "debit_ok"}
    )
    assert late.status_code == 409
    shown = (await merchant.get(f"/billing_requests/{request['id']}"))["billing_requests"]
    assert shown["status"] == "pending"
    await merchant.make("billing_request_flows", links={"billing_request": request["id"]})
    await merchant.behind(f"setup_sessions/{request['id']}/complete", method="debit_ok")


async def test_a_cancelled_request_cannot_be_finished(merchant: Merchant) -> None:
    request, _ = await merchant.billing_request()
    answer = await merchant.act(f"billing_requests/{request['id']}", "cancel")
    assert answer.json()["billing_requests"]["status"] == "cancelled"
    path = f"/_sandbox/setup_sessions/{request['id']}/complete"
    assert (await merchant.http.post(path, json={"method": "debit_ok"})).status_code == 409
    again = await merchant.act(f"billing_requests/{request['id']}", "cancel")
    assert reason_of(again) == (422, "invalid_state", "cancellation_failed")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "mandate_request"),
        ({"mandate_request": {}}, "mandate_request.currency"),
        ({"mandate_request": {"currency": "JPY"}}, "mandate_request.currency"),
        ({"mandate_request": {"currency": "EUR", "scheme": "bacs"}}, "mandate_request.scheme"),
        ({"mandate_request": "yes"}, "mandate_request"),
    ],
)
async def test_a_wrong_request_is_refused(
    merchant: Merchant, body: dict[str, Any], field: str
) -> None:
    answer = await merchant.ask("billing_requests", **body)
    assert reason_of(answer) == (422, "validation_failed", field)


@pytest.mark.parametrize(
    ("given_name", "days", "mandate", "payment"),
    [
        ("Successful", 14, "active", "paid_out"),
        ("Penniless", 14, "active", "failed"),
        ("Fickle", 14, "active", "charged_back"),
        ("Late", 14, "active", "failed"),
        ("Invalid", 14, "failed", "cancelled"),
    ],
)
async def test_special_names_have_their_ends(
    merchant: Merchant, given_name: str, days: int, mandate: str, payment: str
) -> None:
    person = {"given_name": given_name, "family_name": "Tester"}
    request, _ = await merchant.billing_request(prefilled_customer=person)
    await merchant.behind(f"setup_sessions/{request['id']}/complete", method="debit_ok")
    done = (await merchant.get(f"/billing_requests/{request['id']}"))["billing_requests"]
    mandate_id = done["links"]["mandate_request_mandate"]
    customer = (await merchant.get(f"/customers/{done['links']['customer']}"))["customers"]
    assert customer["given_name"] == given_name
    made = await merchant.make("payments", **merchant.order(mandate_id))
    await merchant.pass_days(days)
    assert (await merchant.get(f"/mandates/{mandate_id}"))["mandates"]["status"] == mandate
    assert await merchant.status(made) == payment


async def test_cancelling_a_mandate_cancels_what_is_not_submitted(merchant: Merchant) -> None:
    mandate = await merchant.mandate()
    sent = await merchant.make("payments", **merchant.order(mandate))
    await merchant.pass_days(1)
    waiting = await merchant.make("payments", **merchant.order(mandate))
    answer = await merchant.act(f"mandates/{mandate}", "cancel")
    assert answer.json()["mandates"]["status"] == "cancelled"
    assert await merchant.status(waiting) == "cancelled"
    assert await merchant.status(sent) == "submitted"
    again = await merchant.act(f"mandates/{mandate}", "cancel")
    assert reason_of(again) == (422, "invalid_state", "cancellation_failed")
    refused = await merchant.ask("payments", **merchant.order(mandate))
    assert reason_of(refused) == (422, "invalid_state", "mandate_is_inactive")


@pytest.mark.parametrize(
    ("end", "status", "action", "origin"),
    [
        ("revoke_by_customer", "cancelled", "cancelled", "bank"),
        ("expire", "expired", "expired", "gocardless"),
        ("block", "blocked", "blocked", "gocardless"),
    ],
)
async def test_a_mandate_can_end_without_the_merchant(
    merchant: Merchant, end: str, status: str, action: str, origin: str
) -> None:
    mandate = await merchant.mandate()
    await merchant.behind(f"methods/{mandate}/{end}")
    assert (await merchant.get(f"/mandates/{mandate}"))["mandates"]["status"] == status
    await merchant.behind("tick")
    event = merchant.door.events()[-1]
    assert (event["resource_type"], event["action"]) == ("mandates", action)
    assert event["details"]["origin"] == origin
    assert event["links"] == {"mandate": mandate}


async def test_a_bank_account_shows_its_last_digits_only(merchant: Merchant) -> None:
    mandate = (await merchant.get(f"/mandates/{await merchant.mandate()}"))["mandates"]
    account_id = mandate["links"]["customer_bank_account"]
    account = await merchant.get(f"/customer_bank_accounts/{account_id}")
    shown = account["customer_bank_accounts"]
    assert (shown["account_number_ending"], shown["country_code"]) == ("00", "DE")
